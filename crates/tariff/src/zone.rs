//! Time zones as tables of instants: when a date begins, and which month an instant lies in.
//!
//! Asks the time zone database once, when a zone is first named; afterwards the table alone decides and travels with
//! the configuration, so that a newer database changes nothing that was adopted.
//! Invariant: months follow each other without gap or overlap, also where a clock change falls on midnight.

use chrono::{NaiveDateTime, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use model::{Period, UnixMillis};

use crate::{date::Date, finding::nearest};

/// No zone of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone `{name}`{}; write an IANA name such as America/Sao_Paulo or UTC", hint(*.nearest))]
pub struct UnknownZone {
    /// The name in question.
    pub name: String,
    /// The known name that looks most like it.
    pub nearest: Option<&'static str>,
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", perhaps {name}"))
}

/// From an instant on, local time is this much ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetChange {
    pub(crate) at: UnixMillis,
    pub(crate) offset_seconds: i32,
}

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// Holds before the first change.
    base_seconds: i32,
    /// In order of time, all in the years of the table.
    changes: Vec<OffsetChange>,
    /// Begins of the months from January 1970 to January of `TABLE_END_YEAR`.
    months: Vec<UnixMillis>,
}

/// Local time is never further than this from UTC: 26 hours.
const OFFSET_MILLIS_MAX: i64 = 93_600_000;
/// Average length of a month, for a first guess.
const MONTH_MILLIS: i64 = 2_629_746_000;
const DAY_MILLIS: i64 = 86_400_000;
/// Clock changes are known until this year; afterwards the last offset holds.
const TABLE_END_YEAR: u16 = 2100;

impl Zone {
    /// Takes the zone from the time zone database that this build was made with.
    ///
    /// # Errors
    /// A name that the database does not have.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let (base_seconds, changes) = changes_of(find(name)?);
        Ok(Self::from_table(name.to_owned(), base_seconds, changes))
    }

    /// Whether [`Self::named`] would find the name, without making the table.
    ///
    /// # Errors
    /// A name that the database does not have.
    pub fn check_name(name: &str) -> Result<(), UnknownZone> {
        find(name).map(|_| ())
    }

    /// Takes a table. The changes must be in order of time, before the year 2100, and less than a day from UTC.
    pub(crate) fn from_table(name: String, base_seconds: i32, changes: Vec<OffsetChange>) -> Self {
        let mut zone = Self { name, base_seconds, changes, months: Vec::new() };
        let periods =
            (1970..=TABLE_END_YEAR).flat_map(|year| (1..=12).map(move |month| Period { year, month }));
        let months = usize::from(TABLE_END_YEAR - 1970) * 12 + 1;
        zone.months = periods.take(months).map(|period| zone.day_start(Date::first_of(period))).collect();
        // An event of the first hours of 1970 UTC may be in December 1969 by the local clock, which is no period.
        if let Some(first) = zone.months.first_mut() {
            *first = UnixMillis(0).min(*first);
        }
        zone
    }

    /// The zone whose clock is UTC.
    pub(crate) fn utc() -> Self {
        Self::from_table("UTC".to_owned(), 0, Vec::new())
    }

    /// Whether a table may have a change at this instant.
    pub(crate) fn may_change_at(at: UnixMillis) -> bool {
        at > UnixMillis(0) && at < UnixMillis(table_end_days() * DAY_MILLIS)
    }

    /// IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn base_seconds(&self) -> i32 {
        self.base_seconds
    }

    pub(crate) fn changes(&self) -> &[OffsetChange] {
        &self.changes
    }

    /// Seconds by which local time is ahead of UTC.
    #[must_use]
    pub fn offset_seconds(&self, at: UnixMillis) -> i32 {
        match self.changes.partition_point(|change| change.at <= at) {
            0 => self.base_seconds,
            after => self.changes[after - 1].offset_seconds,
        }
    }

    /// The date that the local clock shows.
    #[must_use]
    pub fn date(&self, at: UnixMillis) -> Date {
        let local = at.0.saturating_add(i64::from(self.offset_seconds(at)) * 1_000);
        Date::from_days(local.div_euclid(DAY_MILLIS))
    }

    /// The first instant at which the local clock shows this date or a later one: 00:00, except where the clock skips
    /// it. Where it shows 00:00 twice, the first.
    #[must_use]
    pub fn day_start(&self, date: Date) -> UnixMillis {
        let local = date.days() * DAY_MILLIS;
        let mut next = self.changes.partition_point(|change| change.at.0 <= local - OFFSET_MILLIS_MAX);
        loop {
            let (since, offset) = match next {
                0 => (UnixMillis::MIN, self.base_seconds),
                after => (self.changes[after - 1].at, self.changes[after - 1].offset_seconds),
            };
            let candidate = UnixMillis(local - i64::from(offset) * 1_000).max(since);
            match self.changes.get(next) {
                Some(change) if candidate >= change.at => next += 1,
                Some(_) | None => return candidate,
            }
        }
    }

    /// The month an instant lies in. Local times before 1970 count to its first month, those after 9999 to its last.
    #[must_use]
    pub fn period(&self, at: UnixMillis) -> Period {
        let (Some(first), Some(end)) = (self.months.first(), self.months.last()) else {
            return self.date(at).period();
        };
        if at < *first {
            return Period { year: 1970, month: 1 };
        }
        if at >= *end {
            return self.date(at).period();
        }
        let guess = usize::try_from((at.0 - first.0) / MONTH_MILLIS).unwrap_or(0);
        let mut index = guess.min(self.months.len() - 2);
        while index > 0 && at < self.months[index] {
            index -= 1;
        }
        while at >= self.months[index + 1] {
            index += 1;
        }
        Period {
            year: 1970 + u16::try_from(index / 12).unwrap_or(0),
            month: 1 + u8::try_from(index % 12).unwrap_or(0),
        }
    }

    /// Begin and end of a month; the end is exclusive, and the begin of the next.
    #[must_use]
    pub fn period_bounds(&self, period: Period) -> (UnixMillis, UnixMillis) {
        let first = Date::first_of(period);
        let next = Date::from_days(first.days() + 31);
        let end = if next.period() == first.period() {
            // December 9999: its next month is no period, and every later instant counts to it.
            self.day_start(next).max(UnixMillis(UnixMillis::MAX.0 + 1))
        } else {
            self.month_start(Date::first_of(next.period()))
        };
        (self.month_start(first), end)
    }

    fn month_start(&self, first: Date) -> UnixMillis {
        let period = first.period();
        let index = usize::from(period.year - 1970) * 12 + usize::from(period.month) - 1;
        self.months.get(index).copied().unwrap_or_else(|| self.day_start(first))
    }
}

