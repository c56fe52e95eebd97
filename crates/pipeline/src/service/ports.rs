//! What the service needs of a log and of topics: ports, which the crate `kafka` implements.
//!
//! Knows nothing of rdkafka. Invariant: nothing behind a port decides anything about money.

use std::{fmt, ops::ControlFlow, time::Duration};

use model::{ContentHash, EntryHash, Offset, PartitionId, UnixMillis};

/// A record of the input topic, borrowed from the client's buffer.
#[derive(Debug, Clone, Copy)]
pub struct LogRecord<'a> {
    /// Its partition.
    pub partition: PartitionId,
    /// Its place there.
    pub offset: Offset,
    /// The broker's append time.
    pub record_time: UnixMillis,
    /// As it was sent.
    pub key: Option<&'a [u8]>,
    /// As it was sent.
    pub value: Option<&'a [u8]>,
}

/// A record of the input topic with everything that a dead letter repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Its place.
    pub offset: Offset,
    /// The broker's append time.
    pub record_time: UnixMillis,
    /// As it was sent.
    pub key: Option<Vec<u8>>,
    /// As it was sent.
    pub value: Option<Vec<u8>>,
    /// As they were sent, in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A change of what this instance owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It owns this partition from now on. Nothing of it is read before [`EventLog::start`].
    Assigned(PartitionId),
    /// It owned this partition; [`Ownership::release`] has been called for it.
    Revoked(PartitionId),
}

/// Told before a partition is given away, on the thread that calls [`EventLog::poll`].
pub trait Ownership: Send + Sync {
    /// Ends what is under way on these partitions; another instance may have them when this returns.
    fn release(&self, partitions: &[PartitionId]);
}

/// The input topic, as a member of a group reads it.
pub trait EventLog: Send {
    /// Waits up to `timeout` for records and shows those that are there, up to `records_max`. Gives how many.
    ///
    /// # Errors
    /// The log cannot be read any further by this instance.
    fn poll(
        &mut self,
        timeout: Duration,
        records_max: usize,
        each: &mut dyn FnMut(&LogRecord<'_>),
    ) -> Result<usize, PortError>;

    /// Partitions of which the last poll has shown the last record that there is.
    fn at_end(&mut self) -> Vec<PartitionId>;

    /// Whether, since the last call, a partition could not be read on where it was to be read: it may have been cut, or made
    /// anew.
    fn in_doubt(&mut self) -> bool {
        false
    }

    /// What changed hands since the last call, in order.
    fn changes(&mut self) -> Vec<Change>;

    /// Begins to read a partition that was assigned, at `from`.
    ///
    /// # Errors
    /// The log's.
    fn start(&mut self, partition: PartitionId, from: Offset) -> Result<(), PortError>;

    /// Stops reading a partition that stays assigned.
    ///
    /// # Errors
    /// The log's.
    fn stop(&mut self, partition: PartitionId) -> Result<(), PortError>;

    /// Shows the group how far a partition was published; for display alone, so a failure is no error.
    fn show_progress(&self, partition: PartitionId, next: Offset);

    /// Leaves the group. Everything must have been released.
    fn leave(&mut self);
}

/// The last record of the ledger topic in a partition, or its first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRecord {
    /// Its place in the ledger topic.
    pub offset: Offset,
    /// Canonical bytes of the entry.
    pub value: Vec<u8>,
    /// The headers, by name.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What the service pins of the place it runs against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The broker's own id of its cluster.
    pub cluster: String,
    /// Name of the input topic.
    pub input: String,
    /// Number of partitions of the input topic.
    pub partitions: u32,
}

/// A topic that is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The ledger topic: the partition is that of the input.
    Ledger(PartitionId),
    /// The charges topic: the key says which partition.
    Charges,
    /// The topic of dead letters: the key says which partition.
    DeadLetter,
    /// The input topic itself: ticks, configurations, resubmissions.
    Input(PartitionId),
}

/// A header to be written.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

/// A record to be written.
#[derive(Debug, Clone, Copy)]
pub struct OutRecord<'a> {
    /// Where to.
    pub target: Target,
    /// Absent for control records.
    pub key: Option<&'a [u8]>,
    /// The value; absent where the original of a dead letter had none.
    pub value: Option<&'a [u8]>,
    /// In their order.
    pub headers: &'a [Header<'a>],
}

/// A producer of its own transactional id. Making it has fenced all earlier ones.
pub trait Publisher: Send {
    /// Begins a transaction.
    ///
    /// # Errors
    /// Fenced, or the broker's.
    fn begin(&mut self) -> Result<(), PortError>;

