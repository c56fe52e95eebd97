//! `cargo xtask kafka trial`: the whole way once, on a real broker, as a newcomer would go it; also a step of `ci`.
//!
//! Knows the program by its command line. Invariant: it passes only if a book, the embedded ledger and the verifier in
//! Python agree about the same traffic.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};

use super::Verifier;
use crate::{
    shell,
    tarifa::{Tarifa, result_of},
};

const EVENTS: u32 = 20_000;
const PARTITIONS: u32 = 4;
/// The traffic begins so long ago, and ends early enough for every conversation to be over.
const DAYS_AGO: u64 = 5;
const DAYS: u64 = 2;
const DAY_S: u64 = 24 * 60 * 60;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(180);
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(250);

/// Goes the whole way. True if all that was to agree agreed.
pub(crate) fn run(brokers: &str) -> Result<bool> {
    let verifier = Verifier::prepare()?;
    let mut build = shell::cargo();
    ensure!(shell::passes(build.args(["build", "-p", "tarifa"]))?, "the build failed: mend it first");
    let work = tempfile::tempdir()?;
    let trial = Trial {
        tarifa: Tarifa::at(&shell::target_directory()?.join("debug/tarifa")),
        tariff: shell::root().join("deploy/trial/tariff"),
        work: work.path(),
        brokers,
        prefix: format!("trial-{}.", now_s()),
    };
    trial.go(&verifier)
}

struct Trial<'a> {
    tarifa: Tarifa,
    tariff: PathBuf,
    work: &'a Path,
    brokers: &'a str,
    prefix: String,
}

impl Trial<'_> {
    fn go(&self, verifier: &Verifier) -> Result<bool> {
        let traffic = self.work.join("traffic.pb");
        let (events, days) = (EVENTS.to_string(), DAYS.to_string());
        let start = date(now_s() / DAY_S - DAYS_AGO);
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
        self.show(self.tarifa.command(&options).arg(&traffic))?;

        // Without Kafka: what the same traffic has to come to.
        let project = self.work.join("project");
        let tick = format!("{}T00:00:00Z", date(now_s() / DAY_S - 1));
        let mut embedded = self.tarifa.project(&traffic, &project);
        self.show(embedded.args(["--until", &tick, "--tariff"]).arg(&self.tariff))?;

        self.show(&mut self.on_kafka(&["topics", "create", "--partitions", &PARTITIONS.to_string()]))?;
        let listen = free_address()?;
        let mut service = self.start(listen, &project.join("secret"))?;
        let published = self.show(self.on_kafka(&["publish"]).arg(&traffic));
        let drained = published.and_then(|()| drained(listen));
        let stopped = stop(&mut service);
        drained?;
        stopped?;

        let book = self.work.join("book");
        self.show(self.on_kafka(&["collect"]).arg("--data").arg(&book))?;
        let digests = |data: &Path| result_of(&mut self.tarifa.on(data, &["verify", "--format", "csv"]));
        let collected = digests(&book)?;
        println!("{}", String::from_utf8_lossy(&collected).trim_end());
        let agree = collected == digests(&project)?;
        println!("{}", if agree { "digests of book and embedded ledger: equal" } else { "digests DIFFER" });
        let billed = self.invoices(&[&book, &project], &collected)?;
        let verified = shell::passes(&mut verifier.command(self.brokers, &self.prefix))?;
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
            lines.push(result_of(self.tarifa.on(directory, &invoice).args(["--format", "csv"]))?);
        }
        let agree = lines.windows(2).all(|pair| pair[0] == pair[1]);
        self.show(&mut self.tarifa.on(directories[0], &invoice))?;
        println!("{}", if agree { "lines of both invoices: equal" } else { "lines of the invoices DIFFER" });
        Ok(agree)
    }

    fn on_kafka(&self, arguments: &[&str]) -> Command {
        let mut command = self.tarifa.command(arguments);
        command.args(["--brokers", self.brokers, "--topic-prefix", &self.prefix]);
        command
    }

    fn start(&self, listen: SocketAddr, secret: &Path) -> Result<Child> {
        let mut command =
            self.on_kafka(&["run", "--app", "trial", "--log-level", "warn", "--tick-interval-ms", "2000"]);
        command.arg("--listen").arg(listen.to_string()).arg("--secret").arg(secret);
        command.arg("--data").arg(self.work.join("service")).arg("--tariff").arg(&self.tariff);
        eprintln!("$ {command:?} &");
        command.stdout(Stdio::null()).spawn().context("cannot start the service")
    }

    fn show(&self, command: &mut Command) -> Result<()> {
        ensure!(shell::passes(command)?, "that failed; what it said stands above");
        Ok(())
    }
}

