//! A minute of time, in which threads wait for the tick that closes their conversations.

use model::UnixMillis;

const MINUTE_MS: i64 = 60_000;

/// Minutes since the epoch, in four bytes; times outside them count as the first or last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Minute(pub(crate) u32);

impl Minute {
    /// Behind all others: waits for nothing.
    pub(crate) const NEVER: Self = Self(u32::MAX);

    pub(crate) fn of(at: UnixMillis) -> Self {
        let minute = at.0.div_euclid(MINUTE_MS).max(0);
        Self(u32::try_from(minute).unwrap_or(u32::MAX).min(u32::MAX - 1))
    }

    /// Whether it has come by `time`.
    pub(crate) fn has_come(self, time: UnixMillis) -> bool {
        self <= Self::of(time)
    }
}
