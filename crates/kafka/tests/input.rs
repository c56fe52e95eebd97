//! Sending into the input topic of a real broker, and what a reader finds there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::time::Duration;

use kafka::{
    ClientSettings, InputProducer, SendError,
    topics::{self, CreateOptions},
};
use rdkafka::{
    Message as _, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{Headers as _, Timestamp},
};

const PARTITIONS: usize = 8;
const OPTIONS: CreateOptions = CreateOptions { partitions: PARTITIONS, copies: None, input_retention_ms: -1 };

/// Kafka's Java client puts these keys on these of eight partitions: `Utils.toPositive(murmur2(key)) % 8`, from the
/// values of its own `UtilsTest.testMurmur2`.
const KEYS: [(&str, i32); 3] = [("21", -973_932_308), ("foobar", -790_332_482), ("abc", 479_470_107)];

#[test]
fn an_event_goes_to_the_partition_of_its_key_as_a_java_client_would_send_it() {
    let Some(client) = common::broker() else { return };
    let names = common::topics();
    topics::create(&client, &names, &OPTIONS).unwrap();
    let mut producer = InputProducer::connect(&client, &names).unwrap();
    for (key, _) in KEYS {
        producer.send_event(key.as_bytes(), key.as_bytes()).unwrap();
    }
    producer.send_unreadable(b"hello").unwrap();
    assert_eq!(producer.finish().unwrap(), 4);

    let mut found = read(&client, &names.input, 4);
    found.sort();
    let mut expected: Vec<_> = KEYS
        .iter()
        .map(|(key, hash)| {
            let partition = (hash & 0x7fff_ffff) % 8;
            (Some((*key).to_owned()), Some(partition), (*key).to_owned(), "application/protobuf".to_owned())
        })
        .collect();
    expected.push((None, None, "hello".to_owned(), String::new()));
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    let Some(client) = common::broker() else { return };
    let names = common::topics();
    let error = InputProducer::connect(&client, &names).unwrap_err();
    assert!(matches!(error, SendError::NoTopic(_)));
    assert!(error.to_string().contains(&names.input), "{error}");
}

/// Key, partition (of records with a key), value and form of each record.
type Seen = (Option<String>, Option<i32>, String, String);

fn read(client: &ClientSettings, topic: &str, count: usize) -> Vec<Seen> {
    let mut config = client.client_config("test");
    config.set("group.id", "test").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..i32::try_from(PARTITIONS).unwrap() {
        all.add_partition_offset(topic, partition, rdkafka::Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let mut seen = Vec::new();
    while seen.len() < count {
        let Some(record) = consumer.poll(Duration::from_secs(10)) else { panic!("only {seen:?}") };
        let record = record.unwrap();
        assert!(matches!(record.timestamp(), Timestamp::LogAppendTime(_)), "the broker's clock counts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let key = record.key().map(text);
        let form =
            record.headers().map_or(String::new(), |headers| text(headers.get(0).value.unwrap_or_default()));
        let partition = key.is_some().then(|| record.partition());
        seen.push((key, partition, text(record.payload().unwrap_or_default()), form));
    }
    seen
}
