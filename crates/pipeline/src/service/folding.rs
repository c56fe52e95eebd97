//! One partition's state on the projecting thread: folds batches, and gathers what is to be committed of them.
//!
//! Knows nothing of Kafka. Invariant: records before the ledger's head are folded again and commit nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
    time::Instant,
};

use ledger::{
    ConfigStore, Head, Quarantine, QuarantinedOriginal,
    checkpoint::{CheckpointRef, StateStore},
};
use model::{
    Configured, ContentHash, DispositionCounts, Entry, Offset, PartitionId, Record, RecordContent, Sequence,
    UnixMillis, UserRef,
};
use projector::{Projected, Projector};

use super::{error::ServiceError, intake::Batch};
use crate::{
    checkpoints, error::PipelineError, installation::provide, load::load_missing, project::reason_text,
};

/// What one partition adds to a commit.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) partition: PartitionId,
    pub(crate) from_offset: Offset,
    pub(crate) next_offset: Offset,
    pub(crate) partition_time: UnixMillis,
    pub(crate) record_time: Option<UnixMillis>,
    pub(crate) dispositions: DispositionCounts,
    pub(crate) entries: Vec<Entry>,
    pub(crate) users: Vec<(UserRef, String)>,
    pub(crate) quarantined: Vec<QuarantinedOriginal>,
    pub(crate) config: Option<ContentHash>,
    pub(crate) checkpoint: Option<CheckpointRef>,
    /// The last record, and what the broker must give again in its place.
    pub(crate) last: Option<(Offset, ContentHash)>,
}

/// The configuration that stands first in a partition's log, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstConfiguration {
    pub(crate) offset: Offset,
    pub(crate) record_time: UnixMillis,
    pub(crate) configured: Configured,
}

/// The state of one partition.
#[derive(Debug)]
pub(crate) struct Folding {
    partition: PartitionId,
    topic: String,
    /// Folder of checkpoints.
    folder: PathBuf,
    projector: Projector,
    state: StateStore,
    configs: ConfigStore,
    out: Projected,
    /// How far the ledger was when this began.
    head: Head,
    caught_up: bool,
    share: Share,
    /// What the newest checkpoint knows of.
    saved: (Offset, Sequence),
    saved_at: Instant,
    /// A checkpoint that is written, but not known to be committed.
    unconfirmed: Option<CheckpointRef>,
}

impl Folding {
    /// Goes on from a checkpoint, or from nothing at `first`. `ahead` is the log's first configuration, for a state that
    /// has not adopted it yet.
    ///
    /// # Errors
    /// State or configuration cannot be read.
    #[expect(clippy::too_many_arguments, reason = "all of it is what a partition is")]
    pub(crate) fn new(
        partition: PartitionId,
        topic: String,
        folder: PathBuf,
        (mut projector, state): (Projector, StateStore),
        configs: ConfigStore,
        head: Head,
        first: Offset,
        ahead: Option<FirstConfiguration>,
    ) -> Result<Self, ServiceError> {
        let saved = (projector.next_offset(), projector.sequence());
        if projector.next_offset() == Offset(0) {
            projector.skip_to(first);
        }
        let from = if head.first_offset.is_some() { head.next_offset } else { first };
        let mut folding = Self {
            partition,
            topic,
            folder,
            share: Share::new(partition, from, head.partition_time),
            projector,
            state,
            configs,
            out: Projected::default(),
            caught_up: false,
            head,
            saved,
            saved_at: Instant::now(),
            unconfirmed: None,
        };
        match (folding.projector.configured(), ahead) {
            (Some(adopted), _) => provide(&mut folding.projector, &folding.configs, adopted.content)?,
            (None, Some(ahead)) => folding.adopt_ahead(ahead)?,
            (None, None) => {}
        }
        folding.check_caught_up()?;
        Ok(folding)
    }

