//! Events in protobuf: the fast reader first, then the general one.
//!
//! Knows nothing of framing. Invariant: one message is one piece.

use model::MalformedReason;
use prost::Message;

use super::{convert, fast_protobuf};
use crate::{
    limits::DOCUMENT_BYTES_MAX,
    piece::{Piece, Problem},
    proto::event as schema,
};

/// Reads one message of `tarifa.event.v1.Event`; unknown fields are passed over.
///
/// A message longer than 1 MiB, or one that is no protobuf, is [`Piece::Malformed`].
#[inline]
#[must_use]
pub fn decode_protobuf(message: &[u8]) -> Piece<'_> {
    match fast_protobuf::read(message) {
        Some(event) if message.len() <= DOCUMENT_BYTES_MAX => Piece::Event(event),
        _ => read(message),
    }
}

/// The general reader.
fn read(message: &[u8]) -> Piece<'static> {
    if message.len() > DOCUMENT_BYTES_MAX {
        return Piece::Malformed(Problem::unreadable(
            MalformedReason::TooLong,
            format!("message has {} bytes, more than 1 MiB; split it where it is made", message.len()),
        ));
    }
    match schema::Event::decode(message) {
        Ok(event) => convert::piece(event),
        Err(_) => Piece::Malformed(Problem::unreadable(
            MalformedReason::UnreadableProtobuf,
            "not a protobuf message of tarifa.event.v1.Event; check the producer's schema and framing",
        )),
    }
}

#[cfg(test)]
pub(super) fn read_general(message: &[u8]) -> Piece<'static> {
    read(message)
}
