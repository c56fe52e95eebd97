//! The command line: what can be typed, and the help that says so.
//!
//! Knows no command's work; the arguments of each are in its own file. Invariant: every command tells in one line what
//! it does and shows an example.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{
    commands::{
        charges, collect, conversations, demo, entries, explain, generate, invoice, project, publish,
        quarantine, replay, run, tariff, topics, verify,
    },
    config::Config,
    failure::Failure,
    output::Out,
};

/// What the top of the help says about exit codes and settings.
const AFTER_HELP: &str = "\
Results go to standard output, everything else to standard error.
Exit codes: 0 done; 1 a check found differences; 2 wrong usage or configuration; 3 bad data;
4 a service it needs is away, or the directory is in use.
Settings come from tarifa.toml, then from TARIFA_… variables, then from options; the last one stands.";

/// Event-sourced billing and conversation ledger for WhatsApp Business traffic
#[derive(Debug, Parser)]
#[command(name = "tarifa", version, after_help = AFTER_HELP, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// File with settings; without it `tarifa.toml` in the current folder, if there is one
    #[arg(long, global = true, env = "TARIFA_CONFIG", hide_env_values = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Run(Box<run::RunArgs>),
    Project(project::ProjectArgs),
    Conversations(conversations::ConversationsArgs),
    Charges(charges::ChargesArgs),
    Entries(entries::EntriesArgs),
    Invoice(invoice::InvoiceArgs),
    Explain(explain::ExplainArgs),
    Verify(verify::VerifyArgs),
    Replay(replay::ReplayArgs),
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    #[command(subcommand)]
    Tariff(tariff::TariffCommand),
    Generate(generate::GenerateArgs),
    Publish(publish::PublishArgs),
    Collect(collect::CollectArgs),
    #[command(subcommand)]
    Topics(topics::TopicsCommand),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// What stopped the command.
    pub(crate) fn run(self, out: &mut Out) -> Result<(), Failure> {
        let config = Config::load(self.config.as_deref())?;
        match self.command {
            Command::Demo(args) => demo::run(&args, out),
            Command::Run(args) => run::run(&args, &config, out),
            Command::Project(args) => project::run(&args, &config, out),
            Command::Conversations(args) => conversations::run(&args, &config, out),
            Command::Invoice(args) => invoice::run(&args, &config, out),
            Command::Explain(args) => explain::run(&args, &config, out),
            Command::Charges(args) => charges::run(&args, &config, out),
            Command::Entries(args) => entries::run(&args, &config, out),
            Command::Verify(args) => verify::run(&args, &config, out),
            Command::Replay(args) => replay::run(&args, &config, out),
            Command::Quarantine(command) => quarantine::run(command, &config, out),
            Command::Tariff(command) => tariff::run(command, &config, out),
            Command::Generate(args) => generate::run(&args, out),
            Command::Collect(args) => collect::run(&args, &config, out),
            Command::Publish(args) => publish::run(&args, &config, out),
            Command::Topics(command) => topics::run(command, &config, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no line of help");
            if command.has_subcommands() {
                command.get_subcommands().for_each(check);
            } else {
                let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(after.starts_with("Example"), "{name} shows no example");
            }
        }
        Cli::command().get_subcommands().for_each(check);
    }
}
