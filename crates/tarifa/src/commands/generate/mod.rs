//! `tarifa generate`: realistic traffic for trials and load.
//!
//! Does not know how traffic is made; that is the generator's. Invariant: the same options give the same bytes on every
//! machine, but for compressed files, whose bytes are the compressor's.

mod encode;
mod share;
mod sink;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    sync::mpsc::sync_channel,
    thread,
};

use clap::ValueEnum;
use model::UnixMillis;
use sim::traffic::{PlanError, TrafficPlan};
use tariff::Date;

use self::{
    encode::{Chunk, encode},
    share::{Length, Share},
    sink::Sink,
};
use crate::{failure::Failure, output::Out, progress::Look};

/// Chunks that wait for the writer: enough to keep both sides busy, little enough to keep memory flat.
const CHUNKS_WAITING: usize = 8;

/// Most phones that a plan takes.
const PHONES_MAX: i128 = 1_000_000;

/// The form of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrafficFormat {
    /// One event a line, as JSON.
    Events,
    /// One webhook body a line, each with up to five events. Consents and template names have no place in it.
    Webhooks,
    /// Events as protobuf, each with its length before it.
    Protobuf,
}

/// Make realistic traffic for trials and load; the same options give the same traffic
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tarifa generate --events 1000000 --statuses --out traffic.jsonl.zst
  tarifa generate --events 20 --format webhooks | tarifa project - --data ./ledger")]
pub(crate) struct GenerateArgs {
    /// Events in all, repeats and statuses included
    #[arg(long, default_value_t = 100_000)]
    events: u64,

    /// Threads among which the messages are spread
    #[arg(long, default_value_t = 5_000)]
    threads: u32,

    /// Days over which the traffic goes
    #[arg(long, default_value_t = 3)]
    days: u32,

    /// First day, from 00:00 UTC
    #[arg(long, value_name = "DATE", value_parser = Date::parse, default_value = "2022-02-01")]
    start: Date,

    /// Another seed gives other traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Share of exact repeats, in per cent of the events: `1`, `0.5`
    #[arg(long, value_name = "PERCENT", default_value = "1")]
    duplicates: Share,

    /// Share of events that arrive later than they should, in whole per cent
    #[arg(long, value_name = "PERCENT", default_value = "2")]
    displaced: Share,

    /// How much later those arrive at most: `90s`, `5m`, `24h`, `2d`
    #[arg(long, value_name = "LENGTH", default_value = "5m")]
    displaced_by: Length,

    /// Share of messages that are older than the horizon of 10 days when they arrive, in per cent
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    late: Share,

    /// Share of business messages with a `failed` status, in per cent; one in four is delivered all the same
    #[arg(long, value_name = "PERCENT", default_value = "0")]
    failed: Share,

    /// Add the statuses sent, delivered and read of business messages
    #[arg(long)]
    statuses: bool,

    /// Accounts; each has at least one business phone
    #[arg(long, default_value_t = 4)]
    accounts: u32,

    /// Form of the traffic
    #[arg(long, value_enum, default_value_t = TrafficFormat::Events)]
    format: TrafficFormat,

    /// File to write, compressed if it ends in .gz or .zst; without it standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Does what was asked for.
///
/// # Errors
/// Options that cannot be met, an output that cannot be written.
pub(crate) fn run(args: &GenerateArgs, out: &mut Out) -> Result<(), Failure> {
    let plan = plan(args)?;
    let traffic = plan.stream().map_err(|error| Failure::usage(in_words_of_the_options(&error)))?;
    let is_binary = args.format == TrafficFormat::Protobuf;
    if args.out.is_none() && is_binary && io::stdout().is_terminal() {
        return Err(Failure::usage("protobuf is not for a terminal")
            .hint("name a file with --out, or pipe standard output on"));
    }
    let mut bar = out.bar();
    let mut sink = Sink::open(args.out.as_deref(), out)?;
    let (format, seed) = (args.format, args.seed);
    let written = thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Chunk>(CHUNKS_WAITING);
        let (returned, spare) = sync_channel::<Vec<u8>>(CHUNKS_WAITING);
        scope.spawn(move || encode(traffic, format, seed, &sender, &spare));
        let (mut events, mut bytes) = (0, 0);
        for chunk in receiver {
            sink.write(&chunk.bytes)?;
            events += chunk.events;
            bytes += chunk.bytes.len() as u64;
            bar.show(&Look {
                stage: "generating",
                records: events,
                entries: 0,
                work_done: events,
                work_total: Some(plan.events),
                bytes: Some(bytes),
            });
            // A full channel means that the other side has buffers enough.
            returned.try_send(chunk.bytes).ok();
        }
        Ok::<_, Failure>(events)
    })?;
    sink.finish()?;
    drop(bar);
    if let Some(path) = &args.out {
        out.note(&format!("{written} events written to {}", path.display()));
    }
    Ok(())
}

fn plan(args: &GenerateArgs) -> Result<TrafficPlan, Failure> {
    let displaced_percent = args.displaced.whole_percent().ok_or_else(|| {
        Failure::usage(format!("--displaced is {}, which is no whole per cent", args.displaced))
            .hint("give a whole number, such as 2")
    })?;
    let phones_default = TrafficPlan::default().phones;
    Ok(TrafficPlan {
        events: args.events,
        threads: args.threads,
        days: args.days,
        start: UnixMillis(args.start.days().saturating_mul(86_400_000)),
        seed: args.seed,
        accounts: args.accounts,
        phones: args.accounts.max(phones_default),
        duplicates_per_mille: args.duplicates.per_mille(),
        displaced_percent,
        displaced_max: args.displaced_by.0,
        late_per_mille: args.late.per_mille(),
        failed_per_mille: args.failed.per_mille(),
        statuses: args.statuses,
        ..TrafficPlan::default()
    })
}

/// The plan speaks of its fields; people typed options.
fn in_words_of_the_options(error: &PlanError) -> String {
    let PlanError::OutOfRange { field, value, low, high } = error;
    let (option, value, low, high) = match *field {
        "duplicates_per_mille" => ("duplicates", value / 10, low / 10, high / 10),
        "late_per_mille" => ("late", value / 10, low / 10, high / 10),
        "failed_per_mille" => ("failed", value / 10, low / 10, high / 10),
        "displaced_percent" => ("displaced", *value, *low, *high),
        // As many phones are planned as accounts, if there are many.
        "phones" | "accounts" => ("accounts", *value, 1, PHONES_MAX),
        "displaced_max" => {
            let days = 86_400_000;
            ("displaced-by in days", value / days, low / days, high / days)
        }
        other => (other, *value, *low, *high),
    };
    format!("--{option} is {value}, which is not between {low} and {high}; choose a value in that range")
}
