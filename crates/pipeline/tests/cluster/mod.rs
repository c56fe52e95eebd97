//! A cluster in memory: topics, transactions with fencing, one member that owns everything; and what can go wrong with
//! each of them, exactly where a test wants it.
//!
//! Invariant: what a transaction did not commit is never seen.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use model::{Currency, Event, EventBody, MessageKind, Offset, PartitionId, UnixMillis, UserMessage};
use pipeline::service::{
    self, Metrics, MetricsSnapshot, ServiceError, ServiceOptions, Topics,
    ports::{
        Broker, Change, EventLog, LedgerRecord, LogRecord, OutRecord, OwnedRecord, Ownership, Place,
        PortError, Publisher, Target,
    },
    thread_key,
};
use tariff::{AccountSettings, Configuration, Tariff};

/// 2022-02-01T10:00:00Z.
const BEGIN: i64 = 1_643_709_600_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of the end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It took place, but the answer was lost.
    LostAnswer,
    /// It did not take place.
    Lost,
}

/// When the first producer of the partition is made, which takes until the partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// At once, and only the answer takes so long: a later one shuts it out.
    Answer,
    /// At the end of the time: it shuts out a later one.
    Producer,
}

/// All that the cluster holds.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    pub(crate) cluster: String,
    pub(crate) input: Vec<OwnedRecord>,
    pub(crate) ledger: Vec<LedgerRecord>,
    /// What the records of the charges topic say they are: their numbers.
    pub(crate) charges: Vec<String>,
    /// Where the transactions of the ledger topic end.
    pub(crate) transactions: BTreeSet<usize>,
    pub(crate) dead_letters: Vec<OwnedRecord>,
    /// The first record of the input that is still there.
    pub(crate) begin: u64,
    /// Behind the last record of the input.
    pub(crate) end: u64,
    epochs: BTreeMap<String, u64>,
    /// Of transactions to be ended: after so many, that happens.
    pub(crate) faults: Vec<(usize, End)>,
    ended: usize,
    pub(crate) late: Option<Late>,
    /// How often reading the partition has begun.
    starts: usize,
    /// When what was late was there.
    pub(crate) late_came: Option<Instant>,
}

/// A cluster of one partition.
#[derive(Debug, Clone)]
pub(crate) struct Cluster(Arc<Mutex<Topic>>);

impl Cluster {
    pub(crate) fn new() -> Self {
        let topic = Topic { cluster: "here".to_owned(), ..Topic::default() };
        Self(Arc::new(Mutex::new(topic)))
    }

    pub(crate) fn topic(&self) -> MutexGuard<'_, Topic> {
        self.0.lock().unwrap()
    }

    /// Messages of three users, each answered by the business, ten hours apart: the `from`th to the `to`th exchange.
    pub(crate) fn talk(&self, from: i64, to: i64) {
        for number in from..to {
            let user = format!("55119876543{:02}", number % 3);
            let at = UnixMillis(BEGIN + number * 10 * 3_600_000);
            self.append_event(&event(
                &format!("in-{number}"),
                &user,
                at,
                EventBody::UserMessage(UserMessage { kind: MessageKind::Text, referral: false }),
            ));
            let reply = EventBody::BusinessMessage(model::BusinessMessage {
                kind: MessageKind::Text,
                template: None,
            });
            self.append_event(&event(&format!("out-{number}"), &user, UnixMillis(at.0 + 60_000), reply));
        }
    }

    fn append_event(&self, event: &Event<'_>) {
        let mut value = Vec::new();
        wire::event_to_protobuf(event, &mut value);
        self.append(Some(thread_key(event).into_bytes()), value, event.occurred_at);
    }

    /// Appends a record as any producer can.
    pub(crate) fn append(&self, key: Option<Vec<u8>>, value: Vec<u8>, record_time: UnixMillis) {
        let mut topic = self.topic();
        let offset = Offset(topic.end);
        topic.end += 1;
        let headers = vec![("trace".to_owned(), Some(b"7".to_vec()))];
        topic.input.push(OwnedRecord { offset, record_time, key, value: Some(value), headers });
    }

    fn wait_until_read(&self) {
        let began = Instant::now();
        while self.topic().starts == 0 {
            assert!(began.elapsed() < PATIENCE, "the partition is never read");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The values of the ledger topic.
    pub(crate) fn ledger(&self) -> Vec<Vec<u8>> {
        self.topic().ledger.iter().map(|record| record.value.clone()).collect()
    }
}

fn event<'a>(id: &'a str, user: &'a str, at: UnixMillis, body: EventBody<'a>) -> Event<'a> {
    Event {
        event_id: id.into(),
        occurred_at: at,
        account: "1".into(),
        business_phone: "106".into(),
        user: user.into(),
        tag: None,
        body,
    }
}

