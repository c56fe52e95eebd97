//! Reading the log from an offset on.
//!
//! Knows nothing of rules or of the ledger.
//! Invariant: records come in the order of their offsets without gaps, up to the last whole block or an error.

use std::{collections::VecDeque, path::Path, sync::Arc};

use model::{Offset, Symbol, Text, UserRef};

use super::{
    LogError, LoggedRecord,
    block::Header,
    decode::SegmentDecoder,
    segment::{self, Blocks, NextBlock, Segment},
};
use crate::{num::Malformed, store::Row};

/// Records in order, and what they newly mention. Its buffers are used again from batch to batch.
#[derive(Debug, Default)]
pub struct LogBatch {
    /// The records, each offset one more than that before.
    pub records: Vec<LoggedRecord>,
    /// One per record: the number of its thread within the segment, or [`super::NO_THREAD`].
    pub threads: Vec<u32>,
    /// First offset of the segment. Another one than in the last batch starts the numbers of threads from 0 again.
    pub segment: Offset,
    /// Threads that the segment mentions for the first time, with the numbers that follow those before.
    pub new_threads: Vec<NewThread>,
    /// Words that this reader meets for the first time, with the numbers they have in the whole log.
    pub words: Vec<(Symbol, Text)>,
    /// Rows of the group that ends with the last record; none if it ends later.
    pub rows: Vec<Row>,
}

/// First mention of a thread in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewThread {
    /// Its number within the segment.
    pub number: u32,
    /// The user.
    pub user: UserRef,
    /// The business's number id.
    pub business_phone: Symbol,
}

/// Reads records.
#[derive(Debug)]
pub struct LogReader {
    segments: VecDeque<Segment>,
    blocks: Option<Blocks>,
    decoder: SegmentDecoder,
    words: Vec<Option<Text>>,
    from: Offset,
    next: Offset,
    torn_bytes: u64,
}

impl LogReader {
    /// Reads the log in a folder from `from` on. The segment that holds `from` is read from its start, as its words and
    /// threads are explained there.
    ///
    /// # Errors
    /// The system's, or a log that begins behind `from`.
    pub fn open(folder: &Path, from: Offset) -> Result<Self, LogError> {
        let mut segments: VecDeque<Segment> = segment::list(folder)?.into();
        while segments.get(1).is_some_and(|second| second.first <= from) {
            segments.pop_front();
        }
        let next = segments.front().map_or(Offset(0), |first| first.first);
        if let Some(first) = segments.front()
            && first.first > from
        {
            return Err(LogError::Gap { path: first.path.clone(), expected: from, found: first.first });
        }
        Ok(Self {
            segments,
            blocks: None,
            decoder: SegmentDecoder::default(),
            words: Vec::new(),
            from,
            next,
            torn_bytes: 0,
        })
    }

    /// Fills `out` with the next records, at most 16,384. `false` at the end, where `out` may still have words.
    ///
    /// # Errors
    /// Damage, a gap between segments, a log that ends before the offset asked for, or the system's.
    pub fn next_batch(&mut self, out: &mut LogBatch) -> Result<bool, LogError> {
        out.records.clear();
        out.threads.clear();
        out.new_threads.clear();
        out.words.clear();
        out.rows.clear();
        loop {
            let Some(mut blocks) = self.current()? else {
                if self.next < self.from {
                    return Err(LogError::Short { end: self.next, committed: self.from });
                }
                return Ok(false);
            };
            match blocks.next_block()? {
                NextBlock::End => continue,
                NextBlock::Broken(what) if self.segments.is_empty() => {
                    self.torn_bytes = blocks.tear(what)?.torn;
                    continue;
                }
                NextBlock::Broken(what) => return Err(blocks.damaged(what)),
                NextBlock::Whole(header) => {
                    self.read_block(&blocks, &header, out)
                        .map_err(|Malformed| blocks.damaged("a row makes no sense"))?;
                    self.next = blocks.next;
                    self.blocks = Some(blocks);
                }
            }
            if !out.records.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Offset behind the last record that was read.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.next
    }

    /// Bytes behind the last whole block that a crash left half-written, known once the end is reached.
    #[must_use]
    pub const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Takes out the open segment, or the next one.
    fn current(&mut self) -> Result<Option<Blocks>, LogError> {
        if let Some(blocks) = self.blocks.take() {
            return Ok(Some(blocks));
        }
        let Some(segment) = self.segments.pop_front() else { return Ok(None) };
        if segment.first != self.next {
            return Err(LogError::Gap { path: segment.path, expected: self.next, found: segment.first });
        }
        self.decoder.start_segment();
        Blocks::open(segment).map(Some)
    }

    fn read_block(&mut self, blocks: &Blocks, header: &Header, out: &mut LogBatch) -> Result<(), Malformed> {
        if out.segment != blocks.segment.first {
            out.segment = blocks.segment.first;
            out.new_threads.clear();
        }
        let (definitions, rows) =
            blocks.payload.split_at_checked(header.definitions as usize).ok_or(Malformed)?;
        let of_group = SegmentDecoder::definitions(definitions, |symbol, word| {
            self.define(symbol, word, &mut out.words)
        })?;
        self.decoder.rows(
            rows,
            Offset(header.first),
            header.count,
            &mut out.records,
            &mut out.threads,
            &mut out.new_threads,
        )?;
        let unwanted = usize::try_from(self.from.0.saturating_sub(header.first)).map_err(|_| Malformed)?;
        let unwanted = unwanted.min(out.records.len());
        out.records.drain(..unwanted);
        out.threads.drain(..unwanted);
        if !out.records.is_empty() {
            out.rows = of_group;
        }
        Ok(())
    }

    fn define(
        &mut self,
        symbol: Symbol,
        word: &str,
        new_words: &mut Vec<(Symbol, Text)>,
    ) -> Result<(), Malformed> {
        let slot = symbol.0 as usize;
        // Numbers are dense; a larger jump than any one log can make is damage, found before memory is asked for.
        if slot > self.words.len() + (1 << 24) {
            return Err(Malformed);
        }
        if slot >= self.words.len() {
            self.words.resize(slot + 1, None);
        }
        match &self.words[slot] {
            Some(known) if **known == *word => Ok(()),
            Some(_) => Err(Malformed),
            None => {
                let text: Text = Arc::from(word);
                new_words.push((symbol, Arc::clone(&text)));
                self.words[slot] = Some(text);
                Ok(())
            }
        }
    }
}
