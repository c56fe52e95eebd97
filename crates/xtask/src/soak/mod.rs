//! `cargo xtask soak`: proofs that take too long for every change.
//!
//! Does not know how they are made. Invariant: chance comes from the seed that is printed, and from nothing else but the
//! machine's own timing.

mod full_disk;
mod kill;
mod service;
mod traffic;

use std::{
    path::PathBuf,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use clap::Args;
use sim::Dice;

use self::traffic::Undisturbed;
use crate::{
    kafka::{BROKERS_VARIABLE, Broker},
    python, shell,
    tarifa::Tarifa,
};

const PROJECTION_KILLS: u32 = 200;
const SERVICE_KILLS: u32 = 100;
/// Files of tests of the service on a broker.
const SERVICE_TESTS: [&str; 4] = ["kafka_run", "kafka_outcomes", "kafka_broker", "kafka_resubmit"];

#[derive(Debug, Args)]
pub(crate) struct SoakArguments {
    /// Prove this alone; all that needs no broker by default.
    #[arg(value_enum)]
    only: Option<Only>,
    /// How often a projection, or the service on Kafka, is killed [default: 200, on Kafka 100].
    #[arg(long)]
    kills: Option<u32>,
    /// Events of the traffic that is projected.
    #[arg(long, default_value_t = 300_000)]
    events: u64,
    /// The seed of an earlier run, to see the same again.
    #[arg(long)]
    seed: Option<u64>,
    /// Prove this binary, such as a released one, and not the one built from here.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Leave out the long tests of the `tests` crate; on Kafka, those of the service.
    #[arg(long)]
    no_tests: bool,
}

impl SoakArguments {
    /// What is proved.
    fn tarifa(&self) -> Result<Tarifa> {
        Ok(match &self.binary {
            Some(binary) => Tarifa::at(binary),
            None => Tarifa::at(&shell::build_release(&["tarifa"])?.join("tarifa")),
        })
    }
}

/// What can be proved alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// The service on a real broker: killed at random moments, put to sleep, moved from instance to instance; with its broker
    /// killed, away for a minute and slow; on topics that others meddle with; on 1 and 64 partitions.
    Kafka,
}

/// Runs the proofs. True if all held.
pub(crate) fn run(arguments: &SoakArguments) -> Result<bool> {
    if arguments.only == Some(Only::Kafka) {
        return on_kafka(arguments);
    }
    let seed = arguments.seed.unwrap_or_else(seed_of_the_moment);
    println!("seed {seed}; the same again: cargo xtask soak --seed {seed}");
    if !arguments.no_tests && !long_tests(seed)? {
        return Ok(false);
    }
    let tarifa = arguments.tarifa()?;
    let work = tempfile::tempdir()?;
    let mut dice = Dice::new(seed);
    let undisturbed = Undisturbed::project(&tarifa, work.path(), arguments.events, &mut dice)?;
    println!(
        "undisturbed: {} events in {:.1} s, {} bytes on disk",
        arguments.events,
        undisturbed.took.as_secs_f64(),
        undisturbed.bytes
    );
    let kills = arguments.kills.unwrap_or(PROJECTION_KILLS);
    let report = kill::run(&tarifa, work.path(), &undisturbed, kills, &mut dice)?;
    println!("kill -9: ok: {report}");
    match full_disk::run(&tarifa, work.path(), &undisturbed)? {
        full_disk::Report::Held(times) => {
            println!("full disk: ok: filled {times} times, carried on each time")
        }
        full_disk::Report::Skipped(why) => println!("full disk: SKIPPED: {why}"),
    }
    Ok(true)
}

/// The one place where chance enters; what it gave is printed.
fn seed_of_the_moment() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| u64::from(since.subsec_nanos()) ^ since.as_secs())
}

/// The service, killed during one run of traffic, and its tests. Without a broker they fail: nothing would be proved.
fn on_kafka(arguments: &SoakArguments) -> Result<bool> {
    let brokers = match Broker::find()? {
        Broker::Given(brokers) | Broker::Own(brokers) => brokers,
        Broker::Missing(what) => anyhow::bail!("there is no Kafka to prove anything on: {what}"),
    };
    if let Some(what) = python::missing() {
        anyhow::bail!("the verifier cannot be run: {what}");
    }
    let seed = arguments.seed.unwrap_or_else(seed_of_the_moment);
    let kills = arguments.kills.unwrap_or(SERVICE_KILLS);
    let again = format!("cargo xtask soak kafka --kills {kills} --events {} --seed {seed}", arguments.events);
    println!("seed {seed}; the same again: {again}");
    let tarifa = arguments.tarifa()?;
    let work = tempfile::tempdir()?;
    let sizes = (usize::try_from(kills)?, arguments.events);
    let report = service::run(&tarifa, &brokers, work.path(), sizes, &mut Dice::new(seed))?;
    println!("kill -9 of the service, seed {seed}: ok: {report}");
    if arguments.no_tests {
        return Ok(true);
    }
    let passed = shell::passes(&mut service_tests(&brokers, seed))?;
    println!("tests of the service on Kafka, seed {seed}: {}", if passed { "ok" } else { "FAILED" });
    Ok(passed)
}

/// The tests of the service in their long forms, with all that they say passed through.
fn service_tests(brokers: &str, seed: u64) -> Command {
    let mut command = shell::cargo();
    command.args(["test", "--release", "--no-fail-fast", "--package", "tarifa"]);
    for name in SERVICE_TESTS {
        command.args(["--test", name]);
    }
    command.args(["--", "--nocapture"]);
    command.env("CI", "true").env(BROKERS_VARIABLE, brokers);
    command.env("TARIFA_TEST_LONG", "1").env("TARIFA_TEST_SEED", seed.to_string());
    command
}

fn long_tests(seed: u64) -> Result<bool> {
    let mut command = shell::cargo();
    command.args(["test", "--release", "--package", "tests"]);
    command.env("TARIFA_SOAK", "1").env("TARIFA_SOAK_SEED", seed.to_string());
    let passed = shell::passes(&mut command)?;
    println!("long tests: {}", if passed { "ok" } else { "FAILED" });
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_the_service_that_needs_a_broker_is_soaked() {
        let files = std::fs::read_dir(shell::root().join("crates/tarifa/tests")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut there: Vec<String> = names
            .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
            .filter(|name| name.starts_with("kafka_"))
            .collect();
        there.sort();
        let mut soaked = SERVICE_TESTS.map(str::to_owned);
        soaked.sort();
        assert_eq!(there, soaked);
    }
}
