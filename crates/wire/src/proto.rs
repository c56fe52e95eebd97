//! The generated protobuf types with their JSON mapping.
//!
//! Owns what the generator cannot: names of enum values with and without their prefix. Knows nothing of `model`.
//! Invariant: what is written is the canonical proto3 JSON mapping; only reading is more generous.

#![allow(
    clippy::all,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub,
    reason = "the generator's code, not ours"
)]

/// `tarifa.billing.v1`: entries of the ledger.
pub mod billing {
    include!(concat!(env!("OUT_DIR"), "/tarifa.billing.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/tarifa.billing.v1.serde.rs"));
}

/// `tarifa.event.v1`: what senders report.
pub mod event {
    include!(concat!(env!("OUT_DIR"), "/tarifa.event.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/tarifa.event.v1.serde.rs"));
}
