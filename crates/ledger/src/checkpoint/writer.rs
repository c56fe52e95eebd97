//! Writing a checkpoint: meta, buckets and ids into a file of its own, then the manifest.
//!
//! Knows nothing of sled: the caller commits the reference. Invariant: what the checkpoint before needs is left as it is.

use super::{
    BUCKETS, CheckpointError, CheckpointRef, NewIds,
    index::{self, Run},
    manifest::Manifest,
    state_file::StateFile,
    store::{StateStore, manifest_path},
};
use crate::files;

/// More runs of the id index than this are merged, as each is one more to search.
const RUNS_MAX: usize = 8;
/// With more sections of a bucket than this they are put together, as each is one more to read.
const SECTIONS_MAX: usize = 8;
/// With more files than this one is done without, as each is open all the time.
const FILES_MAX: usize = 32;

/// A checkpoint that is being written.
#[derive(Debug)]
pub struct CheckpointWriter<'a> {
    pub(super) store: &'a mut StateStore,
    pub(super) next: Manifest,
    pub(super) file: StateFile,
}

impl CheckpointWriter<'_> {
    /// Adds a bucket that changed; an empty one is removed.
    ///
    /// # Errors
    /// A bucket number out of range, or the system's.
    pub fn add_bucket(&mut self, bucket: u16, bytes: &[u8]) -> Result<(), CheckpointError> {
        if bucket >= BUCKETS {
            return Err(CheckpointError::NoBucket { bucket });
        }
        if bytes.is_empty() {
            self.next.buckets.remove(&bucket);
        } else {
            self.next.buckets.insert(bucket, vec![self.file.add(bytes)?]);
        }
        Ok(())
    }

    /// Adds to a bucket what is to stand behind its bytes.
    ///
    /// # Errors
    /// A bucket number out of range, damage of what is there, or the system's.
    pub fn add_to_bucket(&mut self, bucket: u16, bytes: &[u8]) -> Result<(), CheckpointError> {
        if bucket >= BUCKETS {
            return Err(CheckpointError::NoBucket { bucket });
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let sections = self.next.buckets.entry(bucket).or_default();
        if sections.len() < SECTIONS_MAX {
            sections.push(self.file.add(bytes)?);
        } else {
            let mut all = self.store.read_all(sections)?;
            all.extend_from_slice(bytes);
            *sections = vec![self.file.add(&all)?];
        }
        Ok(())
    }

    /// Adds the ids that are new, and syncs everything.
    ///
    /// # Errors
    /// Damage of a piece that has to be moved, or the system's.
    pub fn finish(self, new_ids: NewIds) -> Result<CheckpointRef, CheckpointError> {
        let Self { store, mut next, mut file } = self;
        let mut runs = store.runs.clone();
        store.add_ids(new_ids, &mut runs, &mut file)?;
        next.runs = runs.iter().map(|run| run.section).collect();
        store.move_out_of_garbage(&mut next, &mut runs, &mut file)?;
        let opened = file.finish(&mut next)?;

        let number = next.number;
        let encoded = next.encode();
        files::replace(&manifest_path(&store.folder, number), &encoded, 0o600)?;
        let reference = next.reference(&encoded);
        store.open.insert(number, opened);
        store.current = next;
        store.runs = runs;
        store.reference = Some(reference);
        Ok(reference)
    }
}

impl StateStore {
    /// Adds a run; with too many, merges the newest ones into one until each older run is at least twice as long.
    fn add_ids(
        &self,
        mut ids: NewIds,
        runs: &mut Vec<Run>,
        file: &mut StateFile,
    ) -> Result<(), CheckpointError> {
        if ids.is_empty() {
            return Ok(());
        }
        if runs.len() >= RUNS_MAX {
            let mut merged = 0;
            while let Some(newest) = runs.last() {
                if merged > 0 && newest.section.length > 2 * (ids.len() * index::PAIR) as u64 {
                    break;
                }
                ids.extend(index::decode(&self.read(&newest.section)?));
                runs.pop();
                merged += 1;
            }
        }
        ids.sort();
        let mut section = file.begin();
        ids.each_piece(|piece| file.add_to(&mut section, piece))?;
        runs.push(Run::new(file.end(section)));
        Ok(())
    }

    /// While less than half of the bytes on disk is needed, moves what is needed out of the file with the least of it;
    /// and while there are too many files, out of the one from which there is least to move.
    fn move_out_of_garbage(
        &self,
        next: &mut Manifest,
        runs: &mut [Run],
        file: &mut StateFile,
    ) -> Result<(), CheckpointError> {
        loop {
            let mut live = next.live_by_file();
            live.remove(&next.number);
            next.files.retain(|number, _| live.get(number).is_some_and(|bytes| *bytes > 0));
            live.retain(|_, bytes| *bytes > 0);
            let needed: u64 = live.values().sum();
            let total: u64 = next.files.values().sum();
            // In thousandths of a file's bytes that are needed.
            let share = |number: &u64, needed: u64| {
                needed * 1000 / next.files.get(number).map_or(1, |all| (*all).max(1))
            };
            let worst = if needed * 2 < total {
                live.iter().min_by_key(|(number, needed)| share(number, **needed))
            } else if live.len() >= FILES_MAX {
                live.iter().min_by_key(|(_, needed)| **needed)
            } else {
                None
            };
            let Some((&worst, _)) = worst else { return Ok(()) };
            let moved = next.meta.iter_mut().chain(next.buckets.values_mut().flatten()).chain(&mut next.runs);
            for section in moved.filter(|section| section.file == worst) {
                *section = file.add(&self.read(section)?)?;
            }
            for (run, section) in runs.iter_mut().zip(&next.runs) {
                run.section = *section;
            }
        }
    }
}
