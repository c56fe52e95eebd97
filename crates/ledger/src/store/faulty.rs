//! A store that fails after a number of writes, to try every point at which a process can die.
//!
//! Knows nothing of what is written. Invariant: once it has failed it fails for ever.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Batch, Row, Store, StoreError};

/// Lets a number of applies and flushes pass, then fails each.
#[derive(Debug, Clone)]
pub struct FaultyStore<S> {
    inner: S,
    left: Arc<AtomicU64>,
}

impl<S> FaultyStore<S> {
    /// Fails at the write after `writes` of them; an apply and a flush each count as one.
    #[must_use]
    pub fn new(inner: S, writes: u64) -> Self {
        Self { inner, left: Arc::new(AtomicU64::new(writes)) }
    }

    /// What a restart would find.
    #[must_use]
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    fn pass(&self, action: &'static str) -> Result<(), StoreError> {
        let take = |left: u64| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Failed { action, what: "failing as asked".to_owned() }),
        }
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8]) -> Box<dyn Iterator<Item = Result<Row, StoreError>> + '_> {
        self.inner.scan(prefix, from)
    }

    fn at_or_before(&self, prefix: &[u8], key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.inner.at_or_before(prefix, key)
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.pass("apply")?;
        self.inner.apply(batch)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.pass("flush")?;
        self.inner.flush()
    }
}
