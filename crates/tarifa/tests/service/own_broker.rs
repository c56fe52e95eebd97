//! A broker that belongs to one test, which may do with it what it likes; and a slow way to it.
//!
//! Invariant: it is gone when the test is over, with its data.

use std::{
    env,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::Duration,
};

use super::xtask;

/// Bytes that go over the slow way at once.
const PIECE: usize = 32 * 1024;

/// A broker.
pub(crate) struct OwnBroker {
    node: String,
    /// Where its clients come to.
    pub(crate) address: String,
}

impl OwnBroker {
    /// Starts it, with clients told to come to it directly; nothing where a broker cannot be started.
    pub(crate) fn up(node: &str) -> Option<Self> {
        Self::up_behind(node, None)
    }

    /// Starts it behind a slow way.
    pub(crate) fn up_behind(node: &str, road: Option<&SlowRoad>) -> Option<Self> {
        super::shared_broker()?;
        let node = format!("test-{node}");
        let mut own = Self { node, address: String::new() };
        own.command("down", &[]);
        let advertise = road.map(|road| road.port.to_string());
        let more: Vec<&str> = advertise.iter().flat_map(|port| ["--advertise", port]).collect();
        let said = own.try_command("up", &more);
        let said = match said {
            Err(why) if env::var("CI").as_deref() != Ok("true") && why.contains("is not here: install") => {
                eprintln!("LEFT OUT, no broker of its own: {why}");
                return None;
            }
            said => said.unwrap(),
        };
        let direct = said.trim().rsplit('=').next().unwrap().to_owned();
        own.address = match road {
            None => direct,
            Some(road) => {
                road.to.store(direct.rsplit(':').next().unwrap().parse().unwrap(), Ordering::Relaxed);
                format!("127.0.0.1:{}", road.port)
            }
        };
        Some(own)
    }

    /// Ends it as a power cut would, and keeps its data.
    pub(crate) fn kill(&self) {
        self.command("down", &["--kill", "--keep"]);
    }

    /// Starts it again with its data.
    pub(crate) fn up_again(&self) {
        self.command("up", &[]);
    }

    /// Lets it fall silent: connections stay, and nobody gets an answer.
    pub(crate) fn freeze(&self) {
        self.command("freeze", &[]);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.command("thaw", &[]);
    }

    fn command(&self, name: &str, more: &[&str]) {
        self.try_command(name, more).unwrap();
    }

    fn try_command(&self, name: &str, more: &[&str]) -> Result<String, String> {
        let out = xtask().args(["kafka", name, "--node", &self.node]).args(more).output().unwrap();
        match out.status.success() {
            true => Ok(String::from_utf8(out.stdout).unwrap()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        if let Err(why) = self.try_command("down", &["--kill"]) {
            eprintln!("the broker {} is left over: {why}", self.node);
        }
    }
}

/// A way to a broker on which every piece of up to 32 KiB takes a while.
pub(crate) struct SlowRoad {
    port: u16,
    to: Arc<AtomicU16>,
}

impl SlowRoad {
    /// Opens it; it leads to the broker that is started behind it.
    pub(crate) fn open(delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let road = Self { port: listener.local_addr().unwrap().port(), to: Arc::default() };
        let to = Arc::clone(&road.to);
        // Both end with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(broker) = TcpStream::connect(("127.0.0.1", to.load(Ordering::Relaxed))) else {
                    continue;
                };
                let back = (broker.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || carry(client, broker, delay));
                thread::spawn(move || carry(back.0, back.1, delay));
            }
        });
        road
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        thread::sleep(delay);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    // Whoever hung up first; the other end may have done so as well.
    from.shutdown(std::net::Shutdown::Both).ok();
    to.shutdown(std::net::Shutdown::Both).ok();
}
