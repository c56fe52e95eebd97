//! Where a message begins and ends: length-delimited files, Confluent's prefix, and which of the two file forms it is.
//!
//! Knows nothing of what messages say. Invariant: never reads beyond the bytes it is given.

use crate::{
    limits::DOCUMENT_BYTES_MAX,
    pb::{ReadError, skip_value, take_key, take_varint},
};

/// The form of an input file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON document on each line.
    JsonLines,
    /// Messages, each with its length as a varint before it.
    Protobuf,
}

/// What stands at the front of a buffer of length-delimited messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimited<'a> {
    /// A whole message; the next one begins `consumed` bytes on.
    Message {
        /// Its bytes, without the length.
        message: &'a [u8],
        /// Length and message together, in bytes.
        consumed: usize,
    },
    /// The buffer ends before the message does. At the end of the input it is cut off.
    Incomplete,
    /// A message of more than 1 MiB: record it as too long, and go `header` + `length` bytes on.
    TooLong {
        /// Bytes of the length itself.
        header: usize,
        /// Bytes of the message.
        length: u64,
    },
    /// The length is no varint: nothing behind it can be found any more.
    BadLength,
}

/// Looks at the front of a buffer. An empty one is [`Delimited::Incomplete`].
#[inline]
#[must_use]
pub fn next_delimited(buffer: &[u8]) -> Delimited<'_> {
    let mut rest = buffer;
    let length = match take_varint(&mut rest) {
        Ok(length) => length,
        Err(ReadError::CutOff) => return Delimited::Incomplete,
        Err(ReadError::LongVarint | ReadError::BadKey) => return Delimited::BadLength,
    };
    let header = buffer.len() - rest.len();
    match usize::try_from(length) {
        Ok(length) if length <= DOCUMENT_BYTES_MAX => match rest.get(..length) {
            Some(message) => Delimited::Message { message, consumed: header + length },
            None => Delimited::Incomplete,
        },
        _ => Delimited::TooLong { header, length },
    }
}

/// The form of a file, by its first bytes; some kilobytes are plenty. An empty file counts as JSON Lines.
#[must_use]
pub fn sniff(first_bytes: &[u8]) -> Format {
    if begins_with_a_delimited_event(first_bytes) {
        return Format::Protobuf;
    }
    let text = first_bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first_bytes).trim_ascii_start();
    let has_control_bytes =
        |text: &[u8]| text.iter().take(64).any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace());
    match text.first() {
        None | Some(b'{' | b'[') => Format::JsonLines,
        Some(_) if has_control_bytes(text) => Format::Protobuf,
        Some(_) => Format::JsonLines,
    }
}

/// Whether the first message is one of protobuf fields beginning with an event's id.
///
/// A length of 123 looks like the brace of a JSON document, and others like white space, so the message itself decides.
fn begins_with_a_delimited_event(first_bytes: &[u8]) -> bool {
    const EVENT_ID_KEY: u8 = 0x0a;
    let Delimited::Message { message, .. } = next_delimited(first_bytes) else {
        return false;
    };
    message.first() == Some(&EVENT_ID_KEY) && is_protobuf(message)
}

/// Whether bytes are fields of some protobuf message.
pub(crate) fn is_protobuf(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let skipped = take_key(&mut rest).and_then(|key| skip_value(&mut rest, key));
        if skipped.is_err() {
            return false;
        }
    }
    true
}

/// Takes off what Confluent's serializers put before a value: byte 0, four bytes of schema id, and for protobuf the
/// place of the message in its schema. `None` if it is not there.
///
/// A protobuf message cannot begin with byte 0, nor can JSON.
#[must_use]
pub fn strip_confluent(value: &[u8]) -> Option<&[u8]> {
    let rest = value.strip_prefix(&[0])?.get(4..)?;
    if matches!(rest.first(), Some(b'{')) {
        return Some(rest);
    }
    // Number of places as a zigzag varint, then the places. A single 0 is short for "the first message".
    let mut rest = rest;
    let count = take_varint(&mut rest).ok()? >> 1;
    for _ in 0..count.min(16) {
        take_varint(&mut rest).ok()?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_one_after_the_other() {
        let buffer = [2, b'h', b'i', 0, 3, b'c', b'u'];
        assert_eq!(next_delimited(&buffer), Delimited::Message { message: b"hi", consumed: 3 });
        assert_eq!(next_delimited(&buffer[3..]), Delimited::Message { message: b"", consumed: 1 });
        assert_eq!(next_delimited(&buffer[4..]), Delimited::Incomplete);
        assert_eq!(next_delimited(&[]), Delimited::Incomplete);
        assert_eq!(next_delimited(&[0x80]), Delimited::Incomplete);
        assert_eq!(next_delimited(&[0xff; 12]), Delimited::BadLength);
    }

    #[test]
    fn a_length_beyond_one_mebibyte_is_told_with_its_size() {
        assert_eq!(
            next_delimited(&[0x81, 0x80, 0x40]),
            Delimited::TooLong { header: 3, length: (1 << 20) + 1 }
        );
    }

    #[test]
    fn files_are_told_apart_by_content() {
        let mut event_of_123_bytes = vec![123, 0x0a, 121];
        event_of_123_bytes.extend([b'w'; 121]);
        let mut event_of_32_bytes = vec![32, 0x0a, 30];
        event_of_32_bytes.extend([b'w'; 30]);
        for (first_bytes, format) in [
            (b"".as_slice(), Format::JsonLines),
            (b"\n\n{\"eventId\":\"a\"}\n", Format::JsonLines),
            (b"\xef\xbb\xbf{\"eventId\":\"a\"}\n", Format::JsonLines),
            (b"{\n  \"eventId\": \"pretty\"\n}\n", Format::JsonLines),
            (b"not json at all\n", Format::JsonLines),
            (&event_of_123_bytes, Format::Protobuf),
            (&event_of_32_bytes, Format::Protobuf),
            (&[5, 0x12, 3, 8, 1, 16], Format::Protobuf),
        ] {
            assert_eq!(sniff(first_bytes), format, "{first_bytes:?}");
        }
    }

    #[test]
    fn confluent_framing_is_taken_off() {
        assert_eq!(strip_confluent(b"\x00\x00\x00\x00\x07\x00rest"), Some(b"rest".as_slice()));
        assert_eq!(strip_confluent(b"\x00\x00\x00\x00\x07\x04\x02\x00rest"), Some(b"rest".as_slice()));
        assert_eq!(strip_confluent(b"\x00\x00\x00\x00\x07{}"), Some(b"{}".as_slice()));
        for other in [b"".as_slice(), b"\x00\x00", b"{}", b"\x0a\x01a"] {
            assert_eq!(strip_confluent(other), None);
        }
    }
}
