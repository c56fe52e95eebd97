//! The publishing threads: each has some partitions, and gives each of them one transaction a round.
//!
//! Knows nothing of how entries come about. Invariant: only what is committed here is published, in order, from where
//! the ledger topic ends; a partition whose transaction fails is given up until it is opened again.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ledger::{LedgerReader, store::Store};
use model::{Entry, EntryBody, EntryHash, Offset, PartitionId, Sequence, UnixMillis};

use super::{
    error::ServiceError,
    metrics::{Metrics, Phase},
    outbox::{Outbox, Piece},
    outgoing::{DeadLetter, Names, PublishedHead, send_dead_letter, send_entry},
    ports::{Broker, OutRecord, OwnedRecord, PortError, Publisher, Target},
};

/// Dead letters of which the originals are fetched at once.
const LETTERS_AT_ONCE: usize = 1_000;

/// How far each partition is published: the committing thread writes it down along with what it commits.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<BTreeMap<PartitionId, Sequence>>);

impl Board {
    fn set(&self, partition: PartitionId, published: Sequence) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, published);
    }

    pub(crate) fn get(&self, partition: PartitionId) -> Option<Sequence> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&partition).copied()
    }
}

/// What a publishing thread is told.
pub(crate) enum ToPublish {
    /// A partition is opened.
    Open(Box<Outbox>),
    /// Entries of a partition were committed, up to and without the records at an offset.
    Committed(PartitionId, Piece, Offset),
    /// A partition is given away: publish what is committed, then let go.
    Close(PartitionId, Sender<()>),
}

/// A publishing thread.
pub(crate) struct Publishing<S> {
    pub(crate) reader: LedgerReader<S>,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) names: Names,
    pub(crate) input: String,
    pub(crate) interval: Duration,
    pub(crate) tick_interval: Duration,
    pub(crate) metrics: Arc<Metrics>,
    /// Hears of partitions that had to be given up.
    pub(crate) trouble: Sender<(PartitionId, ServiceError)>,
    /// Hears how far partitions were published.
    pub(crate) progress: Sender<(PartitionId, Offset)>,
    pub(crate) board: Arc<Board>,
    pub(crate) outboxes: BTreeMap<PartitionId, Outbox>,
}

