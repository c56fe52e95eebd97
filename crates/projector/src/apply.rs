//! Applying records: each finds its thread, gets its disposition, and books what follows from it.
//!
//! Invariant: entries depend on the sequence of records alone, never on how it is cut into batches.

use model::{
    Configured, ContentHash, Disposition, Entry, EntryBody, Quarantined, Record, RecordContent, SealedBody,
    SealedEvent, UnixMillis, VerdictFacts,
};

use crate::{
    block::Blocks,
    booking::{Book, ThreadId},
    error::ProjectError,
    projector::{FUTURE_TOLERANCE, HORIZON, Projected, Projector, Slot, bucket_of},
    thread::{Taken, Thread},
};

/// Records are looked up in groups of this size before they are applied, so that memory is waited for once a group.
const GROUP: usize = 32;

/// Place of a thread that is not known yet.
const UNKNOWN: u32 = u32::MAX;

/// Where a thread is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located {
    bucket: u16,
    at: u32,
}

impl Projector {
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
            }
        }
        Ok(())
    }

    /// Finds or begins the threads of a group of records, in rounds: what each round reads of one thread does not wait
    /// for what it reads of another.
    fn locate<R: AsRef<Record>>(
        &mut self,
        group: &[R],
        first: usize,
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        self.located.clear();
        let events = || group.iter().map(AsRef::as_ref).filter_map(event_of);
        std::hint::black_box(events().fold(0, |sum, event| sum ^ self.touch_finder(event)));
        for record in group.iter().map(AsRef::as_ref) {
            let Some(event) = event_of(record).filter(|event| !is_future(record, event)) else {
                self.located.push(None);
                continue;
            };
            let number = bucket_of(event.user);
            let Slot::Loaded(bucket) = &self.buckets[usize::from(number)] else {
                return Err(ProjectError::NotLoaded(record.offset));
            };
            let at = bucket.guess(event.user, event.business_phone).unwrap_or(UNKNOWN);
            self.located.push(Some(Located { bucket: number, at }));
        }
        self.touch();
        for (index, record) in group.iter().map(AsRef::as_ref).enumerate() {
            let hint = match (event_of(record), self.located[index]) {
                (Some(event), Some(guessed)) => {
                    let (at, hint) = self.thread_of(event, guessed, first + index, out);
                    self.located[index] = Some(Located { at, ..guessed });
                    hint
                }
                // An event of the future touches no thread, and still the log has to say whose it is.
                (Some(_), None) => self.new_hint(),
                (None, _) => u32::MAX,
            };
            out.threads.push(hint);
        }
        Ok(())
    }

    /// Reads what finding the thread of an event will need.
    fn touch_finder(&self, event: &SealedEvent) -> u32 {
        match &self.buckets[usize::from(bucket_of(event.user))] {
            Slot::Loaded(bucket) => bucket.touch(event.user, event.business_phone) ^ event.tag.0,
            Slot::Away(_) => 0,
        }
    }

    /// Reads what the threads that were guessed will need, all at once: the loads overlap, where later ones would each
    /// be waited for.
    fn touch(&self) {
        let threads = || self.located.iter().flatten().filter_map(|located| self.thread(*located));
        let heads = threads().fold(0_u8, |sum, (thread, _)| sum.wrapping_add(thread.touch()));
        let rooms = threads().fold(0_u8, |sum, (thread, blocks)| sum.wrapping_add(thread.touch_room(blocks)));
        std::hint::black_box(heads.wrapping_add(rooms));
    }

    fn thread(&self, located: Located) -> Option<(&Thread, &Blocks)> {
        match &self.buckets[usize::from(located.bucket)] {
            Slot::Loaded(bucket) => Some((bucket.threads.get(located.at)?, &bucket.blocks)),
            Slot::Away(_) => None,
        }
    }

    /// Place and number of the thread of an event; a new one if it has none yet.
    fn thread_of(
        &mut self,
        event: &SealedEvent,
        guessed: Located,
        index: usize,
        out: &mut Projected,
    ) -> (u32, u32) {
        let Slot::Loaded(bucket) = &mut self.buckets[usize::from(guessed.bucket)] else {
            return (UNKNOWN, u32::MAX);
        };
        bucket.dirty = true;
        let (user, business_phone) = (event.user, event.business_phone);
        let found = match guessed.at {
            UNKNOWN => None,
            at if bucket.is_at(at, user, business_phone) => Some(at),
            _ => None,
        };
        if let Some(at) = found.or_else(|| bucket.find(user, business_phone)) {
            return (at, bucket.threads[at].hint);
        }
        out.new_threads.push(index);
        let hint = self.next_hint;
        self.next_hint += 1;
        let id = ThreadId { user, business_phone, leading_digits: event.leading_digits };
        (bucket.add(Thread::new(id, hint)), hint)
    }

    fn new_hint(&mut self) -> u32 {
        self.next_hint += 1;
        self.next_hint - 1
    }

    fn apply_one(
        &mut self,
        record: &Record,
        located: Option<Located>,
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
        located: Located,
        waives_lateness: bool,
        out: &mut Projected,
    ) -> Result<Disposition, ProjectError> {
        let Some((configuration, rules)) = &self.configuration else {
            return Err(ProjectError::NotConfigured(record.offset));
        };
        let Slot::Loaded(bucket) = &mut self.buckets[usize::from(located.bucket)] else {
            return Err(ProjectError::NotLoaded(record.offset));
        };
        let late = !waives_lateness && record.record_time - event.occurred_at > HORIZON;
        self.newest_event_time = self.newest_event_time.max(event.occurred_at);
        let thread = &mut bucket.threads[located.at];
        let taken = thread.take(&bucket.blocks, &mut self.labels, record, event, late);
        let (change, fate, verdict_is_new) = match &taken {
            Taken::Is(disposition) => return Ok(*disposition),
            Taken::Changes { change, fate, verdict_is_new } => (change, *fate, *verdict_is_new),
        };
        let booked_before = self.sequence;
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
        let in_order = thread.change(&mut bucket.blocks, rules, &mut book, change);
        if fate == Disposition::Applied {
            book_news(&mut book, thread, event, verdict_is_new);
        }
        // What comes in order and books nothing has at most slid the end on.
        if !in_order || self.sequence > booked_before {
            bucket.wait(located.at);
        }
        Ok(fate)
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

pub(crate) fn event_of(record: &Record) -> Option<&SealedEvent> {
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
