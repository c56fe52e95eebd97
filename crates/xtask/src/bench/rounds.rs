//! The long commands, measured in rounds: each round runs the yardstick and every command once.
//!
//! Does not know the goals. Invariant: both sides of a ratio come from the same round, so that a machine that is busy for
//! a while slows both.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    measure::{Run, run},
    table::{Figure, Goal, Measured},
};
use crate::tarifa::Tarifa;

pub(super) const MEGA: f64 = 1_000_000.0;

/// The inputs, all with the same events.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) json: PathBuf,
    pub(super) protobuf: PathBuf,
    pub(super) displaced: PathBuf,
    /// Where the projection of `json` is left.
    pub(super) data: PathBuf,
    /// For directories that are of no further use.
    pub(super) scratch: PathBuf,
}

/// What one round measured. What failed is absent.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) yardstick: Duration,
    pub(super) project: Option<Run>,
    pub(super) protobuf: Option<Run>,
    pub(super) replay: Option<Run>,
    pub(super) displaced: Option<Run>,
    pub(super) fold: Fold,
}

/// What the `fold` binary prints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fold {
    pub(super) entries: f64,
    pub(super) apply: Duration,
    pub(super) chain: Duration,
}

/// Runs one round.
pub(super) fn round(tarifa: &Tarifa, release: &Path, inputs: &Inputs) -> Result<Round> {
    let yardstick = run(Command::new(release.join("yardstick")).arg(&inputs.json))?.wall;
    let fold = numbers(&run(Command::new(release.join("fold")).arg(&inputs.json))?)?;
    let project = told(anew(tarifa, &inputs.json, &inputs.data));
    let protobuf = told(anew(tarifa, &inputs.protobuf, &inputs.scratch));
    let replay = told(run(&mut tarifa.on(&inputs.data, &["replay", "--verify"])));
    let displaced = told(anew(tarifa, &inputs.displaced, &inputs.scratch));
    Ok(Round { yardstick, project, protobuf, replay, displaced, fold })
}

/// Projects a file into a directory that is not there before.
pub(super) fn anew(tarifa: &Tarifa, file: &Path, data: &Path) -> Result<Run> {
    if data.exists() {
        fs::remove_dir_all(data)?;
    }
    run(&mut tarifa.project(file, data))
}

/// A failed measurement is told and leaves its line empty; the others go on.
pub(super) fn told<T>(measured: Result<T>) -> Option<T> {
    measured.inspect_err(|error| eprintln!("not measured: {error:#}")).ok()
}

/// A figure in events a second, each round's time against another of the same round: the round with the middle ratio.
pub(super) fn speed(
    what: &'static str,
    goal: Goal,
    events: u64,
    rounds: &[Round],
    sides: impl Fn(&Round) -> Option<(Duration, Duration)>,
) -> Figure {
    let ratio = |(time, against): (Duration, Duration)| against.as_secs_f64() / time.as_secs_f64();
    let mut pairs: Vec<_> = rounds.iter().filter_map(sides).collect();
    pairs.sort_by(|a, b| ratio(*a).total_cmp(&ratio(*b)));
    let rate = |time: Duration| format!("{:.2} M events/s", events as f64 / time.as_secs_f64() / MEGA);
    let measured = pairs.get(pairs.len() / 2).map(|pair| Measured {
        value: rate(pair.0),
        against: rate(pair.1),
        ratio: ratio(*pair),
    });
    Figure { what, goal, measured }
}

fn numbers(run: &Run) -> Result<Fold> {
    let text = str::from_utf8(&run.stdout)?;
    let number = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse::<f64>().ok()).with_context(|| format!("fold printed no {name}"))
    };
    Ok(Fold {
        entries: number("entries")?,
        apply: Duration::from_secs_f64(number("apply_seconds")?),
        chain: Duration::from_secs_f64(number("chain_seconds")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stdout: &str, wall_ms: u64) -> Run {
        Run {
            wall: Duration::from_millis(wall_ms),
            peak_bytes: 0,
            cpu: Duration::ZERO,
            stdout: stdout.as_bytes().to_vec(),
        }
    }

    fn round_of(yardstick_ms: u64, project_ms: Option<u64>) -> Round {
        let fold = Fold { entries: 1.0, apply: Duration::from_secs(1), chain: Duration::from_secs(1) };
        let project = project_ms.map(|ms| of("", ms));
        let yardstick = Duration::from_millis(yardstick_ms);
        Round { yardstick, project, protobuf: None, replay: None, displaced: None, fold }
    }

    #[test]
    fn a_round_that_was_disturbed_as_a_whole_changes_no_ratio() {
        let rounds =
            [round_of(1_000, Some(2_000)), round_of(5_000, Some(10_000)), round_of(1_000, Some(1_900))];
        let sides = |round: &Round| Some((round.project.as_ref()?.wall, round.yardstick));
        let figure = speed("project", Goal::AtLeast(0.5), 1_000_000, &rounds, sides);
        assert!(figure.is_met());
        assert!((figure.measured.unwrap().ratio - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_command_that_failed_in_every_round_is_not_measured() {
        let sides = |round: &Round| Some((round.project.as_ref()?.wall, round.yardstick));
        let figure = speed("project", Goal::AtLeast(0.5), 1, &[round_of(1, None), round_of(1, None)], sides);
        assert_eq!(figure.measured, None);
    }

    #[test]
    fn the_numbers_of_the_fold_are_read_by_name() {
        let fold = numbers(&of("records=7\nentries=3\napply_seconds=0.5\nchain_seconds=0.25\n", 1)).unwrap();
        assert_eq!((fold.apply, fold.chain), (Duration::from_millis(500), Duration::from_millis(250)));
        assert!(numbers(&of("entries=3\n", 1)).unwrap_err().to_string().contains("apply_seconds"));
    }
}
