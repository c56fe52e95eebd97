//! Threads as they were stored: known to be there, and read when one of their events comes.
//!
//! The bytes are one record after the other, each with its length before it. A later record of a thread stands for all
//! earlier ones of it, so that what changed is stored behind what was there.
//! Invariant: whether a thread is asleep changes nothing but when it is read.

use model::{Symbol, UserRef};

use crate::{
    block::Blocks,
    finder::{Finder, tag_of},
    minute::Minute,
    stored_thread::{HEADER, Header, get_thread},
    thread::Thread,
    varint::{Damaged, Input},
};

/// Added to the number of a thread that is asleep, where places are kept.
pub(crate) const ASLEEP: u32 = 1 << 31;
/// Few threads take more bytes than this.
const LONG_THREAD: usize = 1_024;
/// Stands where the record of a thread began that is awake.
const AWAKE: u32 = u32::MAX;

/// The stored threads of a bucket.
#[derive(Debug, Default)]
pub(crate) struct Asleep {
    bytes: Vec<u8>,
    /// Where the record of each begins.
    starts: Vec<u32>,
    /// How many are not awake yet.
    left: usize,
    /// Of the bytes here, those of threads that are awake, or that others stand for.
    unused: usize,
    /// How many bytes were read, and how many of them say nothing any more that holds.
    stored: usize,
    stale: usize,
}

impl Asleep {
    /// Finds the threads in stored bytes, and puts their places into `by_user`.
    pub(crate) fn read(bytes: Vec<u8>, by_user: &mut Finder) -> Result<Self, Damaged> {
        let mut asleep = Self { stored: bytes.len(), bytes, ..Self::default() };
        let few = asleep.bytes.len() / LONG_THREAD;
        by_user.expect(few);
        asleep.starts.reserve(few);
        let mut begin = 0;
        while begin < asleep.bytes.len() {
            let start = u32::try_from(begin).map_err(|_| Damaged)?;
            let (header, length) = Header::read(asleep.bytes.get(begin..).unwrap_or_default())?;
            let tag = tag_of(header.user, header.business_phone);
            let known = by_user.find(tag, |at| asleep.is_at(at, header.user, header.business_phone));
            match known.and_then(|at| asleep.starts.get_mut((at & !ASLEEP) as usize)) {
                Some(known) => {
                    let replaced = std::mem::replace(known, start);
                    asleep.unused += asleep.record(replaced).len();
                }
                None => {
                    by_user.insert(tag, ASLEEP | u32::try_from(asleep.starts.len()).map_err(|_| Damaged)?);
                    asleep.starts.push(start);
                    asleep.left += 1;
                }
            }
            begin += length;
        }
        asleep.stale = asleep.unused;
        Ok(asleep)
    }

    /// What it was read from, while nothing is awake.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many are not awake yet.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Whether more than a quarter of what was read says nothing any more that holds.
    pub(crate) fn is_stale(&self) -> bool {
        4 * self.stale > self.stored
    }

    /// The record of a thread, with its length. Records were looked through when they were read.
    fn record(&self, start: u32) -> &[u8] {
        let rest = self.bytes.get(start as usize..).unwrap_or_default();
        let length = Header::read(rest).map_or(0, |(_, length)| length);
        rest.get(..length).unwrap_or_default()
    }

    fn start_of(&self, place: u32) -> Option<u32> {
        self.starts.get((place & !ASLEEP) as usize).copied().filter(|start| *start != AWAKE)
    }

    fn header(&self, place: u32) -> Option<Header> {
        let start = self.start_of(place)?;
        Header::read(self.bytes.get(start as usize..)?).ok().map(|(header, _)| header)
    }

    /// Whether the thread is asleep at this place.
    pub(crate) fn is_at(&self, place: u32, user: UserRef, business_phone: Symbol) -> bool {
        self.header(place)
            .is_some_and(|header| header.user == user && header.business_phone == business_phone)
    }

    /// The minute under which the thread at this place waits; none if it is awake or waits for nothing.
    pub(crate) fn waits_for(&self, place: u32) -> Option<Minute> {
        self.header(place).map(|header| header.waits_for).filter(|minute| *minute != Minute::NEVER)
    }

    /// The places of all that are asleep.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> + '_ {
        (ASLEEP..).zip(&self.starts).filter(|(_, start)| **start != AWAKE).map(|(place, _)| place)
    }

    /// The records of all that are asleep.
    pub(crate) fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.starts.iter().filter(|start| **start != AWAKE).map(|start| self.record(*start))
    }

    /// Reads a thread that is asleep; it is awake then.
    pub(crate) fn wake(&mut self, place: u32, blocks: &mut Blocks) -> Result<Thread, Damaged> {
        let start = self.start_of(place).ok_or(Damaged)?;
        let record = self.record(start);
        let length = record.len();
        let mut input = Input(record.get(HEADER..).ok_or(Damaged)?);
        let thread = get_thread(&Header::read(record)?.0, &mut input, blocks)?;
        if !input.0.is_empty() {
            return Err(Damaged);
        }
        self.unused += length;
        self.stale += length;
        self.starts[(place & !ASLEEP) as usize] = AWAKE;
        self.left -= 1;
        if 2 * self.unused > self.bytes.len() {
            self.let_go();
        }
        Ok(thread)
    }

    /// Keeps the records of those that are asleep, and no others.
    fn let_go(&mut self) {
        let mut kept = Vec::with_capacity(self.bytes.len() - self.unused);
        for number in 0..self.starts.len() {
            let start = self.starts[number];
            if start != AWAKE {
                let begin = u32::try_from(kept.len()).unwrap_or(AWAKE);
                kept.extend_from_slice(self.record(start));
                self.starts[number] = begin;
            }
        }
        (self.bytes, self.unused) = (kept, 0);
        if self.left == 0 {
            self.starts = Vec::new();
        }
    }
}
