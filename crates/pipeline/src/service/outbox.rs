//! What is to be published of one partition: what was committed, kept until it is out, and when it is due.
//!
//! Invariant: entries are given in order, from behind the one that was published last, whether they are still in memory or
//! are read from the ledger again.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use ledger::{LedgerReader, store::Store};
use model::{Entry, EntryHash, Offset, PartitionId, Sequence};

use super::{error::ServiceError, outgoing::PublishedHead, ports::Publisher};

/// Entries in one transaction at most.
const TRANSACTION_ENTRIES: usize = 10_000;
/// Entries of a partition kept in memory until they are published; those beyond are read from the ledger again.
const WAITING_ENTRIES: usize = 50_000;
/// While what came before this instance is worked off, nobody waits for a single entry, and a transaction costs the broker
/// about the same however little is in it: a partition has one this often.
const BACKLOG_INTERVAL: Duration = Duration::from_secs(3);
/// Entries of a backlog that do not wait for that.
const BACKLOG_ENTRIES: usize = 5_000;
/// A backlog ends so many records before its end: those are no more than a moment's.
const BACKLOG_REST: u64 = 1_000;
/// Entries that were committed together, with what is published of them.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) entries: Vec<Entry>,
    canonical: Vec<u8>,
    /// Where each entry's bytes end, and its hash.
    marks: Vec<(usize, EntryHash)>,
}

impl Piece {
    /// Adds the bytes of the next entry.
    pub(crate) fn push(&mut self, hash: &EntryHash, canonical: &[u8]) {
        self.canonical.extend_from_slice(canonical);
        self.marks.push((self.canonical.len(), *hash));
    }

    /// Adds the entries whose bytes were pushed.
    pub(crate) fn set_entries(&mut self, entries: Vec<Entry>) {
        self.entries = entries;
    }

    fn first(&self) -> Option<Sequence> {
        self.entries.first().map(|entry| entry.sequence)
    }

    pub(crate) fn last(&self) -> Option<Sequence> {
        self.entries.last().map(|entry| entry.sequence)
    }

    /// An entry with its hash and bytes.
    pub(crate) fn get(&self, index: usize) -> Option<(&Entry, EntryHash, &[u8])> {
        let (end, hash) = *self.marks.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.marks[before].0);
        Some((self.entries.get(index)?, hash, &self.canonical[start..end]))
    }
}

/// What is to be published of one partition.
pub(crate) struct Outbox {
    pub(crate) partition: PartitionId,
    pub(crate) publisher: Box<dyn Publisher>,
    pub(crate) published: PublishedHead,
    /// Whether the entry at which publishing goes on has been compared with the ledger topic's.
    pub(crate) checked: bool,
    pub(crate) committed: Sequence,
    /// Behind the last record whose entries are committed.
    pub(crate) next_offset: Offset,
    waiting: VecDeque<Piece>,
    /// Entries that are committed before this record are a backlog.
    backlog_end: Offset,
    /// When the newest transaction was begun. None if the first one is due at once, for what an earlier run left.
    pub(crate) begun: Option<Instant>,
    pub(crate) next_tick: Instant,
    /// Whether the group was told of `next_offset`.
    pub(crate) shown: Offset,
}

impl Outbox {
    /// Goes on behind what the ledger topic has; `end` is that of the input as it is opened.
    pub(crate) fn new(
        partition: PartitionId,
        publisher: Box<dyn Publisher>,
        published: PublishedHead,
        (committed, next_offset): (Sequence, Offset),
        end: Offset,
        next_tick: Instant,
    ) -> Self {
        Self {
            partition,
            publisher,
            published,
            checked: published.sequence == Sequence(0),
            committed,
            next_offset,
            waiting: VecDeque::new(),
            backlog_end: Offset(end.0.saturating_sub(BACKLOG_REST)),
            begun: (committed <= published.sequence).then(Instant::now),
            next_tick,
            shown: Offset(0),
        }
    }

    /// Takes what was committed, up to and without the records at an offset.
    pub(crate) fn add(&mut self, piece: Piece, next_offset: Offset) {
        self.next_offset = next_offset;
        let Some(last) = piece.last() else { return };
        self.committed = last;
        // What is published already, as in a replay, and what would fill the memory, is read again when it is needed.
        if last > self.published.sequence && self.waiting_entries() < WAITING_ENTRIES {
            self.waiting.push_back(piece);
        }
    }

    fn waiting_entries(&self) -> usize {
        self.waiting.iter().map(|piece| piece.entries.len()).sum()
    }

    /// Whether what is committed is to be published now.
    pub(crate) fn is_due(&self) -> bool {
        self.next_offset >= self.backlog_end
            || self.begun.is_none_or(|begun| begun.elapsed() >= BACKLOG_INTERVAL)
            || self.waiting_entries() >= BACKLOG_ENTRIES
    }

