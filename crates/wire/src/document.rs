//! One input document into pieces: decides what it is and which reader gets it.
//!
//! Knows nothing of files or topics. Invariant: every document yields at least one piece.

use model::{IgnoredReason, MalformedReason};

use crate::{
    event::{decode_protobuf, read_fast_json, read_json},
    framing::{is_protobuf, strip_confluent},
    limits::DOCUMENT_BYTES_MAX,
    piece::{Piece, Problem},
    tree::Json,
    webhook,
};

/// What a bare webhook body does not say itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookDefaults {
    /// The WhatsApp Business Account (option `--account`).
    pub account: Option<String>,
    /// The business's number id (option `--business-phone`).
    pub business_phone: Option<String>,
}

/// Members that only an event has, in both spellings.
const EVENT_MEMBERS: [&str; 26] = [
    "eventId",
    "event_id",
    "occurredAt",
    "occurred_at",
    "accountId",
    "account_id",
    "businessPhone",
    "business_phone",
    "userPhone",
    "user_phone",
    "userMessage",
    "user_message",
    "businessMessage",
    "business_message",
    "messageStatus",
    "message_status",
    "userCall",
    "user_call",
    "consent",
    "tick",
    "configuration",
    "periodClosed",
    "period_closed",
    "userErased",
    "user_erased",
    "resubmission",
];

/// Reads one line of a JSON Lines file: an event or a webhook body. The line end may be there or not.
///
/// Each piece goes to `sink` in the order in which it stands in the document.
#[inline]
pub fn decode_json_line(line: &[u8], defaults: &WebhookDefaults, sink: &mut impl FnMut(Piece<'_>)) {
    if line.len() <= DOCUMENT_BYTES_MAX
        && let Ok(text) = std::str::from_utf8(line)
        && let Some(event) = read_fast_json(text)
    {
        return sink(Piece::Event(event));
    }
    decode_unusual_line(line, defaults, sink);
}

fn decode_unusual_line(line: &[u8], defaults: &WebhookDefaults, sink: &mut dyn FnMut(Piece<'_>)) {
    // Some editors put a byte order mark before the first line.
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.len() > DOCUMENT_BYTES_MAX {
        return sink(Piece::Malformed(Problem::unreadable(
            MalformedReason::TooLong,
            format!("line has {} bytes, more than 1 MiB; write one JSON document on each line", line.len()),
        )));
    }
    if line.trim_ascii().is_empty() {
        return sink(Piece::Ignored(IgnoredReason::EmptyLine));
    }
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => return sink(Piece::Malformed(invalid_utf8(error.valid_up_to() + 1))),
    };
    match serde_json::from_str::<Json<'_>>(text) {
        Err(error) => sink(Piece::Malformed(unreadable_json(&error))),
        Ok(document) => decode_document(text, &document, defaults, sink),
    }
}

fn decode_document(
    text: &str,
    document: &Json<'_>,
    defaults: &WebhookDefaults,
    sink: &mut dyn FnMut(Piece<'_>),
) {
    if EVENT_MEMBERS.iter().any(|member| document.get(member).is_some()) {
        return sink(read_json(text));
    }
    if !webhook::read(document, defaults, sink) {
        sink(Piece::Malformed(Problem::unreadable(
            MalformedReason::UnknownShape,
            "neither an event (eventId, occurredAt…) nor a webhook body (entry, messages, statuses); \
             one JSON object on each line is expected",
        )));
    }
}

fn invalid_utf8(column: usize) -> Problem {
    Problem {
        reason: MalformedReason::InvalidUtf8,
        field: None,
        column: Some(column),
        message: format!("byte {column} is not UTF-8; write the file in UTF-8"),
    }
}

fn unreadable_json(error: &serde_json::Error) -> Problem {
    let column = error.column();
    let what = if error.is_eof() { "ends in the middle of" } else { "is not" };
    Problem {
        reason: MalformedReason::UnreadableJson,
        field: None,
        column: Some(column),
        message: format!(
            "line {what} a JSON document at column {column}; write one whole document on each line"
        ),
    }
}

/// Reads the value of a record of the input topic: JSON by its first byte, else protobuf, with Confluent's framing or
/// without.
pub fn decode_record_value(value: &[u8], defaults: &WebhookDefaults, sink: &mut impl FnMut(Piece<'_>)) {
    let value = strip_confluent(value).unwrap_or(value);
    // A line feed may stand before JSON, and is also the key of a protobuf event's first field. The other bytes would
    // be keys of fields that an event does not have.
    let is_json = match value.first() {
        Some(b'{' | b'[' | b' ' | b'\t' | b'\r' | 0xef) => true,
        Some(b'\n') => value.trim_ascii_start().first() == Some(&b'{') && !is_protobuf(value),
        _ => false,
    };
    if is_json { decode_json_line(value, defaults, sink) } else { sink(decode_protobuf(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(value: &[u8]) -> Vec<String> {
        let mut pieces = Vec::new();
        decode_record_value(value, &WebhookDefaults::default(), &mut |piece| {
            pieces.push(match piece {
                Piece::Event(event) => event.event_id.into_owned(),
                Piece::Ignored(reason) => reason.as_str().to_owned(),
                Piece::Malformed(problem) => problem.reason.as_str().to_owned(),
                Piece::Tick(at) => at.0.to_string(),
            });
        });
        pieces
    }

    #[test]
    fn the_value_of_a_record_is_json_or_protobuf_by_its_first_bytes() {
        // An id of 123 bytes makes a protobuf event begin with a line feed and a brace.
        for id_length in [1, 9, 10, 13, 32, 123] {
            let id = "{".repeat(id_length);
            let json = format!(
                r#"{{"eventId":"{id}","occurredAt":"2022-02-03T10:00:00Z","accountId":"1","businessPhone":"2",
                "userPhone":"5511987654321","userCall":{{}}}}"#
            );
            let mut protobuf = Vec::new();
            decode_json_line(json.as_bytes(), &WebhookDefaults::default(), &mut |piece| {
                if let Piece::Event(event) = piece {
                    crate::event_to_protobuf(&event, &mut protobuf);
                }
            });
            let framed = |value: &[u8], index: &[u8]| [b"\0\0\0\0\x07", index, value].concat();
            for value in [
                json.clone().into_bytes(),
                format!("\n {json}\n").into_bytes(),
                format!("\u{feff}{json}").into_bytes(),
                framed(json.as_bytes(), b""),
                framed(&protobuf, b"\0"),
                protobuf,
            ] {
                assert_eq!(pieces(&value), [id.as_str()]);
            }
        }
    }

    #[test]
    fn what_is_neither_is_one_problem() {
        for (value, reason) in [
            (b"".as_slice(), "missing_field"),
            (b"{}", "unknown_shape"),
            (b"[1,2]", "unknown_shape"),
            (b"{\"eventId\"", "unreadable_json"),
            (b"{\"eventId\":\"\xff\"}", "invalid_utf8"),
            (b"\x0a\xff", "unreadable_protobuf"),
            (b"hello", "unreadable_protobuf"),
        ] {
            assert_eq!(pieces(value), [reason], "{value:?}");
        }
    }
}
