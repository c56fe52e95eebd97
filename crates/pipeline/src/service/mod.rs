//! The service: consumes a partitioned log, projects, commits, and publishes exactly once.
//!
//! Knows nothing of rdkafka, of sled's types or of HTTP: logs and topics are ports. Five kinds of threads pass things on
//! in one direction: consuming, projecting, committing, publishing; opening beside them.
//! Invariant: what is published was committed before, and what was published before is never published again.

mod belonging;
mod books;
mod commit;
mod configure;
mod consume;
mod error;
mod folding;
mod intake;
mod metrics;
mod open;
mod outbox;
mod outgoing;
mod partitioner;
mod pins;
pub mod ports;
mod project;
mod publish;
mod restore;
pub mod resubmission;
mod snapshot;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{channel, sync_channel},
    },
    thread::{self, Scope, ScopedJoinHandle},
    time::Duration,
};

use ledger::{
    ConfigStore, DataDir, Ledger, Quarantine, Secret, UserDirectory,
    store::{SledStore, Store},
};
use tariff::Configuration;

pub use books::{PartitionBooks, ServiceBooks, is_service_directory};
pub use error::ServiceError;
pub use intake::thread_key;
pub use metrics::{Histogram, LATENCY_MS, Metrics, MetricsSnapshot, PartitionMetrics, Phase};
pub use outgoing::header;
pub use partitioner::partition_of;

use commit::Committing;
use configure::Without;
use consume::{Consuming, Releasing};
use open::Opening;
use outgoing::Names;
use ports::{Broker, EventLog, Ownership, Place, PortError};
use project::Projecting;
use publish::{Board, Publishing};
use snapshot::Snapshots;
use watch::{Found, Watch};

/// Batches that may wait for the projecting thread: of up to 4,096 records, so that reading goes on while a checkpoint is
/// written.
const BATCHES_WAITING: usize = 48;
/// Publishing threads at most: ending a transaction waits for the broker, so that several pay even on one core.
const PUBLISHERS: u32 = 16;

/// How the service is run.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// The installation's unique name: part of every transactional id.
    pub app: String,
    /// Directory of ledger and checkpoints, of this instance alone.
    pub data: PathBuf,
    /// File with the installation's secret, the same for all instances; in the data directory if absent.
    pub secret: Option<PathBuf>,
    /// Names of the topics that are written to.
    pub topics: Topics,
    /// How often what came is committed.
    pub commit_interval: Duration,
    /// How often what was committed is published.
    pub publish_interval: Duration,
    /// How often each partition gets a tick.
    pub tick_interval: Duration,
    /// Folder that all instances share, for snapshots; none if there are to be none.
    pub snapshots: Option<PathBuf>,
    /// How often a partition's snapshot is written, if it has changed.
    pub snapshot_interval: Duration,
    /// Records that all partitions together may have to fold again after a restart: with so many, the state of one is
    /// written.
    pub checkpoint_records: u64,
    /// What a topic without a configuration adopts.
    pub configuration: Arc<Configuration>,
    /// Whether the topic must have adopted just this.
    pub configuration_is_explicit: bool,
    /// Whether a ledger topic that has lost its end is written again from this directory: the same entries under the same
    /// numbers, which consumers that have seen them pass over.
    pub republish_ledger: bool,
}

/// Names of the topics that are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Every entry.
    pub ledger: String,
    /// Entries about money.
    pub charges: String,
    /// Originals of quarantined records.
    pub dead_letter: String,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            ledger: "billing.ledger.v1".to_owned(),
            charges: "billing.charges.v1".to_owned(),
            dead_letter: "billing.deadletter.v1".to_owned(),
        }
    }
}

