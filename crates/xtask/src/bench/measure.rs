//! A process from outside: how long it ran and the most memory it had.
//!
//! Knows nothing of what it did. Invariant: time is that of the whole process, from its start to its end.

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::kafka::service::cpu_of;

/// How often memory is looked at. The kernel keeps the maximum itself, so that only growth in the last few milliseconds
/// of a process can be missed.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One run of a process.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) wall: Duration,
    /// `VmHWM` of Linux; 0 elsewhere.
    pub(super) peak_bytes: u64,
    /// User and system time of all threads, from `/proc`; 0 elsewhere.
    pub(super) cpu: Duration,
    pub(super) stdout: Vec<u8>,
}

/// Runs a command to its end.
pub(super) fn run(command: &mut Command) -> Result<Run> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let status_file = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    let process = child.id();
    let (output, wall, (peak_bytes, cpu)) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut peak_bytes, mut cpu) = (0, Duration::ZERO);
            while !ended.load(Ordering::Relaxed) {
                let status = fs::read_to_string(&status_file).unwrap_or_default();
                peak_bytes = peak_bytes.max(high_water_bytes(&status).unwrap_or(0));
                cpu = cpu_of(process).map_or(cpu, |now| now.max(cpu));
                thread::sleep(LOOK_EVERY);
            }
            (peak_bytes, cpu)
        });
        let output = child.wait_with_output();
        let wall = begun.elapsed();
        ended.store(true, Ordering::Relaxed);
        (output, wall, watcher.join().unwrap_or_default())
    });
    let output = output?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {}", output.status, said.trim());
    Ok(Run { wall, peak_bytes, cpu, stdout: output.stdout })
}

/// Runs several times and gives the run in the middle by time.
pub(super) fn middle(times: usize, mut once: impl FnMut(usize) -> Result<Run>) -> Result<Run> {
    let mut runs = (0..times.max(1)).map(&mut once).collect::<Result<Vec<_>>>()?;
    runs.sort_by_key(|run| run.wall);
    let at = runs.len() / 2;
    Ok(runs.swap_remove(at))
}

fn high_water_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_from_the_kernels_text() {
        assert_eq!(
            high_water_bytes("VmPeak:\t  99 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n"),
            Some(2_097_152)
        );
        assert_eq!(high_water_bytes("Name:\tsh\n"), None);
    }

    #[test]
    fn a_process_is_measured_whole_and_a_failing_one_is_an_error() {
        let run = run(Command::new("sh").args(["-c", "sleep 0.05; echo done"])).unwrap();
        assert!(run.wall >= Duration::from_millis(50));
        assert_eq!(run.stdout, b"done\n");
        assert!(super::run(Command::new("sh").args(["-c", "exit 3"])).is_err());
    }

    #[test]
    fn of_three_runs_the_middle_one_counts() {
        let mut walls = [30, 10, 20].into_iter().map(Duration::from_millis);
        let once = |_| {
            Ok(Run { wall: walls.next().unwrap(), peak_bytes: 0, cpu: Duration::ZERO, stdout: Vec::new() })
        };
        assert_eq!(middle(3, once).unwrap().wall, Duration::from_millis(20));
    }
}
