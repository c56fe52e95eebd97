//! The state of a partition as bytes: one piece for what all threads share, one for each bucket of threads.
//!
//! Knows nothing of where the bytes are kept. Invariant: a projector restored from them books what the first would.

use std::fmt;

use model::{
    Category, Configured, ContentHash, DispositionCounts, Initiator, LeadingDigits, MessageKind, MessageRef,
    Offset, PartitionId, Sequence, Symbol, UnixMillis, UserRef,
};

use crate::{
    asleep::Asleep,
    block::Blocks,
    booking::{Booked, ThreadId, Withdrawn},
    bucket::Bucket,
    evidence::Evidence,
    finder::Finder,
    fold::{FoldState, OpenWindow},
    identity::{charge_id, conversation_id},
    labels::Label,
    long::LongChunk,
    minute::Minute,
    projector::{BUCKETS, Projector, Slot},
    stored_message::{Before, get_message, put_message},
    thread::Thread,
    varint::{Damaged, Input, put, put_bytes, put_signed},
};

/// Raised when the bytes of another version must be told apart.
const VERSION: u64 = 3;

/// Stored state that is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotError {
    /// Cut off, or with an impossible value.
    Damaged,
    /// Written by another version.
    Version(u64),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("the stored state is damaged"),
            Self::Version(version) => {
                write!(f, "the stored state has version {version}, this program reads version {VERSION}")
            }
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<Damaged> for SnapshotError {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

impl Projector {
    /// What all threads share.
    #[must_use]
    pub fn snapshot_shared(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, VERSION);
        put(&mut out, u64::from(self.partition.0));
        put(&mut out, self.next_offset.0);
        put(&mut out, self.sequence.0);
        put_signed(&mut out, self.partition_time.0);
        put_signed(&mut out, self.newest_event_time.0);
        out.push(u8::from(self.configured.is_some()));
        if let Some(configured) = &self.configured {
            out.extend_from_slice(&configured.content.0);
            put_signed(&mut out, configured.effective_from.0);
        }
        put(&mut out, self.words.all().len() as u64);
        self.words.all().iter().for_each(|word| put_bytes(&mut out, word.as_bytes()));
        put(&mut out, self.labels.all().len() as u64);
        for label in self.labels.all() {
            for symbol in [label.account, label.tag, label.template] {
                put(&mut out, u64::from(symbol.0));
            }
            out.extend_from_slice(&[label.category.code(), label.kind.code()]);
        }
        put(&mut out, self.resubmitted.len() as u64);
        self.resubmitted.iter().for_each(|offset| put(&mut out, *offset));
        let counts = &self.counts;
        for count in counts.by_disposition.iter().chain(&counts.ignored).chain(&counts.malformed) {
            put(&mut out, *count);
        }
        for slot in &self.buckets {
            let first = match slot {
                Slot::Loaded(bucket) => bucket.first_waiting_minute(),
                Slot::Away(first) => *first,
            };
            put_signed(&mut out, first.map_or(-1, |minute| i64::from(minute.0)));
        }
        out
    }

    /// Makes a projector from [`Self::snapshot_shared`]; its buckets are away until loaded.
    ///
    /// # Errors
    /// Bytes of another version, or damaged ones.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut input = Input(bytes);
        let version = input.number()?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let mut projector = Self::new(PartitionId(input.small()?));
        projector.next_offset = Offset(input.number()?);
        projector.sequence = Sequence(input.number()?);
        projector.partition_time = UnixMillis(input.signed()?);
        projector.newest_event_time = UnixMillis(input.signed()?);
        if input.array::<1>()? == [1] {
            let content = ContentHash(input.array()?);
            projector.configured = Some(Configured { content, effective_from: UnixMillis(input.signed()?) });
        }
        for number in 0..input.length()? {
            let word = std::str::from_utf8(input.bytes()?).map_err(|_| SnapshotError::Damaged)?;
            projector.words.define(Symbol(u32::try_from(number).map_err(|_| SnapshotError::Damaged)?), word);
        }
        for _ in 0..input.length()? {
            let [account, tag, template] =
                [Symbol(input.small()?), Symbol(input.small()?), Symbol(input.small()?)];
            let [category, kind] = input.array()?;
            let category = Category::from_code(category).ok_or(SnapshotError::Damaged)?;
            let kind = MessageKind::from_code(kind).ok_or(SnapshotError::Damaged)?;
            projector.labels.add(Label { account, tag, template, category, kind });
        }
        for _ in 0..input.length()? {
            projector.resubmitted.insert(input.number()?);
        }
        let mut counts = DispositionCounts::default();
        for count in counts.by_disposition.iter_mut().chain(&mut counts.ignored).chain(&mut counts.malformed)
        {
            *count = input.number()?;
        }
        projector.counts = counts;
        for slot in &mut projector.buckets {
            let minute = input.signed()?;
            *slot = Slot::Away(u32::try_from(minute).ok().map(Minute));
        }
        Ok(projector)
    }

    /// The buckets that changed since they were last written.
    #[must_use]
    pub fn dirty(&self) -> Vec<u16> {
        (0..BUCKETS)
            .filter(|n| matches!(&self.buckets[usize::from(*n)], Slot::Loaded(b) if b.dirty))
            .collect()
    }

    /// Writes a bucket to `out`, whole or what may have changed of it, and gives to `ids` those that were met since
    /// `since`, where it was last written at the latest: of messages, conversations and charges.
    pub fn snapshot_bucket(
        &self,
        number: u16,
        since: (Offset, Sequence),
        out: &mut Vec<u8>,
        ids: &mut dyn FnMut([u8; 16]),
    ) -> BucketPart {
        out.clear();
        let Slot::Loaded(bucket) = &self.buckets[usize::from(number)] else { return BucketPart::Behind };
        let part = if bucket.adds() { BucketPart::Behind } else { BucketPart::Whole };
        if part == BucketPart::Whole {
            bucket.asleep.records().for_each(|record| out.extend_from_slice(record));
        }
        for thread in bucket.threads.iter() {
            put_thread(out, thread, &bucket.blocks);
            let phone = self.words.get(thread.business_phone);
            for message in
                thread.timeline(&bucket.blocks).iter().filter(|message| message.offset() >= since.0)
            {
                ids(message.id.0);
            }
            for booked in thread.conversations().filter(|booked| booked.last_sequence() > since.1) {
                let id = conversation_id(phone, thread.user, booked.opener.at(), booked.initiator);
                ids(id.0);
                ids(charge_id(id).0);
            }
            for gone in thread.withdrawn().filter(|gone| gone.last_sequence > since.1) {
                let id = conversation_id(phone, thread.user, gone.opened_at, gone.initiator);
                ids(id.0);
                ids(charge_id(id).0);
            }
        }
        part
    }

    /// Says that these buckets have been written as they are.
    pub fn saved(&mut self, buckets: &[u16]) {
        for number in buckets {
            if let Slot::Loaded(bucket) = &mut self.buckets[usize::from(*number)] {
                bucket.saved();
            }
        }
    }

    /// Takes in a bucket that [`StoredBucket::read`] read.
    pub fn load_bucket(&mut self, number: u16, stored: StoredBucket) {
        self.buckets[usize::from(number)] = Slot::Loaded(stored.0);
    }

    /// Reads the threads of a loaded bucket that no record has asked for yet.
    pub(crate) fn wake_bucket(&mut self, number: u16) -> Result<(), SnapshotError> {
        if let Some(Slot::Loaded(bucket)) = self.buckets.get_mut(usize::from(number)) {
            let next_hint = &mut self.next_hint;
            bucket.wake_all(&mut || {
                *next_hint += 1;
                *next_hint - 1
            })?;
        }
        Ok(())
    }

    /// Lets go of a bucket that has not changed.
    pub fn unload_bucket(&mut self, number: u16) {
        let slot = &mut self.buckets[usize::from(number)];
        if let Slot::Loaded(bucket) = slot
            && !bucket.dirty
        {
            *slot = Slot::Away(bucket.first_waiting_minute());
        }
    }
}

