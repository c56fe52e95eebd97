//! A service under test: topics of its own on the broker of `TARIFA_TEST_BROKERS`, real processes, and what a reader of
//! the billing topics sees.
//!
//! Invariant: without a broker a test says so, and under `CI=true` it fails.

#![allow(clippy::print_stderr, dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use kafka::{
    ClientSettings, Cluster, TopicNames,
    topics::{self, CreateOptions},
};
use model::{EntryHash, EntryKind, Offset, PartitionId};
use pipeline::service::{header, ports::Broker as _};

const TARIFA: &str = env!("CARGO_BIN_EXE_tarifa");
/// Longer than anything here takes, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(90);

/// Topics, traffic, and a folder.
pub(crate) struct Place {
    pub(crate) names: TopicNames,
    pub(crate) client: ClientSettings,
    pub(crate) partitions: u32,
    folder: tempfile::TempDir,
}

impl Place {
    /// Makes the topics; nothing where there is no broker.
    pub(crate) fn new(partitions: u32) -> Option<Self> {
        let brokers = env::var("TARIFA_TEST_BROKERS").unwrap_or_default();
        if brokers.is_empty() {
            assert_ne!(env::var("CI").as_deref(), Ok("true"), "no broker: set TARIFA_TEST_BROKERS");
            eprintln!("LEFT OUT, no broker: `cargo xtask kafka up` starts one and says what to set");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let since = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros());
        let prefix = format!("r{since}-{}.", COUNT.fetch_add(1, Ordering::Relaxed));
        let (client, names) = (ClientSettings::plain(brokers), TopicNames::with_prefix(&prefix));
        let options = CreateOptions { partitions: partitions as usize, copies: None, input_retention_ms: -1 };
        topics::create(&client, &names, &options).unwrap();
        Some(Self { names, client, partitions, folder: tempfile::tempdir().unwrap() })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The installation's name.
    pub(crate) fn app(&self) -> &str {
        self.names.prefix.trim_end_matches('.')
    }

    pub(crate) fn cluster(&self) -> Cluster {
        Cluster::new(self.client.clone(), self.names.clone(), format!("{}.test", self.app()))
    }

    /// Traffic of the last days, in `parts` files. Also projected into a directory, whose secret the service gets.
    pub(crate) fn traffic(&self, events: u32, parts: usize) -> Vec<PathBuf> {
        let file = self.path("traffic.jsonl");
        let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() - 4 * 24 * 60 * 60;
        let start = chrono::DateTime::from_timestamp(since.try_into().unwrap(), 0).unwrap();
        tarifa()
            .args(["generate", "--statuses", "--displaced", "10", "--displaced-by", "6h", "--failed", "3"])
            .args(["--events", &events.to_string(), "--threads", &(events / 20).max(1).to_string()])
            .args(["--start", &start.format("%Y-%m-%d").to_string(), "--out"])
            .arg(&file)
            .succeeds();
        tarifa().args(["project", "--data"]).arg(self.path("projected")).arg(&file).succeeds();
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let share = lines.len().div_ceil(parts);
        let files = lines.chunks(share).enumerate().map(|(number, lines)| {
            let path = self.path(&format!("part-{number}.jsonl"));
            fs::write(&path, lines.join("\n") + "\n").unwrap();
            path
        });
        files.collect()
    }

    /// Publishes a file of events.
    pub(crate) fn publish(&self, file: &Path) {
        let mut command = tarifa();
        command.args(["publish", "--brokers", &self.client.brokers, "--topic-prefix", &self.names.prefix]);
        command.arg(file).succeeds();
    }

    /// Starts an instance with a directory of its own.
    pub(crate) fn start(&self, data: &str, more: &[&str]) -> Instance {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.path(&format!("{data}.log"))).unwrap();
        let mut command = tarifa();
        command
            .args(["run", "--brokers", &self.client.brokers, "--topic-prefix", &self.names.prefix])
            .args(["--app", self.app(), "--listen", &format!("127.0.0.1:{port}")])
            .args([
                "--publish-interval-ms",
                "50",
                "--session-timeout-ms",
                "6000",
                "--checkpoint-records",
                "2000",
            ])
            .arg("--secret")
            .arg(self.path("projected/secret"))
            .arg("--data")
            .arg(self.path(data))
            .args(more);
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Instance { child, port, log: self.path(&format!("{data}.log")) }
    }

    /// Behind the last record of each input partition.
    pub(crate) fn input_ends(&self) -> BTreeMap<u32, u64> {
        let cluster = self.cluster();
        let mut ends = BTreeMap::new();
        for partition in 0..self.partitions {
            let mut end = 0;
            let mut look = |record: pipeline::service::ports::OwnedRecord| {
                end = record.offset.0 + 1;
                ControlFlow::Continue(())
            };
            cluster.read_input(PartitionId(partition), Offset(0), &mut look).unwrap();
            ends.insert(partition, end);
        }
        ends
    }

