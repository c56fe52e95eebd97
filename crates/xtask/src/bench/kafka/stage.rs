//! Topics with traffic on them, services that read them, and the yardstick: the steps that measurements are made of.
//!
//! Does not know what they are measured for. Invariant: a service is measured from its start on, connecting included.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{
    bench::measure::{Run, run},
    kafka::{
        days::days_ago,
        service::{Installation, Service},
    },
    tarifa::{Tarifa, result_of},
};

/// The traffic ends yesterday at the latest.
const DAYS_AGO: u64 = 4;
const DAYS: u64 = 3;
/// Longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(900);

/// What all measurements need.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) tarifa: Tarifa,
    pub(super) yardstick: PathBuf,
    pub(super) brokers: String,
    pub(super) work: PathBuf,
}

/// How much it took to do something with a topic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
}

impl Stage {
    /// Topics by what stands before their names, a dot aside.
    pub(super) fn installation(&self, name: &str) -> Installation {
        Installation {
            tarifa: self.tarifa.clone(),
            brokers: self.brokers.clone(),
            prefix: format!("{name}."),
        }
    }

    /// Traffic of the last days, as delimited protobuf.
    pub(super) fn traffic(&self, name: &str, events: u64, threads: u64, seed: u64) -> Result<PathBuf> {
        let file = self.work.join(name);
        eprintln!("generate {name}: {events} events on {threads} threads");
        let arguments = [
            ("--events", events.to_string()),
            ("--threads", threads.max(1).to_string()),
            ("--days", DAYS.to_string()),
            ("--start", days_ago(DAYS_AGO)),
            ("--seed", seed.to_string()),
            ("--format", "protobuf".to_owned()),
        ];
        let arguments: Vec<String> =
            arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
        self.tarifa.generate(&arguments, &file)?;
        Ok(file)
    }

    /// Makes topics and fills the input.
    pub(super) fn filled(&self, name: &str, partitions: u32, traffic: &Path) -> Result<Installation> {
        let installation = self.installation(name);
        installation.create_topics(partitions)?;
        self.publish(&installation, traffic)?;
        Ok(installation)
    }

    /// Sends events into the input topic.
    pub(super) fn publish(&self, installation: &Installation, traffic: &Path) -> Result<()> {
        result_of(installation.command(&["publish"]).arg(traffic)).map(|_| ())
    }

    /// Starts the service with a directory in the work folder.
    pub(super) fn start(&self, installation: &Installation, data: &str, more: &[&str]) -> Result<Service> {
        let app = installation.prefix.trim_end_matches('.');
        let mut command = installation.run(app);
        // One name for whichever directory, so that a new one gets the partitions without the old one's session ending.
        command.args(["--instance", "bench"]).args(more);
        command.arg("--data").arg(self.work.join(data));
        // The same for all directories of an installation.
        command.arg("--secret").arg(self.work.join(format!("{app}.secret")));
        Service::start(&mut command)
    }

    /// Runs the service until it has committed so many events and published all it booked. It goes on running.
    pub(super) fn drain(
        &self,
        installation: &Installation,
        data: &str,
        events: u64,
    ) -> Result<(Service, Took)> {
        let mut service = self.start(installation, data, &[])?;
        let took = drained(&mut service, events)?;
        Ok((service, took))
    }

    /// Runs the yardstick on an installation's topics.
    pub(super) fn yardstick(&self, mode: &str, installation: &Installation, more: &[&str]) -> Result<Run> {
        let mut command = Command::new(&self.yardstick);
        command.args([mode, &self.brokers, &installation.prefix]).args(more);
        run(&mut command)
    }

    /// Removes a directory.
    pub(super) fn forget(&self, data: &str) -> Result<()> {
        let data = self.work.join(data);
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))
    }
}

/// Waits until a service has committed so many events since it was started, and published all it booked.
pub(super) fn drained(service: &mut Service, events: u64) -> Result<Took> {
    let events = events as f64;
    let holds = |numbers: &crate::kafka::service::Numbers| numbers.events() >= events && numbers.is_settled();
    service.wait(PATIENCE, "the topic was drained", holds)?;
    Ok(Took { wall: service.age(), cpu: service.cpu().unwrap_or_default() })
}

/// A number that the yardstick printed.
pub(super) fn number(run: &Run, name: &str) -> Result<f64> {
    let text = str::from_utf8(&run.stdout)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).with_context(|| format!("the yardstick printed no {name}"))
}

/// What the yardstick took, by its own clock, without what ends a process.
pub(super) fn took(run: &Run) -> Result<Took> {
    Ok(Took { wall: Duration::from_secs_f64(number(run, "seconds")?), cpu: run.cpu })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_yardstick_are_read_by_name() {
        let run = Run {
            wall: Duration::from_secs(3),
            peak_bytes: 0,
            cpu: Duration::from_secs(2),
            stdout: b"records=7\nseconds=0.5\n".to_vec(),
        };
        assert_eq!(number(&run, "records").unwrap(), 7.0);
        assert_eq!(took(&run).unwrap().wall, Duration::from_millis(500));
        assert!(number(&run, "p99_ms").unwrap_err().to_string().contains("p99_ms"));
    }
}
