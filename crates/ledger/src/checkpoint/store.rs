//! Writing and reading checkpoints.
//!
//! Knows nothing of sled: the caller commits the reference.
//! Invariant: files are only added to until a checkpoint that does without them is committed.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    BUCKETS, CheckpointError, CheckpointRef, NewIds,
    index::{self, Run},
    manifest::{Manifest, Section},
    state_file::{StateFile, state_path},
};
use crate::{
    checksum,
    files::{self, FileError},
    num,
};

/// More runs of the id index than this are merged, as each is one more to search.
const RUNS_MAX: usize = 8;
/// With more sections of a bucket than this they are put together, as each is one more to read.
const SECTIONS_MAX: usize = 8;
/// Bytes that are read at a time where nothing is kept of them.
const CHECKED_AT_ONCE: u64 = 1 << 18;

/// The newest checkpoint, and the means to write the next.
#[derive(Debug)]
pub struct StateStore {
    folder: PathBuf,
    current: Manifest,
    /// Kept for comparison with what a caller says it has committed.
    reference: Option<CheckpointRef>,
    runs: Vec<Run>,
    open: BTreeMap<u64, File>,
}

impl StateStore {
    /// Opens the checkpoint that the ledger has committed, or none, and removes what does not belong to it.
    ///
    /// # Errors
    /// A missing or damaged file, or the system's.
    pub fn open(folder: &Path, committed: Option<CheckpointRef>) -> Result<Self, CheckpointError> {
        let mut store = Self {
            folder: folder.to_owned(),
            current: Manifest::default(),
            reference: committed,
            runs: Vec::new(),
            open: BTreeMap::new(),
        };
        if let Some(reference) = committed {
            let path = manifest_path(folder, reference.number);
            let damaged = || CheckpointError::Damaged { path: path.clone() };
            let bytes = files::read_if_there(&path)?.ok_or_else(damaged)?;
            let manifest = Manifest::decode(&bytes).map_err(|_| damaged())?;
            if manifest.reference(&bytes) != reference {
                return Err(damaged());
            }
            for number in manifest.files.keys() {
                let path = state_path(folder, *number);
                let file = File::open(&path).map_err(|_| CheckpointError::Damaged { path })?;
                store.open.insert(*number, file);
            }
            store.current = manifest;
            store.runs = store.current.runs.iter().map(|section| Run::new(*section)).collect();
        }
        store.remove_unreferenced()?;
        Ok(store)
    }

    /// Writes the next checkpoint at once; see [`Self::begin`].
    ///
    /// # Errors
    /// As those of [`CheckpointWriter`].
    pub fn write(
        &mut self,
        meta: &[u8],
        buckets: &[(u16, Vec<u8>)],
        new_ids: NewIds,
    ) -> Result<CheckpointRef, CheckpointError> {
        let mut writer = self.begin(meta)?;
        for (bucket, bytes) in buckets {
            writer.add_bucket(*bucket, bytes)?;
        }
        writer.finish(new_ids)
    }

