//! Appending to the log.
//!
//! Knows nothing of rules or of the ledger.
//! Invariant: records get on disk in the order of their offsets without gaps, in groups that are there as a whole or not
//! at all; after a failed write nothing is written.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use model::Offset;

use super::{
    LogError, LoggedRecord, WordSource,
    block::{Header, PAYLOAD_MAX, RECORDS_MAX},
    encode::SegmentEncoder,
    segment,
};
use crate::{
    files::{self, FileError},
    store::Row,
};

/// Records after which the next group begins a new segment.
const SEGMENT_RECORDS: u64 = 4_000_000;
/// A block is sealed early when its rows reach this, so that long words cannot make it overflow.
const PAYLOAD_ENOUGH: usize = (PAYLOAD_MAX / 2) as usize;
/// Records whose threads are looked up together.
const TOUCHED: usize = 64;

/// The open log. One process writes to it, as the data directory's lock sees to.
#[derive(Debug)]
pub struct LogWriter {
    folder: PathBuf,
    /// `None` until the first block of a segment is sealed.
    file: Option<OpenSegment>,
    encoder: SegmentEncoder,
    /// Records in the block that is being filled.
    pending: u32,
    /// Records in the segment, pending ones with them.
    in_segment: u64,
    segment_records: u64,
    next: Offset,
    poisoned: bool,
}

#[derive(Debug)]
struct OpenSegment {
    file: File,
    path: PathBuf,
    written: u64,
    synced: u64,
}

/// An opened log, and what opening it did.
#[derive(Debug)]
pub struct Opened {
    /// For appending.
    pub writer: LogWriter,
    /// Bytes that a crash had left half-written behind the last whole group, and that were cut off.
    pub cut_bytes: u64,
}

impl LogWriter {
    /// Opens the log in a folder for appending; an empty folder is an empty log. A group that a crash left half-written is
    /// cut off. `committed` is the offset behind the last record that the ledger has used, 0 for none: blocks before it
    /// are left for reading and [`super::check_log`] to check, so that opening takes no longer with a longer log.
    ///
    /// # Errors
    /// Damage, a log that ends before `committed` (nothing is cut then), or the system's.
    pub fn open(folder: &Path, committed: Offset) -> Result<Opened, LogError> {
        let mut segments = segment::list(folder)?;
        let mut next = Offset(0);
        let mut cut_bytes = 0;
        // A crash may leave a last segment without a single whole group; the one before it is then the last.
        let mut torn = Vec::new();
        while let Some(last) = segments.pop() {
            let end = segment::find_end(&last, committed)?;
            if end.torn > 0 || end.bytes == 0 {
                cut_bytes += end.torn;
                torn.push((last, end.bytes));
            }
            next = end.next;
            if end.bytes > 0 {
                break;
            }
        }
        if next < committed {
            return Err(LogError::Short { end: next, committed });
        }
        for (last, whole) in torn {
            if whole == 0 {
                files::remove_if_there(&last.path)?;
            } else {
                let file = OpenOptions::new().write(true).open(&last.path);
                file.and_then(|file| file.set_len(whole).and_then(|()| file.sync_all()))
                    .map_err(FileError::new("cut", &last.path))?;
            }
        }
        if cut_bytes > 0 {
            files::sync_folder(folder)?;
        }
        let writer = Self {
            folder: folder.to_owned(),
            file: None,
            encoder: SegmentEncoder::default(),
            pending: 0,
            in_segment: 0,
            segment_records: SEGMENT_RECORDS,
            next,
            poisoned: false,
        };
        Ok(Opened { writer, cut_bytes })
    }

    /// Begins a new segment with the first group after so many records instead of four million.
    #[must_use]
    pub fn with_segment_records(mut self, records: u64) -> Self {
        self.segment_records = records;
        self
    }

    /// Offset that the next record has to have.
    #[must_use]
    pub const fn next_offset(&self) -> Offset {
        self.next
    }

