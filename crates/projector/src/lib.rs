//! The one fold: what each record does to its thread, and which entries that books.
//!
//! Knows nothing of clocks, files, Kafka, sled or logging, and iterates over no hash table.
//! Invariant: the net result of a thread is a function of the set of its accepted events, whatever their order.

#![deny(clippy::float_arithmetic)]

mod apply;
mod asleep;
mod block;
mod booking;
mod bucket;
mod correction;
mod error;
mod evidence;
mod finder;
mod fold;
mod gaps;
mod identity;
mod labels;
mod lane;
mod long;
mod message;
mod minute;
mod net;
mod numbers;
mod packed;
mod prefetch;
mod projector;
mod slabs;
mod snapshot;
mod steps;
mod stored_message;
mod stored_thread;
mod thread;
mod tick;
mod timeline;
mod varint;

pub use error::ProjectError;
pub use fold::{FoldState, OpenWindow, Rules};
pub use identity::{charge_id, conversation_id};
pub use net::{EvidenceReport, NetCharge, NetConversation, ThreadHistory, WithdrawnConversation};
pub use projector::{BUCKETS, FUTURE_TOLERANCE, HORIZON, Projected, Projector, bucket_of};
pub use snapshot::{BucketPart, SnapshotError, StoredBucket};
pub use steps::StepEffect;
