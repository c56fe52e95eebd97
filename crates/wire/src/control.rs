//! Control records of the input topic: what moves time, adopts a configuration or brings a record back.
//!
//! Knows nothing of topics. Invariant: what is written here reads back as what was written.

use model::{ContentHash, UnixMillis};
use pbjson_types::Timestamp;
use prost::Message;

use crate::{
    framing::strip_confluent,
    proto::event::{self as schema, event::Body},
};

/// A control record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Time has passed. In Kafka it stands for its own record time less five minutes.
    Tick,
    /// Settings, tariffs and cards are adopted.
    Configuration {
        /// Hash of the content.
        content_hash: ContentHash,
        /// From which event time it holds.
        effective_from: UnixMillis,
        /// The content; empty where the ledger is expected to keep it already.
        content: Vec<u8>,
    },
    /// A quarantined record comes again.
    Resubmission {
        /// Topic of the original.
        topic: String,
        /// Partition of the original.
        partition: u32,
        /// Offset of the original.
        offset: u64,
        /// What is to be read instead, in either form.
        value: Vec<u8>,
    },
    /// A period of an account is closed.
    PeriodClosed,
    /// A user was erased from the directory of numbers.
    UserErased,
}

/// Reads the value of an input record as a control record; `None` if it is none, or one that cannot be read.
#[must_use]
pub fn decode_control(value: &[u8]) -> Option<Control> {
    let value = strip_confluent(value).unwrap_or(value);
    let event = match value.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice::<schema::Event>(value).ok(),
        _ => None,
    };
    let event = event.or_else(|| schema::Event::decode(value).ok())?;
    match event.body? {
        Body::Tick(_) => Some(Control::Tick),
        Body::Configuration(adopted) => Some(Control::Configuration {
            content_hash: ContentHash(adopted.content_hash.try_into().ok()?),
            effective_from: millis(adopted.effective_from.as_ref()),
            content: adopted.content,
        }),
        Body::Resubmission(again) => Some(Control::Resubmission {
            topic: again.topic,
            partition: again.partition,
            offset: again.offset,
            value: again.value,
        }),
        Body::PeriodClosed(_) => Some(Control::PeriodClosed),
        Body::UserErased(_) => Some(Control::UserErased),
        Body::UserMessage(_)
        | Body::BusinessMessage(_)
        | Body::MessageStatus(_)
        | Body::UserCall(_)
        | Body::Consent(_) => None,
    }
}

/// Writes a tick.
#[must_use]
pub fn tick_to_protobuf(at: UnixMillis) -> Vec<u8> {
    control(at, Body::Tick(schema::Tick { until: None }))
}

/// Writes the adoption of a configuration, its content with it.
#[must_use]
pub fn configuration_to_protobuf(
    at: UnixMillis,
    content_hash: ContentHash,
    effective_from: UnixMillis,
    content: &[u8],
) -> Vec<u8> {
    control(
        at,
        Body::Configuration(schema::Configuration {
            content_hash: content_hash.0.to_vec(),
            effective_from: Some(timestamp(effective_from)),
            content: content.to_vec(),
        }),
    )
}

/// Writes that a quarantined record comes again: the place of the original, and what is to be read instead of it.
#[must_use]
pub fn resubmission_to_protobuf(
    at: UnixMillis,
    topic: &str,
    (partition, offset): (u32, u64),
    value: &[u8],
) -> Vec<u8> {
    let (topic, value) = (topic.to_owned(), value.to_vec());
    control(at, Body::Resubmission(schema::Resubmission { topic, partition, offset, value }))
}

fn control(at: UnixMillis, body: Body) -> Vec<u8> {
    schema::Event { occurred_at: Some(timestamp(at)), body: Some(body), ..schema::Event::default() }
        .encode_to_vec()
}

fn timestamp(at: UnixMillis) -> Timestamp {
    // Below 1,000,000,000 by the remainder.
    let nanos = i32::try_from(at.0.rem_euclid(1_000) * 1_000_000).unwrap_or(0);
    Timestamp { seconds: at.second(), nanos }
}

fn millis(time: Option<&Timestamp>) -> UnixMillis {
    time.map_or(UnixMillis(0), |time| {
        UnixMillis(time.seconds.saturating_mul(1_000).saturating_add(i64::from(time.nanos) / 1_000_000))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Piece, WebhookDefaults, decode_record_value};

    #[test]
    fn control_records_read_back() {
        let hash = ContentHash([7; 32]);
        let record = configuration_to_protobuf(UnixMillis(5), hash, UnixMillis(1_234), b"currency = 'USD'");
        let expected = Control::Configuration {
            content_hash: hash,
            effective_from: UnixMillis(1_234),
            content: b"currency = 'USD'".to_vec(),
        };
        assert_eq!(decode_control(&record), Some(expected));
        let again = resubmission_to_protobuf(UnixMillis(5), "events", (3, 17), b"mended");
        let expected = Control::Resubmission {
            topic: "events".to_owned(),
            partition: 3,
            offset: 17,
            value: b"mended".to_vec(),
        };
        assert_eq!(decode_control(&again), Some(expected));
        assert_eq!(decode_control(&tick_to_protobuf(UnixMillis(1_643_709_600_123))), Some(Control::Tick));
        assert_eq!(decode_control(br#"{"tick":{"until":"2022-02-03T10:00:00Z"}}"#), Some(Control::Tick));
    }

    #[test]
    fn events_and_garbage_are_no_control_records() {
        for value in [b"".as_slice(), b"hello", b"{\"consent\":{}}", b"{"] {
            assert_eq!(decode_control(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_tick_is_a_tick_to_the_reader_of_events_as_well() {
        let mut ticks = Vec::new();
        let value = tick_to_protobuf(UnixMillis(1_643_709_600_123));
        decode_record_value(&value, &WebhookDefaults::default(), &mut |piece| {
            ticks.push(matches!(piece, Piece::Tick(UnixMillis(1_643_709_600_123))));
        });
        assert_eq!(ticks, [true]);
    }
}
