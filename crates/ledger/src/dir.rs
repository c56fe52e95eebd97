//! The data directory: where each part of an installation lies, and the lock that keeps a second process out.
//!
//! Knows nothing of what is in the parts.
//! Invariant: while a `DataDir` is alive, no other process has the same directory open.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::files::{self, FileError};

/// Number of the layout that this version writes. Before 2 ids were sealed in another way, so that users of an old
/// directory would not be recognised; before 3 blocks of entries held their ids among the other bytes; before 4 the state
/// of a bucket was one piece; before 5 nothing stood behind a head, so that an older program would leave it there and write
/// among it, and sled's segments were of half a MiB.
const FORMAT: u32 = 5;
/// The oldest that this version goes on with: stored state is made again from the log, sled keeps its segments, and
/// nothing else has changed since.
const FORMAT_OLDEST: u32 = 3;
const MARK: &str = "tarifa data directory, format ";
/// A process that was killed a moment ago may still hold the lock while the system clears up behind it.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// An open and locked data directory.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    /// Held for its lock, which goes when the file is closed.
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Another process has it open. Callers end with exit code 4.
    #[error("{path} is in use by another process: stop that one, or wait until it has ended", path = .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// There is nothing, or something else.
    #[error("{path} is not a data directory: give the directory that `tarifa project` or `tarifa run` made", path = .path.display())]
    NotADataDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A newer version of the program made it.
    #[error("{path} has format {found}, and this program knows formats up to {known}: use the newer program that made it", path = .path.display())]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this program reads.
        known: u32,
    },
    /// An older version of the program made it, which wrote ids or entries in another way.
    #[error("{path} has format {found}, and this program reads formats from {known} on: project the same inputs into a new directory, or use the program that made it", path = .path.display())]
    Older {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest that this program reads.
        known: u32,
    },
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

impl DataDir {
    /// Opens and locks `path`; with `create` makes it first if it is missing or empty.
    ///
    /// Waits up to two seconds for a lock.
    ///
    /// # Errors
    /// In use, no data directory (without `create`, or when it holds other files), a newer format, or the system's.
    pub fn open(path: &Path, create: bool) -> Result<Self, DirError> {
        let dir = || path.to_owned();
        let format_file = path.join("format");
        match files::read_if_there(&format_file) {
            Ok(Some(content)) => check_format(path, &content)?,
            Ok(None) if !create || !is_free(path)? => {
                return Err(DirError::NotADataDirectory { path: dir() });
            }
            Ok(None) => files::make_folder(path)?,
            Err(error) if error.source.kind() == std::io::ErrorKind::NotADirectory => {
                return Err(DirError::NotADataDirectory { path: dir() });
            }
            Err(error) => return Err(error.into()),
        }
        let lock = lock(path)?;
        // One of an older layout has the newer one as soon as this program may have written into it.
        let mark = format!("{MARK}{FORMAT}\n");
        if files::read_if_there(&format_file)?.is_none_or(|found| found != mark.as_bytes()) {
            files::replace(&format_file, mark.as_bytes(), 0o644)?;
        }
        let opened = Self { root: dir(), _lock: lock };
        for folder in ["config", "log", "state", "users", "quarantine"] {
            files::make_folder(&opened.root.join(folder))?;
        }
        Ok(opened)
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The installation's secret, see [`crate::Secret`].
    #[must_use]
    pub fn secret(&self) -> PathBuf {
        self.root.join("secret")
    }

    /// Contents of adopted configurations, see [`crate::ConfigStore`].
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("config")
    }

    /// sled's folder, see [`crate::store::SledStore`].
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// Segments of the embedded event log, see [`crate::log`].
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Checkpoints, see [`crate::checkpoint`].
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Whether the log has begun, so that there is something that the secret and the configurations belong to.
    ///
    /// # Errors
    /// The system's.
    pub fn has_begun(&self) -> Result<bool, DirError> {
        Ok(!files::names(&self.log())?.is_empty())
    }

    /// Folder of the erasable user directory, see [`crate::UserDirectory`].
    #[must_use]
    pub fn users(&self) -> PathBuf {
        self.root.join("users")
    }

