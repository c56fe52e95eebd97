//! A running instance of the service: its metrics, its log, signals to it.
//!
//! Invariant: it has ended when nobody holds it any more.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::PATIENCE;

/// A running instance.
pub(crate) struct Instance {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Instance {
    /// Starts `run` with the arguments that it has, its log behind what is in the file already.
    pub(crate) fn spawn(command: &mut Command, log: PathBuf) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, port, log }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and gives its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        let began = Instant::now();
        let status = self.child.wait().unwrap();
        assert!(began.elapsed() < Duration::from_secs(11), "stopping took {:?}", began.elapsed());
        if !status.success() {
            eprintln!("ended with {status}:\n{}", self.log());
        }
        status.code()
    }

    /// Waits until it ends by itself. Gives its exit code and its log.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), self.log());
            }
            assert!(began.elapsed() < PATIENCE, "it goes on:\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until it has given up so many partitions. Gives what `/readyz` says of them.
    pub(crate) fn stopped(&self, partitions: usize) -> String {
        let began = Instant::now();
        loop {
            let said = self.ask("/readyz").unwrap_or_default();
            if said.matches(": stopped: ").count() == partitions {
                return said;
            }
            assert!(began.elapsed() < PATIENCE, "not stopped in time: {said}\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it owns partitions, and each of them runs.
    pub(crate) fn wait_until_ready(&self) {
        self.wait_for("ready", |numbers| numbers.get("tarifa_ready") == Some(&1.0));
    }

    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn(&BTreeMap<String, f64>) -> bool) {
        let began = Instant::now();
        while !holds(&self.numbers()) {
            assert!(began.elapsed() < PATIENCE, "not {what} in time:\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many partitions it owns.
    pub(crate) fn partitions(&self) -> usize {
        self.numbers().keys().filter(|name| name.starts_with("tarifa_next_offset{")).count()
    }

    /// Its metrics; none while it does not answer.
    pub(crate) fn numbers(&self) -> BTreeMap<String, f64> {
        let text = self.ask("/metrics").unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.rsplit_once(' '));
        pairs.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect()
    }

    fn ask(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; one that has ended cannot be killed, and that is well.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}
