//! Reading a topic from its first record to its last.
//!
//! Knows nothing of what is done with a record. Invariant: every record that is visible at the start is read.

use std::{hint::black_box, time::Duration};

use kafka::{ClientSettings, TopicNames};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::BorrowedMessage,
};
use wire::{Piece, WebhookDefaults};

use crate::Done;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A client with the settings that the service consumes with. Only subscribing joins a group; this reads partitions that
/// it names itself.
pub(crate) fn config(client: &ClientSettings) -> ClientConfig {
    client.consumer_config("yardstick")
}

/// How many partitions a topic has, assigned to a consumer from some place on.
pub(crate) fn assign(consumer: &BaseConsumer, topic: &str, from: Offset) -> Done<usize> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_TIME_MAX)?;
    let found = metadata.topics().first().map_or(&[][..], |topic| topic.partitions());
    let mut list = TopicPartitionList::new();
    for partition in found {
        list.add_partition_offset(topic, partition.id(), from)?;
    }
    consumer.assign(&list)?;
    Ok(found.len())
}

/// Hands over every record; gives how many there were.
pub(crate) fn read(
    client: &ClientSettings,
    topic: &str,
    mut each: impl FnMut(&BorrowedMessage<'_>) -> Done<()>,
) -> Done<u64> {
    let consumer: BaseConsumer = config(client).create()?;
    let mut open = assign(&consumer, topic, Offset::Beginning)?;
    if open == 0 {
        return Err(format!("there is no topic {topic}").into());
    }
    let mut count = 0;
    while open > 0 {
        match consumer.poll(SILENCE_MAX) {
            None => return Err(format!("nothing came from {topic} for {SILENCE_MAX:?}").into()),
            Some(Ok(message)) => {
                count += 1;
                each(&message)?;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.into()),
        }
    }
    Ok(count)
}

/// Reads the input topic and decodes it. Gives how many records there were, and how many events in them.
pub(crate) fn decode(client: &ClientSettings, names: &TopicNames) -> Done<(u64, u64)> {
    let (defaults, mut events) = (WebhookDefaults::default(), 0_u64);
    let records = read(client, &names.input, |message| {
        wire::decode_record_value(message.payload().unwrap_or_default(), &defaults, &mut |piece| {
            events += u64::from(matches!(black_box(piece), Piece::Event(_)));
        });
        Ok(())
    })?;
    Ok((records, events))
}
