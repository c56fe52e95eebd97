//! Many orders of small histories in one log: each order is a thread of its own, so that one projector takes thousands.
//!
//! Knows no expectations. Invariant: the threads differ in their users alone.

use model::{DurationMillis, RecordContent, UnixMillis, UserRef};
use sim::histories::{DAY_0, Letter};

use crate::log::{Handling, Log, Run, configuration};

/// When ticks stand between the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticks {
    /// One at the end.
    Last,
    /// One before all events, which finds every window over.
    First,
    /// One after each event, half a day later than the one before.
    Between,
}

impl Ticks {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Last, Self::First, Self::Between];
}

/// Later than the end of every window.
pub const END: UnixMillis = UnixMillis(4_102_444_800_000);

/// Puts each order of letters on a thread of its own, the first letter of all of them before the second of any, and
/// projects that. The user of the order at place `n` is [`user_at`] of `n`.
#[must_use]
pub fn project_orders(letters: &[Letter], orders: &[Vec<usize>], ticks: Ticks) -> Run {
    let mut log = Log::new(configuration());
    let sealed: Vec<_> = letters.iter().map(|letter| log.seal(&letter.event)).collect();
    let record_time = DAY_0 + DurationMillis::from_days(5);
    if ticks == Ticks::First {
        log.tick(END);
    }
    for place in 0..orders.iter().map(Vec::len).max().unwrap_or(0) {
        for (number, order) in orders.iter().enumerate() {
            let Some(letter) = order.get(place) else { continue };
            let mut event = sealed[*letter].clone();
            event.user = user_at(number);
            log.push(RecordContent::Event(event), record_time);
        }
        if ticks == Ticks::Between {
            log.tick(DAY_0 + DurationMillis::from_hours(12 * (1 + i64::try_from(place).unwrap_or(0))));
        }
    }
    log.tick(END + DurationMillis(1));
    log.project(Handling::Batches(997))
}

/// The user of the order at a place.
#[must_use]
pub fn user_at(place: usize) -> UserRef {
    // The bytes by which threads are spread must differ between neighbours.
    let mixed = (place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..].copy_from_slice(&(place as u64).to_be_bytes());
    UserRef(bytes)
}
