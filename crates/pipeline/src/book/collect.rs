//! Adding to a book: records of the ledger topic, one after the other, each seen to follow the one before.
//!
//! Knows nothing of a client. Invariant: what is committed are the very bytes that came, and how far the topic was read
//! is committed with them, so that a kill at any moment loses and doubles nothing.

use std::{collections::BTreeMap, path::Path};

use ledger::{
    Commit, ConfigStore, DataDir, EncodedEntries, EntryEncoder, Ledger, LedgerReader, store::SledStore,
};
use model::{
    ContentHash, DispositionCounts, Entry, EntryBody, EntryHash, Offset, PartitionId, Sequence, UnixMillis,
};
use wire::Words;

use super::{BookError, COMPLETE, MARK, mark};

/// Row that says what a book was made from.
const ORIGIN: &[u8] = b"book.origin";
/// A book seals nothing, so it has no secret to pin.
const NO_SECRET: ContentHash = ContentHash([0; 32]);

/// What a book is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The broker's own id of its cluster.
    pub cluster: String,
    /// Name of the ledger topic.
    pub topic: String,
    /// Its partitions.
    pub partitions: u32,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "topic {} with {} partitions in cluster {}", self.topic, self.partitions, self.cluster)
    }
}

/// A configuration that entries adopt, and whose content the book has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedConfiguration {
    /// Its hash.
    pub content: ContentHash,
    /// Where in the input topic the record stands that brought it.
    pub at: (PartitionId, Offset),
}

/// What was added since the book was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Entries that are new.
    pub entries: u64,
    /// Entries that the book had already: published again after the topic was lost.
    pub repeated: u64,
}

/// Adds to a book.
#[derive(Debug)]
pub struct Collector {
    ledger: Ledger<SledStore>,
    configs: ConfigStore,
    parts: BTreeMap<PartitionId, Part>,
    words: Words,
    wanted: BTreeMap<ContentHash, (PartitionId, Offset)>,
    collected: Collected,
    /// Held for its lock.
    _dir: DataDir,
}

/// One partition under way.
#[derive(Debug)]
struct Part {
    encoder: EntryEncoder,
    sequence: Sequence,
    hash: EntryHash,
    committed_offset: Option<Offset>,
    next_offset: Offset,
    waiting: Vec<Entry>,
    config: Option<ContentHash>,
}

impl Collector {
    /// Opens a book, or begins one, to be added to from this topic.
    ///
    /// # Errors
    /// In use, something else than a book, or a book of another topic.
    pub fn open(path: &Path, origin: &Origin) -> Result<Self, BookError> {
        let dir = DataDir::open(path, true)?;
        let store = SledStore::open(&dir.ledger())?;
        let fresh = LedgerReader::new(store.clone()).secret_fingerprint()?.is_none() && !dir.has_begun()?;
        if !fresh && !dir.root().join(MARK).exists() {
            return Err(BookError::NoBook { path: dir.root().display().to_string() });
        }
        mark(&dir)?;
        let mut ledger = Ledger::open(store, NO_SECRET)?;
        let given = origin.to_string();
        match ledger.reader().source(ORIGIN)? {
            Some(pinned) if pinned != given.as_bytes() => {
                let pinned = String::from_utf8_lossy(&pinned).into_owned();
                return Err(BookError::OtherOrigin { pinned, given });
            }
            Some(_) => {}
            None => ledger.put_sources(&[(ORIGIN.to_vec(), given.into_bytes())])?,
        }
        let parts = (0..origin.partitions).map(|number| {
            let partition = PartitionId(number);
            Part::open(&ledger, partition).map(|part| (partition, part))
        });
        Ok(Self {
            parts: parts.collect::<Result<_, BookError>>()?,
            configs: ConfigStore::new(dir.config()),
            ledger,
            words: Words::new(),
            wanted: BTreeMap::new(),
            collected: Collected::default(),
            _dir: dir,
        })
    }

    /// Where reading each partition of the topic begins.
    #[must_use]
    pub fn next_offsets(&self) -> Vec<(PartitionId, Offset)> {
        self.parts.iter().map(|(partition, part)| (*partition, part.next_offset)).collect()
    }

    /// Takes a record of the topic.
    ///
    /// # Errors
    /// It is no entry, or does not follow the one before. Nothing of it is committed then.
    pub fn add(&mut self, partition: PartitionId, offset: Offset, value: &[u8]) -> Result<(), BookError> {
        let Some(part) = self.parts.get_mut(&partition) else { return Ok(()) };
        let entry = wire::decode_entry(value, &mut self.words).map_err(|source| BookError::Unreadable {
            partition: partition.0,
            offset: offset.0,
            source,
        })?;
        if entry.partition == partition && entry.sequence <= part.sequence {
            self.collected.repeated += 1;
            part.next_offset = Offset(offset.0 + 1);
            return Ok(());
        }
        part.must_follow(&entry, partition, offset)?;
        if let EntryBody::Configured { content, .. } = &entry.body {
            part.config = Some(*content);
            if self.configs.load(content).is_err() {
                self.wanted.entry(*content).or_insert((partition, entry.offset));
            }
        }
        part.hash = wire::chain_hash(&part.hash, value);
        part.sequence = entry.sequence;
        part.next_offset = Offset(offset.0 + 1);
        part.waiting.push(entry);
        self.collected.entries += 1;
        Ok(())
    }

