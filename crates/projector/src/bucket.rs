//! A share of the threads: the unit in which state is loaded, changed and written back.
//!
//! Invariant: a thread waits in `waiting` for the tick that closes its open conversation, never later than its end.

use std::collections::BTreeSet;

use hashbrown::HashTable;
use model::{Symbol, UnixMillis, UserRef};

use crate::{booking::ThreadId, thread::Thread};

const MINUTE_MS: i64 = 60_000;

/// Threads whose users' hashes begin alike.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) threads: Vec<Thread>,
    by_id: HashTable<Tagged>,
    waiting: BTreeSet<(i64, u32)>,
    /// Changed since it was last written.
    pub(crate) dirty: bool,
}

/// A thread's place, and enough of its hash to find it without a look at the thread itself.
#[derive(Debug, Clone, Copy)]
struct Tagged {
    tag: u32,
    at: u32,
}

/// The half of a hash that the table does not sort by.
fn tag_of(hash: u64) -> u32 {
    let [.., a, b, c, d] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).rotate_left(9)
}

/// From the tag alone, so that a growing table need not ask the threads.
fn spread(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Users are keyed hashes, so that their bytes need no further hashing.
fn hash_of(user: UserRef, business_phone: Symbol) -> u64 {
    let [_, _, a, b, c, d, e, f, g, h, ..] = user.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
        ^ u64::from(business_phone.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Bucket {
    /// Where the thread most likely is. Reads nothing of the thread, so that many such look-ups overlap; whoever uses
    /// the answer asks [`Self::is_at`].
    pub(crate) fn guess(&self, user: UserRef, business_phone: Symbol) -> Option<u32> {
        let tag = tag_of(hash_of(user, business_phone));
        self.by_id.find(spread(tag), |tagged| tagged.tag == tag).map(|tagged| tagged.at)
    }

    /// Whether the thread is at this place.
    pub(crate) fn is_at(&self, at: u32, user: UserRef, business_phone: Symbol) -> bool {
        let id = &self.threads[at as usize].id;
        id.user == user && id.business_phone == business_phone
    }

    /// Where the thread is, if it is known.
    pub(crate) fn find(&self, user: UserRef, business_phone: Symbol) -> Option<u32> {
        let tag = tag_of(hash_of(user, business_phone));
        let same = |tagged: &Tagged| tagged.tag == tag && self.is_at(tagged.at, user, business_phone);
        self.by_id.find(spread(tag), same).map(|tagged| tagged.at)
    }

    /// Adds a thread that is not there yet.
    pub(crate) fn add(&mut self, thread: Thread) -> u32 {
        let at = u32::try_from(self.threads.len()).unwrap_or(u32::MAX);
        let ThreadId { user, business_phone, .. } = thread.id;
        if self.threads.len() == self.threads.capacity() {
            self.threads.reserve_exact(4 + self.threads.len() / 8);
        }
        self.threads.push(thread);
        let tag = tag_of(hash_of(user, business_phone));
        self.by_id.insert_unique(spread(tag), Tagged { tag, at }, |tagged| spread(tagged.tag));
        at
    }

    /// Sees to it that the thread is looked at by the time its open conversation ends.
    pub(crate) fn wait(&mut self, at: u32) {
        let thread = &mut self.threads[at as usize];
        let Some(end) = thread.open_end() else { return };
        let minute = end.0.div_euclid(MINUTE_MS);
        match thread.waits_for {
            Some(waits_for) if waits_for <= minute => {}
            earlier => {
                if let Some(later) = earlier {
                    self.waiting.remove(&(later, at));
                }
                thread.waits_for = Some(minute);
                self.waiting.insert((minute, at));
            }
        }
    }

    /// The minute under which the first thread waits.
    pub(crate) fn first_waiting_minute(&self) -> Option<i64> {
        self.waiting.first().map(|(minute, _)| *minute)
    }

    /// The threads whose open conversation ends at or before `time`. Those that have slid on wait anew.
    pub(crate) fn due(&mut self, time: UnixMillis, due: &mut Vec<u32>) {
        let last_minute = time.0.div_euclid(MINUTE_MS);
        let mut looked_at = Vec::new();
        while let Some((minute, at)) =
            self.waiting.first().copied().filter(|(minute, _)| *minute <= last_minute)
        {
            self.waiting.remove(&(minute, at));
            let thread = &mut self.threads[at as usize];
            thread.waits_for = None;
            match thread.open_end() {
                Some(end) if end <= time => due.push(at),
                Some(_) => looked_at.push(at),
                None => {}
            }
        }
        for at in looked_at {
            self.wait(at);
        }
    }
}

/// Whether a minute has come by `time`.
pub(crate) fn has_come(minute: i64, time: UnixMillis) -> bool {
    minute <= time.0.div_euclid(MINUTE_MS)
}
