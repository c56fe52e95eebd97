//! From an event in the input topic to its entry that a reader of committed records sees.
//!
//! Measured from the broker's append time of the event, which the entry names, to the clock of whoever reads the entry; so
//! broker and reader have to share a machine. An event happens when it is sent: one of days ago would come after its
//! conversation was closed, and be a correction. Invariant: the pace does not depend on what is measured.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::Read as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use kafka::{ClientSettings, InputProducer, TopicNames};
use model::UnixMillis;
use rdkafka::{Message as _, Offset, consumer::BaseConsumer, error::KafkaError};
use wire::{Delimited, Piece, Words, decode_entry, decode_protobuf, event_to_protobuf, next_delimited};

use crate::{Done, full};

/// Events are sent in strokes of this length.
const STROKE: Duration = Duration::from_millis(10);
/// What is sent first is not measured: both sides are still connecting.
const WARM_UP: Duration = Duration::from_secs(3);
/// How long entries are waited for when nothing is sent any more.
const REST: Duration = Duration::from_secs(2);

/// What was found.
#[derive(Debug)]
pub(crate) struct Latencies {
    events: u64,
    took: Duration,
    /// In ms, ascending.
    sorted: Vec<i64>,
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |per_mille: usize| {
            let index = self.sorted.len() * per_mille / 1_000;
            self.sorted.get(index.min(self.sorted.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        writeln!(f, "events={}\nseconds={}", self.events, self.took.as_secs_f64())?;
        writeln!(f, "entries={}\np50_ms={}\np99_ms={}", self.sorted.len(), at(500), at(990))?;
        write!(f, "max_ms={}", at(1_000))
    }
}

/// Sends events of a file of delimited protobuf at `rate` a second for so many seconds, or until it ends.
pub(crate) fn run(
    client: &ClientSettings,
    names: &TopicNames,
    file: &str,
    rate: u64,
    seconds: u64,
) -> Done<Latencies> {
    let mut bytes = Vec::new();
    File::open(file)?.read_to_end(&mut bytes)?;
    let consumer: BaseConsumer = full::config(client).set("fetch.wait.max.ms", "10").create()?;
    full::assign(&consumer, &names.ledger, Offset::End)?;
    let measure_from = now_ms() + i64::try_from(WARM_UP.as_millis())?;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher =
            scope.spawn(|| watch(&consumer, measure_from, &ended).map_err(|error| error.to_string()));
        let sent = send(client, names, &bytes, rate, Duration::from_secs(seconds));
        thread::sleep(REST);
        ended.store(true, Ordering::Relaxed);
        let mut sorted = watcher.join().map_err(|_| "the reader ended early")??;
        sorted.sort_unstable();
        let (events, took) = sent?;
        Ok(Latencies { events, took, sorted })
    })
}

/// Reads entries as they become visible. Gives how long each took, in ms.
fn watch(consumer: &BaseConsumer, measure_from: i64, ended: &AtomicBool) -> Done<Vec<i64>> {
    let (mut words, mut latencies) = (Words::new(), Vec::new());
    while !ended.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(50)) {
            None | Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(message)) => {
                let entry = decode_entry(message.payload().unwrap_or_default(), &mut words)?;
                if entry.record_time.0 >= measure_from {
                    latencies.push(now_ms() - entry.record_time.0);
                }
            }
        }
    }
    Ok(latencies)
}

fn send(
    client: &ClientSettings,
    names: &TopicNames,
    mut bytes: &[u8],
    rate: u64,
    time: Duration,
) -> Done<(u64, Duration)> {
    let mut producer = InputProducer::connect(client, names)?;
    // Events happen as they are sent, and a repeat says what was said before.
    let mut happened: HashMap<String, UnixMillis> = HashMap::new();
    let mut value = Vec::new();
    let (begun, mut sent) = (Instant::now(), 0_u64);
    while begun.elapsed() < time {
        let due = u64::try_from(begun.elapsed().as_millis())?.saturating_mul(rate) / 1_000;
        while sent < due {
            let Delimited::Message { message, consumed } = next_delimited(bytes) else {
                return Ok((producer.finish()?, begun.elapsed()));
            };
            bytes = &bytes[consumed..];
            if let Piece::Event(mut event) = decode_protobuf(message) {
                let key = format!("{}:{}", event.business_phone, event.user);
                let at = happened.entry(event.event_id.to_string());
                event.occurred_at = *at.or_insert_with(|| UnixMillis(now_ms()));
                value.clear();
                event_to_protobuf(&event, &mut value);
                producer.send_event(key.as_bytes(), &value)?;
            }
            sent += 1;
        }
        producer.serve()?;
        thread::sleep(STROKE);
    }
    Ok((producer.finish()?, begun.elapsed()))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