/// Runs the service until `stop` is set, then lets everything come to rest. `join` makes this a member of the group; it is
/// told the name that the data directory keeps for this instance.
///
/// # Errors
/// The directory, topics or broker cannot be used, or a part of the service failed as a whole. A single partition that
/// cannot go on stops by itself, and is shown in `metrics`.
pub fn run(
    options: &ServiceOptions,
    broker: &Arc<dyn Broker>,
    join: impl FnOnce(Arc<dyn Ownership>, &str) -> Result<Box<dyn EventLog>, PortError>,
    metrics: &Arc<Metrics>,
    stop: &AtomicBool,
) -> Result<(), ServiceError> {
    let place = broker.place()?;
    let dir = DataDir::open(&options.data, true)?;
    if dir.has_begun()? {
        return Err(ServiceError::EmbeddedDirectory { path: dir.root().to_owned() });
    }
    if crate::book::is_book(dir.root()) {
        return Err(crate::error::PipelineError::BookDirectory { path: dir.root().to_owned() }.into());
    }
    let instance = books::mark(&dir)?;
    let secret = Secret::open_or_create(options.secret.as_deref().unwrap_or(&dir.secret()))?;
    let store = open_store(&dir)?;
    let mut ledger = Ledger::open(store, secret.fingerprint())?;
    pins::check_place(ledger.reader(), &place, &options.app)?;
    ledger.put_sources(&[pins::place_row(&place, &options.app)])?;
    let without = configure::ensure(
        ledger.reader(),
        &**broker,
        &place,
        &options.configuration,
        options.configuration_is_explicit,
    )?;
    let parts = Parts { options, broker, place, dir: &dir, secret, metrics, without };
    let ended = parts.run(ledger, |ownership| join(ownership, &instance), stop);
    if let Err(error) = &ended {
        metrics.stopped(&error.to_string());
    }
    ended
}

struct Parts<'a> {
    options: &'a ServiceOptions,
    broker: &'a Arc<dyn Broker>,
    place: Place,
    dir: &'a DataDir,
    secret: Secret,
    metrics: &'a Arc<Metrics>,
    without: Without,
}