    /// Appends records. They are safe only after [`Self::sync`].
    ///
    /// `hints` has one number per record: the same number stands for the same thread for as long as this writer lives,
    /// and they are dense, as a list of that length is kept; [`super::NO_THREAD`] for records without an event.
    ///
    /// # Errors
    /// Offsets with a gap, a hint that stands for another thread, or the system's; after any of them every further call
    /// fails.
    pub fn append(
        &mut self,
        records: &[LoggedRecord],
        hints: &[u32],
        words: &dyn WordSource,
    ) -> Result<(), LogError> {
        self.guarded(|log| {
            let mut hints = hints;
            for group in records.chunks(TOUCHED) {
                let (these, rest) = hints.split_at(group.len().min(hints.len()));
                hints = rest;
                log.encoder.touch(these);
                for (place, logged) in group.iter().enumerate() {
                    log.push(logged, these.get(place).copied().unwrap_or(super::NO_THREAD), words)?;
                }
            }
            Ok(())
        })
    }

    /// Ends a group and syncs it: after a crash it is there as a whole, with these rows of the caller's own, or not at
    /// all. Everything appended before is safe when this returns.
    ///
    /// Rows say something of the records they come with: if nothing was appended, nothing is written.
    ///
    /// # Errors
    /// The system's; after one of those every further call fails.
    pub fn sync(&mut self, rows: &[Row]) -> Result<(), LogError> {
        self.guarded(|log| {
            if log.pending > 0 {
                log.encoder.close(rows);
                log.seal(true)?;
            }
            log.file.as_mut().map_or(Ok(()), OpenSegment::sync)?;
            if log.in_segment >= log.segment_records {
                log.file = None;
                log.in_segment = 0;
                log.encoder.start_segment();
            }
            Ok(())
        })
    }

    fn push(&mut self, logged: &LoggedRecord, hint: u32, words: &dyn WordSource) -> Result<(), LogError> {
        let found = logged.record.offset;
        if found != self.next {
            return Err(LogError::OutOfOrder { expected: self.next, found });
        }
        if self.pending == RECORDS_MAX || self.encoder.rows.len() >= PAYLOAD_ENOUGH {
            self.seal(false)?;
        }
        self.encoder.push(logged, hint, words)?;
        self.next.0 += 1;
        self.pending += 1;
        self.in_segment += 1;
        Ok(())
    }

    /// After an error the disk may hold anything, so nothing more is written.
    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<(), LogError>) -> Result<(), LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        self.poisoned = true;
        work(self)?;
        self.poisoned = false;
        Ok(())
    }

    /// Writes the block that is being filled.
    fn seal(&mut self, closes: bool) -> Result<(), LogError> {
        let first = Offset(self.next.0 - u64::from(self.pending));
        let segment = match &mut self.file {
            Some(segment) => segment,
            none => none.insert(OpenSegment::create(&self.folder, first)?),
        };
        let (definitions, rows) = (&self.encoder.definitions, &self.encoder.rows);
        let header = Header {
            first: first.0,
            synced: segment.synced,
            count: self.pending,
            payload: length(definitions.len() + rows.len()),
            definitions: length(definitions.len()),
            closes,
        };
        segment.write_block(&header, definitions, rows)?;
        self.pending = 0;
        self.encoder.start_block();
        Ok(())
    }
}

impl OpenSegment {
    fn create(folder: &Path, first: Offset) -> Result<Self, LogError> {
        let path = segment::path(folder, first);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(FileError::new("create", &path))?;
        files::sync_folder(folder)?;
        Ok(Self { file, path, written: 0, synced: 0 })
    }

    fn write_block(&mut self, header: &Header, definitions: &[u8], rows: &[u8]) -> Result<(), LogError> {
        let header = header.seal(definitions, rows);
        for part in [&header[..], definitions, rows] {
            self.file.write_all(part).map_err(FileError::new("write", &self.path))?;
            self.written += part.len() as u64;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        if self.synced < self.written {
            self.file.sync_data().map_err(FileError::new("sync", &self.path))?;
            self.synced = self.written;
        }
        Ok(())
    }
}

/// A block is far shorter than 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
