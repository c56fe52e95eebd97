//! The progress bar: rate, amount done and time left, on standard error.
//!
//! Knows no stage of any work. Invariant: nothing is drawn unless standard error is a terminal, and what is drawn never
//! becomes part of a result; so this may look at the clock.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One look at work under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// What is being done, such as `projecting`.
    pub(crate) stage: &'static str,
    /// Records done so far.
    pub(crate) records: u64,
    /// Entries booked so far; 0 where the work books none.
    pub(crate) entries: u64,
    /// Work done, in the unit of `work_total`.
    pub(crate) work_done: u64,
    /// All the work, where it is known.
    pub(crate) work_total: Option<u64>,
    /// Bytes done, where that is not the unit of the work already: of the output, or of the input.
    pub(crate) bytes: Option<u64>,
}

/// A progress bar, or nothing. It goes away when it is dropped.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    started: Instant,
    stage: &'static str,
    has_total: bool,
}

/// Between two drawings.
const DRAWINGS_A_SECOND: u8 = 10;

const WITHOUT_TOTAL: &str = "{spinner} {prefix}  {msg}";
const WITH_TOTAL: &str = "{spinner} {prefix} [{bar:24}] {percent}%  {msg}";

impl Bar {
    /// A bar on standard error.
    #[must_use]
    pub(crate) fn shown() -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(DRAWINGS_A_SECOND))
    }

    /// No bar.
    #[must_use]
    pub(crate) fn hidden() -> Self {
        Self::on(ProgressDrawTarget::hidden())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(WITHOUT_TOTAL));
        Self { bar, started: Instant::now(), stage: "", has_total: false }
    }

    /// Shows how far the work has come. Cheap enough for every few thousand records.
    pub(crate) fn show(&mut self, look: &Look) {
        if self.bar.is_hidden() {
            return;
        }
        if self.stage != look.stage {
            self.stage = look.stage;
            self.started = Instant::now();
            self.bar.set_prefix(look.stage);
        }
        if self.has_total != look.work_total.is_some() {
            self.has_total = look.work_total.is_some();
            self.bar.set_style(style(if self.has_total { WITH_TOTAL } else { WITHOUT_TOTAL }));
        }
        if let Some(total) = look.work_total {
            self.bar.set_length(total);
        }
        self.bar.set_message(message(look, self.started.elapsed()));
        self.bar.set_position(look.work_done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The words behind the bar.
fn message(look: &Look, elapsed: Duration) -> String {
    let mut words = vec![format!("{} records", HumanCount(look.records))];
    if look.entries > 0 {
        words.push(format!("{} entries", HumanCount(look.entries)));
    }
    if let Some(bytes) = look.bytes {
        words.push(HumanBytes(bytes).to_string());
    }
    let elapsed_ms = elapsed.as_millis().max(1);
    let rate = u128::from(look.records) * 1_000 / elapsed_ms;
    words.push(format!("{}/s", HumanCount(u64::try_from(rate).unwrap_or(u64::MAX))));
    if let Some(left) = seconds_left(look, elapsed_ms) {
        words.push(format!("{}:{:02} left", left / 60, left % 60));
    }
    words.join(", ")
}

/// As if the rest took as long as what was done.
fn seconds_left(look: &Look, elapsed_ms: u128) -> Option<u128> {
    let left = u128::from(look.work_total?.saturating_sub(look.work_done));
    (look.work_done > 0).then(|| left * elapsed_ms / u128::from(look.work_done) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_amount_rate_and_time_left() {
        let look = Look {
            stage: "projecting",
            records: 3_000_000,
            entries: 420_000,
            work_done: 250,
            work_total: Some(1_000),
            bytes: Some(2 << 20),
        };
        assert_eq!(
            message(&look, Duration::from_secs(30)),
            "3,000,000 records, 420,000 entries, 2.00 MiB, 100,000/s, 1:30 left"
        );
        let unknown = Look { entries: 0, bytes: None, work_total: None, ..look };
        assert_eq!(message(&unknown, Duration::from_secs(1)), "3,000,000 records, 3,000,000/s");
    }

    #[test]
    fn the_patterns_of_the_bar_are_understood() {
        for template in [WITHOUT_TOTAL, WITH_TOTAL] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
