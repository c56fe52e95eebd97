//! `cargo xtask bench kafka`: the service on a real broker, held against the same client doing as little as can be.
//!
//! Does not know why the service is as fast as it is. Invariant: both sides of a ratio read the same topic on the same
//! broker, one after the other.

mod figures;
mod moments;
mod stage;

use std::path::PathBuf;

use anyhow::{Result, ensure};

use self::{figures::KafkaBench, stage::Stage};
use super::table;
use crate::{
    kafka::{BROKERS_VARIABLE, Node},
    shell,
    tarifa::Tarifa,
};

/// Events by default: the figures of record are made with `--events 5000000`.
pub(super) const EVENTS_DEFAULT: u64 = 1_000_000;
/// The broker is one of its own, so that nothing else is on it, and goes when the bench ends.
const NODE: &str = "bench";

/// What was asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) events: u64,
    pub(super) partitions: u32,
    /// Rounds of the long measurements, at least 1.
    pub(super) repeat: usize,
    /// A million threads for what depends on how many there are.
    pub(super) large: bool,
    pub(super) folder: Option<PathBuf>,
}

/// Measures all figures. True if none misses its goal.
pub(super) fn run(wanted: &Wanted) -> Result<bool> {
    // Together, as what they share would otherwise be built twice, with other features each.
    let mut build = shell::cargo();
    build.args([
        "build",
        "--release",
        "-p",
        "tarifa",
        "-p",
        "kafka",
        "--bin",
        "tarifa",
        "--example",
        "yardstick",
    ]);
    ensure!(shell::passes(&mut build)?, "the release build failed: mend it first");
    let release = shell::target_directory()?.join("release");
    let work = super::work_folder(wanted.folder.as_deref())?;
    let broker = Broker::find()?;
    let stage = Stage {
        tarifa: Tarifa::at(&release.join("tarifa")),
        yardstick: release.join("examples/yardstick"),
        brokers: broker.address.clone(),
        work: work.path().to_owned(),
    };
    let (figures, conditions) = KafkaBench { stage: &stage, wanted }.measure()?;
    println!("{conditions}\n\n{}", table::render(&figures));
    Ok(figures.iter().all(table::Figure::is_met))
}

/// The broker that is measured on.
struct Broker {
    address: String,
    own: Option<Node>,
}

impl Broker {
    /// The one named by the variable, or else one of our own.
    fn find() -> Result<Self> {
        if let Some(named) = std::env::var(BROKERS_VARIABLE).ok().filter(|named| !named.is_empty()) {
            return Ok(Self { address: named, own: None });
        }
        let node = Node::named(NODE)?;
        // What an earlier bench left, had it ended early.
        node.down(false)?;
        Ok(Self { address: node.up(None, None)?.to_string(), own: Some(node) })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.own.take().map(|node| node.down(false)) {
            eprintln!("the broker of the bench is left: {error:#}");
        }
    }
}