impl<S: Store> Publishing<S> {
    /// Publishes what it is told of, until nobody is left to tell.
    pub(crate) fn run(mut self, told: &Receiver<ToPublish>) {
        let mut next_round = Instant::now() + self.interval;
        loop {
            match told.recv_timeout(next_round.saturating_duration_since(Instant::now())) {
                Ok(ToPublish::Open(outbox)) => {
                    self.outboxes.insert(outbox.partition, *outbox);
                }
                Ok(ToPublish::Committed(partition, piece, next)) => {
                    if let Some(outbox) = self.outboxes.get_mut(&partition) {
                        outbox.add(piece, next);
                    }
                }
                Ok(ToPublish::Close(partition, done)) => {
                    self.round(Some(partition));
                    self.outboxes.remove(&partition);
                    drop(done);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let began = Instant::now();
                    while self.round(None) {}
                    next_round = (began + self.interval).max(Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// One transaction for each partition that has something, under way at the same time. Says whether any has more.
    fn round(&mut self, only: Option<PartitionId>) -> bool {
        let mut partitions: Vec<PartitionId> = self.outboxes.keys().copied().collect();
        partitions.retain(|partition| only.is_none_or(|only| only == *partition));
        let began = Instant::now();
        let mut sent = Vec::new();
        for partition in partitions {
            match self.send(partition, only.is_some()) {
                Ok(Some(under_way)) => sent.push((partition, under_way)),
                Ok(None) => {}
                Err(error) => self.give_up(partition, error),
            }
        }
        // All of them settle while the first is waited for.
        sent.retain(|(partition, _)| {
            let settled = self.outboxes.get_mut(partition).map(|outbox| outbox.publisher.settle());
            match settled {
                Some(Err(error)) => {
                    self.give_up(*partition, error.into());
                    false
                }
                Some(Ok(())) => true,
                None => false,
            }
        });
        let mut more = false;
        for (partition, under_way) in sent {
            let Some(outbox) = self.outboxes.get_mut(&partition) else { continue };
            if let Err(error) = outbox.publisher.commit() {
                self.give_up(partition, error.into());
                continue;
            }
            outbox.published = under_way.head;
            more |= outbox.committed > outbox.published.sequence;
            let waited = under_way
                .oldest
                .and_then(|at| now().0.checked_sub(at.0))
                .and_then(|ms| u64::try_from(ms).ok());
            self.metrics.published(began.elapsed(), waited.map(Duration::from_millis));
            self.show(partition);
        }
        more
    }

    /// Tells metrics and group where a partition is.
    fn show(&mut self, partition: PartitionId) {
        let Some(outbox) = self.outboxes.get_mut(&partition) else { return };
        let published = outbox.published.sequence;
        self.board.set(partition, published);
        self.metrics.partition_if_there(partition, |metrics| metrics.published = published);
        if outbox.committed == published && outbox.shown != outbox.next_offset {
            outbox.shown = outbox.next_offset;
            // Without the consuming thread there is no group to show it to.
            self.progress.send((partition, outbox.next_offset)).ok();
        }
    }

    /// Begins a transaction of a partition and sends what there is; `None` if there is nothing.
    fn send(&mut self, partition: PartitionId, is_last: bool) -> Result<Option<UnderWay>, ServiceError> {
        let Some(outbox) = self.outboxes.get_mut(&partition) else { return Ok(None) };
        if !outbox.checked {
            let PublishedHead { sequence, offset, .. } = outbox.published;
            if outbox.committed < sequence {
                // Behind the record that led to the last published entry there must be as many entries as then.
                let is_other = outbox.next_offset > offset;
                return if is_other { Err(ServiceError::OtherInput { partition, offset }) } else { Ok(None) };
            }
            check_end(&self.reader, partition, &outbox.published)?;
            outbox.checked = true;
        }
        self.metrics.partition_if_there(partition, |metrics| {
            if matches!(metrics.phase, Phase::Opening | Phase::Replaying) {
                metrics.phase = Phase::Running;
            }
        });
        let tick = !is_last && Instant::now() >= outbox.next_tick;
        let is_due = is_last || tick || outbox.is_due();
        let pieces = if is_due { outbox.next_pieces(&self.reader)? } else { Vec::new() };
        if pieces.is_empty() && !tick {
            return Ok(None);
        }
        outbox.begun = Some(Instant::now());
        outbox.publisher.begin()?;
        let mut under_way = UnderWay { head: outbox.published, oldest: None };
        if tick {
            outbox.next_tick = Instant::now() + self.tick_interval;
            send_tick(&mut *outbox.publisher, partition)?;
        }
        let last = pieces.last().and_then(Piece::last);
        for piece in pieces {
            let letters = originals(&*self.broker, partition, &piece.entries)?;
            for index in 0..piece.entries.len() {
                let Some((entry, hash, canonical)) = piece.get(index) else { break };
                let before = under_way.head;
                let is_last = last == Some(entry.sequence);
                under_way.head = send_entry(
                    &mut *outbox.publisher,
                    &self.names,
                    entry,
                    (hash, canonical),
                    (&before, is_last),
                )?;
                under_way.oldest = under_way.oldest.or(Some(entry.record_time));
                if matches!(entry.body, EntryBody::RecordQuarantined(_)) {
                    let letter = letters.get(&entry.offset).map_or_else(DeadLetter::lost, DeadLetter::of);
                    send_dead_letter(
                        &mut *outbox.publisher,
                        &self.names,
                        &self.input,
                        (entry, &before.hash),
                        &letter,
                    )?;
                }
            }
        }
        Ok(Some(under_way))
    }

    fn give_up(&mut self, partition: PartitionId, error: ServiceError) {
        self.outboxes.remove(&partition);
        self.metrics.lost_transaction();
        // Without the consuming thread everything ends anyway.
        self.trouble.send((partition, error)).ok();
    }
}

/// A transaction that has been sent, but not ended.
struct UnderWay {
    head: PublishedHead,
    oldest: Option<UnixMillis>,
}

impl<'a> DeadLetter<'a> {
    fn of(record: &'a OwnedRecord) -> Self {
        Self { key: record.key.as_deref(), value: record.value.as_deref(), headers: &record.headers }
    }

    /// The input topic no longer has it.
    fn lost() -> Self {
        Self { key: None, value: None, headers: &[] }
    }
}

/// The entry at which publishing goes on has to be the one that the ledger topic ends with.
fn check_end<S: Store>(
    reader: &LedgerReader<S>,
    partition: PartitionId,
    published: &PublishedHead,
) -> Result<(), ServiceError> {
    let own = reader.raw_entries(partition, published.sequence)?.next().transpose()?;
    let own = own.map_or(EntryHash::ZERO, |entry| entry.hash);
    if own == published.hash {
        return Ok(());
    }
    Err(ServiceError::OtherLedger { partition, sequence: published.sequence, published: published.hash, own })
}

fn send_tick(publisher: &mut dyn Publisher, partition: PartitionId) -> Result<(), PortError> {
    let value = wire::tick_to_protobuf(now());
    publisher.send(&OutRecord {
        target: Target::Input(partition),
        key: None,
        value: Some(&value),
        headers: &[(super::outgoing::header::CONTENT_TYPE, Some(b"application/protobuf"))],
    })
}

/// Reads the originals of quarantined records from the input topic again: the one place that has key and headers.
fn originals(
    broker: &dyn Broker,
    partition: PartitionId,
    entries: &[Entry],
) -> Result<BTreeMap<Offset, OwnedRecord>, PortError> {
    let wanted: Vec<Offset> = entries
        .iter()
        .filter(|entry| matches!(entry.body, EntryBody::RecordQuarantined(_)))
        .map(|entry| entry.offset)
        .collect();
    let mut found = BTreeMap::new();
    // Far apart, they are cheaper to look up one by one; near each other, to read through.
    for group in wanted.chunk_by(|a, b| b.0 - a.0 < LETTERS_AT_ONCE as u64) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        broker.read_input(partition, *first, &mut |record| {
            let at = record.offset;
            if group.binary_search(&at).is_ok() {
                found.insert(at, record);
            }
            if at >= *last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    }
    Ok(found)
}

/// The one place where the service reads a clock for what it writes: a tick's own time, which nothing is decided by,
/// since in Kafka a tick stands for the time at which the broker appended it.
fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
