//! The service on Kafka, killed at random moments during one run of traffic: in the end each entry is in the topics once,
//! and the books are those of a projection of the same events that nobody disturbed.
//!
//! Does not know where the dangerous moments are. Invariant: what is compared was collected from the topics, not from the
//! directory of the service, and the verifier that shares no code with it has its say.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use sim::Dice;

use crate::{
    kafka::{
        Verifier,
        days::{days_ago, now_s},
        service::{Installation, Numbers, Service, show},
    },
    shell,
    tarifa::{Tarifa, result_of},
};

const PARTITIONS: u32 = 8;
/// The traffic begins so long ago, and ends early enough for every conversation to be over.
const DAYS_AGO: u64 = 5;
const DAYS: &str = "2";
const TICK_INTERVAL_MS: &str = "1000";
/// In Kafka a tick stands for its record time less so much.
const TICK_BEHIND_S: u64 = 5 * 60;
/// Half of the kills fall while the service opens its partitions, the others anywhere.
const OPENING_MS: u64 = 700;
const ANYWHERE_MS: u64 = 3_000;
const PATIENCE: Duration = Duration::from_secs(300);

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Report {
    kills: usize,
    ready: usize,
    entries: u64,
    accounts: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, ready, entries, accounts } = self;
        write!(
            f,
            "{kills} kills, {ready} of them of a service that was ready; {entries} entries, each once; {accounts} \
             digests equal those of the undisturbed projection"
        )
    }
}

/// Kills the service so many times during the traffic, and compares.
pub(super) fn run(
    tarifa: &Tarifa,
    brokers: &str,
    work: &Path,
    (kills, events): (usize, u64),
    dice: &mut Dice,
) -> Result<Report> {
    let verifier = Verifier::prepare()?;
    let installation = Installation {
        tarifa: tarifa.clone(),
        brokers: brokers.to_owned(),
        prefix: format!("soak-{}.", now_s()),
    };
    let soak = Soak { installation, tariff: shell::root().join("deploy/trial/tariff"), work };
    soak.run(&verifier, kills, events, dice)
}

struct Soak<'a> {
    installation: Installation,
    tariff: PathBuf,
    work: &'a Path,
}

