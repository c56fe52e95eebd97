//! What millions of threads cost.
//!
//! Does not know why. Invariant: every rate is told with its entries an event, as those set what is possible: traffic of
//! two events a thread books twelve times as many as that of 25.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    figures::Bench,
    measure::Run,
    rounds::{MEGA, anew, told},
    table::{Figure, Goal, Measured},
};

const EVENTS: u64 = 20_000_000;
const MANY: Traffic = Traffic { threads: 10_000_000, days: 3 };
/// So slow that as many events open a conversation as where there are two a thread.
const FEW: Traffic = Traffic { threads: 200_000, days: 125 };

const LEAST: f64 = 0.7;

struct Traffic {
    threads: u64,
    days: u32,
}

/// A projection, and how much it was about.
struct Projected {
    wall: Duration,
    events: u64,
    entries: u64,
}

impl Projected {
    fn of(run: &Run, events: u64) -> Result<Self> {
        let text = str::from_utf8(&run.stdout)?;
        let entries = text.lines().find_map(|line| line.strip_prefix("entries")?.trim().parse().ok());
        Ok(Self { wall: run.wall, events, entries: entries.context("`project` told no number of entries")? })
    }

    fn rate(&self) -> f64 {
        self.events as f64 / self.wall.as_secs_f64() / MEGA
    }

    fn told(&self) -> String {
        let entries = self.entries as f64 / self.events as f64;
        format!("{:.2} M events/s, {entries:.2} entries an event", self.rate())
    }
}

/// Ten million threads against fewer with as many entries an event, and against the usual traffic.
pub(super) fn figures(bench: &Bench, usual: Option<&Run>) -> [Figure; 2] {
    let many = told(project(bench, &MANY));
    let few = told(project(bench, &FEW));
    let usual = usual.and_then(|run| told(Projected::of(run, bench.events)));
    let figure = |what, against: Option<&Projected>| {
        let measured = many.as_ref().zip(against).map(|(many, against)| Measured {
            value: many.told(),
            against: against.told(),
            ratio: many.rate() / against.rate(),
        });
        Figure { what, goal: Goal::AtLeast(LEAST), measured }
    };
    [
        figure("10,000,000 threads, against 200,000 with as many entries", few.as_ref()),
        figure("10,000,000 threads, against the usual traffic", usual.as_ref()),
    ]
}

fn project(bench: &Bench, traffic: &Traffic) -> Result<Projected> {
    let (file, data) = (bench.work.join("large.jsonl"), bench.work.join("data-large"));
    bench.generate(&file, EVENTS, traffic.threads, traffic.days, 1, &[])?;
    let projected = Projected::of(&anew(&bench.tarifa, &file, &data)?, EVENTS)?;
    fs::remove_dir_all(&data)?;
    fs::remove_file(&file)?;
    Ok(projected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_entries_is_read_from_what_project_prints() {
        let run = |stdout: &str| Run {
            wall: Duration::from_secs(2),
            peak_bytes: 0,
            cpu: Duration::ZERO,
            stdout: stdout.as_bytes().to_vec(),
        };
        let projected =
            Projected::of(&run("records               4000002\nentries               1000000\n"), 4_000_000)
                .unwrap();
        assert_eq!(projected.told(), "2.00 M events/s, 0.25 entries an event");
        assert!(Projected::of(&run("records  4\n"), 4).is_err());
    }
}
