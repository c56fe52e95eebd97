//! Instants and durations in whole milliseconds of UTC; no calendar, no clock.

use std::ops::{Add, Sub};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Accepted events lie between year 1970 and year 9999, which the wire checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub i64);

/// A signed length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DurationMillis(pub i64);

impl UnixMillis {
    /// Before every accepted event.
    pub const MIN: Self = Self(i64::MIN);
    /// The last millisecond of the year 9999, the end of what RFC 3339 can write.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The whole second this instant lies in; reports of one message that share it are duplicates.
    #[must_use]
    pub const fn second(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

impl DurationMillis {
    /// `n` whole seconds.
    #[must_use]
    pub const fn from_seconds(n: i64) -> Self {
        Self(n * 1_000)
    }

    /// `n` whole minutes.
    #[must_use]
    pub const fn from_minutes(n: i64) -> Self {
        Self(n * 60_000)
    }

    /// `n` whole hours.
    #[must_use]
    pub const fn from_hours(n: i64) -> Self {
        Self(n * 3_600_000)
    }

    /// `n` days of 24 hours.
    #[must_use]
    pub const fn from_days(n: i64) -> Self {
        Self(n * 86_400_000)
    }
}

impl Add<DurationMillis> for UnixMillis {
    type Output = Self;
    fn add(self, length: DurationMillis) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

impl Sub<DurationMillis> for UnixMillis {
    type Output = Self;
    fn sub(self, length: DurationMillis) -> Self {
        Self(self.0.saturating_sub(length.0))
    }
}

impl Sub for UnixMillis {
    type Output = DurationMillis;
    fn sub(self, earlier: Self) -> DurationMillis {
        DurationMillis(self.0.saturating_sub(earlier.0))
    }
}
