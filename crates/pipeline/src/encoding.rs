//! The threads behind the one that projects: one encodes and chains entries as they are booked, so that of what is to be
//! committed only packed blocks wait, and one commits.
//!
//! Invariant: what is committed with a group is what was handed on between the group before and its own end.

use std::{
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

use ledger::{EntryEncoder, store::Store};
use model::Entry;
use projector::{ProjectError, Projected};

use crate::{
    commit::{Committer, ForCommit},
    error::PipelineError,
    group::{Handed, Ready},
    threads::joined,
};

/// Lists of some thousand entries that wait to be encoded.
const QUEUE_HANDED: usize = 2;
/// Groups, entries or blocks that wait for the thread that commits.
const QUEUE_COMMIT: usize = 1;
/// Bytes of blocks at which they are stored ahead of their commit.
pub(crate) const AHEAD_BYTES: usize = 16 << 20;

/// Runs the threads that encode and commit beside `project`, which hands on to them.
///
/// # Errors
/// That of the thread that commits before that of the one that encodes, and either before that of `project`: it is the
/// cause of what the others met.
pub(crate) fn encode_and_commit<S: Store, T>(
    committer: Committer<'_, S>,
    encoder: EntryEncoder,
    ahead_bytes: usize,
    project: impl FnOnce(Onward) -> Result<T, PipelineError>,
) -> Result<T, PipelineError> {
    let (to_commit, coming) = sync_channel(QUEUE_COMMIT);
    let (to_encode, handed) = sync_channel(QUEUE_HANDED);
    let (give_back, empty) = channel();
    let encoding = Encoding { encoder, ahead_bytes, to_commit: to_commit.clone(), give_back };
    thread::scope(|scope| {
        let committing = scope.spawn(move || committer.run(&coming));
        let encoding = scope.spawn(move || encoding.run(&handed));
        let projected = project(Onward { to_encode, to_commit, empty });
        joined(committing, "committing thread")??;
        joined(encoding, "thread that encodes entries")??;
        projected
    })
}

/// From the thread that projects to those that encode and commit, and memory on its way back.
#[derive(Debug)]
pub(crate) struct Onward {
    to_encode: SyncSender<Handed>,
    to_commit: SyncSender<ForCommit>,
    empty: Receiver<Vec<Entry>>,
}

impl Onward {
    /// Hands entries on, and puts an empty list in their place.
    ///
    /// # Errors
    /// The thread that encodes has ended.
    fn entries(&self, entries: &mut Vec<Entry>) -> Result<(), PipelineError> {
        if entries.is_empty() {
            return Ok(());
        }
        let empty = self.empty.try_recv().unwrap_or_default();
        self.to_encode(Handed::Entries(std::mem::replace(entries, empty)))
    }

    /// Hands on the entries that `project` books into `out`, while it does.
    ///
    /// # Errors
    /// Those of `project`; the thread that encodes has ended.
    pub(crate) fn entries_of(
        &self,
        out: &mut Projected,
        project: impl FnOnce(&mut Projected, &mut dyn FnMut(&mut Vec<Entry>)) -> Result<(), ProjectError>,
    ) -> Result<(), PipelineError> {
        let mut handed_on = Ok(());
        let mut hand_on = |entries: &mut Vec<Entry>| {
            if handed_on.is_ok() {
                handed_on = self.entries(entries);
            }
        };
        project(out, &mut hand_on)?;
        hand_on(&mut out.entries);
        handed_on
    }

    /// Hands a group on, all of whose entries have been.
    ///
    /// # Errors
    /// The thread that encodes has ended, or the one that commits.
    pub(crate) fn group(&self, ready: Ready) -> Result<(), PipelineError> {
        self.to_encode(Handed::EndOfGroup)?;
        self.to_commit
            .send(ForCommit::Group(Box::new(ready)))
            .map_err(|_| PipelineError::ThreadEnded("committing thread"))
    }

    fn to_encode(&self, handed: Handed) -> Result<(), PipelineError> {
        self.to_encode.send(handed).map_err(|_| PipelineError::ThreadEnded("thread that encodes entries"))
    }
}

/// Encodes what is handed to it.
#[derive(Debug)]
struct Encoding {
    /// Behind the last entry of the ledger.
    encoder: EntryEncoder,
    ahead_bytes: usize,
    /// To the thread that commits: once for each group, and before that what goes ahead.
    to_commit: SyncSender<ForCommit>,
    /// Back to who projects: memory that is used again need not be asked for.
    give_back: Sender<Vec<Entry>>,
}

impl Encoding {
    /// Encodes all that comes, until there is no more.
    fn run(mut self, handed: &Receiver<Handed>) -> Result<(), PipelineError> {
        for handed in handed {
            let next = match handed {
                Handed::Entries(mut entries) => {
                    self.encoder.add(&entries)?;
                    // Let go of here, while they are still near at hand.
                    entries.clear();
                    // Nobody projects any more: then nobody wants it back.
                    self.give_back.send(entries).ok();
                    self.encoder.take_ahead(self.ahead_bytes).map(ForCommit::Ahead)
                }
                Handed::EndOfGroup => Some(ForCommit::Encoded(Box::new(self.encoder.finish()?))),
            };
            // The thread that commits has ended: it tells why.
            if next.is_some_and(|next| self.to_commit.send(next).is_err()) {
                break;
            }
        }
        Ok(())
    }
}
