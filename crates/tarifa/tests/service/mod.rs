//! A service under test: topics of its own on the broker of `TARIFA_TEST_BROKERS`, real processes, and what a reader of
//! the billing topics sees.
//!
//! Invariant: without a broker a test says so, and under `CI=true` it fails.

#![allow(clippy::print_stderr, dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod instance;
mod judge;
pub(crate) mod own_broker;

use std::{
    cell::Cell,
    collections::BTreeMap,
    env, fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use kafka::{
    ClientSettings, Cluster, TopicNames,
    meddling::{Meddler, Stray},
    topics::{self, CreateOptions},
};
use model::{Offset, PartitionId, UnixMillis};
use pipeline::service::ports::Broker as _;
use sim::Dice;

pub(crate) use self::instance::Instance;

const TARIFA: &str = env!("CARGO_BIN_EXE_tarifa");
/// Longer than anything here takes, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(90);

/// Set for the long forms of tests that have one.
pub(crate) fn is_long() -> bool {
    env::var_os("TARIFA_TEST_LONG").is_some()
}

/// What chance comes from in a test, printed so that the same can be had again.
pub(crate) fn dice() -> Dice {
    let seed =
        given_seed().unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs()));
    eprintln!("seed {seed}; the same again with TARIFA_TEST_SEED={seed}");
    Dice::new(seed)
}

fn given_seed() -> Option<u64> {
    env::var("TARIFA_TEST_SEED").ok()?.parse().ok()
}

/// The broker named for tests; nothing where there is none.
pub(crate) fn shared_broker() -> Option<String> {
    let brokers = env::var("TARIFA_TEST_BROKERS").unwrap_or_default();
    if brokers.is_empty() {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "no broker: set TARIFA_TEST_BROKERS");
        eprintln!("LEFT OUT, no broker: `cargo xtask kafka up` starts one and says what to set");
        return None;
    }
    Some(brokers)
}

/// Topics, traffic, and a folder.
pub(crate) struct Place {
    pub(crate) names: TopicNames,
    pub(crate) client: ClientSettings,
    pub(crate) partitions: u32,
    folder: tempfile::TempDir,
    /// How often traffic was made.
    drawn: Cell<u64>,
}

impl Place {
    /// Makes the topics on the broker that all tests share; nothing where there is none.
    pub(crate) fn new(partitions: u32) -> Option<Self> {
        Some(Self::on(shared_broker()?, partitions))
    }

    /// Makes the topics on this broker.
    pub(crate) fn on(brokers: String, partitions: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let since = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros());
        let prefix = format!("r{since}-{}.", COUNT.fetch_add(1, Ordering::Relaxed));
        let (client, names) = (ClientSettings::plain(brokers), TopicNames::with_prefix(&prefix));
        let place =
            Self { names, client, partitions, folder: tempfile::tempdir().unwrap(), drawn: Cell::new(0) };
        place.create_topics();
        place
    }

    /// Makes those of the topics that are not there.
    pub(crate) fn create_topics(&self) {
        let options =
            CreateOptions { partitions: self.partitions as usize, copies: None, input_retention_ms: -1 };
        topics::create(&self.client, &self.names, &options).unwrap();
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
        let lines = self.generate(events);
        self.project(&self.file("traffic.jsonl", &lines));
        let share = lines.len().div_ceil(parts);
        let chunks = lines.chunks(share).enumerate();
        chunks.map(|(number, lines)| self.file(&format!("part-{number}.jsonl"), lines)).collect()
    }

    /// Events of the last days, one on a line, in the order in which they come. Others each time.
    pub(crate) fn generate(&self, events: u32) -> Vec<String> {
        let drawn = self.drawn.get() + 1;
        self.drawn.set(drawn);
        let seed = given_seed().unwrap_or(0).wrapping_add(drawn);
        let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() - 4 * 24 * 60 * 60;
        let start = chrono::DateTime::from_timestamp(since.try_into().unwrap(), 0).unwrap();
        let out = tarifa()
            .args(["generate", "--statuses", "--displaced", "10", "--displaced-by", "6h", "--failed", "3"])
            .args(["--events", &events.to_string(), "--threads", &(events / 20).max(1).to_string()])
            // Early enough for every conversation to be over.
            .args(["--days", "2", "--start", &start.format("%Y-%m-%d").to_string()])
            .args(["--seed", &seed.to_string()])
            .succeeds();
        out.lines().map(str::to_owned).collect()
    }

    /// A file with these lines.
    pub(crate) fn file(&self, name: &str, lines: &[impl AsRef<str>]) -> PathBuf {
        let path = self.path(name);
        let text: String = lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect();
        fs::write(&path, text).unwrap();
        path
    }

    /// Projects a file into the directory that the service is compared with, on top of what is there.
    pub(crate) fn project(&self, file: &Path) {
        tarifa().args(["project", "--data"]).arg(self.path("projected")).arg(file).succeeds();
    }

    /// Somebody with all rights on the cluster.
    pub(crate) fn meddler(&self) -> Meddler {
        Meddler::connect(&self.client).unwrap()
    }

    /// A command with what says where the topics are.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tarifa();
        command.args(arguments);
        command.args(["--brokers", &self.client.brokers, "--topic-prefix", &self.names.prefix]);
        command
    }

    /// Publishes a file of events.
    pub(crate) fn publish(&self, file: &Path) {
        self.command(&["publish"]).arg(file).succeeds();
    }

    /// Starts an instance with a directory of its own.
    pub(crate) fn start(&self, data: &str, more: &[&str]) -> Instance {
        let mut command = self.command(&["run"]);
        command
            .args(["--app", self.app(), "--publish-interval-ms", "50", "--session-timeout-ms", "6000"])
            .arg("--secret")
            .arg(self.path("projected/secret"))
            .arg("--data")
            .arg(self.path(data))
            .args(more);
        if !more.contains(&"--checkpoint-records") {
            command.args(["--checkpoint-records", "2000"]);
        }
        Instance::spawn(&mut command, self.path(&format!("{data}.log")))
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

    /// Lets time pass on every partition, so that each conversation is closed, and waits until that is published.
    pub(crate) fn close_all(&self, instances: &[&Instance]) {
        let tick = wire::tick_to_protobuf(UnixMillis(0));
        let to = |partition| Stray { partition: Some(PartitionId(partition)), key: None, value: Some(&tick) };
        let ticks: Vec<Stray<'_>> = (0..self.partitions).map(to).collect();
        self.meddler().send(&self.names.input, "murmur2_random", &ticks).unwrap();
        self.wait_until_published(instances);
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
}

/// The commands for developers, of this checkout.
fn xtask() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "--package", "xtask", "--bin", "xtask", "--"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
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
