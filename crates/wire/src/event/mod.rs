//! Events of `tarifa.event.v1` in both forms: read into `model::Event`, and written from it.
//!
//! Knows nothing of webhooks. Invariant: for each form a fast reader takes the usual shape and leaves everything else
//! to the general one (the generated types), so that only the general one decides what is right.

mod convert;
mod fast_json;
mod fast_protobuf;
mod json;
mod names;
mod protobuf;
mod write_json;
mod write_protobuf;

#[cfg(test)]
mod tests;

pub(crate) use fast_json::read as read_fast_json;
pub(crate) use json::read as read_json;
pub use protobuf::decode_protobuf;
pub use write_json::event_to_json;
pub use write_protobuf::{event_to_delimited, event_to_protobuf};
