//! The thread that encodes and chains entries, as they are booked: of what is to be committed only the packed blocks
//! wait.
//!
//! Invariant: a group goes on behind the last of its entries.

use std::sync::mpsc::{Receiver, Sender, SyncSender};

use ledger::{EncodedEntries, EntryEncoder};
use model::Entry;

use crate::{
    error::PipelineError,
    group::{Handed, Ready},
};

/// From the thread that projects to the one that encodes, and memory on its way back.
#[derive(Debug)]
pub(crate) struct Onward {
    pub(crate) hand_on: SyncSender<Handed>,
    pub(crate) empty: Receiver<Vec<Entry>>,
}

impl Onward {
    /// Hands entries on, and puts an empty list in their place.
    pub(crate) fn entries(&self, entries: &mut Vec<Entry>) -> Result<(), PipelineError> {
        if entries.is_empty() {
            return Ok(());
        }
        let empty = self.empty.try_recv().unwrap_or_default();
        self.send(Handed::Entries(std::mem::replace(entries, empty)))
    }

    /// Hands on.
    pub(crate) fn send(&self, handed: Handed) -> Result<(), PipelineError> {
        self.hand_on.send(handed).map_err(|_| PipelineError::ThreadEnded("thread that encodes entries"))
    }
}

/// Encodes what is handed to it, and hands it on to the thread that commits.
#[derive(Debug)]
pub(crate) struct Encoding {
    /// Behind the last entry of the ledger.
    pub(crate) encoder: EntryEncoder,
    /// To the thread that commits.
    pub(crate) to_commit: SyncSender<(Ready, EncodedEntries)>,
    /// Back to who projects: memory that is used again need not be asked for.
    pub(crate) give_back: Sender<Vec<Entry>>,
}

impl Encoding {
    /// Encodes all that comes, until there is no more.
    ///
    /// # Errors
    /// The first that occurs.
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
                Handed::Group(ready) => {
                    let encoded = self.encoder.finish()?;
                    let sent = self.to_commit.send((*ready, encoded));
                    sent.map_err(|_| PipelineError::ThreadEnded("committing thread"))?;
                }
            }
        }
        Ok(())
    }
}
