//! A share of the threads: the unit in which state is loaded, changed and written back.
//!
//! Invariant: a thread waits in `waiting` for the tick that closes its open conversation, never later than its end.

use std::{cmp::Reverse, collections::BinaryHeap};

use model::{Symbol, UnixMillis, UserRef};

use crate::{block::Blocks, finder::Finder, minute::Minute, slabs::Slabs, thread::Thread};

/// Threads whose users' hashes begin alike.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) threads: Slabs<Thread>,
    /// Of the threads' messages.
    pub(crate) blocks: Blocks,
    by_user: Finder,
    /// Soonest first. A thread that waits for another minute by now is passed over when its old one comes.
    waiting: BinaryHeap<Reverse<(Minute, u32)>>,
    /// Changed since it was last written.
    pub(crate) dirty: bool,
}

/// Users are keyed hashes, so that their bytes need no further hashing. Those that chose the bucket are left out.
fn tag_of(user: UserRef, business_phone: Symbol) -> u32 {
    let [_, _, a, b, c, d, ..] = user.0;
    u32::from_le_bytes([a, b, c, d]) ^ business_phone.0.wrapping_mul(0x9e37_79b9)
}

impl Bucket {
    /// Reads what [`Self::guess`] will need.
    pub(crate) fn touch(&self, user: UserRef, business_phone: Symbol) -> u32 {
        self.by_user.touch(tag_of(user, business_phone))
    }

    /// Where the thread most likely is. Reads nothing of the thread, so that many such look-ups overlap; whoever uses
    /// the answer asks [`Self::is_at`].
    pub(crate) fn guess(&self, user: UserRef, business_phone: Symbol) -> Option<u32> {
        self.by_user.find(tag_of(user, business_phone), |_| true)
    }

    /// Whether the thread is at this place.
    pub(crate) fn is_at(&self, at: u32, user: UserRef, business_phone: Symbol) -> bool {
        let thread = &self.threads[at];
        thread.user == user && thread.business_phone == business_phone
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

    /// The threads whose open conversation ends at or before `time`. Those that have slid on wait anew.
    pub(crate) fn due(&mut self, time: UnixMillis, due: &mut Vec<u32>) {
        let mut slid_on = Vec::new();
        while let Some(Reverse((minute, at))) =
            self.waiting.peek().copied().filter(|first| first.0.0.has_come(time))
        {
            self.waiting.pop();
            let thread = &mut self.threads[at];
            if thread.waits_for() != minute {
                continue;
            }
            thread.wait_for(Minute::NEVER);
            match thread.open_end() {
                Some(end) if end <= time => due.push(at),
                Some(_) => slid_on.push(at),
                None => {}
            }
        }
        for at in slid_on {
            self.wait(at);
        }
    }
}
