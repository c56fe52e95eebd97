//! A share of the buckets, worked on beside the others: each event finds its thread, gets its disposition, and books.
//!
//! Knows nothing of the other lanes. Invariant: what becomes of an event depends on the events of its thread alone, and
//! all of them are in one lane; the numbers of entries are the lane's own until the lanes are put together.

mod scan;

use model::{
    Disposition, Entry, EntryBody, Initiator, Offset, PartitionId, Record, RecordContent, SealedBody,
    SealedEvent, Sequence, UnixMillis, VerdictFacts,
};
use tariff::Configuration;

use crate::{
    booking::{Book, ThreadId, Words},
    error::ProjectError,
    fold::Rules,
    labels::{Labels, LabelsMet, LaneLabels},
    numbers::Numbers,
    projector::{FUTURE_TOLERANCE, HORIZON, Slot, bucket_of},
    thread::{Taken, Thread},
    varint::Damaged,
};

pub(crate) use scan::lane_of;
use scan::{Group, Scan};

/// Place of a thread that is not known yet.
const UNKNOWN: u32 = u32::MAX;

/// What all lanes read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) partition: PartitionId,
    pub(crate) configuration: Option<(&'a Configuration, &'a Rules)>,
    pub(crate) words: &'a Words,
    pub(crate) labels: &'a Labels,
    pub(crate) partition_time: UnixMillis,
    /// The offset of the first of the records.
    pub(crate) first: Offset,
    /// From which the lanes number threads that begin.
    pub(crate) first_hint: u32,
    pub(crate) lanes: u16,
}

/// Where a thread is kept.
#[derive(Debug, Clone, Copy)]
struct Located {
    bucket: u16,
    at: u32,
}

/// What became of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Its place in the batch.
    pub(crate) index: u32,
    /// A number of its thread, the same within this process; `u32::MAX` where there is none.
    pub(crate) hint: u32,
    pub(crate) disposition: Disposition,
}

/// A record that entries come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Booking {
    pub(crate) index: u32,
    /// How many of the lane's entries; one for the quarantine, if it goes there, comes behind them.
    pub(crate) entries: u32,
    pub(crate) disposition: Disposition,
}

/// A conversation of which the lane booked something.
#[derive(Debug, Clone, Copy)]
struct Told {
    place: Located,
    opened_at: UnixMillis,
    initiator: Initiator,
}

/// What a lane found and booked. Kept and used again, so that its memory is. Apart from other lanes by two lines of the
/// cache, which else would go to and fro between the cores.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Lane {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) bookings: Vec<Booking>,
    pub(crate) entries: Vec<Entry>,
    /// Places in the batch of records that began a thread.
    pub(crate) new_threads: Vec<usize>,
    pub(crate) labels: LabelsMet,
    pub(crate) numbers: Numbers,
    /// How many hints it gave.
    pub(crate) hints: u32,
    /// The newest time of its events that were not from the future.
    pub(crate) newest: UnixMillis,
    told: Vec<Told>,
}

/// A lane at work: `own` are the buckets that are its. Aligned as [`Lane`] is.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct LaneWork<'a> {
    pub(crate) lane: &'a mut Lane,
    pub(crate) own: &'a mut [Slot],
    /// Which of the lanes it is.
    pub(crate) number: u16,
    pub(crate) shared: Shared<'a>,
    /// The number of its last entry: the ledger's where there is one lane, else its own.
    pub(crate) sequence: Sequence,
}