impl Parts<'_> {
    fn run<S: Store + 'static>(
        self,
        ledger: Ledger<S>,
        join: impl FnOnce(Arc<dyn Ownership>) -> Result<Box<dyn EventLog>, PortError>,
        stop: &AtomicBool,
    ) -> Result<(), ServiceError> {
        let Self { options, broker, place, dir, secret, metrics, without } = self;
        let reader = ledger.reader().clone();
        let (to_project, batches) = sync_channel(BATCHES_WAITING);
        let (to_commit, shares) = sync_channel(2);
        let (confirm, confirmed) = channel();
        let (trouble, troubles) = channel();
        let (to_group, progress) = channel();
        let releasing = Arc::new(Releasing { to_project });
        let log = join(Arc::clone(&releasing) as Arc<dyn Ownership>)?;
        let names = Names {
            source: format!("/tarifa/{}/{}", options.app, place.input),
            ledger: options.topics.ledger.clone(),
            charges: options.topics.charges.clone(),
            dead_letter: options.topics.dead_letter.clone(),
        };
        let snapshots = options.snapshots.as_deref().map(|shared| Snapshots::new(shared, &options.app));
        let opening = Opening {
            reader: reader.clone(),
            broker: Arc::clone(broker),
            state: dir.state(),
            configs: ConfigStore::new(dir.config()),
            place: place.clone(),
            given: Arc::clone(&options.configuration),
            without,
            tick_interval: options.tick_interval,
            metrics: Arc::clone(metrics),
            snapshots: snapshots.clone(),
            to_commit: to_commit.clone(),
            secret: secret.fingerprint(),
            configs_folder: dir.config(),
            keeping: Mutex::new(()),
            republish_ledger: options.republish_ledger,
        };
        let users = UserDirectory::new(&dir.users());
        // A service that cannot keep its users ends before it reads anything.
        users.check()?;
        let quarantine = Quarantine::open(&dir.quarantine())?;
        let board = Arc::new(Board::default());
        thread::scope(|scope| {
            let mut to_publish = Vec::new();
            for _ in 0..PUBLISHERS.min(place.partitions.max(1)) {
                let (send, told) = channel();
                to_publish.push(send);
                let publishing = Publishing {
                    reader: reader.clone(),
                    broker: Arc::clone(broker),
                    names: names.clone(),
                    input: place.input.clone(),
                    interval: options.publish_interval,
                    tick_interval: options.tick_interval,
                    metrics: Arc::clone(metrics),
                    trouble: trouble.clone(),
                    progress: to_group.clone(),
                    board: Arc::clone(&board),
                    outboxes: BTreeMap::new(),
                };
                spawn(scope, "publish", move || publishing.run(&told));
            }
            let (ended, found) = (Arc::new(AtomicBool::new(false)), Arc::new(Found::default()));
            let watch = Watch {
                broker: Arc::clone(broker),
                reader: reader.clone(),
                place: place.clone(),
                metrics: Arc::clone(metrics),
                ended: Arc::clone(&ended),
                found: Arc::clone(&found),
                trouble: trouble.clone(),
                republish_ledger: options.republish_ledger,
            };
            spawn(scope, "watch", move || watch.run());
            let to_snapshots = snapshots.map(|snapshots| {
                let (to_snapshots, set_aside) = channel();
                let configs = dir.config();
                spawn(scope, "snapshot", move || snapshot::run(&snapshots, &configs, &set_aside));
                to_snapshots
            });
            let committing = Committing {
                ledger,
                users,
                quarantine,
                encoders: BTreeMap::new(),
                board,
                to_publish,
                confirmed: confirm,
                secret: secret.fingerprint(),
                metrics: Arc::clone(metrics),
            };
            let committing = spawn(scope, "commit", move || committing.run(&shares));
            let projecting = Projecting {
                commit_interval: options.commit_interval,
                checkpoint_records: options.checkpoint_records,
                to_commit,
                commits_waiting: Arc::new(AtomicUsize::new(0)),
                confirmed,
                to_snapshots,
                snapshot_interval: options.snapshot_interval,
                next_snapshot: BTreeMap::new(),
                trouble,
                foldings: BTreeMap::new(),
            };
            let projecting = spawn(scope, "project", move || projecting.run(&batches));
            let consuming = Consuming {
                log,
                opening: Arc::new(opening),
                partitions: place.partitions,
                secret,
                releasing,
                metrics: Arc::clone(metrics),
                trouble: troubles,
                progress,
                found,
                stop,
                intakes: BTreeMap::new(),
                owned: BTreeSet::new(),
                openings: BTreeMap::new(),
            };
            let consumed = consuming.run();
            ended.store(true, Ordering::Relaxed);
            let projected = projecting.join().map_err(|_| ServiceError::ThreadEnded("projecting thread"));
            let committed = committing.join().map_err(|_| ServiceError::ThreadEnded("committing thread"));
            // A failed commit is the cause of whatever the other threads met.
            committed??;
            projected?;
            consumed
        })
    }
}

/// Starts a thread with a name, by which tools that show threads tell them apart.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    run: impl FnOnce() -> T + Send + 'scope,
) -> ScopedJoinHandle<'scope, T> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, run)
        .expect("a handful of threads can be had when the service starts")
}

/// Opens the ledger; one that is damaged is set aside and built again, from the input topic.
fn open_store(dir: &DataDir) -> Result<SledStore, ServiceError> {
    match SledStore::open(&dir.ledger()) {
        Ok(store) => Ok(store),
        Err(error) if error.is_damage() => {
            let aside = dir.set_ledger_aside()?;
            tracing::warn!(aside = %aside.display(), %error, "ledger damaged: set aside, built again from the input topic");
            Ok(SledStore::open(&dir.ledger())?)
        }
        Err(error) => Err(error.into()),
    }
}
