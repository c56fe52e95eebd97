//! `cargo xtask bench`: the table of figures, each a ratio to something measured in the same run.
//!
//! Does not know why the binary is as fast as it is. Invariant: a figure that could not be measured counts as missed.

mod figures;
mod kafka;
mod many_threads;
mod measure;
mod rounds;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::{shell, tarifa::Tarifa};

/// Events by default, as in the traffic that the goals were set for.
const EVENTS_DEFAULT: u64 = 5_000_000;

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Measure this; the program on files by default.
    #[arg(value_enum)]
    only: Option<Only>,
    /// Events of the traffic, one thread for every 25 [default: 5000000, on Kafka 1000000].
    #[arg(long)]
    events: Option<u64>,
    /// Partitions of the topics on Kafka.
    #[arg(long, default_value_t = 8)]
    partitions: u32,
    /// Rounds in which the long commands are measured; the one with the middle ratio counts.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Also 20,000,000 events on 10,000,000 threads, and on 200,000 with as many entries, which needs about 15 GB of disk;
    /// on Kafka, stops with 1,000,000 threads.
    #[arg(long)]
    large: bool,
    /// Folder for the traffic and the ledgers; without it a temporary one.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What else can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// The service on a real broker, against the same client passing everything through.
    Kafka,
}

/// Measures all figures. True if none misses its goal.
pub(crate) fn run(arguments: &BenchArguments) -> Result<bool> {
    if arguments.only == Some(Only::Kafka) {
        return kafka::run(&kafka::Wanted {
            events: arguments.events.unwrap_or(kafka::EVENTS_DEFAULT),
            partitions: arguments.partitions,
            repeat: arguments.repeat.max(1),
            large: arguments.large,
            folder: arguments.folder.clone(),
        });
    }
    let release = shell::build_release(&["tarifa", "xtask"])?;
    let work = work_folder(arguments.folder.as_deref())?;
    let bench = figures::Bench {
        tarifa: Tarifa::at(&release.join("tarifa")),
        release,
        work: work.path().to_owned(),
        events: arguments.events.unwrap_or(EVENTS_DEFAULT),
        repeat: arguments.repeat.max(1),
    };
    let (figures, conditions) = bench.measure(arguments.large)?;
    println!("{conditions}\n\n{}", table::render(&figures));
    Ok(figures.iter().all(table::Figure::is_met))
}

/// A folder of this run's own, in the given one or among temporary ones.
fn work_folder(within: Option<&Path>) -> Result<tempfile::TempDir> {
    match within {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            Ok(tempfile::tempdir_in(folder)?)
        }
        None => Ok(tempfile::tempdir()?),
    }
}