    /// What the log adopts first holds from its first record on, wherever it stands (see `adopt_ahead` of the projector).
    fn adopt_ahead(&mut self, ahead: FirstConfiguration) -> Result<(), ServiceError> {
        provide(&mut self.projector, &self.configs, ahead.configured.content)?;
        let record = Record {
            offset: ahead.offset,
            record_time: ahead.record_time,
            content: RecordContent::Configuration(ahead.configured),
        };
        let mut out = Projected::default();
        self.projector.adopt_ahead(&record, ahead.configured, &mut out)?;
        if self.head.sequence == Sequence(0) {
            self.share.entries.append(&mut out.entries);
            self.share.config = Some(ahead.configured.content);
        }
        Ok(())
    }

    /// Where the next record is to be read.
    pub(crate) fn next_offset(&self) -> Offset {
        self.projector.next_offset()
    }

    /// When the newest checkpoint was written, or this began.
    pub(crate) fn saved_at(&self) -> Instant {
        self.saved_at
    }

    /// Records since the newest checkpoint; none while what the ledger has is folded again, as there can be none then.
    pub(crate) fn since_checkpoint(&self) -> u64 {
        if self.caught_up { self.projector.next_offset().0.saturating_sub(self.saved.0.0) } else { 0 }
    }

    /// The words so far.
    pub(crate) fn words(&self) -> &[model::Text] {
        self.projector.words()
    }

    /// Records that wait to be committed.
    pub(crate) fn waiting(&self) -> u64 {
        self.share.dispositions.total()
    }

    /// Folds a batch.
    ///
    /// # Errors
    /// State or configuration cannot be read, or the records lead elsewhere than the ledger says. The state is of no
    /// more use then.
    pub(crate) fn take(&mut self, mut batch: Batch) -> Result<(), ServiceError> {
        for (symbol, word) in &batch.words {
            self.projector.define(*symbol, word);
        }
        for (_, content) in batch.configurations.drain(..) {
            self.configs.keep(&content)?;
        }
        let known = batch.records.partition_point(|record| record.offset < self.head.next_offset);
        for run in runs(&batch.records[..known], 0) {
            self.fold(&batch, run, false)?;
        }
        self.check_caught_up()?;
        for run in runs(&batch.records[known..], known) {
            self.fold(&batch, run, true)?;
        }
        if let Some(record) = batch.records.last().filter(|_| batch.records.len() > known) {
            self.share.last = Some((record.offset, batch.last));
            self.share.record_time = Some(record.record_time);
        }
        Ok(())
    }

    fn check_caught_up(&mut self) -> Result<(), ServiceError> {
        if self.caught_up || self.projector.next_offset() < self.head.next_offset {
            return Ok(());
        }
        self.caught_up = true;
        let (expected, found) = (self.head.sequence, self.projector.sequence());
        if expected != found && self.head.first_offset.is_some() {
            return Err(PipelineError::Diverged { at: self.head.next_offset, expected, found }.into());
        }
        Ok(())
    }

    /// Folds records whose offsets follow each other.
    fn fold(&mut self, batch: &Batch, run: std::ops::Range<usize>, is_new: bool) -> Result<(), ServiceError> {
        let records = &batch.records[run.clone()];
        let Some(first) = records.first() else { return Ok(()) };
        self.projector.skip_to(first.offset);
        for record in records {
            if let RecordContent::Configuration(configured) = &record.content
                && self.projector.configured().is_none()
            {
                provide(&mut self.projector, &self.configs, configured.content)?;
                self.share.config = Some(configured.content);
            }
        }
        load_missing(&mut self.projector, &self.state, records)?;
        let mut originals: BTreeMap<usize, ContentHash> = BTreeMap::new();
        let mut original = |index: usize| {
            let hash = Quarantine::hash(batch.original(run.start + index));
            originals.insert(index, hash);
            hash
        };
        self.projector.apply(records, &mut original, &mut |_| {}, &mut self.out)?;
        if !is_new {
            return Ok(());
        }
        for (index, hash) in &originals {
            self.keep_original(batch, run.start, *index, *hash);
        }
        let new: BTreeSet<usize> = self.out.new_threads.iter().copied().collect();
        for index in new {
            if let (Some(event), Some(number)) =
                (records[index].content.event(), batch.user(run.start + index))
            {
                self.share.users.push((event.user, number.to_owned()));
            }
        }
        for disposition in &self.out.dispositions {
            self.share.dispositions.count(*disposition);
        }
        if self.share.entries.is_empty() {
            std::mem::swap(&mut self.share.entries, &mut self.out.entries);
        } else {
            self.share.entries.append(&mut self.out.entries);
        }
        Ok(())
    }