impl LaneWork<'_> {
    /// Applies what is its own of the records, up to the first that all lanes have to wait for or that is not the next;
    /// tells how many records there are before that.
    pub(crate) fn apply<R: AsRef<Record>>(&mut self, records: &[R]) -> Result<usize, ProjectError> {
        self.clear();
        let Shared { first, lanes, .. } = self.shared;
        let mut scan = Scan { records, taken: 0, first, lane: self.number, lanes };
        // Each step reads what the one before it asked for while another group was worked on.
        let [mut guessed, mut found, mut located] = [Group::NONE; 3];
        loop {
            let scanned = scan.group();
            self.ask_for_finders(&scanned, records);
            self.guess(&mut guessed, records)?;
            self.ask_for_threads(&found);
            self.locate(&mut located, records)?;
            self.apply_group(&located, records)?;
            (guessed, found, located) = (scanned, guessed, found);
            if [&guessed, &found, &located].iter().all(|group| group.length == 0) {
                return Ok(scan.taken);
            }
        }
    }

    /// Applies one record that was resubmitted; `known` says that its original was before.
    pub(crate) fn resubmit<R: AsRef<Record>>(&mut self, record: &R, known: bool) -> Result<(), ProjectError> {
        self.clear();
        let (mut group, records) = (Group { length: 1, ..Group::NONE }, std::slice::from_ref(record));
        self.guess(&mut group, records)?;
        self.locate(&mut group, records)?;
        let record = record.as_ref();
        let booked = self.lane.entries.len();
        let disposition = match (record.content.event(), group.located[0]) {
            (Some(_), Some(_)) if known => Disposition::Duplicate,
            (Some(event), Some(place)) => {
                let fate = self.apply_event(record, event, place, true)?;
                if fate == Disposition::Conflict { fate } else { Disposition::Control }
            }
            (None, _) | (_, None) => Disposition::Future,
        };
        self.note(0, 0, disposition, booked);
        Ok(())
    }

    fn clear(&mut self) {
        let lane = &mut *self.lane;
        lane.outcomes.clear();
        lane.bookings.clear();
        lane.entries.clear();
        lane.new_threads.clear();
        lane.numbers.clear();
        lane.told.clear();
        (lane.hints, lane.newest) = (0, UnixMillis::MIN);
    }

    fn slot(&self, bucket: u16) -> &Slot {
        &self.own[usize::from(bucket) % self.own.len()]
    }

    /// Asks for what [`Self::guess`] will read.
    fn ask_for_finders<R: AsRef<Record>>(&self, group: &Group, records: &[R]) {
        for at in 0..group.length {
            let Some(event) = group.record(at, records).content.event() else { continue };
            if let Slot::Loaded(bucket) = self.slot(bucket_of(event.user)) {
                bucket.ask_for_finder(event.user, event.business_phone);
            }
        }
    }

    /// Guesses where the threads of a group are, and asks for what [`Self::ask_for_threads`] will read.
    fn guess<R: AsRef<Record>>(&self, group: &mut Group, records: &[R]) -> Result<(), ProjectError> {
        for at in 0..group.length {
            let record = group.record(at, records);
            let Some(event) = record.content.event().filter(|event| !is_future(record, event)) else {
                continue;
            };
            let number = bucket_of(event.user);
            let Slot::Loaded(bucket) = self.slot(number) else {
                return Err(ProjectError::NotLoaded(record.offset));
            };
            let guessed = bucket.guess(event.user, event.business_phone).unwrap_or(UNKNOWN);
            bucket.threads.ask_for_piece(guessed);
            group.located[at] = Some(Located { bucket: number, at: guessed });
        }
        Ok(())
    }

    /// Asks for what [`Self::locate`] and [`Self::apply_group`] will read.
    fn ask_for_threads(&self, group: &Group) {
        for located in group.located[..group.length].iter().flatten() {
            let Slot::Loaded(bucket) = self.slot(located.bucket) else { continue };
            if let Some(thread) = bucket.threads.get(located.at) {
                thread.ask_for();
            }
        }
    }

    /// Finds or begins the threads of a group, and asks for what its messages will be written into.
    fn locate<R: AsRef<Record>>(&mut self, group: &mut Group, records: &[R]) -> Result<(), ProjectError> {
        group.outcomes = self.lane.outcomes.len();
        for at in 0..group.length {
            let (index, record) = (group.indexes[at], group.record(at, records));
            let hint = match (record.content.event(), &mut group.located[at]) {
                (Some(event), Some(guessed)) => self
                    .thread_of(event, guessed, index)
                    .map_err(|Damaged| ProjectError::DamagedState(record.offset))?,
                // An event of the future touches no thread, and still the log has to say whose it is.
                (Some(_), None) => self.new_hint(),
                (None, _) => u32::MAX,
            };
            self.lane.outcomes.push(Outcome { index, hint, disposition: Disposition::Control });
        }
        Ok(())
    }

    /// Puts the place of an event's thread right, and gives its number; a new thread if it has none yet.
    fn thread_of(&mut self, event: &SealedEvent, place: &mut Located, index: u32) -> Result<u32, Damaged> {
        let slot = usize::from(place.bucket) % self.own.len();
        let Slot::Loaded(bucket) = &mut self.own[slot] else { return Ok(u32::MAX) };
        bucket.dirty = true;
        let (user, business_phone) = (event.user, event.business_phone);
        let guessed = place.at != UNKNOWN && bucket.is_at(place.at, user, business_phone);
        let found = if guessed { Some(place.at) } else { bucket.find(user, business_phone) };
        if let Some(thread) = found.and_then(|at| bucket.threads.get(at)) {
            thread.ask_for_room(&bucket.blocks);
            place.at = found.unwrap_or(UNKNOWN);
            return Ok(thread.hint);
        }
        let hint = self.new_hint();
        let Slot::Loaded(bucket) = &mut self.own[slot] else { return Ok(u32::MAX) };
        place.at = match found {
            Some(asleep) => bucket.wake(asleep, hint)?,
            None => {
                self.lane.new_threads.push(index as usize);
                let id = ThreadId { user, business_phone, leading_digits: event.leading_digits };
                bucket.add(Thread::new(id, hint))
            }
        };
        Ok(hint)
    }

    /// The lanes take turns, so that no two give the same.
    fn new_hint(&mut self) -> u32 {
        self.lane.hints += 1;
        self.shared.first_hint + (self.lane.hints - 1) * u32::from(self.shared.lanes) + u32::from(self.number)
    }

    fn apply_group<R: AsRef<Record>>(&mut self, group: &Group, records: &[R]) -> Result<(), ProjectError> {
        (0..group.length).try_for_each(|at| self.apply_one(group, at, group.record(at, records)))
    }

    fn apply_one(&mut self, group: &Group, at: usize, record: &Record) -> Result<(), ProjectError> {
        let booked = self.lane.entries.len();
        let disposition = match &record.content {
            RecordContent::Event(event) => match group.located[at] {
                None => Disposition::Future,
                Some(place) => self.apply_event(record, event, place, false)?,
            },
            RecordContent::Malformed(reason) => Disposition::Malformed(*reason),
            RecordContent::Misrouted => Disposition::Misrouted,
            RecordContent::Ignored(reason) => Disposition::Ignored(*reason),
            RecordContent::Tick(_) | RecordContent::Configuration(_) | RecordContent::Resubmission { .. } => {
                Disposition::Control
            }
        };
        self.note(group.indexes[at], group.outcomes + at, disposition, booked);
        Ok(())
    }

    /// Keeps what became of a record, behind the first `booked` entries.
    fn note(&mut self, index: u32, outcome: usize, disposition: Disposition, booked: usize) {
        let lane = &mut *self.lane;
        lane.outcomes[outcome].disposition = disposition;
        let quarantined = disposition.quarantine().is_some();
        self.sequence.0 += u64::from(quarantined);
        let entries = u32::try_from(lane.entries.len() - booked).unwrap_or(u32::MAX);
        if entries > 0 || quarantined {
            lane.bookings.push(Booking { index, entries, disposition });
        }
    }

    fn apply_event(
        &mut self,
        record: &Record,
        event: &SealedEvent,
        place: Located,
        waives_lateness: bool,
    ) -> Result<Disposition, ProjectError> {
        let shared = self.shared;
        let Some((configuration, rules)) = shared.configuration else {
            return Err(ProjectError::NotConfigured(record.offset));
        };
        let slot = usize::from(place.bucket) % self.own.len();
        let Slot::Loaded(bucket) = &mut self.own[slot] else {
            return Err(ProjectError::NotLoaded(record.offset));
        };
        let late = !waives_lateness && record.record_time - event.occurred_at > HORIZON;
        let Lane { labels, entries, newest, told, .. } = &mut *self.lane;
        *newest = (*newest).max(event.occurred_at);
        let mut labels = LaneLabels {
            known: shared.labels,
            met: labels,
            lane: u32::from(self.number),
            lanes: u32::from(shared.lanes),
        };
        let thread = &mut bucket.threads[place.at];
        let taken = thread.take(&bucket.blocks, &mut labels, record, event, late);
        let (change, fate, verdict_is_new) = match &taken {
            Taken::Is(disposition) => return Ok(*disposition),
            Taken::Changes { change, fate, verdict_is_new } => (change, *fate, *verdict_is_new),
        };
        let booked_before = entries.len();
        let mut book = Book {
            configuration,
            words: shared.words,
            labels: &labels,
            partition: shared.partition,
            offset: record.offset,
            record_time: record.record_time,
            partition_time: shared.partition_time,
            sequence: &mut self.sequence,
            entries,
        };
        let in_order = thread.change(&mut bucket.blocks, rules, &mut book, change);
        if fate == Disposition::Applied {
            book_news(&mut book, thread, event, verdict_is_new);
        }
        let booked = &entries[booked_before..];
        // What comes in order and books nothing has at most slid the end on.
        if !in_order || !booked.is_empty() {
            bucket.wait(place.at);
        }
        if shared.lanes > 1 {
            told.extend(booked.iter().filter_map(|entry| {
                let facts = entry.body.conversation()?;
                Some(Told { place, opened_at: facts.opened_at, initiator: facts.initiator })
            }));
        }
        Ok(fate)
    }

    /// Puts the final numbers of entries where threads have the lane's own.
    pub(crate) fn renumber(&mut self) {
        for Told { place, opened_at, initiator } in &self.lane.told {
            let slot = usize::from(place.bucket) % self.own.len();
            if let Slot::Loaded(bucket) = &mut self.own[slot] {
                bucket.threads[place.at].renumber(*opened_at, *initiator, &self.lane.numbers);
            }
        }
    }
}

/// Entries about what an event says beside the conversations.
fn book_news(book: &mut Book<'_>, thread: &Thread, event: &SealedEvent, verdict_is_new: bool) {
    match &event.body {
        SealedBody::Consent(consent) => {
            let subject = book.subject(thread.id(), event.account, event.occurred_at);
            let source = book.words.get(consent.source).clone();
            let body = EntryBody::ConsentChanged { subject, granted: consent.granted, source };
            book.append(event.occurred_at, body);
        }
        SealedBody::Status(status) => {
            if let Some(verdict) = status.verdict.as_ref().filter(|_| verdict_is_new) {
                let subject = book.subject(thread.id(), event.account, event.occurred_at);
                let verdict = verdict.as_ref().clone();
                let facts = VerdictFacts { subject, message: event.message, verdict };
                book.append(event.occurred_at, EntryBody::ProviderVerdict(Box::new(facts)));
            }
        }
        SealedBody::UserMessage { .. } | SealedBody::BusinessMessage { .. } | SealedBody::UserCall => {}
    }
}

pub(crate) fn is_future(record: &Record, event: &SealedEvent) -> bool {
    event.occurred_at > record.record_time + FUTURE_TOLERANCE
}
