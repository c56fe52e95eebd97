//! `tarifa collect`: a book of all partitions, from the ledger topic.
//!
//! Invariant: an entry that does not follow the one before it ends the command; what was verified before stays.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use kafka::{ClientSettings, Cluster, Fed, FeedError, LedgerFeed, TopicNames};
use pipeline::{
    book::{Collector, Origin, WantedConfiguration},
    service::ports::Broker as _,
};
use wire::Control;

use crate::{
    commands::{broker::KafkaArgs, directory::DataArgs, run::stopping::Stopping},
    config::Config,
    failure::Failure,
    output::{Column, FormatArgs, InCsv, Out, Value},
    progress::{Bar, Look},
};

/// Collect the ledger topic into a book of all partitions, which the reading commands take
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa collect --brokers localhost:9092 --data ./book

Reads billing.ledger.v1 and verifies it link by link: an entry that is missing, doubled or altered ends the command
with 3. The book then serves `entries`, `conversations`, `charges`, `invoice`, `explain` and `verify`. The next run goes
on where this one ended; with --follow it goes on until it is told to stop, and no other command can read meanwhile.")]
pub(crate) struct CollectArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Go on when the end is reached, until told to stop
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// Entries that are committed together.
const COMMIT_ENTRIES: usize = 10_000;
/// What came is committed as often, if it is not enough for that before.
const COMMIT_TIME: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(100);
/// A broker that is silent for so long, though there is more to come, is away.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Collects, and tells how far.
pub(crate) fn run(args: &CollectArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let client = args.kafka.client(config)?;
    let names = args.kafka.topics(config);
    let feed = LedgerFeed::connect(&client, &names).map_err(feeding)?;
    let origin = Origin {
        cluster: feed.cluster().to_owned(),
        topic: feed.topic().to_owned(),
        partitions: feed.partitions(),
    };
    let mut collector = Collector::open(&args.data.path(config)?, &origin)?;
    let left = feed.start(&collector.next_offsets()).map_err(feeding)?;
    let stopping = Stopping::on_signals()?;
    let mut collecting = Collecting {
        ended: BTreeSet::new(),
        complete: false,
        records: 0,
        left,
        heard: Instant::now(),
        committed: Instant::now(),
        cluster: Cluster::new(client.clone(), names.clone(), "tarifa-collect"),
        bar: out.bar(),
        client,
        names,
    };
    let mut collected = Ok(());
    while collected.is_ok() && !stopping.flag().load(Ordering::Relaxed) {
        collected = collecting.step(&feed, &mut collector);
        let all = collecting.ended.len() == feed.partitions() as usize;
        if all && !args.follow {
            break;
        }
    }
    drop(collecting.bar);
    // What was verified before something broke stays.
    collector.commit()?;
    collected?;
    tell(&collector, args, out)
}

struct Collecting {
    /// Partitions whose end was reached at least once.
    ended: BTreeSet<u32>,
    /// That has been noted in the book.
    complete: bool,
    records: u64,
    left: u64,
    heard: Instant,
    committed: Instant,
    cluster: Cluster,
    bar: Bar,
    client: ClientSettings,
    names: TopicNames,
}

impl Collecting {
    fn step(&mut self, feed: &LedgerFeed, collector: &mut Collector) -> Result<(), Failure> {
        let added = feed.next(LOOK, |fed| match fed {
            Fed::Record { partition, offset, value } => {
                self.records += 1;
                self.heard = Instant::now();
                collector.add(partition, offset, value).map(|()| true)
            }
            Fed::End(partition, next) => {
                self.heard = Instant::now();
                self.ended.insert(partition.0);
                collector.reached(partition, next);
                Ok(true)
            }
            Fed::Nothing => Ok(false),
        });
        let came = added.map_err(feeding)??;
        let all = self.ended.len() == feed.partitions() as usize;
        if !came && !all && self.heard.elapsed() > SILENCE_MAX {
            let brokers = &self.client.brokers;
            return Err(Failure::unavailable(format!("Kafka at {brokers} has been silent for 30 s"))
                .hint("run the same command again when it is back; it goes on where it was"));
        }
        if collector.waiting() >= COMMIT_ENTRIES || self.committed.elapsed() > COMMIT_TIME {
            collector.commit()?;
            self.fetch_configurations(collector)?;
            self.committed = Instant::now();
        }
        if all && !self.complete {
            self.fetch_configurations(collector)?;
            collector.complete()?;
            self.complete = true;
        }
        if self.records.is_multiple_of(1_000) {
            self.bar.show(&Look {
                stage: "collecting",
                records: self.records,
                entries: 0,
                work_done: self.records.min(self.left),
                work_total: Some(self.left),
                bytes: None,
            });
        }
        Ok(())
    }

    /// Entries name what was adopted by its hash; the content stands in the input topic, where they say.
    fn fetch_configurations(&self, collector: &mut Collector) -> Result<(), Failure> {
        for wanted in collector.take_wanted() {
            if !self.fetch(collector, &wanted)? {
                let (partition, offset) = wanted.at;
                return Err(Failure::bad_data(format!(
                    "the configuration {} is not at {}/{}/{}, where entries say that it was adopted",
                    wanted.content, self.names.input, partition.0, offset.0
                ))
                .hint(
                    "put the file of that name from the folder `config` of a service into that of the book",
                ));
            }
        }
        Ok(())
    }

    fn fetch(&self, collector: &Collector, wanted: &WantedConfiguration) -> Result<bool, Failure> {
        let (partition, offset) = wanted.at;
        let mut value = None;
        let read = self.cluster.read_input(partition, offset, &mut |record| {
            value = Some(record).filter(|record| record.offset == offset).and_then(|record| record.value);
            ControlFlow::Break(())
        });
        read.map_err(|error| {
            Failure::unavailable(format!("cannot read the configuration from {}", self.names.input))
                .caused_by(error)
        })?;
        match value.as_deref().and_then(wire::decode_control) {
            Some(Control::Configuration { content, .. }) => Ok(collector.keep(wanted, &content)?),
            Some(
                Control::Tick | Control::Resubmission { .. } | Control::PeriodClosed | Control::UserErased,
            )
            | None => Ok(false),
        }
    }
}

fn tell(collector: &Collector, args: &CollectArgs, out: &mut Out) -> Result<(), Failure> {
    let collected = collector.collected();
    let mut document = out.document(args.format.format);
    document.record(
        "collected",
        &[
            (Column::number("entries").titled("entries, verified"), Value::Count(collected.entries)),
            (Column::number("repeated").titled("seen before"), Value::Count(collected.repeated)),
        ],
    )?;
    let columns = vec![Column::number("partition"), Column::number("sequence"), Column::text("hash")];
    let mut list = document.list("heads", "up to", columns, InCsv::Yes)?;
    for (partition, sequence, hash) in collector.heads() {
        list.row(&[Value::Count(u64::from(partition.0)), Value::Count(sequence.0), Value::shown(&hash)])?;
    }
    list.finish()?;
    document.finish()
}

fn feeding(error: FeedError) -> Failure {
    let base = match &error {
        FeedError::Settings(_) | FeedError::NoTopic(_) => Failure::usage(error.to_string()),
        FeedError::Away { .. } => Failure::unavailable(error.to_string()),
        FeedError::Gone { .. } | FeedError::Cut(_) => Failure::bad_data(error.to_string()),
    };
    match std::error::Error::source(&error) {
        Some(source) => base.caused_by(source.to_string()),
        None => base,
    }
}
