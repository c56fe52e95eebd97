//! Segment files: their names, their blocks one after the other, and where a torn one ends.
//!
//! Knows nothing of rows. Invariant: a block is shown only if its checksum holds, and a segment ends with a group.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use model::Offset;

use super::{
    LogError,
    block::{HEADER, Header},
};
use crate::{
    files::{self, FileError},
    num::index,
};

/// A segment on disk.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) first: Offset,
    pub(super) path: PathBuf,
}

/// Where a segment's whole groups end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentEnd {
    /// Offset behind the last record.
    pub(super) next: Offset,
    /// Byte behind the last block of the last whole group.
    pub(super) bytes: u64,
    /// Bytes of a torn tail behind that.
    pub(super) torn: u64,
}

/// All segments in the order of their offsets.
pub(super) fn list(folder: &Path) -> Result<Vec<Segment>, LogError> {
    let mut segments = Vec::new();
    for name in files::names(folder)? {
        let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 20);
        if let Some(first) = digits.and_then(|digits| digits.parse().ok()) {
            segments.push(Segment { first: Offset(first), path: folder.join(name) });
        }
    }
    Ok(segments)
}

pub(super) fn path(folder: &Path, first: Offset) -> PathBuf {
    folder.join(format!("{:020}.log", first.0))
}

/// Reads blocks from the front of a segment.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) segment: Segment,
    file: File,
    length: u64,
    /// Where the next block begins.
    pub(super) position: u64,
    /// Offset the next block has to begin with.
    pub(super) next: Offset,
    /// Behind the last block that closed a group.
    closed: (Offset, u64),
    /// Payload of the block read last.
    pub(super) payload: Vec<u8>,
}

/// What comes next in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextBlock {
    Whole(Header),
    End,
    Broken(&'static str),
}

impl Blocks {
    pub(super) fn open(segment: Segment) -> Result<Self, LogError> {
        let file = File::open(&segment.path).map_err(FileError::new("open", &segment.path))?;
        let length = file.metadata().map_err(FileError::new("read", &segment.path))?.len();
        let next = segment.first;
        Ok(Self { segment, file, length, position: 0, next, closed: (next, 0), payload: Vec::new() })
    }

    pub(super) fn next_block(&mut self) -> Result<NextBlock, LogError> {
        let left = self.length - self.position;
        if left == 0 {
            return Ok(NextBlock::End);
        }
        if left < HEADER as u64 {
            return Ok(NextBlock::Broken("the header of a block ends too early"));
        }
        let mut header_bytes = [0; HEADER];
        self.read(&mut header_bytes)?;
        if let Some(found) = Header::newer(&header_bytes) {
            return Err(LogError::Newer { path: self.segment.path.clone(), found });
        }
        let Some(header) = Header::parse(&header_bytes) else {
            return Ok(NextBlock::Broken("no block begins here"));
        };
        if left - (HEADER as u64) < u64::from(header.payload) {
            return Ok(NextBlock::Broken("a block ends too early"));
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(header.payload as usize, 0);
        let read = self.read(&mut payload);
        self.payload = payload;
        read?;
        if !Header::matches(&header_bytes, &self.payload) {
            return Ok(NextBlock::Broken("the checksum of a block does not hold"));
        }
        if header.first != self.next.0 {
            return Ok(NextBlock::Broken(
                "a block has another first offset than the one before it ends with",
            ));
        }
        self.pass(&header, self.position + (HEADER + self.payload.len()) as u64);
        Ok(NextBlock::Whole(header))
    }

    /// Passes over the blocks up to an offset by what their headers say, without reading them. Stops before the first
    /// that does not look like the next block.
    fn pass_to(&mut self, end: Offset) -> Result<(), LogError> {
        let mut header_bytes = [0; HEADER];
        while self.next < end && self.length - self.position >= HEADER as u64 {
            self.seek()?;
            self.read(&mut header_bytes)?;
            let header = Header::parse(&header_bytes).filter(|header| header.first == self.next.0);
            let Some(header) = header.filter(|header| header.end() <= end.0) else { break };
            let behind = self.position + HEADER as u64 + u64::from(header.payload);
            if behind > self.length {
                break;
            }
            self.pass(&header, behind);
        }
        self.seek()
    }

    fn pass(&mut self, header: &Header, behind: u64) {
        self.next = Offset(header.end());
        self.position = behind;
        if header.closes {
            self.closed = (self.next, self.position);
        }
    }

    /// Decides what a broken block at the current position is: what a crash left of writes that were never synced, or
    /// damage. The difference is in the blocks behind it: one that was written after this place was synced proves damage.
    pub(super) fn tear(&mut self, what: &'static str) -> Result<SegmentEnd, LogError> {
        let mut rest = Vec::new();
        self.seek()?;
        self.file.read_to_end(&mut rest).map_err(FileError::new("read", &self.segment.path))?;
        let later = (1..rest.len().saturating_sub(HEADER)).filter_map(|start| whole_block(&rest[start..]));
        if later.into_iter().any(|header| header.synced > self.position) {
            return Err(self.damaged(what));
        }
        Ok(self.end())
    }

    /// Where the last whole group ends.
    pub(super) fn end(&self) -> SegmentEnd {
        let (next, bytes) = self.closed;
        SegmentEnd { next, bytes, torn: self.length - bytes }
    }

    pub(super) fn damaged(&self, what: &'static str) -> LogError {
        LogError::Damaged { path: self.segment.path.clone(), position: self.position, what }
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), LogError> {
        Ok(self.file.read_exact(into).map_err(FileError::new("read", &self.segment.path))?)
    }

    fn seek(&mut self) -> Result<(), LogError> {
        let sought: io::Result<u64> = self.file.seek(SeekFrom::Start(self.position));
        sought.map_err(FileError::new("read", &self.segment.path))?;
        Ok(())
    }
}

/// Checks every block of the last segment that has records behind `trusted`, and finds where its groups end.
pub(super) fn find_end(segment: &Segment, trusted: Offset) -> Result<SegmentEnd, LogError> {
    let mut blocks = Blocks::open(segment.clone())?;
    blocks.pass_to(trusted)?;
    loop {
        match blocks.next_block()? {
            NextBlock::Whole(_) => {}
            NextBlock::End => return Ok(blocks.end()),
            NextBlock::Broken(what) => return blocks.tear(what),
        }
    }
}

fn whole_block(bytes: &[u8]) -> Option<Header> {
    let header_bytes = bytes.first_chunk::<HEADER>()?;
    let header = Header::parse(header_bytes)?;
    let payload = bytes[HEADER..].get(..index(u64::from(header.payload)))?;
    Header::matches(header_bytes, payload).then_some(header)
}
