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
    by_id: HashTable<u32>,
    waiting: BTreeSet<(i64, u32)>,
    /// Changed since it was last written.
    pub(crate) dirty: bool,
}

/// Users are keyed hashes, so that their bytes need no further hashing.
fn hash_of(user: UserRef, business_phone: Symbol) -> u64 {
    let [_, _, a, b, c, d, e, f, g, h, ..] = user.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
        ^ u64::from(business_phone.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Bucket {
    /// Where the thread is, if it is known.
    pub(crate) fn find(&self, user: UserRef, business_phone: Symbol) -> Option<u32> {
        let same = |at: &u32| {
            let id = &self.threads[*at as usize].id;
            id.user == user && id.business_phone == business_phone
        };
        self.by_id.find(hash_of(user, business_phone), same).copied()
    }

    /// Adds a thread that is not there yet.
    pub(crate) fn add(&mut self, thread: Thread) -> u32 {
        let at = u32::try_from(self.threads.len()).unwrap_or(u32::MAX);
        let ThreadId { user, business_phone, .. } = thread.id;
        if self.threads.len() == self.threads.capacity() {
            self.threads.reserve_exact(4 + self.threads.len() / 4);
        }
        self.threads.push(thread);
        let threads = &self.threads;
        self.by_id.insert_unique(hash_of(user, business_phone), at, |at| {
            let id = &threads[*at as usize].id;
            hash_of(id.user, id.business_phone)
        });
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