/// What [`Projector::snapshot_bucket`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketPart {
    /// All of the bucket.
    Whole,
    /// What belongs behind that which is stored of it.
    Behind,
}

/// A bucket as it was stored; its threads are read one by one, when they are asked for.
#[derive(Debug)]
pub struct StoredBucket(Bucket);

impl StoredBucket {
    /// Finds the threads in what [`Projector::snapshot_bucket`] wrote, whole and then piece after piece.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn read(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        Ok(Self(Bucket::stored(bytes)?))
    }
}

/// Bytes of a [`Header`].
pub(crate) const HEADER: usize = 32;

/// What stands before a stored thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) user: UserRef,
    leading_digits: LeadingDigits,
    pub(crate) business_phone: Symbol,
    /// The minute of the end of its open conversation.
    pub(crate) waits_for: Minute,
}

impl Header {
    /// Reads it, and how many bytes it and its thread take.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, usize), Damaged> {
        let mut input = Input(bytes);
        let length = u32::from_le_bytes(input.array()?) as usize;
        let header = Self {
            user: UserRef(input.array()?),
            leading_digits: LeadingDigits(input.array()?),
            business_phone: Symbol(u32::from_le_bytes(input.array()?)),
            waits_for: Minute(u32::from_le_bytes(input.array()?)),
        };
        if (HEADER..=bytes.len()).contains(&length) { Ok((header, length)) } else { Err(Damaged) }
    }

    fn thread(&self) -> ThreadId {
        let Self { user, leading_digits, business_phone, .. } = *self;
        ThreadId { user, business_phone, leading_digits }
    }
}