    /// Folder of the quarantine, see [`crate::quarantine`].
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Moves a damaged sled folder aside, so that the ledger can be built again from the log. Says where it went.
    ///
    /// # Errors
    /// The system's.
    pub fn set_ledger_aside(&self) -> Result<PathBuf, DirError> {
        let ledger = self.ledger();
        let mut number = 1;
        let aside = loop {
            let candidate = self.root.join(format!("ledger.damaged.{number}"));
            if !candidate.exists() {
                break candidate;
            }
            number += 1;
        };
        fs::rename(&ledger, &aside).map_err(FileError::new("move aside", &ledger))?;
        files::sync_folder(&self.root)?;
        Ok(aside)
    }
}

fn check_format(path: &Path, content: &[u8]) -> Result<(), DirError> {
    let number = std::str::from_utf8(content).ok().and_then(|text| text.trim_end().strip_prefix(MARK));
    match number.and_then(|digits| digits.parse::<u32>().ok()) {
        Some(found) if found > FORMAT => Err(DirError::Newer { path: path.to_owned(), found, known: FORMAT }),
        Some(found) if found < FORMAT_OLDEST => {
            Err(DirError::Older { path: path.to_owned(), found, known: FORMAT_OLDEST })
        }
        Some(_) => Ok(()),
        None => Err(DirError::NotADataDirectory { path: path.to_owned() }),
    }
}

/// Missing, empty, or left by a crash between the lock and the format file.
fn is_free(path: &Path) -> Result<bool, DirError> {
    if !path.exists() {
        return Ok(true);
    }
    if !path.is_dir() {
        return Ok(false);
    }
    Ok(files::names(path)?.iter().all(|name| name == "lock" || name == "format.tmp"))
}

fn lock(path: &Path) -> Result<File, DirError> {
    let lock_file = path.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_file)
        .map_err(FileError::new("open", &lock_file))?;
    for attempt in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if attempt + 1 < LOCK_TRIES => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(source)) => {
                return Err(FileError { action: "lock", path: lock_file, source }.into());
            }
        }
    }
    Err(DirError::InUse { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_once_and_opened_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("deep/data");
        let made = DataDir::open(&path, true).unwrap();
        assert!(made.log().is_dir());
        drop(made);
        assert_eq!(DataDir::open(&path, false).unwrap().root(), path);
    }

    #[test]
    fn a_missing_or_foreign_directory_is_not_taken_over() {
        let place = tempfile::tempdir().unwrap();
        let missing = place.path().join("none");
        assert!(matches!(DataDir::open(&missing, false), Err(DirError::NotADataDirectory { .. })));
        assert!(!missing.exists(), "looking makes nothing");
        fs::write(place.path().join("thesis.txt"), "mine").unwrap();
        assert!(matches!(DataDir::open(place.path(), true), Err(DirError::NotADataDirectory { .. })));
        let file = place.path().join("thesis.txt");
        assert!(matches!(DataDir::open(&file, true), Err(DirError::NotADataDirectory { .. })));
    }

    #[test]
    fn a_second_opening_is_told_that_it_is_in_use() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data");
        let first = DataDir::open(&path, true).unwrap();
        assert!(matches!(DataDir::open(&path, true), Err(DirError::InUse { .. })));
        drop(first);
        DataDir::open(&path, true).unwrap();
    }

    #[test]
    fn another_format_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data");
        drop(DataDir::open(&path, true).unwrap());
        fs::write(path.join("format"), format!("{MARK}6\n")).unwrap();
        assert!(matches!(DataDir::open(&path, true), Err(DirError::Newer { found: 6, known: 5, .. })));
        fs::write(path.join("format"), format!("{MARK}2\n")).unwrap();
        assert!(matches!(DataDir::open(&path, true), Err(DirError::Older { found: 2, known: 3, .. })));
        // Only state has changed since, which the log brings back; the older program then knows to keep out.
        fs::write(path.join("format"), format!("{MARK}3\n")).unwrap();
        drop(DataDir::open(&path, false).unwrap());
        assert_eq!(fs::read_to_string(path.join("format")).unwrap(), format!("{MARK}5\n"));
    }

    #[test]
    fn a_damaged_ledger_moves_aside_without_touching_an_earlier_one() {
        let place = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&place.path().join("data"), true).unwrap();
        for expected in ["ledger.damaged.1", "ledger.damaged.2"] {
            fs::create_dir(dir.ledger()).unwrap();
            assert_eq!(dir.set_ledger_aside().unwrap(), dir.root().join(expected));
        }
    }
}
