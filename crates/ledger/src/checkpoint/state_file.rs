//! The file of the checkpoint that is being written.
//!
//! Knows nothing of what is in its sections. Invariant: what it was given is on the disk when it is finished.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

use super::manifest::{Manifest, Section};
use crate::{
    checksum,
    files::{self, FileError},
};

/// Bytes that are handed to the disk together while more of them are made: encoding keeps the cores busy and the disk
/// idle, and in the end all would wait for it.
const SYNCED_AHEAD: u64 = 1 << 22;

/// A section that is being written.
pub(super) struct Begun {
    position: u64,
    hasher: checksum::Hasher,
}

/// The file, from its first section to its last.
#[derive(Debug)]
pub(super) struct StateFile {
    number: u64,
    path: PathBuf,
    file: BufWriter<File>,
    position: u64,
    /// Up to where the thread that syncs ahead was told to.
    told: u64,
    ahead: Option<SyncingAhead>,
}

/// A thread that syncs what has been written so far whenever it is told.
#[derive(Debug)]
struct SyncingAhead {
    tell: Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl StateFile {
    pub(super) fn create(folder: &Path, number: u64) -> Result<Self, FileError> {
        let path = state_path(folder, number);
        // One that was written for a checkpoint that was never committed.
        files::remove_if_there(&path)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = BufWriter::with_capacity(1 << 18, file.map_err(FileError::new("create", &path))?);
        Ok(Self { number, path, file, position: 0, told: 0, ahead: None })
    }

    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<Section, FileError> {
        let mut section = self.begin();
        self.add_to(&mut section, bytes)?;
        Ok(self.end(section))
    }

    /// Begins a section that comes in pieces.
    pub(super) fn begin(&self) -> Begun {
        Begun { position: self.position, hasher: checksum::Hasher::default() }
    }

    pub(super) fn add_to(&mut self, section: &mut Begun, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(FileError::new("write", &self.path))?;
        section.hasher.update(bytes);
        self.position += bytes.len() as u64;
        if self.position - self.told >= SYNCED_AHEAD {
            self.told = self.position;
            self.sync_ahead().map_err(FileError::new("sync", &self.path))?;
        }
        Ok(())
    }

    pub(super) fn end(&self, section: Begun) -> Section {
        Section {
            file: self.number,
            position: section.position,
            length: self.position - section.position,
            checksum: section.hasher.finish(),
        }
    }

    fn sync_ahead(&mut self) -> io::Result<()> {
        let ahead = match self.ahead.take() {
            Some(ahead) => ahead,
            None => {
                let (tell, told) = channel();
                let file = self.file.get_ref().try_clone()?;
                SyncingAhead { tell, thread: thread::spawn(move || sync_when_told(&file, &told)) }
            }
        };
        // One that ended has failed to sync, which is told when the file is finished.
        ahead.tell.send(()).ok();
        self.ahead = Some(ahead);
        Ok(())
    }

    pub(super) fn finish(self, manifest: &mut Manifest) -> Result<File, FileError> {
        manifest.files.insert(self.number, self.position);
        let file = self.file.into_inner().map_err(|error| error.into_error());
        let file = file.map_err(FileError::new("write", &self.path))?;
        if let Some(SyncingAhead { tell, thread }) = self.ahead {
            drop(tell);
            let synced =
                thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs ended")));
            synced.map_err(FileError::new("sync", &self.path))?;
        }
        file.sync_all().map_err(FileError::new("sync", &self.path))?;
        Ok(file)
    }
}

/// A failure to sync is told once by the system, so that it is kept for the end.
fn sync_when_told(file: &File, told: &Receiver<()>) -> io::Result<()> {
    while told.recv().is_ok() {
        // Told several times meanwhile, it syncs once.
        while told.try_recv().is_ok() {}
        file.sync_data()?;
    }
    Ok(())
}

pub(super) fn state_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.state"))
}
