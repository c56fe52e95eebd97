//! How long after a stop the first new entry is out: the same instance after `kill -9`, and an empty machine.
//!
//! Invariant: new events wait in the topic before the clock starts, which is when the process is started.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, ensure};

use super::{
    Wanted,
    stage::{PATIENCE, Stage, drained},
};
use crate::{
    bench::{
        rounds::told,
        table::{Figure, Goal, Measured},
    },
    kafka::service::{Installation, Numbers, Service},
};

const THREADS: u64 = 100_000;
const THREADS_LARGE: u64 = 1_000_000;
const EVENTS_PER_THREAD: u64 = 2;
/// Events that are new after a stop.
const NEW_EVENTS: u64 = 2_000;
const SNAPSHOT_INTERVAL_MS: &str = "3000";
/// As often as this the traffic fills what a restart may have to fold again; what comes after the last is folded again.
const CHECKPOINTS: u64 = 4;
const RESTART_MAX_S: f64 = 5.0;
const TAKE_OVER_MAX_S: f64 = 15.0;

/// Everything that measuring needs.
pub(super) struct Moments<'a> {
    pub(super) stage: &'a Stage,
    pub(super) wanted: &'a Wanted,
}

impl Moments<'_> {
    /// Both figures.
    pub(super) fn measure(&self, name: &str) -> [Figure; 2] {
        let (restart, take_over) = told(self.both(name)).unzip();
        let threads = self.threads();
        let figure = |what, most_s: f64, took: Option<Duration>| {
            let measured = took.map(|took| Measured {
                value: format!("{:.2} s with {threads} threads", took.as_secs_f64()),
                against: format!("{most_s:.0} s with {THREADS_LARGE} threads"),
                ratio: took.as_secs_f64() / most_s,
            });
            Figure { what, goal: Goal::AtMost(1.0), measured }
        };
        [
            figure("`kill -9`, restart: first new entry published", RESTART_MAX_S, restart),
            figure("an empty machine takes over from a snapshot", TAKE_OVER_MAX_S, take_over),
        ]
    }

    fn threads(&self) -> u64 {
        if self.wanted.large { THREADS_LARGE } else { THREADS }
    }

    fn both(&self, name: &str) -> Result<(Duration, Duration)> {
        let stage = self.stage;
        let (events, partitions) = (self.threads() * EVENTS_PER_THREAD, self.wanted.partitions);
        let traffic = stage.traffic("moments.pb", events, self.threads(), 3)?;
        let installation = stage.filled(name, partitions, &traffic)?;
        let mut service = self.start(&installation, "moments")?;
        drained(&mut service, events)?;
        let folder = self.snapshots();
        let snapshots = |_: &Numbers| files(&folder) >= partitions as usize;
        service.wait(PATIENCE, "there was a snapshot of each partition", snapshots)?;

        let before = self.kill_and_publish(&installation, service, 4)?;
        let mut service = self.start(&installation, "moments")?;
        let restart = first_new(&mut service, &before)?;
        eprintln!("restarted: {restart:.2?} until a new entry was out");

        service.wait(PATIENCE, "everything was published", Numbers::is_settled)?;
        let before = self.kill_and_publish(&installation, service, 5)?;
        let mut service = self.start(&installation, "moments-empty")?;
        let take_over = first_new(&mut service, &before)?;
        eprintln!("taken over: {take_over:.2?} until a new entry was out");
        service.stop()?;
        Ok((restart, take_over))
    }

    fn start(&self, installation: &Installation, data: &str) -> Result<Service> {
        let folder = self.snapshots();
        let folder = folder.to_string_lossy();
        // A snapshot is of a checkpoint, of which a partition has a few by the end of the traffic.
        let events = self.threads() * EVENTS_PER_THREAD;
        let checkpoint = (events / CHECKPOINTS).max(1).to_string();
        let more = ["--checkpoint-records", &checkpoint, "--snapshot-interval-ms", SNAPSHOT_INTERVAL_MS];
        self.stage.start(installation, data, &[&more[..], &["--snapshots", &folder]].concat())
    }

    fn snapshots(&self) -> PathBuf {
        self.stage.work.join("snapshots")
    }

    /// Leaves new events for a service that is no longer there. Gives its last numbers.
    fn kill_and_publish(&self, installation: &Installation, service: Service, seed: u64) -> Result<Numbers> {
        let before = service.numbers()?;
        service.kill()?;
        let new = self.stage.traffic(&format!("new-{seed}.pb"), NEW_EVENTS, NEW_EVENTS, seed)?;
        self.stage.publish(installation, &new)?;
        Ok(before)
    }
}

/// Until some partition has published more than before the stop.
fn first_new(service: &mut Service, before: &Numbers) -> Result<Duration> {
    let known: Vec<(&str, f64)> = before.of("tarifa_published_sequence").collect();
    ensure!(!known.is_empty(), "nothing was published before the stop");
    service.wait(PATIENCE, "a new entry was published", |numbers| {
        known.iter().any(|(partition, published)| numbers.sum(partition) > *published)
    })?;
    Ok(service.age())
}

/// Files in a folder and the folders in it; none while it is not there.
fn files(folder: &Path) -> usize {
    let Ok(listed) = fs::read_dir(folder) else { return 0 };
    let paths = listed.filter_map(|entry| Some(entry.ok()?.path()));
    paths.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}
