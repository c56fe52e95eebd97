//! `cargo xtask kafka trial`: the whole way once, on a real broker, as a newcomer would go it; also a step of `ci`.
//!
//! Knows the program by its command line. Invariant: it passes only if a book, the embedded ledger and the verifier in
//! Python agree about the same traffic.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{
    Verifier,
    days::{days_ago, now_s},
    service::{Installation, Numbers, Service, show},
};
use crate::{
    shell,
    tarifa::{Tarifa, result_of},
};

const EVENTS: u32 = 20_000;
const PARTITIONS: u32 = 4;
/// The traffic begins so long ago, and ends early enough for every conversation to be over.
const DAYS_AGO: u64 = 5;
const DAYS: u64 = 2;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(180);

/// Goes the whole way. True if all that was to agree agreed.
pub(crate) fn run(brokers: &str) -> Result<bool> {
    let verifier = Verifier::prepare()?;
    let mut build = shell::cargo();
    ensure!(shell::passes(build.args(["build", "-p", "tarifa"]))?, "the build failed: mend it first");
    let work = tempfile::tempdir()?;
    let trial = Trial {
        installation: Installation {
            tarifa: Tarifa::at(&shell::target_directory()?.join("debug/tarifa")),
            brokers: brokers.to_owned(),
            prefix: format!("trial-{}.", now_s()),
        },
        tariff: shell::root().join("deploy/trial/tariff"),
        work: work.path(),
    };
    trial.go(&verifier)
}

struct Trial<'a> {
    installation: Installation,
    tariff: PathBuf,
    work: &'a Path,
}

impl Trial<'_> {
    fn go(&self, verifier: &Verifier) -> Result<bool> {
        let traffic = self.work.join("traffic.pb");
        let (events, days) = (EVENTS.to_string(), DAYS.to_string());
        let start = days_ago(DAYS_AGO);
        let options = [
            "generate",
            "--events",
            &events,
            "--threads",
            "600",
            "--accounts",
            "2",
            "--days",
            &days,
            "--start",
            &start,
            "--statuses",
            "--format",
            "protobuf",
            "--out",
        ];
        show(self.installation.tarifa.command(&options).arg(&traffic))?;

        // Without Kafka: what the same traffic has to come to.
        let project = self.work.join("project");
        let tick = format!("{}T00:00:00Z", days_ago(1));
        let mut embedded = self.installation.tarifa.project(&traffic, &project);
        show(embedded.args(["--until", &tick, "--tariff"]).arg(&self.tariff))?;

        self.installation.create_topics(PARTITIONS)?;
        let mut service = self.start(&project.join("secret"))?;
        show(self.installation.command(&["publish"]).arg(&traffic))?;
        drained(&mut service)?;
        service.stop()?;

        let book = self.work.join("book");
        show(self.installation.command(&["collect"]).arg("--data").arg(&book))?;
        let digests =
            |data: &Path| result_of(&mut self.installation.tarifa.on(data, &["verify", "--format", "csv"]));
        let collected = digests(&book)?;
        println!("{}", String::from_utf8_lossy(&collected).trim_end());
        let agree = collected == digests(&project)?;
        println!("{}", if agree { "digests of book and embedded ledger: equal" } else { "digests DIFFER" });
        let billed = self.invoices(&[&book, &project], &collected)?;
        let verified =
            shell::passes(&mut verifier.command(&self.installation.brokers, &self.installation.prefix))?;
        Ok(agree && billed && verified)
    }

    /// Prints the invoice of the first account and month that digests name. True if it is the same from all directories.
    fn invoices(&self, directories: &[&Path], digests: &[u8]) -> Result<bool> {
        let text = String::from_utf8_lossy(digests);
        let mut fields = text.lines().nth(1).context("the book has no account")?.split(',');
        let (account, period) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let invoice = ["invoice", "--account", account, "--period", period];
        let mut lines = Vec::new();
        for directory in directories {
            lines
                .push(result_of(self.installation.tarifa.on(directory, &invoice).args(["--format", "csv"]))?);
        }
        let agree = lines.windows(2).all(|pair| pair[0] == pair[1]);
        show(&mut self.installation.tarifa.on(directories[0], &invoice))?;
        println!("{}", if agree { "lines of both invoices: equal" } else { "lines of the invoices DIFFER" });
        Ok(agree)
    }

    fn start(&self, secret: &Path) -> Result<Service> {
        let mut command = self.installation.run("trial");
        command.args(["--tick-interval-ms", "2000", "--secret"]).arg(secret);
        command.arg("--data").arg(self.work.join("service")).arg("--tariff").arg(&self.tariff);
        eprintln!("$ {command:?} &");
        Service::start(&mut command)
    }
}

/// Waits until everything that was sent is billed, every conversation closed, and everything booked published.
fn drained(service: &mut Service) -> Result<()> {
    let ticks = |numbers: &Numbers| numbers.sum("tarifa_records_total{disposition=\"control\"}");
    let booked = |numbers: &Numbers| numbers.sum("tarifa_records_total") >= f64::from(EVENTS);
    let numbers = service.wait(DRAIN_TIME_MAX, "all events were billed", booked)?;
    // The next tick but one of each partition was sent after the last event.
    let enough = ticks(&numbers) + f64::from(2 * PARTITIONS + 1);
    service.wait(DRAIN_TIME_MAX, "time had passed on every partition", |numbers| ticks(numbers) >= enough)?;
    service.wait(DRAIN_TIME_MAX, "everything was published", Numbers::is_settled)?;
    Ok(())
}
