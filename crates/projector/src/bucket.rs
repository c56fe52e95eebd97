//! A share of the threads: the unit in which state is loaded, changed and written back.
//!
//! Invariant: a thread waits in `waiting` for the tick that closes its open conversation, never later than its end.

use std::{cmp::Reverse, collections::BinaryHeap};

use model::{Symbol, UnixMillis, UserRef};

use crate::{
    asleep::{ASLEEP, Asleep},
    block::Blocks,
    finder::{Finder, tag_of},
    minute::Minute,
    slabs::Slabs,
    thread::Thread,
    varint::Damaged,
};

/// Threads that are allocated together, in 8,000 bytes.
const THREADS: usize = 20;
/// Changes that are stored behind one another before a bucket is stored anew.
const ADDED_MAX: u8 = 7;

/// Threads whose users' hashes begin alike.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Those that are awake.
    pub(crate) threads: Slabs<Thread, THREADS>,
    /// The others, apart: most buckets have none.
    pub(crate) asleep: Box<Asleep>,
    /// Of the threads' messages.
    pub(crate) blocks: Blocks,
    by_user: Finder,
    /// Soonest first. A thread that waits for another minute by now is passed over when its old one comes.
    waiting: BinaryHeap<Reverse<(Minute, u32)>>,
    /// Changed since it was last written.
    pub(crate) dirty: bool,
    /// How often what changed was written behind what was there, since it was read.
    added: u8,
}

impl Bucket {
    /// As it was stored: all threads are asleep.
    pub(crate) fn stored(bytes: Vec<u8>) -> Result<Self, Damaged> {
        let mut bucket = Self::default();
        *bucket.asleep = Asleep::read(bytes, &mut bucket.by_user)?;
        let asleep = &bucket.asleep;
        let waits = |place| asleep.waits_for(place).map(|minute| Reverse((minute, place)));
        bucket.waiting = asleep.places().filter_map(waits).collect();
        Ok(bucket)
    }

    /// Whether little changed, so that it can be written behind what is stored.
    pub(crate) fn adds(&self) -> bool {
        4 * self.threads.len() <= self.asleep.left() && !self.asleep.is_stale() && self.added < ADDED_MAX
    }

    /// Says that it was written, as [`Self::adds`] said.
    pub(crate) fn saved(&mut self) {
        self.added = if self.adds() { self.added + 1 } else { 0 };
        self.dirty = false;
    }

    /// Reads a thread that is asleep, and gives the place that it has from now on.
    #[cold]
    pub(crate) fn wake(&mut self, place: u32, hint: u32) -> Result<u32, Damaged> {
        let mut thread = self.asleep.wake(place, &mut self.blocks)?;
        thread.hint = hint;
        let tag = tag_of(thread.user, thread.business_phone);
        let at = self.threads.push(thread);
        self.by_user.moved(tag, place, at);
        self.wait(at);
        Ok(at)
    }

    /// Reads all threads that are asleep; `hint` gives each its number.
    pub(crate) fn wake_all(&mut self, hint: &mut dyn FnMut() -> u32) -> Result<(), Damaged> {
        let places: Vec<u32> = self.asleep.places().collect();
        places.into_iter().try_for_each(|place| self.wake(place, hint()).map(|_| ()))
    }

    /// Asks for what [`Self::guess`] will read.
    pub(crate) fn ask_for_finder(&self, user: UserRef, business_phone: Symbol) {
        self.by_user.ask_for(tag_of(user, business_phone));
    }

    /// Where the thread most likely is. Reads nothing of the thread, which may not be at hand; whoever uses the answer
    /// asks [`Self::is_at`].
    pub(crate) fn guess(&self, user: UserRef, business_phone: Symbol) -> Option<u32> {
        self.by_user.find(tag_of(user, business_phone), |_| true)
    }

    /// Whether the thread is at this place.
    pub(crate) fn is_at(&self, at: u32, user: UserRef, business_phone: Symbol) -> bool {
        match self.threads.get(at) {
            Some(thread) => thread.user == user && thread.business_phone == business_phone,
            None => self.asleep.is_at(at, user, business_phone),
        }
    }

    /// Where the thread is, if it is known.
    pub(crate) fn find(&self, user: UserRef, business_phone: Symbol) -> Option<u32> {
        self.by_user.find(tag_of(user, business_phone), |at| self.is_at(at, user, business_phone))
    }

    /// Adds a thread that is not there yet.
    pub(crate) fn add(&mut self, thread: Thread) -> u32 {
        let Thread { user, business_phone, .. } = thread;
        let at = self.threads.push(thread);
        self.by_user.insert(tag_of(user, business_phone), at);
        at
    }

    /// Sees to it that the thread is looked at by the time its open conversation ends.
    pub(crate) fn wait(&mut self, at: u32) {
        let thread = &mut self.threads[at];
        let Some(end) = thread.open_end() else { return };
        let minute = Minute::of(end);
        if minute < thread.waits_for() {
            thread.wait_for(minute);
            self.waiting.push(Reverse((minute, at)));
        }
    }

    /// A minute no later than that under which the first thread waits.
    pub(crate) fn first_waiting_minute(&self) -> Option<Minute> {
        self.waiting.peek().map(|Reverse((minute, _))| *minute)
    }

    /// The threads whose open conversation ends at or before `time`. Those that have slid on wait anew, and those that
    /// sleep wake up; `hint` gives each its number.
    pub(crate) fn due(
        &mut self,
        time: UnixMillis,
        hint: &mut dyn FnMut() -> u32,
        due: &mut Vec<u32>,
    ) -> Result<(), Damaged> {
        let mut slid_on = Vec::new();
        while let Some(Reverse((minute, place))) =
            self.waiting.peek().copied().filter(|first| first.0.0.has_come(time))
        {
            self.waiting.pop();
            if place & ASLEEP != 0 {
                // It waits again under its new place.
                if self.asleep.waits_for(place) == Some(minute) {
                    self.wake(place, hint())?;
                }
                continue;
            }
            let thread = &mut self.threads[place];
            if thread.waits_for() != minute {
                continue;
            }
            thread.wait_for(Minute::NEVER);
            match thread.open_end() {
                Some(end) if end <= time => due.push(place),
                Some(_) => slid_on.push(place),
                None => {}
            }
        }
        for at in slid_on {
            self.wait(at);
        }
        Ok(())
    }
}
