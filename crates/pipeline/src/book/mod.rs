//! A book: a directory with the entries of all partitions, collected from the ledger topic.
//!
//! Knows nothing of Kafka, and has no rules: it holds entries, not events. Invariant: what it tells is told from a chain
//! that was verified link by link, of every partition there is.

mod collect;
mod net;

use std::{fs, path::Path, sync::Arc};

use ledger::{
    ConfigError, ConfigStore, DataDir, DirError, FileError, Head, LedgerError, LedgerReader,
    rollup::AccountPeriod,
    store::{SledStore, StoreError},
};
use model::{ContentHash, EntryHash, PartitionId, Sequence};
use projector::NetConversation;
use tariff::{Configuration, ConfigurationError};

use crate::books::{PeriodDigest, PeriodSums};

pub use self::collect::{Collected, Collector, Origin, WantedConfiguration};

/// Stands in the directory of a book.
const MARK: &str = "book";
/// Row that says that every partition has been read to its end once.
const COMPLETE: &[u8] = b"book.complete";

/// A book, for reading.
#[derive(Debug)]
pub struct Book {
    dir: DataDir,
    reader: LedgerReader<SledStore>,
    configs: ConfigStore,
    heads: Vec<(PartitionId, Head)>,
}

/// What a verification of a book found of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookPartition {
    /// Which.
    pub partition: PartitionId,
    /// The last entry, and its hash: the chain up to it was computed again.
    pub head: (Sequence, EntryHash),
    /// Whether the sums are those of the entries.
    pub sums_agree: bool,
}

/// Why a book cannot be used, or added to.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The directory cannot be used.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Kept configurations failed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The directory holds something else.
    #[error("{path} is no book: give a new directory to `tarifa collect`")]
    NoBook {
        /// Which.
        path: String,
    },
    /// It was made from another topic.
    #[error("this book was made from {pinned}, and not from {given}: collect into a new directory")]
    OtherOrigin {
        /// Where it is from.
        pinned: String,
        /// What it was to be added to from.
        given: String,
    },
    /// Not all partitions have been read.
    #[error(
        "this book has not been read to the end of every partition: run `tarifa collect` to the end first"
    )]
    Incomplete,
    /// No entry adopts a configuration, so nothing was booked.
    #[error("this book holds nothing yet: run `tarifa collect` when the service has published something")]
    Empty,
    /// The adopted configuration cannot be read.
    #[error("the adopted configuration {hash} cannot be read")]
    Configuration {
        /// Its hash.
        hash: ContentHash,
        /// Why.
        #[source]
        source: ConfigurationError,
    },
    /// A record is no entry.
    #[error(
        "the record at {offset} of partition {partition} is no entry that this program can read: use a newer \
         program, or find out who wrote it"
    )]
    Unreadable {
        /// In which partition.
        partition: u32,
        /// Where there.
        offset: u64,
        /// What is wrong with it.
        #[source]
        source: wire::CanonicalError,
    },
    /// An entry is missing or stands where it must not.
    #[error(
        "entry {expected} of partition {partition} is missing: entry {found} of partition {of} comes at {offset}"
    )]
    Missing {
        /// In which partition.
        partition: u32,
        /// Which entry has to come.
        expected: u64,
        /// Which one came.
        found: u64,
        /// Of which partition that one is.
        of: u32,
        /// Where it stands in the topic.
        offset: u64,
    },
    /// The chain breaks.
    #[error(
        "the chain of partition {partition} breaks at entry {sequence}: it follows {found}, and the entry before has \
         {expected}; the topic was altered, or it is not the one this book was made from"
    )]
    Broken {
        /// In which partition.
        partition: u32,
        /// At which entry.
        sequence: u64,
        /// Hash of the entry before.
        expected: EntryHash,
        /// What the entry says of it.
        found: EntryHash,
    },
}

/// Whether a directory is a book.
#[must_use]
pub fn is_book(path: &Path) -> bool {
    path.join(MARK).exists()
}

fn mark(dir: &DataDir) -> Result<(), DirError> {
    let path = dir.root().join(MARK);
    let marked = fs::write(&path, "a book of all partitions, collected from the ledger topic\n");
    marked.map_err(|source| DirError::File(FileError { action: "write", path, source }))
}

impl Book {
    /// Opens a book that was collected to the end of every partition at least once.
    ///
    /// # Errors
    /// In use, damaged, or incomplete.
    pub fn open(path: &Path) -> Result<Self, BookError> {
        let dir = DataDir::open(path, false)?;
        let reader = LedgerReader::new(SledStore::open(&dir.ledger())?);
        if reader.source(COMPLETE)?.is_none() {
            return Err(BookError::Incomplete);
        }
        let heads = reader.heads()?;
        Ok(Self { configs: ConfigStore::new(dir.config()), reader, heads, dir })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// The entries, and the sums over them.
    #[must_use]
    pub fn ledger(&self) -> &LedgerReader<SledStore> {
        &self.reader
    }

    /// How far each partition goes, by number.
    #[must_use]
    pub fn heads(&self) -> &[(PartitionId, Head)] {
        &self.heads
    }

    /// The configuration that was adopted last; all partitions adopt the same.
    ///
    /// # Errors
    /// None was adopted, or its content is not there.
    pub fn configuration(&self) -> Result<Arc<Configuration>, BookError> {
        let hash = self.heads.iter().find_map(|(_, head)| head.config).ok_or(BookError::Empty)?;
        let read = Configuration::from_bytes(&self.configs.load(&hash)?);
        read.map(Arc::new).map_err(|source| BookError::Configuration { hash, source })
    }

    /// Gives every net conversation to `each`: by partition, opening and id. Those of one partition are in memory at once.
    ///
    /// The entries do not say how far the window of an open conversation has slid, nor how many messages it has: until
    /// it is closed, `expires_at` is that of its opening and the counts are 0.
    ///
    /// # Errors
    /// Damage, or the caller's.
    pub fn net_conversations<E: From<BookError>>(
        &self,
        each: &mut dyn FnMut(NetConversation) -> Result<(), E>,
    ) -> Result<(), E> {
        for (partition, _) in &self.heads {
            let net = net::of_partition(&self.reader, *partition).map_err(|error| E::from(error.into()))?;
            net.into_iter().try_for_each(&mut *each)?;
        }
        Ok(())
    }

    /// The digest of each account and period, in their order. Of open conversations the entries do not say enough: where
    /// there are any, it is not the digest of the state.
    ///
    /// # Errors
    /// Damage.
    pub fn digests(&self) -> Result<Vec<PeriodDigest>, BookError> {
        let mut sums = std::collections::BTreeMap::<AccountPeriod, PeriodSums>::new();
        let mut digester = crate::Digester::default();
        self.net_conversations::<BookError>(&mut |net| {
            let place = AccountPeriod { account: net.account.clone(), period: net.period };
            sums.entry(place).or_default().add_net(&net, &mut digester);
            Ok(())
        })?;
        Ok(sums.into_iter().map(|(place, sums)| sums.into_digest(place)).collect())
    }

    /// Computes the chain of every partition again, and compares the sums with the entries.
    ///
    /// # Errors
    /// A chain that breaks, or damage.
    pub fn verify(&self) -> Result<Vec<BookPartition>, BookError> {
        let check = |(partition, head): &(PartitionId, Head)| {
            let sums_agree = self.reader.verify_rollups(*partition)?.is_none();
            Ok(BookPartition { partition: *partition, head: (head.sequence, head.hash), sums_agree })
        };
        self.heads.iter().map(check).collect()
    }
}