    /// Adds a record to the transaction.
    ///
    /// # Errors
    /// Fenced, or the broker's.
    fn send(&mut self, record: &OutRecord<'_>) -> Result<(), PortError>;

    /// Waits until everything sent has been taken, without ending the transaction: so that several may be under way.
    ///
    /// # Errors
    /// Fenced, or the broker's.
    fn settle(&mut self) -> Result<(), PortError>;

    /// Ends the transaction; when this returns its records are visible.
    ///
    /// # Errors
    /// Fenced, or the broker's. Whether the transaction took place is then known only by the ledger topic's tail.
    fn commit(&mut self) -> Result<(), PortError>;
}

/// Everything else that is asked of the broker.
pub trait Broker: Send + Sync {
    /// Where this is.
    ///
    /// # Errors
    /// The broker is away, or a topic is missing or set otherwise than it has to be.
    fn place(&self) -> Result<Place, PortError>;

    /// A producer for a partition, or for the installation as a whole. Fences earlier ones and ends what they left.
    ///
    /// # Errors
    /// The broker's.
    fn publisher(&self, of: Option<PartitionId>) -> Result<Box<dyn Publisher>, PortError>;

    /// The first record that a partition of the ledger topic still has, read committed.
    ///
    /// # Errors
    /// The broker's.
    fn ledger_first(&self, partition: PartitionId) -> Result<Option<LedgerRecord>, PortError>;

    /// The last record of a partition of the ledger topic, read committed.
    ///
    /// # Errors
    /// The broker's.
    fn ledger_last(&self, partition: PartitionId) -> Result<Option<LedgerRecord>, PortError>;

    /// Reads a partition of the ledger topic, read committed, from `from` to its present end, or until told to break.
    ///
    /// # Errors
    /// The broker's.
    fn read_ledger(
        &self,
        partition: PartitionId,
        from: Offset,
        each: &mut dyn FnMut(LedgerRecord) -> ControlFlow<()>,
    ) -> Result<(), PortError>;

    /// The first offset of an input partition that is still there, and the one behind the last.
    ///
    /// # Errors
    /// The broker's.
    fn input_range(&self, partition: PartitionId) -> Result<(Offset, Offset), PortError>;

    /// Reads an input partition from `from` to its present end, or until told to break.
    ///
    /// # Errors
    /// The broker's.
    fn read_input(
        &self,
        partition: PartitionId,
        from: Offset,
        each: &mut dyn FnMut(OwnedRecord) -> ControlFlow<()>,
    ) -> Result<(), PortError>;

    /// The same without headers, and without copying what is only looked at: a backlog may be long.
    ///
    /// # Errors
    /// The broker's.
    fn look_through_input(
        &self,
        partition: PartitionId,
        from: Offset,
        each: &mut dyn FnMut(&LogRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), PortError> {
        self.read_input(partition, from, &mut |record| {
            let OwnedRecord { offset, record_time, key, value, .. } = &record;
            each(&LogRecord {
                partition,
                offset: *offset,
                record_time: *record_time,
                key: key.as_deref(),
                value: value.as_deref(),
            })
        })
    }
}

/// Why a port failed, as far as the service acts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortError {
    /// Another instance has taken this partition over.
    Fenced(String),
    /// The transaction was lost; begin again from the ledger topic's tail.
    Aborted(String),
    /// The broker is away, or refuses.
    Unavailable(String),
    /// A topic is not as it has to be.
    Settings(String),
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced(what) => write!(f, "another instance has taken over ({what})"),
            Self::Aborted(what) => write!(f, "the transaction was lost ({what})"),
            Self::Unavailable(what) => {
                write!(f, "the broker is away or refuses ({what}): check `brokers` and the broker's log")
            }
            Self::Settings(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for PortError {}

impl OwnedRecord {
    /// Names the record: what a broker must give again at the same place.
    #[must_use]
    pub fn fingerprint(&self) -> ContentHash {
        fingerprint(self.record_time, self.key.as_deref(), self.value.as_deref())
    }
}

/// Names a record by what it says and when it came; absent counts as empty.
#[must_use]
pub fn fingerprint(record_time: UnixMillis, key: Option<&[u8]>, value: Option<&[u8]>) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"tarifa.input.record.v1").update(&record_time.0.to_be_bytes());
    for part in [key, value] {
        let part = part.unwrap_or_default();
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
    }
    ContentHash(*hasher.finalize().as_bytes())
}

/// Sequence and hash of a published entry.
pub type Published = (model::Sequence, EntryHash);
