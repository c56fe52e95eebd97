//! The newest checkpoint: reading it, and what it does without.
//!
//! Knows nothing of sled: the caller commits the reference.
//! Invariant: files are only added to until a checkpoint that does without them is committed.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    CheckpointError, CheckpointRef, CheckpointWriter, NewIds,
    index::{self, Run},
    manifest::{Manifest, Section},
    state_file::{StateFile, state_path},
};
use crate::{
    checksum,
    files::{self, FileError},
    num,
};

/// Bytes that are read at a time where nothing is kept of them.
const CHECKED_AT_ONCE: u64 = 1 << 18;

/// The newest checkpoint, and the means to write the next.
#[derive(Debug)]
pub struct StateStore {
    pub(super) folder: PathBuf,
    pub(super) current: Manifest,
    /// Kept for comparison with what a caller says it has committed.
    pub(super) reference: Option<CheckpointRef>,
    pub(super) runs: Vec<Run>,
    pub(super) open: BTreeMap<u64, File>,
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
            if Manifest::hash(&bytes) != reference.manifest {
                return Err(damaged());
            }
            if Manifest::is_of_other_version(&bytes) {
                return Err(CheckpointError::OtherVersion { path });
            }
            let manifest = Manifest::decode(&bytes).map_err(|_| damaged())?;
            if manifest.number != reference.number {
                return Err(damaged());
            }
            for number in manifest.files.keys() {
                let path = state_path(folder, *number);
                match File::open(&path) {
                    Ok(file) => store.open.insert(*number, file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Err(CheckpointError::Damaged { path });
                    }
                    Err(error) => return Err(FileError::new("open", &path)(error).into()),
                };
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

    pub(super) fn read(&self, section: &Section) -> Result<Vec<u8>, CheckpointError> {
        self.read_all(std::slice::from_ref(section))
    }

    /// What sections hold, one after the other.
    pub(super) fn read_all(&self, sections: &[Section]) -> Result<Vec<u8>, CheckpointError> {
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

pub(super) fn manifest_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.manifest"))
}
