//! Everything rdkafka: consuming the input topic, publishing the billing topics, and the topics themselves.
//!
//! Knows no rules and nothing of how the ledger is kept. Invariant: no other crate names rdkafka.

mod client;
mod secret;
mod topic_names;

pub use self::{
    client::{ClientSettings, OAuth, Sasl, ScramHash, Tls},
    secret::{Secret, SecretError},
    topic_names::TopicNames,
};
