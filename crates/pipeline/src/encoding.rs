//! The thread that encodes and chains entries, as they are booked: of what is to be committed only the packed blocks
//! wait.
//!
//! Invariant: what is committed with a group is what was handed on between the group before and its own end.

use std::sync::mpsc::{Receiver, Sender, SyncSender};

use ledger::{EncodedEntries, EntryEncoder};
use model::Entry;

use crate::{
    error::PipelineError,
    group::{Handed, Ready},
};

/// From the thread that projects to those that encode and commit, and memory on its way back.
#[derive(Debug)]
pub(crate) struct Onward {
    pub(crate) to_encode: SyncSender<Handed>,
    pub(crate) to_commit: SyncSender<Ready>,
    pub(crate) empty: Receiver<Vec<Entry>>,
}

impl Onward {
    /// Hands entries on, and puts an empty list in their place.
    ///
    /// # Errors
    /// The thread that encodes has ended.
    pub(crate) fn entries(&self, entries: &mut Vec<Entry>) -> Result<(), PipelineError> {
        if entries.is_empty() {
            return Ok(());
        }
        let empty = self.empty.try_recv().unwrap_or_default();
        self.to_encode(Handed::Entries(std::mem::replace(entries, empty)))
    }

    /// Hands a group on, all of whose entries have been.
    ///
    /// # Errors
    /// The thread that encodes has ended, or the one that commits.
    pub(crate) fn group(&self, ready: Ready) -> Result<(), PipelineError> {
        self.to_encode(Handed::EndOfGroup)?;
        self.to_commit.send(ready).map_err(|_| PipelineError::ThreadEnded("committing thread"))
    }

    fn to_encode(&self, handed: Handed) -> Result<(), PipelineError> {
        self.to_encode.send(handed).map_err(|_| PipelineError::ThreadEnded("thread that encodes entries"))
    }
}

/// Encodes what is handed to it.
#[derive(Debug)]
pub(crate) struct Encoding {
    /// Behind the last entry of the ledger.
    pub(crate) encoder: EntryEncoder,
    /// To the thread that commits: once for each group.
    pub(crate) encoded: SyncSender<EncodedEntries>,
    /// Back to who projects: memory that is used again need not be asked for.
    pub(crate) give_back: Sender<Vec<Entry>>,
}

impl Encoding {
    /// Encodes all that comes, until there is no more.
    ///
    /// # Errors
    /// Entries that do not follow each other.
    pub(crate) fn run(mut self, handed: &Receiver<Handed>) -> Result<(), PipelineError> {
        while let Ok(handed) = handed.recv() {
            match handed {
                Handed::Entries(mut entries) => {
                    self.encoder.add(&entries)?;
                    // Let go of here, while they are still near at hand.
                    entries.clear();
                    // Nobody projects any more: then nobody wants it back.
                    self.give_back.send(entries).ok();
                }
                Handed::EndOfGroup => {
                    // The thread that commits has ended: it tells why.
                    if self.encoded.send(self.encoder.finish()?).is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}