fn table_end_days() -> i64 {
    Date::first_of(Period { year: TABLE_END_YEAR, month: 1 }).days()
}

fn find(name: &str) -> Result<Tz, UnknownZone> {
    name.parse().map_err(|_| UnknownZone {
        name: name.to_owned(),
        nearest: nearest(name, TZ_VARIANTS.iter().map(|tz| tz.name())),
    })
}

/// Finds the changes of a zone's offset from 1970 to the end of the table by looking at each day.
///
/// Two changes within one day would be missed; no zone has had them since 1970.
fn changes_of(tz: Tz) -> (i32, Vec<OffsetChange>) {
    let offset = |second: i64| {
        let utc =
            chrono::DateTime::from_timestamp(second, 0).map_or(NaiveDateTime::default(), |at| at.naive_utc());
        tz.offset_from_utc_datetime(&utc).fix().local_minus_utc()
    };
    let end = table_end_days() * 86_400;
    let base = offset(0);
    let (mut before, mut before_offset) = (0, base);
    let mut changes = Vec::new();
    for day_end in (86_400..=end).step_by(86_400) {
        let after_offset = offset(day_end);
        if after_offset != before_offset {
            let (mut low, mut high) = (before, day_end);
            while high - low > 1 {
                let middle = low.midpoint(high);
                if offset(middle) == before_offset { low = middle } else { high = middle }
            }
            changes.push(OffsetChange { at: UnixMillis(high * 1_000), offset_seconds: after_offset });
        }
        (before, before_offset) = (day_end, after_offset);
    }
    changes.retain(|change| Zone::may_change_at(change.at));
    (base, changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn at(text: &str) -> UnixMillis {
        UnixMillis(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
    }

    fn period(text: &str) -> Period {
        Period::parse(text).unwrap()
    }

    #[test]
    fn a_month_begins_at_local_midnight_and_ends_where_the_next_begins() {
        for (zone, month, start, end) in [
            ("UTC", "2022-02", "2022-02-01T00:00:00Z", "2022-03-01T00:00:00Z"),
            ("America/Sao_Paulo", "2022-02", "2022-02-01T03:00:00Z", "2022-03-01T03:00:00Z"),
            ("Asia/Kolkata", "2024-02", "2024-01-31T18:30:00Z", "2024-02-29T18:30:00Z"),
            // March begins in winter time and ends in summer time: one hour short.
            ("Europe/Berlin", "2022-03", "2022-02-28T23:00:00Z", "2022-03-31T22:00:00Z"),
            ("Europe/Berlin", "2022-10", "2022-09-30T22:00:00Z", "2022-10-31T23:00:00Z"),
            ("Pacific/Kiritimati", "2022-12", "2022-11-30T10:00:00Z", "2022-12-31T10:00:00Z"),
            ("America/New_York", "2021-12", "2021-12-01T05:00:00Z", "2022-01-01T05:00:00Z"),
        ] {
            let zone = Zone::named(zone).unwrap();
            assert_eq!(zone.period_bounds(period(month)), (at(start), at(end)), "{} {month}", zone.name());
            let last = UnixMillis(at(end).0 - 1);
            let before = UnixMillis(at(start).0 - 1);
            assert_eq!(zone.period(at(start)), period(month));
            assert_eq!(zone.period(last), period(month));
            assert!(zone.period(before) < period(month) && zone.period(at(end)) > period(month));
        }
    }

    #[test]
    fn a_date_whose_midnight_the_clock_skips_begins_when_the_clock_goes_on() {
        let sao_paulo = Zone::named("America/Sao_Paulo").unwrap();
        let summer = Date::parse("2018-11-04").unwrap();
        assert_eq!(sao_paulo.day_start(summer), at("2018-11-04T03:00:00Z"));
        assert_eq!(sao_paulo.date(at("2018-11-04T02:59:59Z")).to_string(), "2018-11-03");
        // The clock went from 24:00 back to 23:00: the date begins an hour later, with the second midnight.
        assert_eq!(sao_paulo.day_start(Date::parse("2019-02-17").unwrap()), at("2019-02-17T03:00:00Z"));
        // 00:00 to 01:00 came twice: the date begins with the first.
        let havana = Zone::named("America/Havana").unwrap();
        assert_eq!(havana.day_start(Date::parse("2022-11-06").unwrap()), at("2022-11-06T04:00:00Z"));
        // Samoa had no 30 December 2011.
        let apia = Zone::named("Pacific/Apia").unwrap();
        assert_eq!(apia.day_start(Date::parse("2011-12-30").unwrap()), at("2011-12-30T10:00:00Z"));
        assert_eq!(apia.day_start(Date::parse("2011-12-31").unwrap()), at("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn every_zone_agrees_with_the_database_it_was_taken_from() {
        // Every seventh zone, each at an odd interval, so that neither days nor seasons are favoured.
        for tz in TZ_VARIANTS.iter().step_by(7) {
            let zone = Zone::named(tz.name()).unwrap();
            for second in (0..=table_end_days() * 86_400).step_by(1_000_003) {
                let utc = DateTime::from_timestamp(second, 0).unwrap().naive_utc();
                let expected = tz.offset_from_utc_datetime(&utc).fix().local_minus_utc();
                assert_eq!(zone.offset_seconds(UnixMillis(second * 1_000)), expected, "{tz} {utc}");
            }
        }
    }

    #[test]
    fn months_follow_each_other_and_hold_their_instants_in_every_year() {
        for name in [
            "UTC",
            "America/Sao_Paulo",
            "Asia/Kolkata",
            "America/St_Johns",
            "Pacific/Apia",
            "Africa/Casablanca",
        ] {
            let zone = Zone::named(name).unwrap();
            let mut end_before = None;
            for year in (1970..2120).chain(9_980..=9_999) {
                for month in 1..=12 {
                    let period = Period { year, month };
                    let (start, end) = zone.period_bounds(period);
                    assert!(start < end);
                    assert!((year, month) == (9_980, 1) || end_before.is_none_or(|before| before == start));
                    assert_eq!(zone.period(start), period, "{name}");
                    assert_eq!(zone.period(UnixMillis(end.0 - 1)), period, "{name}");
                    assert_eq!(zone.period(UnixMillis(start.0.midpoint(end.0))), period, "{name}");
                    end_before = Some(end);
                }
            }
        }
    }

    #[test]
    fn instants_beyond_the_calendar_count_to_its_first_and_last_month() {
        for name in ["America/Los_Angeles", "Asia/Tokyo", "UTC"] {
            let zone = Zone::named(name).unwrap();
            for (instant, month) in [
                (UnixMillis::MIN, "1970-01"),
                (UnixMillis(-1), "1970-01"),
                (UnixMillis(0), "1970-01"),
                (UnixMillis::MAX, "9999-12"),
                (UnixMillis(i64::MAX), "9999-12"),
            ] {
                assert_eq!(zone.period(instant), period(month), "{name}");
            }
            assert!(zone.period_bounds(period("1970-01")).0 <= UnixMillis(0));
            assert!(zone.period_bounds(period("9999-12")).1 > UnixMillis::MAX);
        }
    }

    #[test]
    fn an_unknown_zone_is_answered_with_the_nearest() {
        assert_eq!(
            Zone::named("Europe/Berlim").unwrap_err().to_string(),
            "unknown time zone `Europe/Berlim`, perhaps Europe/Berlin; \
             write an IANA name such as America/Sao_Paulo or UTC"
        );
        assert!(Zone::named("").is_err());
    }
}
