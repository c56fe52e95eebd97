//! Contents of adopted configurations, each kept under its hash.
//!
//! Knows nothing of what they say.
//! Invariant: what is read back hashes to the name it was asked by.

use std::path::{Path, PathBuf};

use model::ContentHash;

use crate::files::{self, FileError};

/// The folder of configurations.
#[derive(Debug, Clone)]
pub struct ConfigStore {
    folder: PathBuf,
}

/// Why a configuration cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The log adopts a configuration whose content is not there.
    #[error("the configuration {hash} is not in {folder}: put back the file from your backup", folder = .folder.display())]
    Missing {
        /// What the log names.
        hash: ContentHash,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Somebody changed the file.
    #[error("{path} was changed since it was adopted: put back the file from your backup, and adopt changes with `tarifa tariff adopt`", path = .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ConfigStore {
    /// Over the folder that [`crate::DataDir::config`] names.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The name a content goes by.
    #[must_use]
    pub fn hash(content: &[u8]) -> ContentHash {
        ContentHash(*blake3::hash(content).as_bytes())
    }

    /// Keeps a content, safe from a crash, before the log adopts it. Keeping it twice changes nothing.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&self, content: &[u8]) -> Result<ContentHash, ConfigError> {
        let hash = Self::hash(content);
        let path = self.path(&hash);
        if files::read_if_there(&path)?.as_deref() != Some(content) {
            files::replace(&path, content, 0o644)?;
        }
        Ok(hash)
    }

    /// Reads a content by its hash.
    ///
    /// # Errors
    /// Not there, changed, or the system's.
    pub fn load(&self, hash: &ContentHash) -> Result<Vec<u8>, ConfigError> {
        let path = self.path(hash);
        let content = files::read_if_there(&path)?
            .ok_or_else(|| ConfigError::Missing { hash: *hash, folder: self.folder.clone() })?;
        if Self::hash(&content) == *hash { Ok(content) } else { Err(ConfigError::Changed { path }) }
    }

    fn path(&self, hash: &ContentHash) -> PathBuf {
        Path::join(&self.folder, format!("{hash}.toml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_reads_back_by_its_hash_until_it_is_changed() {
        let place = tempfile::tempdir().unwrap();
        let store = ConfigStore::new(place.path().to_owned());
        let hash = store.keep(b"currency = \"USD\"\n").unwrap();
        assert_eq!(store.keep(b"currency = \"USD\"\n").unwrap(), hash);
        assert_eq!(store.load(&hash).unwrap(), b"currency = \"USD\"\n");
        std::fs::write(place.path().join(format!("{hash}.toml")), "currency = \"EUR\"\n").unwrap();
        assert!(matches!(store.load(&hash), Err(ConfigError::Changed { .. })));
        assert!(matches!(store.load(&ContentHash([0; 32])), Err(ConfigError::Missing { .. })));
    }
}
