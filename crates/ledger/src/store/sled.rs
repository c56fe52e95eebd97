//! The store on disk: sled 0.34.7, one tree, one committing thread.
//!
//! Knows nothing of entries. The only file that names sled.
//! Invariant: `flush` returns when the rows are safe from a power cut, not only from the end of the process; but for rows
//! that sled spills in a database of an older release (see [`SEGMENT_BYTES_OLDER`]).

use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{Batch, Row, Store, StoreError};
use crate::files::{self, FileError};

/// Pages kept in memory.
const CACHE_BYTES: u64 = 16 << 20;
/// sled writes what takes more than a quarter of this into a file of its own, which it does not sync and may leave behind.
/// A leaf of its tree has up to 17 rows, so of blocks of entries up to 170 KiB.
const SEGMENT_BYTES: usize = 1 << 20;
/// A database keeps what it was made with; those of older releases have sled's default. Who wants to be rid of it removes
/// the folder: it is made again from the log.
const SEGMENT_BYTES_OLDER: usize = 512 << 10;
/// A process that was killed a moment ago may still hold sled's lock.
const LOCK_TRIES: u32 = 30;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Rows in sled's default tree. A clone is another handle on the same database.
#[derive(Debug, Clone)]
pub struct SledStore {
    db: sled::Db,
    folder: PathBuf,
}

impl SledStore {
    /// Opens the database in a folder, or makes it there.
    ///
    /// # Errors
    /// Damage (see [`crate::DataDir::set_ledger_aside`]), in use, or the system's.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        files::make_folder(folder)?;
        remove_unfinished_snapshots(folder)?;
        let mut config = sled::Config::new()
            .path(folder)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .use_compression(false);
        let mut refused = None;
        for _ in 0..LOCK_TRIES {
            // sled panics on some kinds of damage where it should return an error.
            let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
            match opened {
                Ok(Ok(db)) => return Ok(Self { db, folder: folder.to_owned() }),
                Ok(Err(error @ sled::Error::Unsupported(_))) => match refused.take() {
                    None => {
                        refused = Some(error);
                        config = config.segment_size(SEGMENT_BYTES_OLDER);
                    }
                    // What is said of the size that was tried first is of use, not of the second.
                    Some(first) => return Err(failed(folder, "open", first)),
                },
                Ok(Err(sled::Error::Io(error))) if is_locked(&error) => thread::sleep(LOCK_PAUSE),
                Ok(Err(error)) => return Err(failed(folder, "open", error)),
                Err(_) => return Err(corrupt(folder, "it panics at opening".to_owned())),
            }
        }
        Err(StoreError::InUse { path: folder.to_owned() })
    }

    /// Bytes of its files.
    ///
    /// # Errors
    /// The system's.
    pub fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.db.size_on_disk().map_err(self.failed("measure"))
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(sled::Error) -> StoreError {
        move |error| failed(&self.folder, action, error)
    }
}

impl Store for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.db.get(key).map_err(self.failed("read"))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], from: &[u8]) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + '_> {
        let prefix = prefix.to_vec();
        let rows = self.db.range(from.max(&prefix).to_vec()..);
        let rows = rows.take_while(move |row| row.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)));
        Box::new(rows.map(|row| row.map(to_row).map_err(self.failed("read"))))
    }

    fn at_or_before(&self, prefix: &[u8], key: &[u8]) -> Result<Option<Row>, StoreError> {
        let last = self.db.range(..=key).next_back().transpose().map_err(self.failed("read"))?;
        Ok(last.filter(|(key, _)| key.starts_with(prefix)).map(to_row))
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut changes = sled::Batch::default();
        for (key, value) in batch.changes {
            match value {
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        self.db.apply_batch(changes).map_err(self.failed("write"))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(self.failed("flush"))?;
        // sled's own flush hands the pages to the system's writing-out, which a power cut can still overtake.
        let file = self.folder.join("db");
        File::open(&file).and_then(|opened| opened.sync_data()).map_err(FileError::new("sync", &file))?;
        Ok(())
    }
}

fn to_row((key, value): (sled::IVec, sled::IVec)) -> Row {
    (key.to_vec(), value.to_vec())
}

/// A crash at start-up leaves these behind, and the next opening would take them for damage.
fn remove_unfinished_snapshots(folder: &Path) -> Result<(), StoreError> {
    for name in files::names(folder)? {
        if name.starts_with("snap.") && name.ends_with(".generating") {
            files::remove_if_there(&folder.join(name))?;
        }
    }
    Ok(())
}

/// sled turns the lock's error into one of kind `Other` whose text holds the original.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("WouldBlock")
}

fn failed(folder: &Path, action: &'static str, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) => corrupt(folder, error.to_string()),
        sled::Error::Io(_) | sled::Error::CollectionNotFound(_) | sled::Error::Unsupported(_) => {
            StoreError::Failed { action, what: error.to_string() }
        }
    }
}

fn corrupt(folder: &Path, what: String) -> StoreError {
    StoreError::Corrupt { path: folder.to_owned(), what }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// As blocks of entries come: behind one another, each as large as one may be.
    #[test]
    fn no_block_of_entries_is_spilled_into_a_file_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let store = SledStore::open(place.path()).unwrap();
        for group in 0..40_u64 {
            let mut batch = Batch::default();
            for row in 0..25 {
                batch.put((group * 25 + row).to_be_bytes().to_vec(), vec![7; 10 << 10]);
            }
            store.apply(batch).unwrap();
            store.flush().unwrap();
            assert_eq!(fs::read_dir(place.path().join("blobs")).unwrap().count(), 0, "group {group}");
        }
    }

    #[test]
    fn a_database_of_an_older_release_is_opened_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let older = sled::Config::new().path(place.path()).segment_size(SEGMENT_BYTES_OLDER).open().unwrap();
        older.insert(b"key", b"value").unwrap();
        drop(older);
        let store = SledStore::open(place.path()).unwrap();
        assert_eq!(store.get(b"key").unwrap(), Some(b"value".to_vec()));
    }
}
