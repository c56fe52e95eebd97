//! From a record of the input topic to a record for the projector: decoded, routed, sealed; on the consuming thread.
//!
//! Knows nothing of what a record books. Invariant: one record in, one record out; what it cannot read it names.

use ledger::{ConfigStore, SymbolTable};
use model::{
    Configured, ContentHash, Event, MalformedReason, Offset, PartitionId, Record, RecordContent, Symbol, Text,
};
use projector::FUTURE_TOLERANCE;
use wire::{Control, Piece, WebhookDefaults, decode_control, decode_record_value};

use super::{
    partitioner::partition_of,
    ports::{LogRecord, fingerprint},
};
use crate::seal::Sealer;

/// Records of one partition on their way to the projector.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Of which partition.
    pub(crate) partition: PartitionId,
    /// By offset; there may be gaps.
    pub(crate) records: Vec<Record>,
    /// Words met for the first time.
    pub(crate) words: Vec<(Symbol, Text)>,
    /// What is wrong with records, by their place here.
    pub(crate) problems: Vec<(usize, String)>,
    /// Contents that configuration records brought along, by their place here.
    pub(crate) configurations: Vec<(usize, Vec<u8>)>,
    /// What the broker must give again in the place of the last record.
    pub(crate) last: ContentHash,
    bytes: Vec<u8>,
    origins: Vec<Origin>,
}

/// Where the value of a record and the number of its user lie in the batch's bytes.
#[derive(Debug, Clone, Copy)]
struct Origin {
    start: usize,
    user: usize,
    end: usize,
}

impl Batch {
    fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            records: Vec::new(),
            words: Vec::new(),
            problems: Vec::new(),
            configurations: Vec::new(),
            last: ContentHash([0; 32]),
            bytes: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// The value of the record at `index`.
    pub(crate) fn original(&self, index: usize) -> &[u8] {
        self.origins.get(index).map_or(&[], |origin| &self.bytes[origin.start..origin.user])
    }

    /// The number of the user of the record at `index`.
    pub(crate) fn user(&self, index: usize) -> Option<&str> {
        let origin = self.origins.get(index)?;
        std::str::from_utf8(&self.bytes[origin.user..origin.end]).ok().filter(|user| !user.is_empty())
    }
}

/// Reads the records of one partition.
#[derive(Debug)]
pub(crate) struct Intake {
    partitions: u32,
    sealer: Sealer,
    next: Offset,
    batch: Batch,
    /// The newest record's fingerprint is made when the batch goes, of these bytes.
    newest_key: Option<Vec<u8>>,
    defaults: WebhookDefaults,
}

impl Intake {
    /// Begins at `next`, with the words that the partition has so far.
    pub(crate) fn new(
        partition: PartitionId,
        partitions: u32,
        secret: ledger::Secret,
        symbols: SymbolTable,
        next: Offset,
    ) -> Self {
        Self {
            partitions,
            sealer: Sealer::new(secret, symbols),
            next,
            batch: Batch::new(partition),
            newest_key: None,
            defaults: WebhookDefaults::default(),
        }
    }

    /// How many records wait.
    pub(crate) fn len(&self) -> usize {
        self.batch.records.len()
    }

    /// Behind the last record read.
    pub(crate) fn next(&self) -> Offset {
        self.next
    }

    /// Takes what waits.
    pub(crate) fn take(&mut self) -> Batch {
        let records = self.batch.records.len();
        let bytes = self.batch.bytes.len();
        let mut next = Batch::new(self.batch.partition);
        next.records.reserve(records);
        next.origins.reserve(records);
        next.bytes.reserve(bytes);
        let mut batch = std::mem::replace(&mut self.batch, next);
        self.sealer.finish(&mut batch.records);
        batch.words = self.sealer.take_new_words();
        if let (Some(record), Some(origin)) = (batch.records.last(), batch.origins.last()) {
            let value = &batch.bytes[origin.start..origin.user];
            batch.last = fingerprint(record.record_time, self.newest_key.as_deref(), Some(value));
        }
        batch
    }

    /// Reads a record. One that was read before is passed over: a client may give a few again after a seek.
    pub(crate) fn read(&mut self, record: &LogRecord<'_>) {
        if record.offset < self.next {
            return;
        }
        self.next = Offset(record.offset.0 + 1);
        let value = record.value.unwrap_or_default();
        let start = self.batch.bytes.len();
        self.batch.bytes.extend_from_slice(value);
        let user = self.batch.bytes.len();
        let index = self.batch.records.len();
        let content = self.content(record, value, index);
        self.batch.origins.push(Origin { start, user, end: self.batch.bytes.len() });
        self.batch.records.push(Record { offset: record.offset, record_time: record.record_time, content });
        if self.sealer.is_full() {
            self.sealer.finish(&mut self.batch.records);
        }
        match (&mut self.newest_key, record.key) {
            (Some(kept), Some(key)) => {
                kept.clear();
                kept.extend_from_slice(key);
            }
            (kept, key) => *kept = key.map(<[u8]>::to_vec),
        }
    }

