//! `tarifa replay --verify`: the whole log projected again, and compared with the ledger to the byte.

use model::EntryHash;
use pipeline::Difference;

use crate::{
    commands::{
        directory::{DataArgs, show},
        entries,
    },
    config::Config,
    failure::Failure,
    output::{Column, Document, Format, FormatArgs, InCsv, Out, Value},
};

/// Project the event log again from its first record, and compare every entry with the ledger
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa replay --verify --data ./books

The replay uses what was adopted, never today's files. It writes nothing. Ends with 1 where ledger and replay differ,
and shows the first entry that does.")]
pub(crate) struct ReplayArgs {
    /// Compare with the ledger
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Replays, and tells whether it came out the same.
pub(crate) fn run(args: &ReplayArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    if !args.verify {
        return Err(Failure::usage("nothing was said to replay for").hint(
            "tarifa replay --verify compares the ledger with its log; other tariffs cannot be tried yet",
        ));
    }
    let opened = args.data.open(config, out)?;
    let mut bar = out.bar();
    let replayed = opened.replay_verify(&mut |progress| show(&mut bar, &progress));
    drop(bar);
    let replayed = replayed?;
    let outcome = match replayed.difference {
        None => "identical to the byte",
        Some(_) => "differs",
    };
    let mut document = out.document(args.format.format);
    document.record(
        "replay",
        &[
            (Column::number("records"), Value::Count(replayed.records)),
            (Column::number("entries"), Value::Count(replayed.entries)),
            (Column::text("hash").titled("head of the chain"), Value::shown(&replayed.hash)),
            (Column::text("outcome"), Value::text(outcome)),
        ],
    )?;
    if let Some(difference) = &replayed.difference {
        let users = opened.users()?;
        for (name, title, entry) in [
            ("inLedger", "in the ledger", &difference.in_ledger),
            ("inReplay", "in the replay", &difference.in_replay),
        ] {
            side(&mut document, (name, title), args.format.format, entry.as_deref(), &users)?;
        }
    }
    document.finish()?;
    replayed.difference.map_or(Ok(()), |difference| Err(differs(&difference)))
}

fn differs(difference: &Difference) -> Failure {
    let at = difference.sequence.0;
    let what = match (&difference.in_ledger, &difference.in_replay) {
        (None, _) => "the ledger ends before it",
        (_, None) => "the replay ends before it",
        (Some(_), Some(_)) => "the two say different things",
    };
    Failure::differences(format!("ledger and replay differ from entry {at} on: {what}")).hint(
        "the log or the ledger was changed from outside; put the one that is wrong back from your backup",
    )
}

fn side(
    document: &mut Document<'_>,
    (name, title): (&'static str, &'static str),
    format: Format,
    entry: Option<&model::Entry>,
    users: &std::collections::HashMap<model::UserRef, String>,
) -> Result<(), Failure> {
    let mut list = document.list(name, title, entries::columns(format), InCsv::No)?;
    if let Some(entry) = entry {
        let mut canonical = Vec::new();
        wire::encode_entry(entry, &mut canonical);
        let hash: EntryHash = wire::chain_hash(&entry.previous_hash, &canonical);
        entries::row(&mut list, format, entry, &hash, users)?;
    }
    list.finish()
}
