//! A log of one partition in memory, and the ways in which it can be projected.
//!
//! Knows no expectations. Invariant: every way of [`Handling`] is given the same records, so that any difference
//! between two runs is the projector's.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    Configured, ContentHash, Currency, Disposition, Entry, Event, Offset, PartitionId, Record, RecordContent,
    SealedEvent, Sequence, Symbol, UnixMillis, UserRef,
};
use projector::{BUCKETS, BucketPart, NetConversation, ProjectError, Projected, Projector, StoredBucket};
use sim::reference::Step;
use tariff::{AccountSettings, Configuration, Tariff};

use crate::seal::Sealer;

/// How a log is cut and carried through the projector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// A batch for each record.
    OneByOne,
    /// All records in one batch.
    OneBatch,
    /// Batches of a fixed size, at least 1.
    Batches(usize),
    /// After every so many records all state goes through bytes, and only what is needed is loaded again.
    RestoreEvery(usize),
    /// The same with so many lanes side by side, however few the records.
    Lanes {
        /// 1 to 8.
        lanes: usize,
        /// Records until all state goes through bytes.
        restore_every: usize,
    },
}

/// Records in order of arrival, behind the configuration that they are projected by.
#[derive(Debug)]
pub struct Log {
    configuration: Arc<Configuration>,
    sealer: Sealer,
    records: Vec<Record>,
}

/// What a log came to.
#[derive(Debug)]
pub struct Run {
    /// All entries, with the one of the configuration.
    pub entries: Vec<Entry>,
    /// One for each record after the configuration.
    pub dispositions: Vec<Disposition>,
    /// What holds at the end, sorted by business phone, user and opening.
    pub net: Vec<NetConversation>,
    /// How often what changed in a bucket was stored behind what was there.
    pub stored_behind: u32,
}

/// The built-in 2022 rules in US dollars and UTC, for every account.
#[must_use]
pub fn configuration() -> Arc<Configuration> {
    configured("whatsapp-2022", &BTreeMap::new(), settings("USD", "UTC", false), Vec::new())
        .expect("the built-in tariff is good")
}

fn settings(currency: &str, zone: &str, tracks_consent: bool) -> AccountSettings {
    let currency = Currency::parse(currency).expect("three capital letters");
    AccountSettings { currency, zone: zone.to_owned(), tracks_consent }
}

/// A built-in tariff, with other values for some keys of its `tariff.toml`, and accounts.
///
/// # Errors
/// An unknown tariff or key, and all that the tariff's own checks refuse.
pub fn configured(
    tariff: &str,
    changes: &BTreeMap<String, String>,
    defaults: AccountSettings,
    accounts: Vec<(String, AccountSettings)>,
) -> Result<Arc<Configuration>, String> {
    let builtin = Tariff::builtin(tariff).ok_or_else(|| format!("there is no tariff {tariff}"))?;
    let tariff = if changes.is_empty() {
        builtin
    } else {
        let mut files = builtin.files().clone();
        let text = files.get("tariff.toml").ok_or("the tariff has no tariff.toml")?;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (key, value) in changes {
            let line = lines.iter_mut().find(|line| line.starts_with(&format!("{key} =")));
            *line.ok_or_else(|| format!("tariff.toml has no key {key}"))? = format!("{key} = {value}");
        }
        files.insert("tariff.toml".to_owned(), lines.join("\n"));
        Arc::new(Tariff::from_files(&files).map_err(|error| error.to_string())?)
    };
    Configuration::new(defaults, accounts, tariff).map(Arc::new).map_err(|error| error.to_string())
}

impl Log {
    /// An empty log under a configuration.
    #[must_use]
    pub fn new(configuration: Arc<Configuration>) -> Self {
        let content = configuration.content_hash();
        let adopted = Configured { content, effective_from: UnixMillis::default() };
        let first = Record {
            offset: Offset(0),
            record_time: UnixMillis::default(),
            content: RecordContent::Configuration(adopted),
        };
        Self { configuration, sealer: Sealer::default(), records: vec![first] }
    }

