//! Everything rdkafka: consuming the input topic, publishing the billing topics, and the topics themselves.
//!
//! Knows no rules and nothing of how the ledger is kept. Invariant: no other crate names rdkafka.

mod client;
mod cluster;
mod feed;
mod input;
#[cfg(feature = "test-util")]
pub mod meddling;
mod member;
mod producer;
mod secret;
mod sign_in;
mod topic_names;
pub mod topics;
mod wait;

pub use self::{
    client::{ClientSettings, Sasl, ScramHash, Tls},
    cluster::Cluster,
    feed::{Fed, FeedError, LedgerFeed},
    input::{InputProducer, SendError},
    member::{Member, MemberSettings},
    secret::{Secret, SecretError},
    sign_in::SignIn,
    topic_names::TopicNames,
};