impl Soak<'_> {
    fn run(&self, verifier: &Verifier, kills: usize, events: u64, dice: &mut Dice) -> Result<Report> {
        let traffic = self.traffic(events, dice.next())?;
        let undisturbed = self.work.join("undisturbed");
        let until = format!("{}T00:00:00Z", days_ago(1));
        let mut project = self.installation.tarifa.project(&traffic, &undisturbed);
        result_of(project.args(["--until", &until, "--tariff"]).arg(&self.tariff))?;

        self.installation.create_topics(PARTITIONS)?;
        let parts = self.split(&traffic, kills + 1)?;
        let mut report = Report::default();
        for part in &parts[..parts.len() - 1] {
            let service = self.start(&undisturbed)?;
            // From its start on, so that some moments pass before the traffic comes.
            let range_ms = if dice.below(2) == 0 { OPENING_MS } else { ANYWHERE_MS };
            let moment_ms = dice.below(range_ms);
            self.publish(part)?;
            thread::sleep(Duration::from_millis(moment_ms).saturating_sub(service.age()));
            let was_ready = service.numbers().is_ok_and(|numbers| numbers.sum("tarifa_ready") > 0.0);
            service.kill()?;
            report.kills += 1;
            report.ready += usize::from(was_ready);
            if report.kills.is_multiple_of(10) {
                eprintln!("{} of {kills} kills, {} of a service that was ready", report.kills, report.ready);
            }
        }
        let mut service = self.start(&undisturbed)?;
        if let Some(last) = parts.last() {
            self.publish(last)?;
        }
        settled(&mut service)?;
        report.entries = published(&service.numbers()?);
        service.stop()?;
        report.accounts = self.compare(&undisturbed, verifier)?;
        Ok(report)
    }

    fn traffic(&self, events: u64, seed: u64) -> Result<PathBuf> {
        let file = self.work.join("traffic.jsonl");
        let (count, threads, seed) =
            (events.to_string(), (events / 15).max(10).to_string(), seed.to_string());
        let start = days_ago(DAYS_AGO);
        let plan =
            ["--events", &count, "--threads", &threads, "--seed", &seed, "--start", &start, "--days", DAYS];
        let trouble = "--statuses --failed 3 --duplicates 2 --displaced 10 --displaced-by 6h".split(' ');
        let arguments: Vec<String> = plan.into_iter().chain(trouble).map(str::to_owned).collect();
        self.installation.tarifa.generate(&arguments, &file)?;
        Ok(file)
    }

    /// The lines of a file in so many files, at least one.
    fn split(&self, traffic: &Path, parts: usize) -> Result<Vec<PathBuf>> {
        let text = fs::read_to_string(traffic)?;
        let lines: Vec<&str> = text.lines().collect();
        ensure!(lines.len() >= parts, "{} events are too few for {parts} parts", lines.len());
        let bounds = (0..parts).map(|part| lines.len() * part / parts..lines.len() * (part + 1) / parts);
        let files = bounds.enumerate().map(|(number, range)| {
            let path = self.work.join(format!("part-{number}.jsonl"));
            fs::write(&path, lines[range].join("\n") + "\n")?;
            Ok(path)
        });
        files.collect()
    }

    fn publish(&self, part: &Path) -> Result<()> {
        result_of(self.installation.command(&["publish"]).arg(part)).map(|_| ())
    }

    fn start(&self, undisturbed: &Path) -> Result<Service> {
        let app = self.installation.prefix.trim_end_matches('.');
        let mut command = self.installation.command(&["run", "--app", app, "--log-level", "error"]);
        // Short, so that few moments are like others.
        command.args(["--publish-interval-ms", "50", "--checkpoint-records", "2000"]);
        command.args(["--session-timeout-ms", "6000", "--tick-interval-ms", TICK_INTERVAL_MS]);
        command.arg("--secret").arg(undisturbed.join("secret")).arg("--tariff").arg(&self.tariff);
        Service::start(command.arg("--data").arg(self.work.join("service")))
    }

    /// A book of what is in the topics against the undisturbed ledger. Gives how many digests are equal.
    fn compare(&self, undisturbed: &Path, verifier: &Verifier) -> Result<usize> {
        let book = self.work.join("book");
        show(self.installation.command(&["collect"]).arg("--data").arg(&book))?;
        let digests = |data: &Path| {
            let csv = result_of(&mut self.installation.tarifa.on(data, &["verify", "--format", "csv"]))?;
            String::from_utf8(csv).context("verify wrote no UTF-8")
        };
        let (here, there) = (digests(&book)?, digests(undisturbed)?);
        ensure!(here == there, "digests differ:\n{here}\nundisturbed:\n{there}");
        let (brokers, prefix) = (&self.installation.brokers, &self.installation.prefix);
        ensure!(shell::passes(&mut verifier.command(brokers, prefix))?, "the verifier found a fault");
        let accounts = here.lines().count().saturating_sub(1);
        ensure!(accounts > 0, "the traffic gives no charge: there is nothing to compare");
        Ok(accounts)
    }
}

/// Waits until every partition has committed a tick of after the last event, and all that was booked is published.
fn settled(service: &mut Service) -> Result<()> {
    // Events and ticks have the same broker's clock; a second more, as times here are whole.
    let after_last = (now_s() + 1 - TICK_BEHIND_S) as f64;
    service.wait(PATIENCE, "a tick after the last event was committed everywhere", |numbers| {
        let times: Vec<f64> = numbers.of("tarifa_partition_time_seconds").map(|(_, time)| time).collect();
        times.len() == PARTITIONS as usize && times.iter().all(|time| *time > after_last)
    })?;
    service.wait(PATIENCE, "everything was published", Numbers::is_settled)?;
    Ok(())
}

/// Entries published in all partitions, from the beginning.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, far below 2^53")]
fn published(numbers: &Numbers) -> u64 {
    numbers.sum("tarifa_published_sequence") as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_lost_between_the_parts() {
        let place = tempfile::tempdir().unwrap();
        let traffic = place.path().join("traffic.jsonl");
        fs::write(&traffic, "1\n2\n3\n4\n5\n6\n7\n").unwrap();
        let installation = Installation {
            tarifa: Tarifa::at(Path::new("tarifa")),
            brokers: String::new(),
            prefix: String::new(),
        };
        let soak = Soak { installation, tariff: PathBuf::new(), work: place.path() };
        let parts = soak.split(&traffic, 3).unwrap();
        let texts: Vec<String> = parts.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!((texts.len(), texts.concat()), (3, "1\n2\n3\n4\n5\n6\n7\n".to_owned()));
        assert!(soak.split(&traffic, 8).is_err(), "some part would be empty");
    }
}