    fn content(&mut self, record: &LogRecord<'_>, value: &[u8], index: usize) -> RecordContent {
        let Self { partitions, sealer, batch, defaults, .. } = self;
        let mut content = None;
        let mut pieces = 0;
        decode_record_value(value, defaults, &mut |piece| {
            pieces += 1;
            content = Some(match piece {
                Piece::Event(event) if is_routed(record, &event, *partitions) => {
                    batch.bytes.extend_from_slice(event.user.as_bytes());
                    RecordContent::Event(sealer.seal_among(&event, index))
                }
                Piece::Event(_) => RecordContent::Misrouted,
                Piece::Tick(_) => RecordContent::Tick(record.record_time - FUTURE_TOLERANCE),
                Piece::Ignored(reason) => RecordContent::Ignored(reason),
                Piece::Malformed(problem) => {
                    batch.problems.push((index, problem.message));
                    RecordContent::Malformed(problem.reason)
                }
            });
        });
        match content {
            Some(RecordContent::Ignored(_) | RecordContent::Malformed(_)) | None => {
                match decode_control(value) {
                    Some(control) => self.control(record, control, index),
                    None => content.unwrap_or(RecordContent::Malformed(MalformedReason::UnknownShape)),
                }
            }
            // A webhook body is split before it reaches a log, so that each event has the key of its thread.
            Some(_) if pieces > 1 => {
                batch.problems.push((
                    index,
                    "a webhook body of several events; publish it with `tarifa publish`".to_owned(),
                ));
                RecordContent::Malformed(MalformedReason::UnknownShape)
            }
            Some(content) => content,
        }
    }

    fn control(&mut self, record: &LogRecord<'_>, control: Control, index: usize) -> RecordContent {
        match control {
            Control::Tick => RecordContent::Tick(record.record_time - FUTURE_TOLERANCE),
            Control::Configuration { content_hash, effective_from, content } => {
                if !content.is_empty() {
                    if ConfigStore::hash(&content) != content_hash {
                        let problem = "a configuration whose content is not what its hash says";
                        self.batch.problems.push((index, problem.to_owned()));
                        return RecordContent::Malformed(MalformedReason::OutOfRange);
                    }
                    self.batch.configurations.push((index, content));
                }
                RecordContent::Configuration(Configured { content: content_hash, effective_from })
            }
            Control::Resubmission { partition, offset, value, .. } => {
                self.resubmission(record, partition, offset, &value, index)
            }
            // Books nothing in this version of the rules.
            Control::PeriodClosed | Control::UserErased => {
                RecordContent::Ignored(model::IgnoredReason::UnknownType)
            }
        }
    }

    fn resubmission(
        &mut self,
        record: &LogRecord<'_>,
        partition: u32,
        offset: u64,
        value: &[u8],
        index: usize,
    ) -> RecordContent {
        let Self { partitions, sealer, batch, defaults, .. } = self;
        if PartitionId(partition) != record.partition {
            let problem = "a resubmission of a record of another partition; append it as an event of its own";
            batch.problems.push((index, problem.to_owned()));
            return RecordContent::Malformed(MalformedReason::OutOfRange);
        }
        let mut event = None;
        decode_record_value(value, defaults, &mut |piece| {
            if let Piece::Event(found) = piece {
                let key = thread_key(&found);
                let here = partition_of(key.as_bytes(), *partitions) == record.partition.0;
                batch.bytes.extend_from_slice(found.user.as_bytes());
                event = Some(if here { Ok(sealer.seal(&found)) } else { Err(()) });
            }
        });
        match event {
            Some(Ok(event)) => RecordContent::Resubmission { original: Offset(offset), event },
            Some(Err(())) => RecordContent::Misrouted,
            None => {
                let problem = "a resubmission without a readable event";
                batch.problems.push((index, problem.to_owned()));
                RecordContent::Malformed(MalformedReason::MissingField)
            }
        }
    }
}

/// The key that the record of an event has in the input topic.
#[must_use]
pub fn thread_key(event: &Event<'_>) -> String {
    format!("{}:{}", event.business_phone, event.user)
}

/// Whether a record has the key of its thread, and lies where that key belongs.
fn is_routed(record: &LogRecord<'_>, event: &Event<'_>, partitions: u32) -> bool {
    let Some(key) = record.key else { return false };
    let phone = event.business_phone.as_bytes();
    let is_key =
        key.strip_prefix(phone).and_then(|rest| rest.strip_prefix(b":")) == Some(event.user.as_bytes());
    is_key && partition_of(key, partitions) == record.partition.0
}