impl Topic {
    fn from(&self, from: u64) -> impl Iterator<Item = &OwnedRecord> {
        self.input.iter().filter(move |record| record.offset.0 >= from.max(self.begin))
    }
}

impl Broker for Cluster {
    fn place(&self) -> Result<Place, PortError> {
        Ok(Place { cluster: self.topic().cluster.clone(), input: "events".to_owned(), partitions: 1 })
    }

    fn publisher(&self, of: Option<PartitionId>) -> Result<Box<dyn Publisher>, PortError> {
        let id = format!("{of:?}");
        let late = of.and_then(|_| self.topic().late.take());
        if late == Some(Late::Producer) {
            self.wait_until_read();
        }
        let mut topic = self.topic();
        let epoch = topic.epochs.entry(id.clone()).or_default();
        *epoch += 1;
        let producer = Producer { cluster: self.clone(), epoch: *epoch, id, sent: Vec::new() };
        drop(topic);
        if late == Some(Late::Answer) {
            self.wait_until_read();
        }
        if late.is_some() {
            self.topic().late_came = Some(Instant::now());
        }
        Ok(Box::new(producer))
    }

    fn ledger_first(&self, _: PartitionId) -> Result<Option<LedgerRecord>, PortError> {
        Ok(self.topic().ledger.first().cloned())
    }

    fn ledger_last(&self, _: PartitionId) -> Result<Option<LedgerRecord>, PortError> {
        Ok(self.topic().ledger.last().cloned())
    }

    fn read_ledger(
        &self,
        _: PartitionId,
        from: Offset,
        each: &mut dyn FnMut(LedgerRecord) -> ControlFlow<()>,
    ) -> Result<(), PortError> {
        let records: Vec<_> =
            self.topic().ledger.iter().filter(|record| record.offset >= from).cloned().collect();
        // Being told to stop is no failure.
        records.into_iter().try_for_each(each).is_break();
        Ok(())
    }

    fn input_range(&self, _: PartitionId) -> Result<(Offset, Offset), PortError> {
        let topic = self.topic();
        Ok((Offset(topic.begin), Offset(topic.end)))
    }

    fn read_input(
        &self,
        _: PartitionId,
        from: Offset,
        each: &mut dyn FnMut(OwnedRecord) -> ControlFlow<()>,
    ) -> Result<(), PortError> {
        let records: Vec<_> = self.topic().from(from.0).cloned().collect();
        // Being told to stop is no failure.
        records.into_iter().try_for_each(each).is_break();
        Ok(())
    }
}