fn put_thread(out: &mut Vec<u8>, thread: &Thread, blocks: &Blocks) {
    let (id, begin) = (thread.id(), out.len());
    out.extend_from_slice(&[0; size_of::<u32>()]);
    out.extend_from_slice(&id.user.0);
    out.extend_from_slice(&id.leading_digits.0);
    out.extend_from_slice(&id.business_phone.0.to_le_bytes());
    let waits_for = thread.open_end().map_or(Minute::NEVER, Minute::of);
    out.extend_from_slice(&waits_for.0.to_le_bytes());
    put_state(out, &thread.state);
    // How long the timeline is comes before it, so that who asks for conversations can pass over the messages.
    let timeline_at = out.len() + size_of::<u32>();
    out.extend_from_slice(&[0; size_of::<u32>()]);
    put(out, thread.timeline(blocks).chunk_count() as u64);
    for chunk in thread.timeline(blocks).chunks() {
        put_state(out, &chunk.before);
        put(out, chunk.messages.len() as u64);
        let mut previous = Before::default();
        chunk.messages.iter().for_each(|message| put_message(out, message, &mut previous));
    }
    let timeline_bytes = u32::try_from(out.len() - timeline_at).unwrap_or(u32::MAX);
    out[timeline_at - size_of::<u32>()..timeline_at].copy_from_slice(&timeline_bytes.to_le_bytes());
    put(out, thread.conversations().count() as u64);
    let mut previous = Before::default();
    for booked in thread.conversations() {
        put_booked(out, booked, &mut previous);
    }
    put(out, thread.withdrawn().count() as u64);
    for gone in thread.withdrawn() {
        put_signed(out, gone.opened_at.0);
        out.push(u8::from(gone.initiator == Initiator::Business));
        put(out, u64::from(gone.bookings));
        put(out, gone.last_sequence.0);
    }
    put(out, thread.reports().count() as u64);
    for report in thread.reports() {
        out.extend_from_slice(&report.message.0);
        put_signed(out, report.at.0);
        put(out, report.offset.0);
        put(out, u64::from(report.account.0));
        put(out, u64::from(report.what));
        put(out, u64::from(report.verdict_hash));
    }
    let length = u32::try_from(out.len() - begin).unwrap_or(u32::MAX);
    out[begin..begin + size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
}

/// Reads what [`put_thread`] wrote behind the header.
pub(crate) fn get_thread(
    header: &Header,
    input: &mut Input<'_>,
    blocks: &mut Blocks,
) -> Result<Thread, Damaged> {
    let mut thread = Thread::new(header.thread(), 0);
    thread.state = get_state(input)?;
    let mut timeline = timeline_of(input)?;
    let mut chunks = Vec::new();
    for _ in 0..timeline.length()? {
        let before = get_state(&mut timeline)?;
        let length = timeline.length()?;
        let mut messages = Vec::with_capacity(length);
        let mut previous = Before::default();
        for _ in 0..length {
            messages.push(get_message(&mut timeline, &mut previous)?);
        }
        chunks.push(LongChunk { before, messages });
    }
    if !timeline.0.is_empty() || !thread.timeline_mut(blocks).fill(chunks) {
        return Err(Damaged);
    }
    let mut previous = Before::default();
    for _ in 0..input.length()? {
        thread.add_conversation(get_booked(input, &mut previous)?);
    }
    for _ in 0..input.length()? {
        let gone = Withdrawn {
            opened_at: UnixMillis(input.signed()?),
            initiator: initiator_of(input.array::<1>()?[0] == 1),
            bookings: input.small()?,
            last_sequence: Sequence(input.number()?),
        };
        thread.note_withdrawn(gone);
    }
    for _ in 0..input.length()? {
        thread.keep_report(Evidence {
            message: MessageRef(input.array()?),
            at: UnixMillis(input.signed()?),
            offset: Offset(input.number()?),
            account: Symbol(input.small()?),
            what: u16::try_from(input.number()?).map_err(|_| Damaged)?,
            verdict_hash: input.small()?,
        });
    }
    Ok(thread)
}

/// Shows the conversations of a stored bucket, and passes over everything else. The bytes are left as they are.
pub(crate) fn each_booked(
    bytes: &mut Vec<u8>,
    each: &mut dyn FnMut(ThreadId, &Booked),
) -> Result<(), SnapshotError> {
    let asleep = Asleep::read(std::mem::take(bytes), &mut Finder::default())?;
    for record in asleep.records() {
        let thread = Header::read(record)?.0.thread();
        let mut input = Input(record.get(HEADER..).unwrap_or_default());
        get_state(&mut input)?;
        timeline_of(&mut input)?;
        let mut previous = Before::default();
        for _ in 0..input.length()? {
            each(thread, &get_booked(&mut input, &mut previous)?);
        }
        for _ in 0..input.length()? {
            // See `put_thread`: a time, a side, and two numbers.
            input.signed()?;
            input.take(1)?;
            input.pass_numbers(2)?;
        }
        for _ in 0..input.length()? {
            // Message, then time, offset, account, what it says, and its verdict.
            input.take(size_of::<MessageRef>())?;
            input.pass_numbers(5)?;
        }
        if !input.0.is_empty() {
            return Err(SnapshotError::Damaged);
        }
    }
    *bytes = asleep.into_bytes();
    Ok(())
}

/// The bytes of a thread's timeline.
fn timeline_of<'a>(input: &mut Input<'a>) -> Result<Input<'a>, Damaged> {
    let length = usize::try_from(u32::from_le_bytes(input.array()?)).map_err(|_| Damaged)?;
    Ok(Input(input.take(length)?))
}