    /// Begins the next checkpoint: `meta` whole, then bucket after bucket. It counts once the reference that it ends
    /// with is committed; say so with [`Self::retire`].
    ///
    /// # Errors
    /// The system's.
    pub fn begin(&mut self, meta: &[u8]) -> Result<CheckpointWriter<'_>, CheckpointError> {
        let number = self.current.number + 1;
        let mut next = Manifest { number, ..self.current.clone() };
        let mut file = StateFile::create(&self.folder, number)?;
        next.meta = Some(file.add(meta)?);
        Ok(CheckpointWriter { store: self, next, file })
    }

    /// Removes what the newest checkpoint does without; called when its reference is committed.
    ///
    /// # Errors
    /// Another reference than the newest, or the system's.
    pub fn retire(&mut self, committed: &CheckpointRef) -> Result<(), CheckpointError> {
        if self.reference.as_ref() != Some(committed) {
            return Err(CheckpointError::NotNewest { told: committed.number, newest: self.current.number });
        }
        self.remove_unreferenced()
    }

    /// The files that the newest checkpoint is made of: whoever has them all can open it elsewhere.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let manifest = self.reference.map(|reference| manifest_path(&self.folder, reference.number));
        let states = self.current.files.keys().map(|number| state_path(&self.folder, *number));
        manifest.into_iter().chain(states).collect()
    }

    /// The newest checkpoint, if there is one.
    #[must_use]
    pub const fn reference(&self) -> Option<CheckpointRef> {
        self.reference
    }

    /// The meta bytes of the newest checkpoint; empty if there is none.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn read_meta(&self) -> Result<Vec<u8>, CheckpointError> {
        self.current.meta.as_ref().map_or(Ok(Vec::new()), |section| self.read(section))
    }

    /// A bucket of the newest checkpoint; `None` if it is empty.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn read_bucket(&self, bucket: u16) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.current.buckets.get(&bucket).map(|sections| self.read_all(sections)).transpose()
    }

    /// As [`Self::read_bucket`], into a buffer that is used again; it is empty if the bucket is.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn read_bucket_into(&self, bucket: u16, bytes: &mut Vec<u8>) -> Result<(), CheckpointError> {
        match self.current.buckets.get(&bucket) {
            Some(sections) => self.read_all_into(sections, bytes),
            None => {
                bytes.clear();
                Ok(())
            }
        }
    }

    /// Adds to `out` the buckets that may have an id, each once. A bucket that has it is always among them; one that
    /// does not is there about once in a thousand look-ups for each five million ids.
    ///
    /// # Errors
    /// The system's.
    pub fn lookup(&self, id: &[u8; 16], out: &mut Vec<u16>) -> Result<(), CheckpointError> {
        let tag = index::tag(id);
        for run in &self.runs {
            let file = self.file(run.section.file)?;
            // The path is made for an error alone: this is asked for every message of unknown id.
            let guide = run.guide(|| self.read(&run.section))?;
            guide.lookup(&run.section, file, tag, out).map_err(|error| {
                FileError::new("read", &state_path(&self.folder, run.section.file))(error)
            })?;
        }
        Ok(())
    }

    /// As [`Self::lookup`], for who looks up one id or a few: takes as long whatever the number of ids, and keeps
    /// nothing in memory. Damage may hide an id, see [`Self::check_index`].
    ///
    /// # Errors
    /// The system's.
    pub fn lookup_once(&self, id: &[u8; 16], out: &mut Vec<u16>) -> Result<(), CheckpointError> {
        for run in &self.runs {
            let file = self.file_of(&run.section)?;
            index::lookup_unguided(&run.section, file, index::tag(id), out)
                .map_err(FileError::new("read", &state_path(&self.folder, run.section.file)))?;
        }
        Ok(())
    }

    /// Checks that the index of ids is as it was written.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn check_index(&self) -> Result<(), CheckpointError> {
        self.runs.iter().try_for_each(|run| self.check(&run.section))
    }

    /// Runs of the id index that a look-up goes through.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Bytes of all files that the newest checkpoint needs.
    #[must_use]
    pub fn bytes_on_disk(&self) -> u64 {
        self.current.files.values().sum()
    }

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

    /// While less than half of the bytes on disk is needed, moves what is needed out of the file with the least of it.
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
            let worst = live.iter().min_by_key(|(number, needed)| share(number, **needed));
            let Some((&worst, _)) = worst.filter(|_| needed * 2 < total) else { return Ok(()) };
            let moved = next.meta.iter_mut().chain(next.buckets.values_mut().flatten()).chain(&mut next.runs);
            for section in moved.filter(|section| section.file == worst) {
                *section = file.add(&self.read(section)?)?;
            }
            for (run, section) in runs.iter_mut().zip(&next.runs) {
                run.section = *section;
            }
        }
    }

    /// Checks a section without keeping it.
    fn check(&self, section: &Section) -> Result<(), CheckpointError> {
        let file = self.file_of(section)?;
        let mut piece = vec![0; num::index(section.length.min(CHECKED_AT_ONCE))];
        let mut hasher = checksum::Hasher::default();
        let end = section.position + section.length;
        for position in (section.position..end).step_by(piece.len().max(1)) {
            piece.truncate(num::index(end - position));
            file.read_exact_at(&mut piece, position)
                .map_err(FileError::new("read", &state_path(&self.folder, section.file)))?;
            hasher.update(&piece);
        }
        if hasher.finish() == section.checksum { Ok(()) } else { Err(self.damaged(section)) }
    }

    fn damaged(&self, section: &Section) -> CheckpointError {
        CheckpointError::Damaged { path: state_path(&self.folder, section.file) }
    }

    /// The file of a section that is not longer than what the file holds.
    fn file_of(&self, section: &Section) -> Result<&File, CheckpointError> {
        let file = self.file(section.file)?;
        let held = file.metadata().map_or(0, |facts| facts.len());
        let end = section.position.checked_add(section.length);
        if end.is_some_and(|end| end <= held) { Ok(file) } else { Err(self.damaged(section)) }
    }

    fn read(&self, section: &Section) -> Result<Vec<u8>, CheckpointError> {
        self.read_all(std::slice::from_ref(section))
    }

    /// What sections hold, one after the other.
    fn read_all(&self, sections: &[Section]) -> Result<Vec<u8>, CheckpointError> {
        // Checks that there are as many bytes before memory is asked for; zeros cost nothing where memory is new.
        for section in sections {
            self.file_of(section)?;
        }
        let length = sections.iter().map(|section| section.length).sum();
        let mut bytes = vec![0; num::index(length)];
        self.read_all_into(sections, &mut bytes).map(|()| bytes)
    }

    fn read_all_into(&self, sections: &[Section], bytes: &mut Vec<u8>) -> Result<(), CheckpointError> {
        let mut end = 0;
        for section in sections {
            let file = self.file_of(section)?;
            let begin = end;
            end += num::index(section.length);
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            let piece = &mut bytes[begin..end];
            file.read_exact_at(piece, section.position)
                .map_err(FileError::new("read", &state_path(&self.folder, section.file)))?;
            if checksum::of(piece) != section.checksum {
                return Err(self.damaged(section));
            }
        }
        bytes.truncate(end);
        Ok(())
    }

    fn file(&self, number: u64) -> Result<&File, CheckpointError> {
        let missing = || CheckpointError::Damaged { path: state_path(&self.folder, number) };
        self.open.get(&number).ok_or_else(missing)
    }

    fn remove_unreferenced(&mut self) -> Result<(), CheckpointError> {
        let needed = &self.current.files;
        self.open.retain(|number, _| needed.contains_key(number));
        for name in files::names(&self.folder)? {
            let needed =
                match name.split_once('.').and_then(|(digits, kind)| Some((digits.parse().ok()?, kind))) {
                    Some((number, "state")) => needed.contains_key(&number),
                    Some((number, "manifest")) => number == self.current.number,
                    Some((_, "tmp")) => false,
                    Some(_) | None => true,
                };
            if !needed {
                files::remove_if_there(&self.folder.join(name))?;
            }
        }
        Ok(())
    }
}

/// A checkpoint that is being written.
#[derive(Debug)]
pub struct CheckpointWriter<'a> {
    store: &'a mut StateStore,
    next: Manifest,
    file: StateFile,
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

fn manifest_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.manifest"))
}