    /// The log of a made-up history.
    #[must_use]
    pub fn of_steps(configuration: Arc<Configuration>, steps: &[Step<'_>]) -> Self {
        let mut log = Self::new(configuration);
        for step in steps {
            match step {
                Step::Event { event, record_time } => log.event(event, *record_time),
                Step::Tick(time) => log.tick(*time),
            };
        }
        log
    }

    /// Appends an event.
    pub fn event(&mut self, event: &Event<'_>, record_time: UnixMillis) -> Offset {
        let sealed = self.sealer.seal(event);
        self.push(RecordContent::Event(sealed), record_time)
    }

    /// Appends a tick.
    pub fn tick(&mut self, time: UnixMillis) -> Offset {
        self.push(RecordContent::Tick(time), time)
    }

    /// Appends the resubmission of an earlier record.
    pub fn resubmission(&mut self, original: Offset, event: &Event<'_>, record_time: UnixMillis) -> Offset {
        let event = self.sealer.seal(event);
        self.push(RecordContent::Resubmission { original, event }, record_time)
    }

    /// Seals an event without appending it.
    pub fn seal(&mut self, event: &Event<'_>) -> SealedEvent {
        self.sealer.seal(event)
    }

    /// Appends any record.
    pub fn push(&mut self, content: RecordContent, record_time: UnixMillis) -> Offset {
        let offset = Offset(self.records.len() as u64);
        self.records.push(Record { offset, record_time, content });
        offset
    }

    /// The same log with one more tick.
    #[must_use]
    pub fn with_tick(&self, time: UnixMillis) -> Self {
        let (configuration, sealer) = (self.configuration.clone(), self.sealer.clone());
        let mut longer = Self { configuration, sealer, records: self.records.clone() };
        longer.tick(time);
        longer
    }

    /// The same log with users whose threads are all in one bucket.
    #[must_use]
    pub fn in_one_bucket(mut self) -> Self {
        for record in &mut self.records {
            if let RecordContent::Event(event) | RecordContent::Resubmission { event, .. } =
                &mut record.content
            {
                event.user.0[..2].copy_from_slice(&[0, 7]);
            }
        }
        self
    }

    /// The records, the configuration first.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// A projector at the beginning of this log.
    #[must_use]
    pub fn projector(&self) -> Projector {
        let mut projector = Projector::new(PartitionId(0));
        self.prepare(&mut projector);
        projector
    }

    fn prepare(&self, projector: &mut Projector) {
        for (number, word) in (1..).zip(self.sealer.words()) {
            projector.define(Symbol(number), word);
        }
        projector.provide(self.configuration.clone());
    }

    /// Projects the whole log.
    ///
    /// # Panics
    /// If the projector refuses the log, or its own snapshots.
    #[must_use]
    pub fn project(&self, handling: Handling) -> Run {
        let (size, restores) = match handling {
            Handling::OneByOne => (1, false),
            Handling::OneBatch => (self.records.len(), false),
            Handling::Batches(size) => (size.max(1), false),
            Handling::RestoreEvery(size) | Handling::Lanes { restore_every: size, .. } => (size.max(1), true),
        };
        let mut projector = self.projector();
        let mut stored = BTreeMap::new();
        let (mut out, mut hints) = (Projected::default(), BTreeMap::new());
        let mut run =
            Run { entries: Vec::new(), dispositions: Vec::new(), net: Vec::new(), stored_behind: 0 };
        for batch in self.records.chunks(size) {
            if let Handling::Lanes { lanes, .. } = handling {
                projector.spread_over(lanes, 1);
            }
            let missing = projector.missing(batch);
            load(&mut projector, &stored, missing);
            apply(&mut projector, batch, &mut out).expect("the log can be projected");
            check_hints(batch, &out, &mut hints);
            run.entries.append(&mut out.entries);
            run.dispositions.append(&mut out.dispositions);
            if restores {
                projector = self.restored(&projector, &mut stored, &mut run.stored_behind);
                hints.clear();
            }
        }
        run.dispositions.remove(0);
        let away = (0..BUCKETS).filter(|bucket| projector.is_away(*bucket)).collect();
        load(&mut projector, &stored, away);
        for bucket in 0..BUCKETS {
            projector.net_conversations(bucket, &mut |net| run.net.push(net)).expect("its own bucket");
        }
        run.net.sort_by_key(|net| (net.business_phone.clone(), net.user, net.opened_at));
        run
    }

    /// The same state, after a stop and a start.
    fn restored(
        &self,
        projector: &Projector,
        stored: &mut BTreeMap<u16, Vec<u8>>,
        stored_behind: &mut u32,
    ) -> Projector {
        for bucket in projector.dirty() {
            let mut bytes = Vec::new();
            match projector.snapshot_bucket(bucket, (Offset(0), Sequence(0)), &mut bytes, &mut |_| {}) {
                BucketPart::Whole => *stored.entry(bucket).or_default() = bytes,
                BucketPart::Behind => {
                    *stored_behind += 1;
                    stored.entry(bucket).or_default().extend(bytes);
                }
            }
        }
        let mut restored = Projector::restore(&projector.snapshot_shared()).expect("its own snapshot");
        self.prepare(&mut restored);
        restored
    }
}

fn apply(projector: &mut Projector, batch: &[Record], out: &mut Projected) -> Result<(), ProjectError> {
    let first = projector.next_offset();
    let mut original = |place: usize| {
        let offset = first.0 + place as u64;
        ContentHash(*blake3::hash(&offset.to_be_bytes()).as_bytes())
    };
    let mut entries = Vec::new();
    projector.apply(batch, &mut original, &mut |some| entries.append(some), out)?;
    entries.append(&mut out.entries);
    out.entries = entries;
    Ok(())
}

/// No two threads have the same number, and none is said to begin twice.
fn check_hints(batch: &[Record], out: &Projected, hints: &mut BTreeMap<u32, (UserRef, Symbol)>) {
    assert!(out.new_threads.is_sorted_by(|a, b| a < b), "places in order");
    for (place, (record, hint)) in batch.iter().zip(&out.threads).enumerate() {
        let Some(event) = record.content.event() else {
            assert_eq!(*hint, u32::MAX, "{record:?} has no thread");
            continue;
        };
        let thread = (event.user, event.business_phone);
        let known = hints.insert(*hint, thread);
        assert!(known.is_none_or(|known| known == thread), "{thread:?} and {known:?} have the number {hint}");
        assert!(known.is_none() || !out.new_threads.contains(&place), "{thread:?} began before");
    }
}

fn load(projector: &mut Projector, stored: &BTreeMap<u16, Vec<u8>>, wanted: std::collections::BTreeSet<u16>) {
    for bucket in wanted {
        let bytes = stored.get(&bucket).cloned().unwrap_or_default();
        projector.load_bucket(bucket, StoredBucket::read(bytes).expect("its own bucket"));
    }
}
