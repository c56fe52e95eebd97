//! Topics on a real broker: made, checked, and refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use kafka::{
    ClientSettings,
    topics::{self, CreateOptions, TopicsError},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};

const OPTIONS: CreateOptions = CreateOptions { partitions: 3, copies: None, input_retention_ms: 86_400_000 };

#[test]
fn what_is_created_is_found_good_and_created_once() {
    let Some(client) = common::broker() else { return };
    let names = common::topics();
    let made = topics::create(&client, &names, &OPTIONS).unwrap();
    assert_eq!(
        made.created,
        [&names.input, &names.ledger, &names.charges, &names.deadletter].map(Clone::clone)
    );
    assert_eq!(made.differences, []);
    let again = topics::create(&client, &names, &OPTIONS).unwrap();
    assert_eq!(again.created, Vec::<String>::new());
    let checked = topics::check(&client, &names).unwrap();
    assert_eq!(checked.differences, []);
    assert_eq!(checked.found[0].settings["retention.ms"], "86400000");
    assert!(checked.found.iter().all(|topic| topic.partitions == 3 && topic.copies_min == 1));
}

#[test]
fn a_topic_with_the_producers_clock_is_refused_and_left_as_it_is() {
    let Some(client) = common::broker() else { return };
    let names = common::topics();
    make(&client, &names.input, 2);
    let report = topics::create(&client, &names, &OPTIONS).unwrap();
    assert_eq!(report.created.len(), 3);
    let told: Vec<_> = report
        .differences
        .iter()
        .map(|it| (it.topic.as_str(), it.setting.as_str(), it.found.as_str()))
        .collect();
    assert_eq!(told, [(names.input.as_str(), "message.timestamp.type", "CreateTime")]);
    assert!(report.differences[0].mend.contains("--add-config message.timestamp.type=LogAppendTime"));
    let ledger = report.found.iter().find(|topic| topic.name == names.ledger).unwrap();
    assert_eq!(ledger.partitions, 2, "the ledger follows the input that was there");
}

#[test]
fn a_cluster_that_does_not_answer_is_named() {
    let nobody = ClientSettings::plain("127.0.0.1:1");
    let error = topics::check(&nobody, &common::topics()).unwrap_err();
    assert!(matches!(error, TopicsError::Away { .. }));
    assert!(error.to_string().starts_with("Kafka does not answer at 127.0.0.1:1"), "{error}");
}

/// A topic as somebody makes it who knows nothing of billing.
fn make(client: &ClientSettings, name: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = client.client_config("test").create().unwrap();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(std::time::Duration::from_secs(10)));
    let made = pollster(admin.create_topics(&[topic], &options)).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// Asks until there is an answer.
fn pollster<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
