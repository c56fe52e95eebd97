//! A partition: takes records in order, gives each its disposition, and books what follows.
//!
//! Invariant: entries depend on the sequence of records alone, never on how it is cut into batches.

use std::{collections::BTreeSet, fmt, sync::Arc};

use model::{
    Configured, ContentHash, Disposition, DispositionCounts, DurationMillis, Entry, EntryBody, Offset,
    PartitionId, Quarantined, Record, RecordContent, SealedBody, SealedEvent, Sequence, Symbol, UnixMillis,
    UserRef, VerdictFacts,
};
use tariff::Configuration;

use crate::{
    booking::{Book, ThreadId, Words},
    bucket::{Bucket, has_come},
    fold::Rules,
    identity::conversation_id,
    labels::Labels,
    thread::{Taken, Thread},
};

/// How many buckets the threads of a partition are spread over.
pub const BUCKETS: u16 = 1_024;
/// An event may be this much later than its record before it counts as from the future (SPEC §4).
pub const FUTURE_TOLERANCE: DurationMillis = DurationMillis::from_minutes(5);
/// How much older than its own record time an event may be and still be applied (SPEC §1).
pub const HORIZON: DurationMillis = DurationMillis::from_days(10);

/// Records are looked up in groups of this size before they are applied, so that memory is waited for once a group.
const GROUP: usize = 32;

/// Place of a thread that is not known yet.
const UNKNOWN: u32 = u32::MAX;

/// The bucket of a user's threads.
#[must_use]
pub fn bucket_of(user: UserRef) -> u16 {
    (u16::from(user.0[0]) << 8 | u16::from(user.0[1])) % BUCKETS
}

/// A log that cannot be projected. Each is a fault of the log or of the caller, none of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectError {
    /// A billing event stands before the first configuration.
    NotConfigured(Offset),
    /// The content of an adopted configuration was not provided.
    UnknownConfiguration(Offset, ContentHash),
    /// A second configuration: its corrections are not defined by this version of the rules.
    SecondConfiguration(Offset),
    /// A record is not the next one.
    Gap {
        /// The offset that should have come.
        expected: Offset,
        /// The offset that came.
        found: Offset,
    },
    /// State that is needed has not been loaded.
    NotLoaded(Offset),
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured(at) => {
                write!(
                    f,
                    "record {} is a billing event, but no configuration stands before it in the log",
                    at.0
                )
            }
            Self::UnknownConfiguration(at, hash) => {
                write!(f, "record {} adopts configuration {hash}, whose content is missing", at.0)
            }
            Self::SecondConfiguration(at) => {
                write!(f, "record {} adopts a second configuration, which this version cannot do", at.0)
            }
            Self::Gap { expected, found } => {
                write!(f, "record {} came where record {} should have come", found.0, expected.0)
            }
            Self::NotLoaded(at) => write!(f, "record {} needs state that was not loaded", at.0),
        }
    }
}

impl std::error::Error for ProjectError {}

/// What a batch of records led to. Kept by the caller and used again, so that its memory is.
#[derive(Debug, Default)]
pub struct Projected {
    /// New entries, without the hash of the entry before them.
    pub entries: Vec<Entry>,
    /// One for each record.
    pub dispositions: Vec<Disposition>,
    /// For each record a number of its thread, the same within this process; `u32::MAX` where there is none.
    pub threads: Vec<u32>,
    /// Places in the batch of records that began a thread.
    pub new_threads: Vec<usize>,
}

impl Projected {
    fn clear(&mut self) {
        self.entries.clear();
        self.dispositions.clear();
        self.threads.clear();
        self.new_threads.clear();
    }
}

#[derive(Debug)]
pub(crate) enum Slot {
    Loaded(Bucket),
    /// Not in memory; the minute under which its first thread waits.
    Away(Option<i64>),
}

