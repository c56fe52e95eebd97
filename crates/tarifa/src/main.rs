//! The program: reads the command line, does what it says, and ends with the documented exit code.
//!
//! Knows nothing that a command knows. Invariant: a failure is printed here, once, and nowhere else.

mod cli;
mod commands;
mod config;
mod failure;
mod output;
mod progress;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use tikv_jemallocator::Jemalloc;

use crate::{cli::Cli, output::Out};

/// What one thread asks for another gives back: records on their way in and out, and their headers. The usual allocator
/// makes the two wait for each other; the client library, in C, uses this one too.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Out::of_process();
    let ended = cli.run(&mut out).and_then(|()| out.flush());
    // What a command found is shown even where it ends with a failure; a failed flush adds nothing to that.
    out.flush().ok();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let report = failure.report(output::wants_colours(&io::stderr()));
            // Nobody is left to tell if standard error is gone; the exit code remains.
            io::stderr().write_all(report.as_bytes()).ok();
            failure.exit_code()
        }
    }
}
