//! `tarifa entries`: the ledger, entry by entry.

mod fields;
mod words;

use std::collections::HashMap;

pub(crate) use words::{amount_of, words as in_words};

use model::{Entry, EntryHash, EntryKind, PartitionId, Sequence, UserRef};
use pipeline::PipelineError;

use crate::{
    commands::{books::Books, directory::DataArgs},
    config::{self, Config},
    failure::Failure,
    output::{Column, Format, FormatArgs, List, Out, Value},
};

/// List the entries of the ledger in their order, as they were booked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa entries --data ./books --from 100 --to 200 --kind ConversationCharged

A table says each entry in words. JSON and CSV have all its fields, with its own hash and that of the entry before.")]
pub(crate) struct EntriesArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Entries of this partition only: a book has them all, one after the other
    #[arg(long, value_name = "NUMBER")]
    partition: Option<u32>,
    /// Number of the first entry
    #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
    from: u64,
    /// Number of the last entry [default: the last of the ledger]
    #[arg(long, value_name = "SEQUENCE")]
    to: Option<u64>,
    /// Entries of this kind only, such as ChargeReversed
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    kind: Option<EntryKind>,
    #[command(flatten)]
    format: FormatArgs,
}

const KINDS: [EntryKind; 11] = [
    EntryKind::ConversationOpened,
    EntryKind::ConversationCharged,
    EntryKind::MessageCharged,
    EntryKind::ChargeReversed,
    EntryKind::ConversationRevised,
    EntryKind::ConversationWithdrawn,
    EntryKind::ConversationClosed,
    EntryKind::ProviderVerdict,
    EntryKind::ConsentChanged,
    EntryKind::Configured,
    EntryKind::RecordQuarantined,
];

fn parse_kind(text: &str) -> Result<EntryKind, String> {
    let found = KINDS.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let known = KINDS.map(EntryKind::as_str);
        let lower = known.map(str::to_lowercase);
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let near = config::nearest(text, &lower).and_then(|near| lower.iter().position(|word| *word == near));
        match near {
            Some(index) => format!("no such kind of entry; did you mean {}?", known[index]),
            None => format!("no such kind of entry; there are {}", known.join(", ")),
        }
    })
}

/// Lists them as they are read; each was verified against the chain.
pub(crate) fn run(args: &EntriesArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    if args.to.is_some_and(|to| to < args.from) {
        return Err(
            Failure::usage("--to is before --from").hint("give the number of the first entry to --from")
        );
    }
    let books = args.data.books(config, out)?;
    let users = books.users()?;
    let mut list = out.list(args.format.format, columns(args.format.format))?;
    let mut words = wire::Words::new();
    let last = Sequence(args.to.unwrap_or(u64::MAX));
    let failed = |error| Failure::from(PipelineError::Ledger(error));
    for partition in partitions(args, &books)? {
        for raw in books.ledger().raw_entries(partition, Sequence(args.from)).map_err(failed)? {
            let raw = raw.map_err(failed)?;
            if raw.sequence > last {
                break;
            }
            let entry = wire::decode_entry(&raw.bytes, &mut words).map_err(|error| {
                Failure::bad_data(format!("entry {} cannot be read", raw.sequence.0)).caused_by(error)
            })?;
            if args.kind.is_none_or(|kind| kind == entry.body.kind()) {
                row(&mut list, args.format.format, &entry, &raw.hash, &users)?;
            }
        }
    }
    list.finish()
}

/// All partitions, or the one that was asked for.
fn partitions(args: &EntriesArgs, books: &Books) -> Result<Vec<PartitionId>, Failure> {
    let all = books.partitions();
    let Some(wanted) = args.partition.map(PartitionId) else { return Ok(all) };
    if all.contains(&wanted) {
        return Ok(vec![wanted]);
    }
    Err(Failure::usage(format!("there is no partition {}", wanted.0))
        .hint(format!("there are {}, numbered from 0", all.len())))
}

/// The columns of a list of entries.
pub(crate) fn columns(format: Format) -> Vec<Column> {
    match format {
        Format::Table => words::columns(),
        Format::Json | Format::Csv => fields::columns(),
    }
}

/// Writes an entry as a row under [`columns`].
///
/// # Errors
/// The output cannot be written.
pub(crate) fn row(
    list: &mut List<'_>,
    format: Format,
    entry: &Entry,
    hash: &EntryHash,
    users: &HashMap<UserRef, String>,
) -> Result<(), Failure> {
    match format {
        Format::Table => list.row(&words::row(entry, users)),
        Format::Json | Format::Csv => list.row(&fields::row(entry, hash, users)),
    }
}

/// A number of the user directory, or the reference where it has none.
fn user_of<'u>(user: UserRef, users: &'u HashMap<UserRef, String>) -> Value<'u> {
    users.get(&user).map_or_else(|| Value::shown(&user), |number| Value::text(number.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name_and_a_wrong_one_gets_advice() {
        assert_eq!(parse_kind("chargereversed"), Ok(EntryKind::ChargeReversed));
        assert_eq!(
            parse_kind("ChargeRevised"),
            Err("no such kind of entry; did you mean ChargeReversed?".to_owned())
        );
        assert!(parse_kind("x").unwrap_err().contains("ConversationOpened, ConversationCharged"));
    }
}