    /// The next entries for one transaction, in pieces.
    pub(crate) fn next_pieces<S: Store>(
        &mut self,
        reader: &LedgerReader<S>,
    ) -> Result<Vec<Piece>, ServiceError> {
        let (mut pieces, mut count, mut wanted) = (Vec::new(), 0, self.published.sequence);
        while count < TRANSACTION_ENTRIES {
            wanted = Sequence(wanted.0 + 1);
            let Some(piece) = self.next_piece(wanted, reader)? else { break };
            count += piece.entries.len();
            wanted = piece.last().unwrap_or(wanted);
            pieces.push(piece);
        }
        Ok(pieces)
    }

    /// The entries from `wanted` on: from memory if they are there, else from the ledger.
    fn next_piece<S: Store>(
        &mut self,
        wanted: Sequence,
        reader: &LedgerReader<S>,
    ) -> Result<Option<Piece>, ServiceError> {
        if self.committed < wanted {
            self.waiting.clear();
            return Ok(None);
        }
        // A piece that begins earlier holds what is published already; the rest of it is read from the ledger.
        while self.waiting.front().is_some_and(|piece| piece.first().is_none_or(|first| first < wanted)) {
            self.waiting.pop_front();
        }
        if self.waiting.front().is_some_and(|piece| piece.first() == Some(wanted)) {
            return Ok(self.waiting.pop_front());
        }
        let end = self.waiting.front().and_then(Piece::first).unwrap_or(Sequence(self.committed.0 + 1));
        let mut piece = Piece::default();
        let mut words = wire::Words::new();
        let mut entries = Vec::new();
        for raw in reader.raw_entries(self.partition, wanted)?.take(TRANSACTION_ENTRIES) {
            let raw = raw?;
            if raw.sequence >= end {
                break;
            }
            let entry =
                wire::decode_entry(&raw.bytes, &mut words).map_err(|error| ServiceError::ForeignLedger {
                    partition: self.partition,
                    offset: Offset(raw.sequence.0),
                    what: error.to_string(),
                })?;
            piece.push(&raw.hash, &raw.bytes);
            entries.push(entry);
        }
        piece.set_entries(entries);
        Ok(piece.first().map(|_| piece))
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Ledger, store::MemoryStore};
    use model::{ContentHash, EntryBody, UnixMillis};

    use super::*;
    use crate::service::ports::{OutRecord, PortError};

    /// Far behind the first records.
    const END: Offset = Offset(100_000);

    #[test]
    fn what_was_committed_in_pieces_goes_out_together() {
        let mut outbox = outbox(Sequence(0), Offset(0));
        for sequence in 1..=3 {
            outbox.add(piece(sequence..=sequence), Offset(sequence));
        }
        let ledger = Ledger::open(MemoryStore::default(), ContentHash([1; 32])).unwrap();
        let pieces = outbox.next_pieces(ledger.reader()).unwrap();
        let sequences: Vec<u64> =
            pieces.iter().flat_map(|piece| &piece.entries).map(|entry| entry.sequence.0).collect();
        assert_eq!(sequences, [1, 2, 3]);
        assert!(outbox.waiting.is_empty());
    }

    #[test]
    fn entries_of_a_backlog_wait_for_each_other() {
        let mut outbox = outbox(Sequence(0), Offset(0));
        outbox.add(piece(1..=10), Offset(1_000));
        assert!(!outbox.is_due(), "there are many more to come");
        outbox.add(piece(11..=BACKLOG_ENTRIES as u64), Offset(50_000));
        assert!(outbox.is_due(), "they are enough for a transaction");
    }

    #[test]
    fn nothing_waits_near_the_end_of_the_input() {
        let mut outbox = outbox(Sequence(0), Offset(0));
        outbox.add(piece(1..=1), Offset(END.0 - BACKLOG_REST));
        assert!(outbox.is_due());
    }

    #[test]
    fn what_an_earlier_run_left_is_due_at_once() {
        assert!(outbox(Sequence(7), Offset(1_000)).is_due());
    }

    struct Nowhere;

    impl Publisher for Nowhere {
        fn begin(&mut self) -> Result<(), PortError> {
            Ok(())
        }

        fn send(&mut self, _: &OutRecord<'_>) -> Result<(), PortError> {
            Ok(())
        }

        fn settle(&mut self) -> Result<(), PortError> {
            Ok(())
        }

        fn commit(&mut self) -> Result<(), PortError> {
            Ok(())
        }
    }

    fn outbox(committed: Sequence, next_offset: Offset) -> Outbox {
        let published = PublishedHead::default();
        Outbox::new(
            PartitionId(0),
            Box::new(Nowhere),
            published,
            (committed, next_offset),
            END,
            Instant::now(),
        )
    }

    fn piece(sequences: std::ops::RangeInclusive<u64>) -> Piece {
        let mut piece = Piece::default();
        piece.set_entries(sequences.map(entry).collect());
        piece
    }

    fn entry(sequence: u64) -> Entry {
        Entry {
            sequence: Sequence(sequence),
            event_time: UnixMillis(0),
            record_time: UnixMillis(0),
            partition: PartitionId(0),
            offset: Offset(sequence),
            previous_hash: EntryHash::ZERO,
            body: EntryBody::Configured { content: ContentHash([1; 32]), effective_from: UnixMillis(0) },
        }
    }
}
