//! Files that survive a crash: a new content stands whole or not at all.
//!
//! Knows nothing of what is in them.
//! Invariant: a rename is followed by a sync of its folder, so that a power cut cannot take it back.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file or folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}: check that the disk has room and that this user may use it", path = .path.display())]
pub struct FileError {
    /// What was tried: `read`, `write`, `sync`…
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FileError {
    /// Wraps the system's error, for use with `map_err`.
    pub(crate) fn new(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// Makes a folder and those above it, and syncs the one it stands in.
pub(crate) fn make_folder(path: &Path) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(FileError::new("create", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Syncs the list of names in a folder.
pub(crate) fn sync_folder(path: &Path) -> Result<(), FileError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|folder| folder.sync_all()).map_err(FileError::new("sync", path))
}

/// Puts a content under a name: whole, or not at all. `mode` is the file's permission bits.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let beside = path.with_extension("tmp");
    // A leftover of a crash would keep its own permission bits.
    remove_if_there(&beside)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)
        .map_err(FileError::new("create", &beside))?;
    file.write_all(content).map_err(FileError::new("write", &beside))?;
    file.sync_all().map_err(FileError::new("sync", &beside))?;
    fs::rename(&beside, path).map_err(FileError::new("rename", &beside))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// The content of a file, or `None` if there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError { action: "read", path: path.to_owned(), source }),
    }
}

/// Removes a file that may be there.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(FileError { action: "remove", path: path.to_owned(), source }),
    }
}

/// Names in a folder, sorted; names that are no UTF-8 are left out, as none of ours is such.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).map_err(FileError::new("list", folder))? {
        let item = item.map_err(FileError::new("list", folder))?;
        found.extend(item.file_name().into_string());
    }
    found.sort_unstable();
    Ok(found)
}
