//! A bot's thread: what a message costs does not grow with the messages that its thread has, in whatever order they come.
//!
//! Knows no absolute times: it compares with the same number of messages on short threads, on the same machine.
//! Invariant: the margins are far above noise, and far below what any cost that grows with the thread would come to.

use std::time::{Duration, Instant};

use model::{
    DurationMillis, Event, EventBody, Initiator, MessageKind, RecordContent, UnixMillis, UserMessage,
};
use sim::{Dice, histories::DAY_0};
use tests::{Handling, Log, configuration, message_ref, user_at};

/// A million with `TARIFA_SOAK` set.
fn messages() -> u64 {
    if std::env::var_os("TARIFA_SOAK").is_some() { 1_000_000 } else { 100_000 }
}

/// Messages of a short thread.
const SHORT: u64 = 20;
/// How much dearer than one of a short thread a message may be.
const DEARER_MAX: u32 = 8;

/// Message `number` of the bot: every half minute, user and business in turns, with a pause of two days after each
/// thousand.
fn at(number: u64) -> UnixMillis {
    let number = i64::try_from(number).expect("few messages");
    DAY_0 + DurationMillis::from_seconds(30 * number) + DurationMillis::from_days(2 * (number / 1_000))
}

/// The log of these messages in this order of arrival. `thread` names the thread of a message.
fn log_of(numbers: &[u64], thread: impl Fn(u64) -> u64) -> Log {
    let mut log = Log::new(configuration());
    let event = |body| Event {
        event_id: "x".into(),
        occurred_at: DAY_0,
        account: "acme".into(),
        business_phone: "106540352242922".into(),
        user: "5511987654321".into(),
        tag: None,
        body,
    };
    let user =
        log.seal(&event(EventBody::UserMessage(UserMessage { kind: MessageKind::Text, referral: false })));
    let reply = log.seal(&event(EventBody::BusinessMessage(model::BusinessMessage {
        kind: MessageKind::Text,
        template: None,
    })));
    for number in numbers {
        let mut sealed = if number % 2 == 0 { user.clone() } else { reply.clone() };
        sealed.occurred_at = at(*number);
        sealed.message = message_ref(&format!("m{number}"));
        sealed.user = user_at(usize::try_from(thread(*number)).expect("few threads"));
        // As in an embedded log, where the record time is the event time.
        log.push(RecordContent::Event(sealed), at(*number));
    }
    log.tick(tests::END);
    log
}

fn timed(log: &Log) -> (Duration, tests::Run) {
    let begin = Instant::now();
    let run = log.project(Handling::Batches(1_000));
    (begin.elapsed(), run)
}

/// What holds, without what depends on arrival.
fn held(run: &tests::Run) -> Vec<(UnixMillis, UnixMillis, Initiator, Option<UnixMillis>, u32, u32)> {
    let told = run.net.iter().map(|net| {
        let charged_at = net.charge.as_ref().map(|charge| charge.at);
        (net.opened_at, net.expires_at, net.initiator, charged_at, net.user_messages, net.business_messages)
    });
    told.collect()
}

#[test]
fn a_bots_thread_costs_no_more_a_message_than_short_ones() {
    let in_order: Vec<u64> = (0..messages()).collect();
    let reversed: Vec<u64> = in_order.iter().rev().copied().collect();
    let mut shuffled = in_order.clone();
    Dice::new(1).shuffle(&mut shuffled);
    let mut expected = None;
    for (name, arrival) in [("in order", in_order), ("reversed", reversed), ("shuffled", shuffled)] {
        let (short, _) = timed(&log_of(&arrival, |number| number / SHORT));
        let (long, run) = timed(&log_of(&arrival, |_| 0));
        println!("{name}: one thread {long:?}, short threads {short:?}");
        assert!(long < short * DEARER_MAX, "{name}: one thread {long:?}, short threads {short:?}");
        let held = held(&run);
        assert_eq!(held.len() as u64, messages().div_ceil(1_000), "{name}");
        assert_eq!(*expected.get_or_insert_with(|| held.clone()), held, "{name}");
    }
}

#[test]
fn a_bots_thread_goes_through_bytes_in_the_middle() {
    let mut numbers: Vec<u64> = (0..3_000).collect();
    Dice::new(2).shuffle(&mut numbers);
    let log = log_of(&numbers, |_| 0);
    let (straight, restored) = (log.project(Handling::OneBatch), log.project(Handling::RestoreEvery(250)));
    assert_eq!((straight.entries, straight.net), (restored.entries, restored.net));
}
