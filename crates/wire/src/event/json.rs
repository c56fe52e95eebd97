//! The general reader of events in JSON: the generated mapping, then the checks.
//!
//! Knows nothing of webhooks; the caller has seen that the document is JSON. Invariant: a problem names the field where
//! the mapping failed, and nothing of its value.

use model::MalformedReason;

use super::convert;
use crate::{
    piece::{Piece, Problem},
    proto::event as schema,
};

/// Reads one JSON document as an event.
pub(crate) fn read(text: &str) -> Piece<'static> {
    match serde_json::from_str::<schema::Event>(text) {
        Ok(event) => convert::piece(event),
        Err(error) => Piece::Malformed(problem(text, &error)),
    }
}

/// Reads again to learn at which field the mapping failed; only documents that are wrong pay for it.
fn problem(text: &str, error: &serde_json::Error) -> Problem {
    let column = error.column();
    let mut reader = serde_json::Deserializer::from_str(text);
    let path = match serde_path_to_error::deserialize::<_, schema::Event>(&mut reader) {
        Ok(_) => String::new(),
        Err(error) => error.path().to_string(),
    };
    let field = (!path.is_empty() && path != ".").then_some(path);
    Problem {
        reason: MalformedReason::OutOfRange,
        message: format!(
            "{} is not of the form that the event schema gives it, at column {column}; \
             see proto/tarifa/event/v1/event.proto",
            field.as_deref().unwrap_or("a field")
        ),
        field: field.map(Into::into),
        column: Some(column),
    }
}
