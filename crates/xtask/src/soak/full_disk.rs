//! A disk that fills up in the middle: a clear message, no success, nothing lost, and on it goes when there is room.
//!
//! Needs to be allowed to mount; says so when it is not. Invariant: what it mounts it unmounts.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::traffic::Undisturbed;
use crate::{
    shell,
    tarifa::{Tarifa, result_of},
};

/// Room on the disk, in per cent of what the projection needs: it runs out early, in the middle and near the end.
const ROOM_PERCENT: [u64; 3] = [30, 60, 85];
/// Words of which a message about a full disk has at least one.
const CLEAR_WORDS: [&str; 3] = ["space", "disk", "room"];
/// What a Rust program that panicked ends with.
const PANICKED: i32 = 101;

/// How it went.
#[derive(Debug)]
pub(super) enum Report {
    /// So often the disk filled up, and nothing was lost.
    Held(u32),
    /// It could not be tried, and why.
    Skipped(String),
}

/// A small disk in memory, gone when dropped.
#[derive(Debug)]
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    fn mount(at: &Path, bytes: u64) -> Result<Option<Self>> {
        std::fs::create_dir_all(at)?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(at);
        Ok(shell::is_there(&mut command).then(|| Self { at: at.to_owned() }))
    }

    fn enlarge(&self, bytes: u64) -> Result<()> {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,size={bytes}")]).arg(&self.at);
        result_of(&mut command).map(|_| ())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if !shell::is_there(Command::new("umount").arg(&self.at)) {
            eprintln!("cannot unmount {}: unmount it by hand", self.at.display());
        }
    }
}

/// Fills disks of several sizes.
pub(super) fn run(tarifa: &Tarifa, work: &Path, undisturbed: &Undisturbed) -> Result<Report> {
    let mut filled = 0;
    for percent in ROOM_PERCENT {
        let at = work.join(format!("disk-{percent}"));
        let Some(disk) = SmallDisk::mount(&at, undisturbed.bytes / 100 * percent)? else {
            return Ok(Report::Skipped("mounting a tmpfs is not allowed here; run as root".to_owned()));
        };
        let data = at.join("data");
        undisturbed.begin(&data)?;
        if fill(tarifa, undisturbed, &data).with_context(|| format!("disk with {percent} % of the room"))? {
            filled += 1;
        }
        disk.enlarge(undisturbed.bytes * 4)?;
        let case = || format!("disk with {percent} % of the room, enlarged");
        result_of(&mut tarifa.project(&undisturbed.file, &data)).with_context(case)?;
        undisturbed.compare(tarifa, &data).with_context(case)?;
    }
    ensure!(filled > 0, "no disk filled up: the traffic is too small for this proof, give more --events");
    Ok(Report::Held(filled))
}

/// True if the disk was too small.
fn fill(tarifa: &Tarifa, undisturbed: &Undisturbed, data: &Path) -> Result<bool> {
    let output = tarifa.project(&undisturbed.file, data).output()?;
    if output.status.success() {
        return Ok(false);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    ensure!(
        code.is_some_and(|code| code != PANICKED),
        "it crashed ({}) instead of saying so: {said}",
        output.status
    );
    let is_clear = CLEAR_WORDS.iter().any(|word| said.to_lowercase().contains(word));
    ensure!(is_clear, "its message does not say that the disk is full: {said}");
    eprintln!("full disk: it said: {}", said.trim());
    Ok(true)
}