/// The state of one partition.
#[derive(Debug)]
pub struct Projector {
    pub(crate) partition: PartitionId,
    pub(crate) next_offset: Offset,
    pub(crate) sequence: Sequence,
    pub(crate) partition_time: UnixMillis,
    pub(crate) newest_event_time: UnixMillis,
    pub(crate) configured: Option<Configured>,
    configuration: Option<(Arc<Configuration>, Rules)>,
    pub(crate) words: Words,
    pub(crate) labels: Labels,
    pub(crate) resubmitted: BTreeSet<u64>,
    pub(crate) buckets: Vec<Slot>,
    pub(crate) next_hint: u32,
    /// Dispositions since the partition's first record.
    pub(crate) counts: DispositionCounts,
    located: Vec<Option<(u16, u32)>>,
}

impl Projector {
    /// The state before a partition's first record.
    #[must_use]
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            next_offset: Offset(0),
            sequence: Sequence(0),
            partition_time: UnixMillis::MIN,
            newest_event_time: UnixMillis::MIN,
            configured: None,
            configuration: None,
            words: Words::default(),
            labels: Labels::default(),
            resubmitted: BTreeSet::new(),
            buckets: (0..BUCKETS).map(|_| Slot::Loaded(Bucket::default())).collect(),
            next_hint: 0,
            counts: DispositionCounts::default(),
            located: Vec::new(),
        }
    }

    /// The offset of the next record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// The number of the last entry.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// That of the newest tick.
    #[must_use]
    pub fn partition_time(&self) -> UnixMillis {
        self.partition_time
    }

    /// The newest time of an event that was not from the future: where a projection of files puts its tick.
    #[must_use]
    pub fn newest_event_time(&self) -> UnixMillis {
        self.newest_event_time
    }

    /// Dispositions of all records so far.
    #[must_use]
    pub fn counts(&self) -> &DispositionCounts {
        &self.counts
    }

    /// Whether the record at this place was resubmitted. The same original twice is a duplicate.
    #[must_use]
    pub fn is_resubmitted(&self, original: Offset) -> bool {
        self.resubmitted.contains(&original.0)
    }

    /// The configuration that was adopted.
    #[must_use]
    pub fn configured(&self) -> Option<Configured> {
        self.configured
    }

    /// The content behind [`Self::configured`], once provided.
    #[must_use]
    pub fn configuration(&self) -> Option<&Arc<Configuration>> {
        self.configuration.as_ref().map(|(configuration, _)| configuration)
    }

    /// Says which word a symbol stands for.
    pub fn define(&mut self, symbol: Symbol, word: &str) {
        self.words.define(symbol, word);
    }

    /// The words so far, by number of their symbol.
    #[must_use]
    pub fn words(&self) -> &[model::Text] {
        self.words.all()
    }

    /// Gives the content of a configuration that the log adopts, or has adopted before a restart.
    pub fn provide(&mut self, configuration: Arc<Configuration>) {
        let rules = Rules::of(configuration.tariff());
        self.configuration = Some((configuration, rules));
    }

    /// Applies a batch. `original` gives the hash of the original bytes of the record at a place in the batch; it is
    /// asked only for records that go into quarantine.
    ///
    /// # Errors
    /// See [`ProjectError`]; the state is then no longer to be used.
    pub fn apply<R: AsRef<Record>>(
        &mut self,
        records: &[R],
        original: &mut dyn FnMut(usize) -> ContentHash,
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        out.clear();
        for (group, first) in records.chunks(GROUP).zip((0..).step_by(GROUP)) {
            self.locate(group, first, out)?;
            for (index, record) in group.iter().map(AsRef::as_ref).enumerate() {
                if record.offset != self.next_offset {
                    return Err(ProjectError::Gap { expected: self.next_offset, found: record.offset });
                }
                self.next_offset.0 += 1;
                let located = self.located[index];
                let disposition = self.apply_one(record, located, out)?;
                if let Some(reason) = disposition.quarantine() {
                    let detail = match disposition {
                        Disposition::Malformed(reason) => reason.code(),
                        Disposition::Misrouted
                        | Disposition::Control
                        | Disposition::Ignored(_)
                        | Disposition::Future
                        | Disposition::Duplicate
                        | Disposition::Conflict
                        | Disposition::Late
                        | Disposition::Applied => 0,
                    };
                    let quarantined = Quarantined { reason, detail, original: original(first + index) };
                    let event_time = occurred_at(record);
                    self.append(record, event_time, EntryBody::RecordQuarantined(quarantined), out);
                }
                self.counts.count(disposition);
                out.dispositions.push(disposition);
                let hint = self.hint_of(record, located);
                out.threads.push(hint);
            }
        }
        Ok(())
    }

    /// The number by which the log is told which thread a record is of.
    fn hint_of(&mut self, record: &Record, located: Option<(u16, u32)>) -> u32 {
        match (located, event_of(record)) {
            (Some((bucket, at)), _) => self.thread(bucket, at).map_or(u32::MAX, |thread| thread.hint),
            // An event of the future touches no thread, and still the log has to say whose it is.
            (None, Some(_)) => {
                self.next_hint += 1;
                self.next_hint - 1
            }
            (None, None) => u32::MAX,
        }
    }

    /// Finds or begins the threads of a group of records, in two rounds: what each round reads of one thread does not
    /// wait for what it reads of another.
    fn locate<R: AsRef<Record>>(
        &mut self,
        group: &[R],
        first: usize,
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        self.located.clear();
        for record in group.iter().map(AsRef::as_ref) {
            let Some(event) = event_of(record).filter(|event| !is_future(record, event)) else {
                self.located.push(None);
                continue;
            };
            let number = bucket_of(event.user);
            let Slot::Loaded(bucket) = &self.buckets[usize::from(number)] else {
                return Err(ProjectError::NotLoaded(record.offset));
            };
            self.located
                .push(Some((number, bucket.guess(event.user, event.business_phone).unwrap_or(UNKNOWN))));
        }
        self.touch();
        for (index, record) in group.iter().map(AsRef::as_ref).enumerate() {
            let (Some(event), Some((number, at))) = (event_of(record), &mut self.located[index]) else {
                continue;
            };
            let Slot::Loaded(bucket) = &mut self.buckets[usize::from(*number)] else { continue };
            bucket.dirty = true;
            if *at != UNKNOWN && bucket.is_at(*at, event.user, event.business_phone) {
                continue;
            }
            *at = match bucket.find(event.user, event.business_phone) {
                Some(at) => at,
                None => {
                    let id = ThreadId {
                        user: event.user,
                        business_phone: event.business_phone,
                        leading_digits: event.leading_digits,
                    };
                    self.next_hint += 1;
                    out.new_threads.push(first + index);
                    bucket.add(Thread::new(id, self.next_hint - 1))
                }
            };
        }
        Ok(())
    }

    /// Reads what the threads that were guessed will need, all at once: the loads overlap, where later ones would each
    /// be waited for.
    fn touch(&self) {
        let threads = || self.located.iter().flatten().filter_map(|(bucket, at)| self.thread(*bucket, *at));
        let heads = threads().fold(0_u8, |sum, thread| sum.wrapping_add(thread.touch_head()));
        let tails = threads().fold(0_u8, |sum, thread| sum.wrapping_add(thread.touch_tail()));
        std::hint::black_box(heads.wrapping_add(tails));
    }

    fn thread(&self, bucket: u16, at: u32) -> Option<&Thread> {
        match &self.buckets[usize::from(bucket)] {
            Slot::Loaded(bucket) => bucket.threads.get(at as usize),
            Slot::Away(_) => None,
        }
    }

    fn apply_one(
        &mut self,
        record: &Record,
        located: Option<(u16, u32)>,
        out: &mut Projected,
    ) -> Result<Disposition, ProjectError> {
        Ok(match &record.content {
            RecordContent::Event(event) => match located {
                None => Disposition::Future,
                Some(place) => self.apply_event(record, event, place, false, out)?,
            },
            RecordContent::Malformed(reason) => Disposition::Malformed(*reason),
            RecordContent::Misrouted => Disposition::Misrouted,
            RecordContent::Ignored(reason) => Disposition::Ignored(*reason),
            RecordContent::Tick(time) => {
                self.tick(record, *time, out)?;
                Disposition::Control
            }
            RecordContent::Configuration(configured) => {
                self.adopt(record, *configured, out)?;
                Disposition::Control
            }
            RecordContent::Resubmission { original, event } => {
                let Some(place) = located else { return Ok(Disposition::Future) };
                if !self.resubmitted.insert(original.0) {
                    return Ok(Disposition::Duplicate);
                }
                let disposition = self.apply_event(record, event, place, true, out)?;
                if disposition == Disposition::Conflict { disposition } else { Disposition::Control }
            }
        })
    }

    pub(crate) fn adopt(
        &mut self,
        record: &Record,
        configured: Configured,
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        if self.configured == Some(configured) {
            return Ok(());
        }
        if self.configured.is_some() {
            return Err(ProjectError::SecondConfiguration(record.offset));
        }
        let provided = self
            .configuration
            .as_ref()
            .is_some_and(|(content, _)| content.content_hash() == configured.content);
        if !provided {
            return Err(ProjectError::UnknownConfiguration(record.offset, configured.content));
        }
        self.configured = Some(configured);
        let Configured { content, effective_from } = configured;
        self.append(record, effective_from, EntryBody::Configured { content, effective_from }, out);
        Ok(())
    }

    fn append(&mut self, record: &Record, event_time: UnixMillis, body: EntryBody, out: &mut Projected) {
        self.sequence.0 += 1;
        out.entries.push(Entry {
            sequence: self.sequence,
            event_time,
            record_time: record.record_time,
            partition: self.partition,
            offset: record.offset,
            previous_hash: model::EntryHash::ZERO,
            body,
        });
    }

    fn apply_event(
        &mut self,
        record: &Record,
        event: &SealedEvent,
        (bucket, at): (u16, u32),
        waives_lateness: bool,
        out: &mut Projected,
    ) -> Result<Disposition, ProjectError> {
        let Some((configuration, rules)) = &self.configuration else {
            return Err(ProjectError::NotConfigured(record.offset));
        };
        let Slot::Loaded(bucket) = &mut self.buckets[usize::from(bucket)] else {
            return Err(ProjectError::NotLoaded(record.offset));
        };
        let late = !waives_lateness && record.record_time - event.occurred_at > HORIZON;
        self.newest_event_time = self.newest_event_time.max(event.occurred_at);
        let thread = &mut bucket.threads[at as usize];
        let (old, new, fate, verdict_is_new) = match thread.take(&mut self.labels, record, event, late) {
            Taken::Is(disposition) => return Ok(disposition),
            Taken::Changes { old, new, fate, verdict_is_new } => (old, new, fate, verdict_is_new),
        };
        let mut book = Book {
            configuration,
            words: &self.words,
            labels: &self.labels,
            partition: self.partition,
            offset: record.offset,
            record_time: record.record_time,
            partition_time: self.partition_time,
            sequence: &mut self.sequence,
            entries: &mut out.entries,
        };
        thread.change(rules, &mut book, old, new);
        if fate == Disposition::Applied {
            book_news(&mut book, thread.id, event, verdict_is_new);
        }
        bucket.wait(at);
        Ok(fate)
    }

    /// Closes what falls due, by (end, conversation id).
    fn tick(&mut self, record: &Record, time: UnixMillis, out: &mut Projected) -> Result<(), ProjectError> {
        if time <= self.partition_time {
            return Ok(());
        }
        self.partition_time = time;
        let Some((configuration, _)) = &self.configuration else { return Ok(()) };
        let mut due = Vec::new();
        let mut in_bucket = Vec::new();
        for (number, slot) in self.buckets.iter_mut().enumerate() {
            let bucket = match slot {
                Slot::Away(first) if first.is_none_or(|minute| !has_come(minute, time)) => continue,
                Slot::Away(_) => return Err(ProjectError::NotLoaded(record.offset)),
                Slot::Loaded(bucket) => bucket,
            };
            bucket.due(time, &mut in_bucket);
            bucket.dirty |= !in_bucket.is_empty();
            for at in in_bucket.drain(..) {
                let thread = &bucket.threads[at as usize];
                let Some(last) = thread.conversations.last() else { continue };
                let phone = self.words.get(thread.id.business_phone);
                let id = conversation_id(phone, thread.id.user, last.opener.at(), last.initiator);
                due.push((last.ends_at, id, number, at));
            }
        }
        due.sort_unstable();
        let mut book = Book {
            configuration,
            words: &self.words,
            labels: &self.labels,
            partition: self.partition,
            offset: record.offset,
            record_time: record.record_time,
            partition_time: time,
            sequence: &mut self.sequence,
            entries: &mut out.entries,
        };
        for (_, _, number, at) in due {
            if let Slot::Loaded(bucket) = &mut self.buckets[number] {
                let thread = &mut bucket.threads[at as usize];
                if let Some(last) = thread.conversations.last_mut() {
                    book.close(thread.id, last);
                }
            }
        }
        Ok(())
    }

    /// The buckets that must be loaded before these records can be applied.
    #[must_use]
    pub fn missing<R: AsRef<Record>>(&self, records: &[R]) -> BTreeSet<u16> {
        let mut missing = BTreeSet::new();
        if !self.buckets.iter().any(|slot| matches!(slot, Slot::Away(_))) {
            return missing;
        }
        for record in records.iter().map(AsRef::as_ref) {
            if let Some(event) = event_of(record) {
                let number = bucket_of(event.user);
                if matches!(self.buckets[usize::from(number)], Slot::Away(_)) {
                    missing.insert(number);
                }
            } else if let RecordContent::Tick(time) = &record.content {
                for (number, slot) in (0..).zip(&self.buckets) {
                    if matches!(slot, Slot::Away(Some(minute)) if has_come(*minute, *time)) {
                        missing.insert(number);
                    }
                }
            }
        }
        missing
    }

    /// Whether a bucket is not in memory.
    #[must_use]
    pub fn is_away(&self, number: u16) -> bool {
        self.buckets.get(usize::from(number)).is_some_and(|slot| matches!(slot, Slot::Away(_)))
    }
}

