//! Everything rdkafka: consuming the input topic, publishing the billing topics, and the topics themselves.
//!
//! Knows no rules and nothing of how the ledger is kept. Invariant: no other crate names rdkafka.