fn initiator_of(business: bool) -> Initiator {
    if business { Initiator::Business } else { Initiator::User }
}

fn put_state(out: &mut Vec<u8>, state: &FoldState) {
    let (open, user_last_at) = (state.open(), state.user_last_at());
    let charged = open.is_some_and(|open| open.charged);
    let consent = match state.consent {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    };
    let present = u8::from(open.is_some()) << 3 | u8::from(user_last_at.is_some()) << 4;
    out.push(u8::from(charged) | consent << 1 | present);
    if let Some(open) = open {
        put_signed(out, open.ends_at.0);
    }
    if let Some(at) = user_last_at {
        put_signed(out, at.0);
    }
}

fn get_state(input: &mut Input<'_>) -> Result<FoldState, Damaged> {
    let [bits] = input.array()?;
    let consent = match bits >> 1 & 3 {
        0 => None,
        1 => Some(false),
        _ => Some(true),
    };
    let open = match bits & 8 != 0 {
        true => Some(OpenWindow { ends_at: UnixMillis(input.signed()?), charged: bits & 1 != 0 }),
        false => None,
    };
    let user_last_at = if bits & 16 != 0 { Some(UnixMillis(input.signed()?)) } else { None };
    Ok(FoldState::new(open, consent, user_last_at))
}

fn put_booked(out: &mut Vec<u8>, booked: &Booked, previous: &mut Before) {
    let same = booked.earner == Some(booked.opener);
    let bits = u8::from(booked.initiator == Initiator::Business)
        | u8::from(booked.without_consent) << 1
        | u8::from(booked.closed) << 2
        | u8::from(booked.earner.is_some()) << 3
        | u8::from(same) << 4;
    out.push(bits);
    put_message(out, &booked.opener, previous);
    if let Some(earner) = booked.earner.as_ref().filter(|_| !same) {
        put_message(out, earner, previous);
    }
    put_signed(out, booked.ends_at.0 - previous.0);
    put(out, u64::from(booked.user_messages));
    put(out, u64::from(booked.business_messages));
    put(out, u64::from(booked.bookings));
    put(out, booked.charge_sequence().0);
    put(out, booked.last_sequence().0);
}

fn get_booked(input: &mut Input<'_>, previous: &mut Before) -> Result<Booked, Damaged> {
    let [bits] = input.array()?;
    let opener = get_message(input, previous)?;
    let earner = match (bits & 8 != 0, bits & 16 != 0) {
        (false, _) => None,
        (true, true) => Some(opener),
        (true, false) => Some(get_message(input, previous)?),
    };
    let booked = Booked {
        earner,
        without_consent: bits & 2 != 0,
        closed: bits & 4 != 0,
        ends_at: UnixMillis(previous.0.checked_add(input.signed()?).ok_or(Damaged)?),
        user_messages: input.small()?,
        business_messages: input.small()?,
        bookings: input.small()?,
        ..Booked::new(opener, initiator_of(bits & 1 != 0), None)
    };
    Ok(booked.with_sequences(Sequence(input.number()?), Sequence(input.number()?)))
}