/// Entries about what an event says beside the conversations.
fn book_news(book: &mut Book<'_>, thread: ThreadId, event: &SealedEvent, verdict_is_new: bool) {
    match &event.body {
        SealedBody::Consent(consent) => {
            let subject = book.subject(thread, event.account, event.occurred_at);
            let source = book.words.get(consent.source).clone();
            let body = EntryBody::ConsentChanged { subject, granted: consent.granted, source };
            book.append(event.occurred_at, body);
        }
        SealedBody::Status(status) => {
            if let Some(verdict) = status.verdict.as_ref().filter(|_| verdict_is_new) {
                let subject = book.subject(thread, event.account, event.occurred_at);
                let verdict = verdict.as_ref().clone();
                let facts = VerdictFacts { subject, message: event.message, verdict };
                book.append(event.occurred_at, EntryBody::ProviderVerdict(Box::new(facts)));
            }
        }
        SealedBody::UserMessage { .. } | SealedBody::BusinessMessage { .. } | SealedBody::UserCall => {}
    }
}

fn event_of(record: &Record) -> Option<&SealedEvent> {
    match &record.content {
        RecordContent::Event(event) | RecordContent::Resubmission { event, .. } => Some(event),
        RecordContent::Malformed(_)
        | RecordContent::Misrouted
        | RecordContent::Ignored(_)
        | RecordContent::Tick(_)
        | RecordContent::Configuration(_) => None,
    }
}

fn occurred_at(record: &Record) -> UnixMillis {
    event_of(record).map_or(record.record_time, |event| event.occurred_at)
}

fn is_future(record: &Record, event: &SealedEvent) -> bool {
    event.occurred_at > record.record_time + FUTURE_TOLERANCE
}
