//! Numbers in six bytes: times, offsets and sequences, of which the state of millions of threads mostly consists.

use model::UnixMillis;

/// 48 unsigned bits: milliseconds up to the year 10889, offsets and sequences up to 2.8 × 10¹⁴.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Packed48([u8; 6]);

impl Packed48 {
    pub(crate) const ZERO: Self = Self([0; 6]);
    const MAX: u64 = (1 << 48) - 1;

    pub(crate) fn new(value: u64) -> Self {
        let [a, b, c, d, e, f, ..] = value.min(Self::MAX).to_le_bytes();
        Self([a, b, c, d, e, f])
    }

    /// A time; one before the epoch counts as the epoch.
    pub(crate) fn of_time(time: UnixMillis) -> Self {
        Self::new(u64::try_from(time.0).unwrap_or(0))
    }

    pub(crate) fn time(self) -> UnixMillis {
        UnixMillis(i64::try_from(self.get()).unwrap_or(i64::MAX))
    }

    pub(crate) fn get(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
}
