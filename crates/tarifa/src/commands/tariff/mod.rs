//! `tarifa tariff …`: what tariffs there are, what is in them, and what is wrong with them.
//!
//! Knows no ledger. Invariant: a tariff that comes with the program and one in a folder are treated alike.

mod check;
mod list;
mod show;
pub(crate) mod source;

use clap::Subcommand;

use crate::{config::Config, failure::Failure, output::Out};

/// Tariffs and rate cards
#[derive(Debug, Subcommand)]
pub(crate) enum TariffCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Check(check::CheckArgs),
}

/// Does what was asked for.
///
/// # Errors
/// What stopped the command.
pub(crate) fn run(command: TariffCommand, config: &Config, out: &mut Out) -> Result<(), Failure> {
    match command {
        TariffCommand::List(args) => list::run(&args, out),
        TariffCommand::Show(args) => show::run(&args, config, out),
        TariffCommand::Check(args) => check::run(&args, config, out),
    }
}
