//! The entries about one conversation.
//!
//! Invariant: entries are found by following the link that each has to the one before, never by reading them all.

use ledger::{LedgerError, LedgerReader, store::SledStore};
use model::{Entry, PartitionId, Sequence};

use crate::{commands::directory::failure, failure::Failure};

/// All entries about a conversation, oldest first. `last` is the newest of them.
pub(crate) fn entries_about(
    ledger: &LedgerReader<SledStore>,
    partition: PartitionId,
    last: Sequence,
) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    let mut next = last;
    while next != Sequence(0) {
        let read = ledger.entry(partition, next);
        let found = read.map_err(|error: LedgerError| failure(error.into()))?;
        let before = found.as_ref().and_then(|entry| Some(entry.body.conversation()?.previous_about));
        let (Some(entry), Some(before)) = (found, before.filter(|before| *before < next)) else {
            return Err(Failure::bad_data(format!(
                "entry {} is not about the conversation that names it",
                next.0
            ))
            .hint("check the ledger with `tarifa verify`"));
        };
        entries.push(entry);
        next = before;
    }
    entries.reverse();
    Ok(entries)
}