    fn keep_original(&mut self, batch: &Batch, start: usize, index: usize, hash: ContentHash) {
        let Some(reason) = self.out.dispositions[index].quarantine() else { return };
        let record = &batch.records[start + index];
        let problem = batch.problems.iter().find(|(at, _)| *at == start + index);
        self.share.quarantined.push(QuarantinedOriginal {
            partition: self.partition,
            offset: record.offset,
            record_time: record.record_time,
            reason,
            detail: problem.map_or_else(|| reason_text(reason).to_owned(), |(_, text)| text.clone()),
            source: self.topic.clone(),
            line: 0,
            piece: 0,
            original: hash,
            bytes: Some(batch.original(start + index).to_vec()),
        });
    }

    /// Takes what is to be committed; `None` if there is nothing.
    pub(crate) fn take_share(&mut self) -> Option<Share> {
        if self.share.dispositions.total() == 0 && self.share.checkpoint.is_none() {
            return None;
        }
        let next = self.projector.next_offset();
        let time = self.projector.partition_time();
        let mut share = std::mem::replace(&mut self.share, Share::new(self.partition, next, time));
        share.next_offset = next;
        share.partition_time = time;
        Some(share)
    }

    /// Writes a checkpoint of the state as it is; it is part of the next share. Nothing while the last one waits to be
    /// committed, or while what the ledger has is folded again.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn checkpoint(&mut self) -> Result<(), ServiceError> {
        if self.unconfirmed.is_some() || self.since_checkpoint() == 0 {
            return Ok(());
        }
        let checkpoint = checkpoints::write(&mut self.projector, &mut self.state, self.saved, &mut |_| {})?;
        self.saved = (self.projector.next_offset(), self.projector.sequence());
        self.saved_at = Instant::now();
        self.share.checkpoint = Some(checkpoint);
        self.unconfirmed = Some(checkpoint);
        Ok(())
    }

    /// Links the files of a committed checkpoint into a folder of their own, which it gives.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn set_aside(&self, committed: &CheckpointRef) -> io::Result<PathBuf> {
        let folder = self.folder.join(format!("snapshot-{}", committed.number));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        for file in self.state.files() {
            if let Some(name) = file.file_name() {
                fs::hard_link(&file, folder.join(name))?;
            }
        }
        Ok(folder)
    }

    /// Hears that a checkpoint was committed, and removes what it does without.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn confirm(&mut self, committed: &CheckpointRef) -> Result<(), ServiceError> {
        if self.unconfirmed.as_ref() == Some(committed) {
            self.unconfirmed = None;
            self.state.retire(committed)?;
        }
        Ok(())
    }
}

impl Share {
    pub(crate) fn new(partition: PartitionId, from: Offset, partition_time: UnixMillis) -> Self {
        Self {
            partition,
            from_offset: from,
            next_offset: from,
            partition_time,
            record_time: None,
            dispositions: DispositionCounts::default(),
            entries: Vec::new(),
            users: Vec::new(),
            quarantined: Vec::new(),
            config: None,
            checkpoint: None,
            last: None,
        }
    }

    /// Offsets that hold no record.
    pub(crate) fn empty_offsets(&self) -> u64 {
        (self.next_offset.0 - self.from_offset.0).saturating_sub(self.dispositions.total())
    }
}

/// Places of records whose offsets follow each other, counted from `start`.
fn runs(records: &[Record], start: usize) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if records[index - 1].offset.0 + 1 == record.offset.0 => run.end = start + index + 1,
            Some(_) | None => runs.push(start + index..start + index + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_folded_in_runs_between_gaps() {
        let records: Vec<Record> = [3, 4, 5, 7, 9, 10]
            .map(|offset| Record {
                offset: Offset(offset),
                record_time: UnixMillis(0),
                content: RecordContent::Misrouted,
            })
            .into();
        assert_eq!(runs(&records, 2), [2..5, 5..6, 6..8]);
        assert_eq!(runs(&[], 0), []);
    }
}
