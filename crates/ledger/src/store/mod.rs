//! What the ledger needs of a key-value store: five operations.
//!
//! Knows nothing of entries. One file per implementation, one suite over all of them.
//! Invariant: a batch is applied whole or not at all, and is safe when `flush` has returned.

mod faulty;
mod memory;
mod sled;

pub use faulty::FaultyStore;
pub use memory::MemoryStore;
pub use sled::SledStore;

use std::path::PathBuf;

use crate::files::FileError;

/// A key with its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Keys and their new values; `None` removes. Of two for one key the later stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// In the order given.
    pub changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Adds a row, or puts another value in its place.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.push((key, Some(value)));
    }

    /// Removes a row.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.changes.push((key, None));
    }
}

/// An ordered store of rows. A clone is another handle on the same rows.
pub trait Store: Clone + Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// The store's.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Rows whose key begins with `prefix`, from the key `from` on (the prefix itself for all), in the order of keys.
    fn scan(&self, prefix: &[u8], from: &[u8]) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + '_>;

    /// The last row whose key begins with `prefix` and is not behind `key`.
    ///
    /// # Errors
    /// The store's.
    fn at_or_before(&self, prefix: &[u8], key: &[u8]) -> Result<Option<Row>, StoreError>;

    /// Applies a batch, whole or not at all.
    ///
    /// # Errors
    /// The store's; what is on disk is not known after one.
    fn apply(&self, batch: Batch) -> Result<(), StoreError>;

    /// Makes everything applied before safe.
    ///
    /// # Errors
    /// The store's; what is on disk is not known after one.
    fn flush(&self) -> Result<(), StoreError>;
}

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What is on disk makes no sense. Callers may set the folder aside and build it again from the log.
    #[error("the store in {path} is damaged ({what}): set it aside and rebuild it from the log", path = .path.display())]
    Corrupt {
        /// sled's folder.
        path: PathBuf,
        /// What it says.
        what: String,
    },
    /// Another process has it open.
    #[error("the store in {path} is in use by another process: stop that one, or wait until it has ended", path = .path.display())]
    InUse {
        /// sled's folder.
        path: PathBuf,
    },
    /// The system refused.
    #[error("the store failed to {action}: check that the disk has room ({what})")]
    Failed {
        /// What was tried.
        action: &'static str,
        /// What the store says.
        what: String,
    },
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

impl StoreError {
    /// Whether setting the store aside and building it again from the log would help.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }
}