    /// Notes that a partition was read to here, where its last offsets hold no entry.
    pub fn reached(&mut self, partition: PartitionId, next: Offset) {
        if let Some(part) = self.parts.get_mut(&partition) {
            part.next_offset = part.next_offset.max(next);
        }
    }

    /// How many entries wait to be committed.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.parts.values().map(|part| part.waiting.len()).sum()
    }

    /// Commits what waits, in one piece, safe when this returns.
    ///
    /// # Errors
    /// The store's.
    pub fn commit(&mut self) -> Result<(), BookError> {
        let none = DispositionCounts::default();
        let mut commits: Vec<(Commit<'_>, EncodedEntries)> = Vec::new();
        for (partition, part) in &mut self.parts {
            if part.committed_offset == Some(part.next_offset) && part.waiting.is_empty() {
                continue;
            }
            commits.push((part.commit(*partition, &none), part.encode(*partition)?));
        }
        if commits.is_empty() {
            return Ok(());
        }
        self.ledger.commit_encoded(&mut commits)?;
        for part in self.parts.values_mut() {
            part.committed_offset = Some(part.next_offset);
            part.config = None;
        }
        Ok(())
    }

    /// Notes that every partition has been read to its end: from now on the book can be read.
    ///
    /// # Errors
    /// The store's.
    pub fn complete(&mut self) -> Result<(), BookError> {
        self.commit()?;
        if self.ledger.reader().source(COMPLETE)?.is_none() {
            self.ledger.put_sources(&[(COMPLETE.to_vec(), b"1".to_vec())])?;
        }
        Ok(())
    }

    /// Configurations whose content is needed, each given once.
    pub fn take_wanted(&mut self) -> Vec<WantedConfiguration> {
        let wanted = std::mem::take(&mut self.wanted);
        wanted.into_iter().map(|(content, at)| WantedConfiguration { content, at }).collect()
    }

    /// Keeps the content of a configuration. False if it is not the one that entries adopt.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&self, wanted: &WantedConfiguration, content: &[u8]) -> Result<bool, BookError> {
        if ConfigStore::hash(content) != wanted.content {
            return Ok(false);
        }
        self.configs.keep(content)?;
        Ok(true)
    }

    /// What was added so far.
    #[must_use]
    pub const fn collected(&self) -> Collected {
        self.collected
    }

    /// The last entry of each partition and its hash.
    #[must_use]
    pub fn heads(&self) -> Vec<(PartitionId, Sequence, EntryHash)> {
        self.parts.iter().map(|(partition, part)| (*partition, part.sequence, part.hash)).collect()
    }
}

impl Part {
    fn open(ledger: &Ledger<SledStore>, partition: PartitionId) -> Result<Self, BookError> {
        let head = ledger.head(partition)?;
        Ok(Self {
            encoder: ledger.encoder(partition)?,
            sequence: head.sequence,
            hash: head.hash,
            committed_offset: head.first_offset.map(|_| head.next_offset),
            next_offset: head.next_offset,
            waiting: Vec::new(),
            config: None,
        })
    }

    fn must_follow(&self, entry: &Entry, partition: PartitionId, offset: Offset) -> Result<(), BookError> {
        let expected = self.sequence.0 + 1;
        if entry.partition != partition || entry.sequence.0 != expected {
            let (found, of) = (entry.sequence.0, entry.partition.0);
            return Err(BookError::Missing { partition: partition.0, expected, found, of, offset: offset.0 });
        }
        if entry.previous_hash != self.hash {
            let (expected, found) = (self.hash, entry.previous_hash);
            return Err(BookError::Broken {
                partition: partition.0,
                sequence: entry.sequence.0,
                expected,
                found,
            });
        }
        Ok(())
    }

    fn commit<'c>(&self, partition: PartitionId, none: &'c DispositionCounts) -> Commit<'c> {
        let from = self.committed_offset.unwrap_or_default();
        Commit {
            partition,
            from_offset: from,
            next_offset: self.next_offset,
            partition_time: UnixMillis::MIN,
            dispositions: none,
            // Offsets of the ledger topic hold no records of the input: the service's own ledger accounts for those.
            empty_offsets: self.next_offset.0 - from.0,
            config: self.config,
            checkpoint: None,
            sources: &[],
        }
    }

    /// Encodes what waits. The encoder writes each entry anew; that it ends with the hash of the bytes that came proves
    /// that it wrote the same.
    fn encode(&mut self, partition: PartitionId) -> Result<EncodedEntries, BookError> {
        let encoded = self.encoder.encode(&self.waiting)?;
        self.waiting.clear();
        let (sequence, found) = encoded.last();
        if found != self.hash {
            let (partition, expected) = (partition.0, self.hash);
            return Err(BookError::Broken { partition, sequence: sequence.0, expected, found });
        }
        Ok(encoded)
    }
}
