//! A store in memory, for tests and for scratch ledgers that only live as long as a comparison.
//!
//! Knows nothing of files. Invariant: behaves as the others do, but for outliving its process.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use super::{Batch, Row, Store, StoreError};

/// Rows in an ordered map.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    rows: Arc<RwLock<BTreeMap<Vec<u8>, Vec<u8>>>>,
}

impl MemoryStore {
    /// Has no rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy that later changes of this one do not reach.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self { rows: Arc::new(RwLock::new(self.rows().clone())) }
    }

    /// A change is a single insertion or removal, so the map is whole even if a thread panicked while it held the lock.
    fn rows(&self) -> RwLockReadGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows().get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], from: &[u8]) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + '_> {
        let prefix = prefix.to_vec();
        let mut bound = Bound::Included(from.max(&prefix).to_vec());
        Box::new(std::iter::from_fn(move || {
            // Looked up anew for each row, so that no lock is held between two of them.
            let rows = self.rows();
            let (key, value) = rows.range((bound.clone(), Bound::Unbounded)).next()?;
            if !key.starts_with(&prefix) {
                return None;
            }
            bound = Bound::Excluded(key.clone());
            Some(Ok((key.clone(), value.clone())))
        }))
    }

    fn at_or_before(&self, prefix: &[u8], key: &[u8]) -> Result<Option<Row>, StoreError> {
        let rows = self.rows();
        let last = rows.range((Bound::Unbounded, Bound::Included(key.to_vec()))).next_back();
        Ok(last.filter(|(key, _)| key.starts_with(prefix)).map(|(key, value)| (key.clone(), value.clone())))
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch.changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