/// What was sent: where to, key, value, headers.
type Sent = (Target, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

struct Producer {
    cluster: Cluster,
    id: String,
    epoch: u64,
    sent: Vec<Sent>,
}

impl Publisher for Producer {
    fn begin(&mut self) -> Result<(), PortError> {
        self.sent.clear();
        Ok(())
    }

    fn send(&mut self, record: &OutRecord<'_>) -> Result<(), PortError> {
        let headers =
            record.headers.iter().map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)));
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        self.sent.push((record.target, key, value, headers.collect()));
        Ok(())
    }

    fn settle(&mut self) -> Result<(), PortError> {
        Ok(())
    }

    fn commit(&mut self) -> Result<(), PortError> {
        let mut topic = self.cluster.topic();
        if topic.epochs.get(&self.id) != Some(&self.epoch) {
            return Err(PortError::Fenced("a newer producer has this id".to_owned()));
        }
        topic.ended += 1;
        let ended = topic.ended;
        let fault = topic.faults.iter().find(|(after, _)| *after == ended).map(|(_, end)| *end);
        if fault == Some(End::Lost) {
            return Err(PortError::Aborted("as the test asked".to_owned()));
        }
        for (target, key, value, headers) in self.sent.drain(..) {
            match target {
                Target::Ledger(_) => {
                    // As on a real broker, markers of transactions lie between.
                    let offset = Offset(topic.ledger.len() as u64 + ended as u64);
                    let headers =
                        headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                    topic.ledger.push(LedgerRecord { offset, value: value.unwrap_or_default(), headers });
                }
                Target::Charges => {
                    let number = headers.into_iter().find(|(name, _)| name == "tarifa_sequence");
                    let number = number.and_then(|(_, value)| String::from_utf8(value?).ok());
                    topic.charges.push(number.unwrap());
                }
                Target::DeadLetter => {
                    let (offset, record_time) = (Offset(topic.dead_letters.len() as u64), UnixMillis(0));
                    topic.dead_letters.push(OwnedRecord { offset, record_time, key, value, headers });
                }
                Target::Input(_) => {
                    let offset = Offset(topic.end);
                    topic.end += 2;
                    let record_time = UnixMillis(BEGIN);
                    topic.input.push(OwnedRecord { offset, record_time, key, value, headers });
                }
            }
        }
        let end = topic.ledger.len();
        topic.transactions.insert(end);
        if fault == Some(End::LostAnswer) {
            return Err(PortError::Unavailable("as the test asked".to_owned()));
        }
        Ok(())
    }
}

/// The one member of the group.
struct Member {
    cluster: Cluster,
    changes: Vec<Change>,
    /// Whether it was asked for changes before.
    asked: bool,
    next: Option<Offset>,
    records_max: usize,
}

