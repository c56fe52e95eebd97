//! `tarifa quarantine`: records that could not be billed, and the way back for them.

mod again;
mod list;
mod resubmit;
mod show;

use crate::{config::Config, failure::Failure, output::Out};

/// Records that could not be billed: list them, show them, submit them again
#[derive(Debug, clap::Subcommand)]
pub(crate) enum QuarantineCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Resubmit(Box<resubmit::ResubmitArgs>),
}

/// Does what was asked for.
pub(crate) fn run(command: QuarantineCommand, config: &Config, out: &mut Out) -> Result<(), Failure> {
    match command {
        QuarantineCommand::List(args) => list::run(&args, config, out),
        QuarantineCommand::Show(args) => show::run(&args, config, out),
        QuarantineCommand::Resubmit(args) => resubmit::run(&args, config, out),
    }
}
