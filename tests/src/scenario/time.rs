//! Times in scenarios: `d0 10:00`, `d1 17:59:59.999`, counted from day 0.
//!
//! Knows no zones: all times are UTC. Invariant: what is written reads back.

use model::UnixMillis;

const DAY_MS: i64 = 86_400_000;

/// Reads a date such as `2022-02-01` as the instant at which it begins.
pub(super) fn day_zero(text: &str) -> Result<UnixMillis, String> {
    let parts: Vec<i64> = text.split('-').filter_map(|part| part.parse().ok()).collect();
    let [year, month, day] = parts[..] else { return Err(format!("`{text}` is no date such as 2022-02-01")) };
    // Days since 1970 of the proleptic Gregorian calendar, with years that begin in March.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let year_of_era = year.rem_euclid(400);
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Ok(UnixMillis(days * DAY_MS))
}

/// Reads `d0` and `10:00`.
pub(super) fn read(zero: UnixMillis, day: &str, clock: &str) -> Result<UnixMillis, String> {
    let wrong = || format!("`{day} {clock}` is no time such as d0 10:00 or d0 10:00:00.123");
    let day: i64 = day.strip_prefix('d').and_then(|day| day.parse().ok()).ok_or_else(wrong)?;
    let (clock, millis) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<i64> = clock.split(':').filter_map(|part| part.parse().ok()).collect();
    let millis: i64 = millis.parse().map_err(|_| wrong())?;
    let seconds = match parts[..] {
        [hours, minutes] => hours * 3_600 + minutes * 60,
        [hours, minutes, seconds] => hours * 3_600 + minutes * 60 + seconds,
        _ => return Err(wrong()),
    };
    Ok(UnixMillis(zero.0 + day * DAY_MS + seconds * 1_000 + millis))
}

/// Writes what [`read`] reads, as short as it can be.
pub(super) fn write(zero: UnixMillis, time: UnixMillis) -> String {
    let since = (time - zero).0;
    let (day, rest) = (since.div_euclid(DAY_MS), since.rem_euclid(DAY_MS));
    let (minutes, millis) = (rest / 60_000, rest % 60_000);
    let mut text = format!("d{day} {:02}:{:02}", minutes / 60, minutes % 60);
    if millis > 0 {
        text += &format!(":{:02}", millis / 1_000);
    }
    if millis % 1_000 > 0 {
        text += &format!(".{:03}", millis % 1_000);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back() {
        let zero = day_zero("2022-02-01").unwrap();
        assert_eq!(zero, UnixMillis(1_643_673_600_000));
        for text in ["d0 10:00", "d1 23:59:59", "d-1 00:00:00.001", "d12 10:00:01.250"] {
            let (day, clock) = text.split_once(' ').unwrap();
            assert_eq!(write(zero, read(zero, day, clock).unwrap()), text);
        }
        for (day, clock) in [("0", "10:00"), ("d0", "10"), ("dx", "10:00"), ("d0", "10:00.x")] {
            assert!(read(zero, day, clock).is_err());
        }
    }
}