impl EventLog for Member {
    fn poll(
        &mut self,
        timeout: Duration,
        records_max: usize,
        each: &mut dyn FnMut(&LogRecord<'_>),
    ) -> Result<usize, PortError> {
        let Some(next) = self.next else {
            thread::sleep(timeout);
            return Ok(0);
        };
        let records: Vec<_> = {
            let topic = self.cluster.topic();
            topic.from(next.0).take(records_max.min(self.records_max)).cloned().collect()
        };
        if records.is_empty() {
            thread::sleep(timeout);
        }
        for record in &records {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let (partition, offset, record_time) = (PartitionId(0), record.offset, record.record_time);
            each(&LogRecord { partition, offset, record_time, key, value });
            self.next = Some(Offset(offset.0 + 1));
        }
        Ok(records.len())
    }

    fn at_end(&mut self) -> Vec<PartitionId> {
        Vec::new()
    }

    fn changes(&mut self) -> Vec<Change> {
        // What is to be late is under way before anything else changes.
        let (late, at_first) =
            (self.cluster.topic().late.is_some(), !std::mem::replace(&mut self.asked, true));
        match (late, at_first) {
            (false, _) => std::mem::take(&mut self.changes),
            (true, true) => self.changes.drain(..1).collect(),
            (true, false) => Vec::new(),
        }
    }

    fn start(&mut self, _: PartitionId, from: Offset) -> Result<(), PortError> {
        self.cluster.topic().starts += 1;
        self.next = Some(from);
        Ok(())
    }

    fn stop(&mut self, _: PartitionId) -> Result<(), PortError> {
        self.next = None;
        Ok(())
    }

    fn show_progress(&self, _: PartitionId, _: Offset) {}

    fn leave(&mut self) {}
}

/// How a test runs the service.
pub(crate) struct Run<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) data: PathBuf,
    pub(crate) snapshots: Option<&'a Path>,
    /// Records that the log gives at once.
    pub(crate) records_max: usize,
    pub(crate) checkpoint_records: u64,
    pub(crate) republish_ledger: bool,
    /// What becomes of the partition at the beginning.
    pub(crate) changes: Vec<Change>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(cluster: &'a Cluster, data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Self {
            cluster,
            data,
            snapshots: None,
            records_max: 10_000,
            checkpoint_records: 1_000_000,
            republish_ledger: false,
            changes: vec![Change::Assigned(PartitionId(0))],
        }
    }

    /// Runs until `holds`, and stops. Gives the last metrics before that.
    pub(crate) fn until(&self, holds: impl Fn(&MetricsSnapshot) -> bool) -> MetricsSnapshot {
        self.try_until(holds).unwrap()
    }

    pub(crate) fn try_until(
        &self,
        holds: impl Fn(&MetricsSnapshot) -> bool,
    ) -> Result<MetricsSnapshot, ServiceError> {
        let secret = self.data.with_file_name("secret");
        if !secret.exists() {
            std::fs::write(&secret, [7; 32]).unwrap();
        }
        let options = ServiceOptions {
            app: "test".to_owned(),
            data: self.data.clone(),
            secret: Some(secret),
            topics: Topics::default(),
            commit_interval: Duration::from_millis(5),
            publish_interval: Duration::from_millis(10),
            tick_interval: Duration::from_secs(3_600),
            snapshots: self.snapshots.map(Path::to_owned),
            snapshot_interval: Duration::ZERO,
            checkpoint_records: self.checkpoint_records,
            configuration: configuration("USD"),
            configuration_is_explicit: false,
            republish_ledger: self.republish_ledger,
        };
        let (metrics, stop) = (Arc::new(Metrics::default()), AtomicBool::new(false));
        let broker: Arc<dyn Broker> = Arc::new(self.cluster.clone());
        let member = Member {
            cluster: self.cluster.clone(),
            changes: self.changes.clone(),
            asked: false,
            next: None,
            records_max: self.records_max,
        };
        thread::scope(|scope| {
            let join =
                move |_: Arc<dyn Ownership>, _: &str| Ok::<Box<dyn EventLog>, PortError>(Box::new(member));
            let running = scope.spawn(|| service::run(&options, &broker, join, &metrics, &stop));
            let began = Instant::now();
            let last = loop {
                let now = metrics.snapshot();
                if holds(&now) || running.is_finished() {
                    break now;
                }
                if began.elapsed() > PATIENCE {
                    // What runs is waited for before anyone hears of the panic.
                    stop.store(true, Ordering::Relaxed);
                    panic!("it never came to this: {now:?}");
                }
                thread::sleep(Duration::from_millis(5));
            };
            stop.store(true, Ordering::Relaxed);
            running.join().unwrap().map(|()| last)
        })
    }

    /// Runs until everything that is there is published.
    pub(crate) fn to_the_end(&self) -> MetricsSnapshot {
        let cluster = self.cluster.clone();
        self.until(move |now| {
            let newest = cluster.topic().input.last().map(|record| record.offset.0 + 1);
            now.partitions.get(&0).is_some_and(|partition| {
                partition.next_offset.0 >= newest.unwrap_or(u64::MAX)
                    && partition.committed == partition.published
            })
        })
    }
}

/// What a topic adopts.
pub(crate) fn configuration(currency: &str) -> Arc<Configuration> {
    let defaults = AccountSettings {
        currency: Currency::parse(currency).unwrap(),
        zone: "UTC".to_owned(),
        tracks_consent: false,
    };
    Arc::new(Configuration::new(defaults, Vec::new(), Tariff::builtin("whatsapp-2022").unwrap()).unwrap())
}
