//! Everything that is bytes: protobuf, JSON, webhook bodies in; canonical bytes and their chain out.
//!
//! Knows nothing of files, Kafka, storage or the rules of a tariff; converts to and from `model` and nothing else.
//! Invariant: no input makes it panic, and what it cannot read it names as a problem instead of passing it over.

mod canonical;
mod control;
mod document;
mod enum_names;
mod event;
mod framing;
mod limits;
mod pb;
mod piece;
pub mod proto;
mod rfc3339;
mod scan;
mod tree;
mod webhook;

pub use canonical::{
    CanonicalEntry, CanonicalError, ChainLanes, Chained, EntryDecoder, EntryWriter, Words, chain_hash,
    decode_entry, encode_entry, join_previous_hash, split_previous_hash,
};
pub use control::{
    Control, configuration_to_protobuf, decode_control, resubmission_to_protobuf, tick_to_protobuf,
};
pub use document::{WebhookDefaults, decode_json_line, decode_record_value};
pub use event::{decode_protobuf, event_to_delimited, event_to_json, event_to_protobuf};
pub use framing::{Delimited, Format, next_delimited, sniff, strip_confluent};
pub use limits::DOCUMENT_BYTES_MAX;
pub use piece::{Piece, Problem};
pub use rfc3339::{put_rfc3339, rfc3339_of};
