//! The directory of a service, read while no service runs on it: chains, accounts of offsets, sums, digests.
//!
//! Knows nothing of Kafka. Invariant: digests of several directories add up, as each says which partitions it is of.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::Path,
};

use ledger::{
    ConfigStore, DataDir, DirError, FileError, LedgerReader, checkpoint::StateStore, rollup::AccountPeriod,
    store::SledStore,
};
use model::{EntryHash, Offset, PartitionId, Sequence};

use crate::{
    PeriodDigest,
    books::{PeriodSums, StateReader},
    error::PipelineError,
};

/// Stands in the directory of a service.
const MARK: &str = "service";
const ABOUT: &str = "the directory of a service: its log is in Kafka\n";
const INSTANCE: &str = "instance ";

/// Whether a directory is that of a service.
#[must_use]
pub fn is_service_directory(path: &Path) -> bool {
    path.join(MARK).exists()
}

/// Marks a directory as that of a service, and gives the name of the instance it belongs to: made once, so that a
/// restarted instance is known to its group as the one it was.
pub(crate) fn mark(dir: &DataDir) -> Result<String, DirError> {
    let path = dir.root().join(MARK);
    if let Some(name) = fs::read_to_string(&path).ok().as_deref().and_then(instance_in) {
        return Ok(name.to_owned());
    }
    let made = || {
        let mut bytes = [0; 8];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut file = File::create(&path)?;
        file.write_all(format!("{ABOUT}{INSTANCE}{name}\n").as_bytes())?;
        file.sync_all()?;
        Ok(name)
    };
    made().map_err(|source| DirError::File(FileError { action: "write", path: path.clone(), source }))
}

fn instance_in(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix(INSTANCE)).filter(|name| name.len() == 16)
}

/// What the directory of a service holds of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionBooks {
    /// Which.
    pub partition: PartitionId,
    /// The last entry and its hash: the chain up to it was computed again.
    pub head: (Sequence, EntryHash),
    /// Behind the last record.
    pub next_offset: Offset,
    /// Whether next offset less first offset is the number of records and of offsets without one.
    pub accounts_for_every_offset: bool,
    /// Whether the sums are those of the entries.
    pub sums_agree: bool,
    /// The last entry that the state knows of, from which the digests are made.
    pub state_at: Sequence,
}

/// What the directory of a service holds.
#[derive(Debug)]
pub struct ServiceBooks {
    /// By number.
    pub partitions: Vec<PartitionBooks>,
    sums: BTreeMap<AccountPeriod, PeriodSums>,
}

impl ServiceBooks {
    /// Opens a directory on which no service runs, and verifies it.
    ///
    /// # Errors
    /// In use, damaged, or a chain that breaks.
    pub fn read(path: &Path) -> Result<Self, PipelineError> {
        Self::read_partitions(path, &|_| true)
    }

    /// As [`Self::read`], of those partitions alone that are wanted: another instance may have come further with others.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_partitions(path: &Path, wanted: &dyn Fn(PartitionId) -> bool) -> Result<Self, PipelineError> {
        let dir = DataDir::open(path, false)?;
        let reader = LedgerReader::new(SledStore::open(&dir.ledger())?);
        let configs = ConfigStore::new(dir.config());
        let mut books = Self { partitions: Vec::new(), sums: BTreeMap::new() };
        for (partition, head) in reader.heads()?.into_iter().filter(|(partition, _)| wanted(*partition)) {
            let state = StateStore::open(&dir.state().join(format!("p{}", partition.0)), head.checkpoint)?;
            let mut state = StateReader::over(&state, &configs).and_then(|mut state| {
                (0..projector::BUCKETS).try_for_each(|bucket| state.read(bucket))?;
                Ok((state.reached().1, state.into_sums()))
            })?;
            books.partitions.push(PartitionBooks {
                partition,
                head: (head.sequence, head.hash),
                next_offset: head.next_offset,
                accounts_for_every_offset: head.accounts_for_every_offset(),
                sums_agree: reader.verify_rollups(partition)?.is_none(),
                state_at: state.0,
            });
            for (place, sums) in std::mem::take(&mut state.1) {
                books.sums.entry(place).or_default().absorb(&sums);
            }
        }
        Ok(books)
    }

    /// Whether everything in it says the same.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.partitions.iter().all(|one| one.accounts_for_every_offset && one.sums_agree)
    }

    /// Adds the books of other partitions.
    pub fn add(&mut self, other: Self) {
        self.partitions.extend(other.partitions);
        self.partitions.sort_by_key(|one| one.partition);
        for (place, sums) in other.sums {
            self.sums.entry(place).or_default().absorb(&sums);
        }
    }

    /// The digest of each account and period, in their order.
    #[must_use]
    pub fn into_digests(self) -> Vec<PeriodDigest> {
        self.sums.into_iter().map(|(place, sums)| sums.into_digest(place)).collect()
    }
}
