//! The state of a partition as bytes: one piece for what all threads share, one for each bucket of threads.
//!
//! Knows nothing of where the bytes are kept. Invariant: a projector restored from them books what the first would.

use std::fmt;

use model::{
    Category, Configured, ContentHash, DispositionCounts, MessageKind, Offset, PartitionId, Sequence, Symbol,
    UnixMillis,
};

use crate::{
    bucket::Bucket,
    identity::{charge_id, conversation_id},
    labels::Label,
    minute::Minute,
    projector::{BUCKETS, Projector, Slot},
    stored_thread::put_thread,
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
            let mut tell = |opened_at, initiator, bookings| {
                let id = conversation_id(phone, thread.user, opened_at, initiator);
                ids(id.0);
                // Only what was ever charged has a charge to be found.
                if bookings > 0 {
                    ids(charge_id(id).0);
                }
            };
            for booked in thread.conversations().filter(|booked| booked.last_sequence() > since.1) {
                tell(booked.opener.at(), booked.initiator, booked.bookings);
            }
            for gone in thread.withdrawn().filter(|gone| gone.last_sequence > since.1) {
                tell(gone.opened_at, gone.initiator, gone.bookings);
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