/// Waits until everything that was sent is billed, every conversation closed, and everything booked published.
fn drained(listen: SocketAddr) -> Result<()> {
    let ticks = |text: &str| sum_of(text, "tarifa_records_total{disposition=\"control\"}");
    let booked = |text: &str| sum_of(text, "tarifa_records_total") >= u64::from(EVENTS);
    let text = wait(listen, "all events were billed", booked)?;
    // The next tick but one of each partition was sent after the last event.
    let enough = ticks(&text) + 2 * u64::from(PARTITIONS) + 1;
    wait(listen, "time had passed on every partition", |text| ticks(text) >= enough)?;
    let settled = |text: &str| sum_of(text, "tarifa_unpublished_entries") == 0;
    wait(listen, "everything was published", settled).map(|_| ())
}

/// Looks at the metrics until they say so.
fn wait(listen: SocketAddr, what: &str, holds: impl Fn(&str) -> bool) -> Result<String> {
    let begun = Instant::now();
    loop {
        if let Some(text) = metrics(listen).ok().filter(|text| holds(text)) {
            return Ok(text);
        }
        ensure!(begun.elapsed() < DRAIN_TIME_MAX, "three minutes passed before {what}");
        thread::sleep(LOOK);
    }
}

fn metrics(listen: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&listen, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: trial\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// All values of a metric added up, or the one with these labels.
fn sum_of(text: &str, name: &str) -> u64 {
    let of_name =
        text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Tells the service to stop, and sees that it does within the time that is promised.
fn stop(service: &mut Child) -> Result<()> {
    let told = Command::new("kill").args(["-TERM", &service.id().to_string()]).status();
    told.context("cannot start kill")?;
    let begun = Instant::now();
    loop {
        if let Some(status) = service.try_wait()? {
            ensure!(status.success(), "the service ended with {status}");
            return Ok(());
        }
        if begun.elapsed() > STOP_TIME_MAX {
            service.kill()?;
            service.wait()?;
            anyhow::bail!("the service did not end within ten seconds");
        }
        thread::sleep(LOOK);
    }
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

/// The clock: traffic for Kafka has to be of these days, as its records get the broker's time.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A day as `YYYY-MM-DD`, by days since 1970-01-01.
fn date(day: u64) -> String {
    // Years of 400-year eras that begin on a first of March, so that a leap day is the last of its year.
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + carry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (day, text) in
            [(0, "1970-01-01"), (19_024, "2022-02-01"), (19_782, "2024-02-29"), (20_454, "2026-01-01")]
        {
            assert_eq!(date(day), text);
        }
    }

    #[test]
    fn a_metric_is_added_up_over_its_labels_alone() {
        let text = "tarifa_lag_records{partition=\"0\"} 3\ntarifa_lag_records{partition=\"1\"} 4\n\
                    tarifa_lag_records_of_old 9\ntarifa_ready 1\n";
        assert_eq!((sum_of(text, "tarifa_lag_records"), sum_of(text, "tarifa_ready")), (7, 1));
        assert_eq!(sum_of(text, "tarifa_lag_records{partition=\"1\"}"), 4);
    }
}
