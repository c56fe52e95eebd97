//! What the service's speed is held against: the same client doing as little as can be with the same topic.
//!
//! `pass-through BROKERS PREFIX OUT_PREFIX` reads the input topic to its end and writes 0.4 records of 200 bytes for each
//! into the ledger topic of another prefix, in transactions of 100 ms. `decode BROKERS PREFIX` reads and decodes.
//! `live BROKERS PREFIX FILE RATE SECONDS` sends events at a rate and tells when their entries become visible.
//! `ledger-count BROKERS PREFIX` tells how many entries are visible.
//!
//! Knows no rules. Invariant: its client has the settings of the service's own. Its allocator is the system's, as what it
//! does allocates little.
#![expect(clippy::print_stdout, reason = "its results are for the bench")]

mod full;
mod live;
mod pass;

use std::{env, error::Error, process::ExitCode, time::Instant};

use kafka::{ClientSettings, TopicNames};

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[&str]) -> Done<()> {
    let begun = Instant::now();
    let [mode, brokers, prefix, rest @ ..] = arguments else {
        return Err("what, on which brokers, with which prefix? see the top of the source".into());
    };
    let (client, names) = (ClientSettings::plain(*brokers), TopicNames::with_prefix(prefix));
    match (*mode, rest) {
        ("pass-through", [out]) => {
            let (records, sent) = pass::run(&client, &names, &TopicNames::with_prefix(out))?;
            println!("records={records}\nsent={sent}\nseconds={}", begun.elapsed().as_secs_f64());
        }
        ("decode", []) => {
            let (records, events) = full::decode(&client, &names)?;
            println!("records={records}\nevents={events}\nseconds={}", begun.elapsed().as_secs_f64());
        }
        ("ledger-count", []) => {
            let mut entries = 0_u64;
            full::read(&client, &names.ledger, |_| {
                entries += 1;
                Ok(())
            })?;
            println!("entries={entries}");
        }
        ("live", [file, rate, seconds]) => {
            let found = live::run(&client, &names, file, rate.parse()?, seconds.parse()?)?;
            println!("{found}");
        }
        _ => return Err(format!("no such measurement, or other arguments: {mode}").into()),
    }
    Ok(())
}
