//! kill -9 at random moments: each time the ledger verifies, the next run carries on, and the end is that of a run that
//! nobody disturbed.
//!
//! Does not know where the dangerous moments are. Invariant: every directory that was killed is run to its end and
//! compared.

use std::{fmt, path::Path, process::Stdio, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use sim::Dice;

use super::traffic::Undisturbed;
use crate::tarifa::{Tarifa, result_of};

/// Every so many directories one begins from nothing, so that making the secret and the configuration is killed too.
const FROM_NOTHING_EVERY: u32 = 4;

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Report {
    kills: u32,
    directories: u32,
    from_nothing: u32,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, directories, from_nothing } = self;
        write!(
            f,
            "{kills} kills over {directories} directories, {from_nothing} of them from nothing; all equal the undisturbed run"
        )
    }
}

/// Kills until it has killed `kills` times, and compares.
pub(super) fn run(
    tarifa: &Tarifa,
    work: &Path,
    undisturbed: &Undisturbed,
    kills: u32,
    dice: &mut Dice,
) -> Result<Report> {
    let mut report = Report::default();
    while report.kills < kills {
        let data = work.join(format!("killed-{}", report.directories));
        report.directories += 1;
        let from_nothing = report.directories.is_multiple_of(FROM_NOTHING_EVERY);
        if from_nothing {
            report.from_nothing += 1;
        } else {
            undisturbed.begin(&data)?;
        }
        let case = format!("directory {} after {} kills", report.directories, report.kills);
        let killed_here = one_directory(tarifa, &data, undisturbed, from_nothing, kills - report.kills, dice);
        report.kills += killed_here.with_context(|| case.clone())?;
        let compared = if from_nothing {
            undisturbed.compare_without_ids(tarifa, &data)
        } else {
            undisturbed.compare(tarifa, &data)
        };
        compared.with_context(|| format!("{case}: the end differs"))?;
        std::fs::remove_dir_all(&data)?;
        eprintln!("{} of {kills} kills", report.kills);
    }
    Ok(report)
}

/// Kills projections into one directory until one gets to its end. Says how many were killed.
fn one_directory(
    tarifa: &Tarifa,
    data: &Path,
    undisturbed: &Undisturbed,
    from_nothing: bool,
    most: u32,
    dice: &mut Dice,
) -> Result<u32> {
    let mut killed = 0;
    // A quarter beyond the usual end, so that the last moments are met too and some runs get through.
    let span_us = u64::try_from(undisturbed.took.as_micros()).unwrap_or(u64::MAX) / 4 * 5;
    while killed < most {
        let mut command = tarifa.project(&undisturbed.file, data);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        // The first moments make the directory: from nothing half of the kills fall there.
        let range_us = if from_nothing && dice.below(2) == 0 { 50_000 } else { span_us };
        thread::sleep(Duration::from_micros(dice.below(range_us)));
        if child.try_wait()?.is_some() {
            let output = child.wait_with_output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success(),
                "a run after a kill ended with {}: {}",
                output.status,
                said.trim()
            );
            return Ok(killed);
        }
        child.kill().context("cannot kill")?;
        child.wait()?;
        killed += 1;
        if !from_nothing {
            tarifa.verified_digests(data).with_context(|| format!("does not verify after kill {killed}"))?;
        }
    }
    result_of(&mut tarifa.project(&undisturbed.file, data)).context("the run after the last kill failed")?;
    Ok(killed)
}
