//! One broker with its data: formatting, starting in the background, stopping.
//!
//! Does not know what it is started for. Invariant: only a process that runs from this node's own settings is stopped.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{ask, jars};
use crate::shell;

const START_TIME_MAX: Duration = Duration::from_secs(60);
const STOP_TIME_MAX: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// A broker of this checkout, by its name.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    target: PathBuf,
    home: PathBuf,
}

impl Node {
    pub(crate) fn named(name: &str) -> Result<Self> {
        let fits = |character: char| character.is_ascii_alphanumeric() || character == '-';
        ensure!(
            !name.is_empty() && name.chars().all(fits),
            "`{name}` is no name for a node: letters, digits and -"
        );
        let target = shell::target_directory()?;
        let home = target.join("kafka").join(format!("node-{name}"));
        Ok(Self { target, home })
    }

    /// Starts the broker, or finds it running. With no port a free one is taken, and kept for as long as the data is. It
    /// tells its clients to come to the port `advertised`, where something else may stand in between; its own by default.
    pub(crate) fn up(&self, port: Option<u16>, advertised: Option<u16>) -> Result<SocketAddr> {
        let known = self.port();
        if let (Some(known), Some(asked)) = (known, port) {
            ensure!(
                known == asked,
                "this node has port {known}: `cargo xtask kafka down` first, or ask for that port"
            );
        }
        let jars = jars::fetch(&self.target)?;
        let address = match known {
            Some(port) => local(port),
            None => self.format(&jars, port, advertised)?,
        };
        if self.process().is_none() {
            self.start(&jars)?;
        }
        self.wait_until_it_answers(address)?;
        Ok(address)
    }

    /// Stops the broker, and removes its data unless it is to be kept. False if nothing was there.
    pub(crate) fn down(&self, keep: bool) -> Result<bool> {
        let there = self.home.exists();
        self.stop("-TERM")?;
        if there && !keep {
            fs::remove_dir_all(&self.home)
                .with_context(|| format!("cannot remove {}", self.home.display()))?;
        }
        Ok(there)
    }

    /// Ends the broker as a power cut would. `up` starts it again with its data.
    pub(crate) fn kill(&self) -> Result<()> {
        self.stop("-KILL")
    }

    /// Lets the broker fall silent without ending: it keeps its connections, and answers nobody.
    pub(crate) fn freeze(&self) -> Result<()> {
        send("-STOP", self.running()?)
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        send("-CONT", self.running()?)
    }

    fn running(&self) -> Result<u32> {
        self.process().context("this node is not running: `cargo xtask kafka up` starts it")
    }