    /// Waits until these instances have published what the records so far booked.
    pub(crate) fn wait_until_published(&self, instances: &[&Instance]) {
        let ends = self.input_ends();
        let began = Instant::now();
        loop {
            let numbers: Vec<BTreeMap<String, f64>> = instances.iter().map(|one| one.numbers()).collect();
            let done = ends.iter().all(|(partition, end)| {
                let of = |name: &str| {
                    let key = format!("tarifa_{name}{{partition=\"{partition}\"}}");
                    numbers.iter().find_map(|numbers| numbers.get(&key).copied())
                };
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let read = of("next_offset").is_some_and(|next| next >= *end as f64);
                read && of("unpublished_entries") == Some(0.0)
            });
            if done {
                return;
            }
            let logs: String = instances.iter().map(|one| one.log()).collect();
            assert!(began.elapsed() < PATIENCE, "not published in time: {ends:?}\n{numbers:#?}\n{logs}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Reads the ledger topic as any consumer can, and checks that nothing is missing, doubled or altered. Gives how many
    /// entries there are of each kind.
    pub(crate) fn read_ledger(&self) -> BTreeMap<EntryKind, u64> {
        let cluster = self.cluster();
        let mut kinds = BTreeMap::new();
        for partition in 0..self.partitions {
            let (mut sequence, mut hash, mut words) = (0, EntryHash::ZERO, wire::Words::new());
            let mut check = |record: pipeline::service::ports::LedgerRecord| {
                let entry = wire::decode_entry(&record.value, &mut words).unwrap();
                assert_eq!(entry.sequence.0, sequence + 1, "partition {partition}: one missing or doubled");
                assert_eq!(
                    entry.previous_hash,
                    hash,
                    "partition {partition}, entry {}: altered",
                    sequence + 1
                );
                sequence += 1;
                hash = wire::chain_hash(&hash, &record.value);
                let told = record.headers.iter().find(|(name, _)| name == header::SEQUENCE);
                assert_eq!(told.unwrap().1, sequence.to_string().as_bytes());
                *kinds.entry(entry.body.kind()).or_default() += 1;
                ControlFlow::Continue(())
            };
            cluster.read_ledger(PartitionId(partition), Offset(0), &mut check).unwrap();
        }
        kinds
    }

    /// The digests of these directories together have to be those of the projected one.
    pub(crate) fn assert_same_digests(&self, directories: &[&str]) {
        let expected = digests(&self.path("projected"));
        assert!(expected.len() > 1, "there is something to compare");
        let found: Vec<String> = match directories {
            [one] => digests(&self.path(one)),
            several => self.digests_together(several),
        };
        assert_eq!(found, expected);
    }

    /// Of each partition the directory counts that has come furthest.
    fn digests_together(&self, directories: &[&str]) -> Vec<String> {
        let mut books: Vec<pipeline::service::ServiceBooks> = Vec::new();
        for name in directories {
            books.push(pipeline::service::ServiceBooks::read(&self.path(name)).unwrap());
        }
        let furthest: BTreeMap<u32, usize> = (0..self.partitions)
            .map(|partition| {
                let at = |one: &pipeline::service::ServiceBooks| {
                    let found = one.partitions.iter().find(|one| one.partition.0 == partition);
                    found.map_or(Offset(0), |one| one.next_offset)
                };
                (partition, (0..books.len()).max_by_key(|index| at(&books[*index])).unwrap())
            })
            .collect();
        let mut together: Option<pipeline::service::ServiceBooks> = None;
        for (index, name) in directories.iter().enumerate() {
            let mine = |partition: PartitionId| furthest[&partition.0] == index;
            let part = pipeline::service::ServiceBooks::read_partitions(&self.path(name), &mine).unwrap();
            match &mut together {
                None => together = Some(part),
                Some(all) => all.add(part),
            }
        }
        let digests = together.unwrap().into_digests();
        digests
            .iter()
            .map(|one| format!("{},{},{}", one.place.account, one.place.period, one.digest))
            .collect()
    }
}

/// Account, period and digest of a directory.
fn digests(data: &Path) -> Vec<String> {
    let out = tarifa().args(["verify", "--format", "csv", "--data"]).arg(data).succeeds();
    let rows = out.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        format!("{},{},{}", fields[0], fields[1], fields.last().unwrap())
    });
    rows.collect()
}

/// A running instance.
pub(crate) struct Instance {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Instance {
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
        status.code()
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.log())
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
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return BTreeMap::new() };
        let mut text = String::new();
        let asked = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        if asked.and_then(|()| stream.read_to_string(&mut text)).is_err() {
            return BTreeMap::new();
        }
        let pairs = text.lines().filter_map(|line| line.rsplit_once(' '));
        pairs.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect()
    }
}

/// The program, away from settings of whoever runs the tests.
fn tarifa() -> Command {
    let mut command = Command::new(TARIFA);
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).current_dir(env::temp_dir());
    command
}

trait Succeeds {
    /// Runs to the end, which has to be a good one. Gives standard output.
    fn succeeds(&mut self) -> String;
}

impl Succeeds for Command {
    fn succeeds(&mut self) -> String {
        let out = self.output().unwrap();
        assert!(out.status.success(), "{self:?}\n{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}
