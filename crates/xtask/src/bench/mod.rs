//! `cargo xtask bench`: the table of figures, each a ratio to something measured in the same run.
//!
//! Does not know why the binary is as fast as it is. Invariant: a figure that could not be measured counts as missed.

mod figures;
mod measure;
mod rounds;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{shell, tarifa::Tarifa};

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Events of the traffic; threads are one for every 25 events.
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,
    /// Rounds in which the long commands are measured; the one with the middle ratio counts.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Also 20,000,000 events on 10,000,000 threads, which needs about 15 GB of disk.
    #[arg(long)]
    large: bool,
    /// Folder for the traffic and the ledgers; without it a temporary one.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Measures all figures. True if none misses its goal.
pub(crate) fn run(arguments: &BenchArguments) -> Result<bool> {
    let release = shell::build_release(&["tarifa", "xtask"])?;
    let work = match &arguments.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            tempfile::tempdir_in(folder)?
        }
        None => tempfile::tempdir()?,
    };
    let bench = figures::Bench {
        tarifa: Tarifa::at(&release.join("tarifa")),
        release,
        work: work.path().to_owned(),
        events: arguments.events,
        repeat: arguments.repeat.max(1),
    };
    let (figures, conditions) = bench.measure(arguments.large)?;
    println!("{conditions}\n\n{}", table::render(&figures));
    Ok(figures.iter().all(table::Figure::is_met))
}
