//! An installation on a broker, and a running service of it, as seen from outside: command lines, metrics, signals.
//!
//! Knows nothing of what is proved or measured with it. Invariant: a service that is no longer held has ended.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{shell, tarifa::Tarifa};

/// How soon a service has to end when it is told to.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// Between two looks at the metrics: short against what is measured, long against what a look costs.
const LOOK: Duration = Duration::from_millis(50);
/// Ticks of `/proc` a second.
const TICKS: f64 = 100.0;

/// The topics of one prefix on a broker.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    pub(crate) tarifa: Tarifa,
    pub(crate) brokers: String,
    pub(crate) prefix: String,
}

impl Installation {
    /// A command with what says where its topics are.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.tarifa.command(arguments);
        command.args(["--brokers", &self.brokers, "--topic-prefix", &self.prefix]);
        command
    }

    /// Makes the topics.
    pub(crate) fn create_topics(&self, partitions: u32) -> Result<()> {
        show(&mut self.command(&["topics", "create", "--partitions", &partitions.to_string()]))
    }

    /// `run`, with further arguments to come, and what it logs passed through from warnings on.
    pub(crate) fn run(&self, app: &str) -> Command {
        self.command(&["run", "--app", app, "--log-level", "warn"])
    }
}

/// Runs a command that has to succeed, with its output passed through.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    ensure!(shell::passes(command)?, "that failed; what it said stands above");
    Ok(())
}

/// A running service.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    listen: SocketAddr,
    begun: Instant,
}

impl Service {
    /// Starts `run` with metrics on a port of its own.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let listen = free_address()?;
        command.arg("--listen").arg(listen.to_string()).stdin(Stdio::null()).stdout(Stdio::null());
        let begun = Instant::now();
        let child = command.spawn().context("cannot start the service")?;
        Ok(Self { child, listen, begun })
    }

    /// Since it was started.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Its metrics; an error while it does not answer.
    pub(crate) fn numbers(&self) -> Result<Numbers> {
        let mut stream = TcpStream::connect_timeout(&self.listen, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: xtask\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(Numbers::read(&answer))
    }

    /// Looks at the metrics until they say so.
    pub(crate) fn wait(
        &mut self,
        time_max: Duration,
        what: &str,
        holds: impl Fn(&Numbers) -> bool,
    ) -> Result<Numbers> {
        let begun = Instant::now();
        loop {
            let numbers = self.numbers();
            if let Ok(numbers) = &numbers
                && holds(numbers)
            {
                return Ok(numbers.clone());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended with {status} before {what}");
            }
            if begun.elapsed() > time_max {
                bail!("{} s passed before {what}; last seen: {numbers:?}", time_max.as_secs());
            }
            thread::sleep(LOOK);
        }
    }

    /// CPU time it has used so far, of all its threads; none where there is no `/proc`.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        cpu_of(self.child.id())
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill().context("cannot kill the service")?;
        self.child.wait()?;
        Ok(())
    }

    /// Tells it to stop, and sees that it does within the time that is promised.
    pub(crate) fn stop(mut self) -> Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        told.context("cannot start kill")?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the service ended with {status}");
                return Ok(());
            }
            ensure!(begun.elapsed() <= STOP_TIME_MAX, "the service did not end within ten seconds");
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Whatever went wrong has been told; one that has ended cannot be killed, and that is well.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

/// Metrics by name and labels, as they were at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Numbers(BTreeMap<String, f64>);

impl Numbers {
    pub(crate) fn read(text: &str) -> Self {
        let pairs = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(pairs.collect())
    }

    /// Each labelled value of a metric, or the one with exactly these labels.
    pub(crate) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        let is_of = move |known: &str| {
            known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        self.0.iter().filter(move |(known, _)| is_of(known)).map(|(known, value)| (known.as_str(), *value))
    }

    /// All values of a metric added up.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.of(name).map(|(_, value)| value).sum()
    }

    /// Records committed since the start that are not the service's own.
    pub(crate) fn events(&self) -> f64 {
        self.sum("tarifa_records_total") - self.sum("tarifa_records_total{disposition=\"control\"}")
    }

    /// True if every partition runs, and nothing is booked that is not published.
    pub(crate) fn is_settled(&self) -> bool {
        self.sum("tarifa_ready") > 0.0 && self.sum("tarifa_unpublished_entries") == 0.0
    }
}

/// CPU time of a process and its threads so far, in user and system; none if it is not there.
pub(crate) fn cpu_of(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    cpu_in(&stat)
}

/// The name of a program may have blanks and brackets in it, so that fields are counted from behind it.
fn cpu_in(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) / TICKS))
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE tarifa_ready gauge\ntarifa_ready 1\ntarifa_lag_records{partition=\"0\"} 3\n\
                        tarifa_lag_records{partition=\"1\"} 4\ntarifa_lag_records_of_old 9\n\
                        tarifa_records_total{disposition=\"applied\"} 20\n\
                        tarifa_records_total{disposition=\"control\"} 8\n\
                        tarifa_unpublished_entries{partition=\"0\"} 2\n";

    #[test]
    fn a_metric_is_added_up_over_its_labels_alone() {
        let numbers = Numbers::read(TEXT);
        assert_eq!(numbers.sum("tarifa_lag_records"), 7.0);
        assert_eq!(numbers.sum("tarifa_lag_records{partition=\"1\"}"), 4.0);
        assert_eq!(numbers.sum("tarifa_of_no_such_name"), 0.0);
    }

    #[test]
    fn the_services_own_records_are_no_events() {
        assert_eq!(Numbers::read(TEXT).events(), 20.0);
    }

    #[test]
    fn what_is_booked_and_not_published_is_not_settled() {
        assert!(!Numbers::read(TEXT).is_settled());
        assert!(Numbers::read(&TEXT.replace("} 2\n", "} 0\n")).is_settled());
        assert!(!Numbers::default().is_settled(), "a service that does not answer");
    }

    #[test]
    fn cpu_time_is_found_behind_a_name_with_blanks_and_brackets() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 100 1000 10";
        assert_eq!(cpu_in(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu_in("7 (a"), None);
    }
}
