//! `tarifa publish`: files of traffic into the input topic.
//!
//! Invariant: every part of every file is sent, or counted with the reason why it is not.

use std::{collections::BTreeMap, ops::ControlFlow};

use kafka::{InputProducer, SendError};
use pipeline::{Part, Place, ReadOptions, read_parts};

use crate::{
    commands::{broker::KafkaArgs, directory::failure, input::InputArgs},
    config::Config,
    failure::Failure,
    output::{Column, FormatArgs, InCsv, Out, Value},
    progress::Look,
};

/// Publish files of events or webhooks into the Kafka input topic
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tarifa publish webhooks.jsonl.gz --brokers localhost:9092
  tarifa generate --events 100000 --start 2026-01-01 --format protobuf | tarifa publish - --brokers localhost:9092

Files are read as `tarifa project` reads them. Each event becomes a record of its own, keyed by its thread. What cannot
be read is sent as it is, so that it is kept in quarantine. Kafka stamps records with its own time: an event from more
than ten days ago is late there, and not billed. A file that is published again changes nothing.")]
pub(crate) struct PublishArgs {
    /// Files to read, in this order; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// Between two looks at what became of records.
const SERVE_EVERY: u64 = 512;

/// What was done with the parts of the files.
#[derive(Debug, Default)]
struct Counts {
    events: u64,
    unreadable: u64,
    ticks: u64,
    ignored: BTreeMap<&'static str, u64>,
    /// Of those that could not be sent: the first few places, and how many.
    faults: Vec<String>,
    fault_count: u64,
}

/// Places of unsendable documents that are listed.
const FAULTS_SHOWN: usize = 20;

/// Publishes, and tells what was sent.
pub(crate) fn run(args: &PublishArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let topics = args.kafka.topics(config);
    let mut producer = InputProducer::connect(&args.kafka.client(config)?, &topics).map_err(sending)?;
    let options = ReadOptions { webhook_defaults: args.input.webhook_defaults(), format: args.input.form() };
    let mut sender =
        Sender { producer: &mut producer, counts: Counts::default(), value: Vec::new(), failed: None };
    let mut bar = out.bar();
    let read =
        read_parts(&args.files, &options, &mut |place, part| sender.take(place, part), &mut |progress| {
            bar.show(&Look {
                stage: "publishing",
                records: progress.records,
                entries: 0,
                work_done: progress.work_done,
                work_total: progress.work_total,
                bytes: Some(progress.work_done),
            });
        });
    drop(bar);
    let Sender { counts, failed, .. } = sender;
    // What was read before a failure has been handed over, and is waited for.
    let taken = producer.finish();
    if let Some(error) = failed {
        return Err(sending(error));
    }
    let taken = taken.map_err(sending)?;
    read.map_err(failure)?;
    tell(&counts, taken, &topics.input, args, out)
}

struct Sender<'p> {
    producer: &'p mut InputProducer,
    counts: Counts,
    value: Vec<u8>,
    failed: Option<SendError>,
}

impl Sender<'_> {
    fn take(&mut self, place: Place<'_>, part: Part<'_>) -> ControlFlow<()> {
        let sent = match part {
            Part::Event(event) => {
                self.counts.events += 1;
                self.value.clear();
                wire::event_to_protobuf(event, &mut self.value);
                let key = format!("{}:{}", event.business_phone, event.user);
                self.producer.send_event(key.as_bytes(), &self.value)
            }
            Part::Malformed(original) => {
                self.counts.unreadable += 1;
                self.producer.send_unreadable(original)
            }
            Part::Ignored(reason) => {
                *self.counts.ignored.entry(reason.as_str()).or_default() += 1;
                Ok(())
            }
            Part::Tick => {
                self.counts.ticks += 1;
                Ok(())
            }
            Part::Fault(why) => {
                self.counts.fault_count += 1;
                if self.counts.faults.len() < FAULTS_SHOWN {
                    self.counts.faults.push(format!("{}:{}: {why}", place.input, place.line));
                }
                Ok(())
            }
        };
        let served = match (self.counts.events + self.counts.unreadable).is_multiple_of(SERVE_EVERY) {
            true => sent.and_then(|()| self.producer.serve()),
            false => sent,
        };
        match served {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

fn tell(counts: &Counts, taken: u64, topic: &str, args: &PublishArgs, out: &mut Out) -> Result<(), Failure> {
    for fault in &counts.faults {
        out.note(&format!("not sent: {fault}"));
    }
    let mut document = out.document(args.format.format);
    document.record(
        "published",
        &[
            (Column::text("topic"), Value::text(topic)),
            (Column::number("records"), Value::Count(taken)),
            (Column::number("events"), Value::Count(counts.events)),
            (
                Column::number("unreadable").titled("unreadable, sent as they are"),
                Value::Count(counts.unreadable),
            ),
            (Column::number("ticks").titled("ticks, not sent"), Value::Count(counts.ticks)),
            (
                Column::number("faults").titled("too long or cut off, not sent"),
                Value::Count(counts.fault_count),
            ),
        ],
    )?;
    let columns = vec![Column::text("reason"), Column::number("count")];
    if !counts.ignored.is_empty() || !document.is_for_people() {
        let mut list = document.list("ignored", "no billing events, not sent", columns, InCsv::Yes)?;
        for (reason, count) in &counts.ignored {
            list.row(&[Value::text(*reason), Value::Count(*count)])?;
        }
        list.finish()?;
    }
    document.finish()?;
    match counts.fault_count {
        0 => Ok(()),
        count => Err(Failure::bad_data(format!("documents that could not be sent: {count}"))
            .hint("mend them and publish the file again; what was sent before is known as a repeat")),
    }
}

/// The exit code of what could not be sent.
pub(crate) fn sending(error: SendError) -> Failure {
    let base = match &error {
        SendError::Settings(_) | SendError::NoTopic(_) => Failure::usage(error.to_string()),
        SendError::Away { .. } | SendError::NotTaken { .. } => Failure::unavailable(error.to_string()),
    };
    match std::error::Error::source(&error) {
        Some(source) => base.caused_by(source.to_string()),
        None => base,
    }
}
