//! Commands for developers: `ci` before every push, `soak` and `bench` before every release.
//!
//! Knows nothing of rules or storage: it runs cargo and the `tarifa` binary from outside.
//! Invariant: what a command printed as passed has been run; what could not be run is printed as skipped, never as passed.
#![expect(clippy::print_stdout, reason = "its results are for a terminal")]

mod bench;
mod checks;
mod ci;
mod kafka;
mod python;
mod shell;
mod soak;
mod tarifa;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands for developers of Tarifa.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Formatting, lints, the walls between crates, tidiness, schemas and all tests.
    Ci(ci::CiArguments),
    /// Long proofs: the long tests, kill -9 at random moments, a full disk.
    Soak(soak::SoakArguments),
    /// A real Apache Kafka on this machine, without containers.
    Kafka(kafka::KafkaArguments),
    /// The table of figures, each as a ratio to a yardstick measured in the same run.
    Bench(bench::BenchArguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Ci(arguments) => ci::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Kafka(arguments) => kafka::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