    fn stop(&self, signal: &str) -> Result<()> {
        let Some(process) = self.process() else { return Ok(()) };
        send(signal, process)?;
        // One that is frozen hears of it only then.
        send("-CONT", process)?;
        let begun = Instant::now();
        while self.process().is_some() {
            if begun.elapsed() > STOP_TIME_MAX {
                send("-KILL", process)?;
            }
            ensure!(begun.elapsed() < STOP_TIME_MAX * 2, "the broker, process {process}, does not end");
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn settings(&self) -> PathBuf {
        self.home.join("server.properties")
    }

    fn port(&self) -> Option<u16> {
        fs::read_to_string(self.home.join("port")).ok()?.trim().parse().ok()
    }

    /// The running broker. None if there is none, or if its number has gone to another program since.
    fn process(&self) -> Option<u32> {
        let process = fs::read_to_string(self.home.join("pid")).ok()?.trim().parse().ok()?;
        let ours = self.settings();
        command_line(process)?.contains(&*ours.to_string_lossy()).then_some(process)
    }

    fn format(&self, jars: &Path, port: Option<u16>, advertised: Option<u16>) -> Result<SocketAddr> {
        let data = self.home.join("data");
        if data.exists() {
            // A first start that was cut short.
            fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        let (port, controller) = match port {
            Some(port) => (port, port.checked_add(1).context("the port after the last one is needed too")?),
            None => two_free_ports()?,
        };
        fs::write(self.settings(), properties((port, controller), advertised, &data))?;
        let mut id = java(jars);
        id.args(["kafka.tools.StorageTool", "random-uuid"]).stderr(Stdio::null());
        let cluster = String::from_utf8(id.output().context("cannot start java")?.stdout)?;
        let mut format = java(jars);
        format.args(["kafka.tools.StorageTool", "format", "-t", cluster.trim(), "-c"]).arg(self.settings());
        let said = format.output().context("cannot start java")?;
        let words = String::from_utf8_lossy(&said.stderr);
        ensure!(said.status.success(), "Kafka cannot format {}: {}", data.display(), words.trim());
        // Last, so that a node without it is formatted again.
        fs::write(self.home.join("port"), port.to_string())?;
        Ok(local(port))
    }

    fn start(&self, jars: &Path) -> Result<()> {
        let log = fs::File::create(self.home.join("broker.log"))?;
        let broker = java(jars);
        // The shell closes what the caller has open: a lock it holds by such a handle would otherwise be held for as
        // long as the broker runs.
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec \"$@\"", "sh"]);
        shell.arg(broker.get_program()).args(broker.get_args());
        shell.args(["-Xmx1g", "-Xms256m", "kafka.Kafka"]).arg(self.settings());
        shell.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A group of its own: Ctrl-C on the command that started it is not meant for it.
        shell.process_group(0);
        let child = shell.spawn().context("cannot start java")?;
        fs::write(self.home.join("pid"), child.id().to_string())?;
        Ok(())
    }

    fn wait_until_it_answers(&self, address: SocketAddr) -> Result<()> {
        let begun = Instant::now();
        while !ask::answers(address) {
            let log = self.home.join("broker.log");
            if self.process().is_none() && begun.elapsed() > Duration::from_secs(2) {
                bail!("the broker ended by itself; the end of {}:\n{}", log.display(), end_of(&log));
            }
            let late = begun.elapsed() > START_TIME_MAX;
            ensure!(!late, "the broker does not answer at {address}; see {}", log.display());
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

fn java(jars: &Path) -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(jars.join("*"));
    command.arg("-Dorg.slf4j.simpleLogger.showDateTime=true");
    command
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Both are held until both are known, so that they differ.
fn two_free_ports() -> Result<(u16, u16)> {
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

/// One node that is broker and controller, quick to start and to rebalance, with transactions. Its controller takes a
/// broker that was killed back only when the session of the old one has run out.
fn properties((port, controller): (u16, u16), advertised: Option<u16>, data: &Path) -> String {
    let advertised = advertised.unwrap_or(port);
    format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
",
        data.display()
    )
}

/// The program and arguments of a process, if it runs.
fn command_line(process: u32) -> Option<String> {
    let proc = Path::new("/proc").join(process.to_string());
    if let Ok(line) = fs::read(proc.join("cmdline")) {
        // A process that has ended and was not waited for has an empty line.
        return Some(String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| !line.is_empty());
    }
    let mut ps = Command::new("ps");
    ps.args(["-ww", "-o", "args=", "-p", &process.to_string()]).stderr(Stdio::null());
    let said = ps.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&said.stdout).into_owned())
}

fn send(signal: &str, process: u32) -> Result<()> {
    // It may have ended in between: whoever asked looks again.
    let mut kill = Command::new("kill");
    kill.args([signal, &process.to_string()]).stderr(Stdio::null());
    kill.status().context("cannot start kill")?;
    Ok(())
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_name_both_ports_and_the_data() {
        let text = properties((9092, 9093), Some(7), Path::new("target/data"));
        for line in [
            "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
            "advertised.listeners=PLAINTEXT://127.0.0.1:7",
            "controller.quorum.voters=1@127.0.0.1:9093",
            "log.dirs=target/data",
            "auto.create.topics.enable=false",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}");
        }
    }

    #[test]
    fn a_process_number_that_another_program_has_now_is_not_ours() {
        let place = tempfile::tempdir().unwrap();
        let node = Node { target: place.path().to_owned(), home: place.path().to_owned() };
        assert_eq!(node.process(), None, "none was started");
        fs::write(place.path().join("pid"), std::process::id().to_string()).unwrap();
        assert!(command_line(std::process::id()).is_some());
        assert_eq!(node.process(), None, "it runs, but not from these settings");
    }

    #[test]
    fn a_name_stays_within_its_folder() {
        for name in ["", "../main", "a b"] {
            assert!(Node::named(name).unwrap_err().to_string().contains("no name for a node"));
        }
    }
}
