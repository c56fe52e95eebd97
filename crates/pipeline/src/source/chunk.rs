//! Cutting an input into documents.

use std::io::{self, Read as _};

use model::MalformedReason;
use wire::{Delimited, Format, next_delimited, sniff};

use super::{CHUNK_BYTES, Content, DOCUMENT_MAX_BYTES, Resumption};

/// One line or message within a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Document {
    /// First byte in the chunk.
    pub(crate) start: u32,
    /// Byte behind its last, without the line's end.
    pub(crate) end: u32,
    /// Why it can be none, if it can be none.
    pub(crate) fault: Option<MalformedReason>,
}

/// Some documents and their bytes.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Where the documents lie.
    pub(crate) bytes: Vec<u8>,
    /// In the order of the input.
    pub(crate) documents: Vec<Document>,
    /// Number of the first document: line or message, from 1.
    pub(crate) first_number: u64,
    /// How many bytes of the input, from its start, have been read as whole documents behind this chunk.
    pub(crate) consumed_bytes: u64,
    /// The last document is a last line without a line's end, which may still be being written.
    pub(crate) unfinished: bool,
}

/// Reads documents from one input.
pub(crate) struct DocumentReader {
    input: Content,
    is_patient: bool,
    format: Option<Format>,
    rest: Vec<u8>,
    next_number: u64,
    consumed_bytes: u64,
    hasher: blake3::Hasher,
    ended: bool,
    fault: Option<MalformedReason>,
    /// Within a line or message that is too long: its first part has been handed on.
    skipping: Skipping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skipping {
    No,
    ToLineEnd,
    Bytes(u64),
}

impl std::fmt::Debug for DocumentReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DocumentReader").field("consumed_bytes", &self.consumed_bytes).finish_non_exhaustive()
    }
}

impl DocumentReader {
    /// Begins at the start of an input; a patient one waits until there is much to hand on. The form is told from its first bytes unless given.
    #[must_use]
    pub(crate) fn new(input: Content, is_patient: bool, format: Option<Format>) -> Self {
        Self {
            input,
            is_patient,
            format,
            rest: Vec::new(),
            next_number: 1,
            consumed_bytes: 0,
            hasher: blake3::Hasher::new(),
            ended: false,
            fault: None,
            skipping: Skipping::No,
        }
    }

    /// Goes on where an earlier run stopped.
    ///
    /// # Errors
    /// The input cannot be read that far.
    pub(crate) fn resume(&mut self, from: &Resumption) -> io::Result<()> {
        let Resumption { mark, hasher } = from;
        let start = self.input.pass(mark.consumed_bytes)?;
        if mark.consumed_bytes > 0 && self.format.is_none() {
            self.format = Some(sniff(&start));
        }
        self.hasher.clone_from(hasher);
        self.consumed_bytes = mark.consumed_bytes;
        self.next_number = mark.next_number;
        Ok(())
    }

    /// The form of the input: what its first bytes said.
    #[must_use]
    pub(crate) fn format(&self) -> Format {
        self.format.unwrap_or(Format::JsonLines)
    }

    /// Number of the next document.
    #[must_use]
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// BLAKE3 of all bytes behind which the last chunk ended.
    #[must_use]
    pub(crate) fn consumed_hash(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    /// The next chunk, or `None` at the end. A failing decompressor ends the input with a faulty document.
    ///
    /// # Errors
    /// The system cannot read on.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            if self.ended && self.rest.is_empty() && self.fault.is_none() {
                return Ok(None);
            }
            self.fill()?;
            let format = *self.format.get_or_insert_with(|| sniff(&self.rest));
            let mut chunk = Chunk { first_number: self.next_number, ..Chunk::default() };
            let mut bytes = std::mem::take(&mut self.rest);
            let used = match format {
                Format::JsonLines => self.cut_lines(&bytes, &mut chunk),
                Format::Protobuf => self.cut_messages(&bytes, &mut chunk),
            };
            if self.ended
                && used == bytes.len()
                && let Some(fault) = self.fault.take()
            {
                let end = to_u32(used);
                chunk.documents.push(Document { start: end, end, fault: Some(fault) });
            }
            self.rest.extend_from_slice(&bytes[used..]);
            bytes.truncate(used);
            let unfinished = chunk.documents.last().filter(|_| chunk.unfinished);
            let consumed = unfinished.map_or(used, |document| document.start as usize);
            self.hasher.update(&bytes[..consumed]);
            self.consumed_bytes += consumed as u64;
            self.next_number += chunk.documents.len() as u64 - u64::from(chunk.unfinished);
            chunk.bytes = bytes;
            chunk.consumed_bytes = self.consumed_bytes;
            if !chunk.documents.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    /// Reads on until there is a chunk's worth, or the end; from a pipe whatever it has.
    fn fill(&mut self) -> io::Result<()> {
        let wanted = CHUNK_BYTES.max(self.rest.len() + CHUNK_BYTES / 2);
        let mut length = self.rest.len();
        self.rest.resize(wanted, 0);
        let enough = length + if self.is_patient { CHUNK_BYTES / 4 } else { 1 };
        while length < enough.min(wanted) && !self.ended {
            match self.input.read(&mut self.rest[length..]) {
                Ok(0) => self.ended = true,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_decompressor(&error) => {
                    self.ended = true;
                    self.fault = Some(MalformedReason::Undecompressable);
                }
                Err(error) => {
                    self.rest.truncate(length);
                    return Err(error);
                }
            }
        }
        self.rest.truncate(length);
        Ok(())
    }

    fn cut_lines(&mut self, bytes: &[u8], chunk: &mut Chunk) -> usize {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            if self.skipping == Skipping::ToLineEnd {
                self.skipping = Skipping::No;
            } else {
                let fault = (end - start > DOCUMENT_MAX_BYTES).then_some(MalformedReason::TooLong);
                chunk.documents.push(Document { start: to_u32(start), end: to_u32(end), fault });
            }
            start = end + 1;
        }
        let left = bytes.len() - start;
        if self.skipping == Skipping::ToLineEnd {
            return bytes.len();
        }
        if left > DOCUMENT_MAX_BYTES {
            // The first part stands for the whole line; the rest of it is passed over.
            self.skipping = Skipping::ToLineEnd;
            chunk.documents.push(Document {
                start: to_u32(start),
                end: to_u32(bytes.len()),
                fault: Some(MalformedReason::TooLong),
            });
            return bytes.len();
        }
        if self.ended && left > 0 {
            // It may still be being written: read, but not counted as consumed.
            chunk.documents.push(Document { start: to_u32(start), end: to_u32(bytes.len()), fault: None });
            chunk.unfinished = true;
            return bytes.len();
        }
        start
    }

    fn cut_messages(&mut self, bytes: &[u8], chunk: &mut Chunk) -> usize {
        let mut start = 0;
        if let Skipping::Bytes(left) = self.skipping {
            let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            let left = left - skipped as u64;
            self.skipping = if left == 0 { Skipping::No } else { Skipping::Bytes(left) };
            start = skipped;
        }
        loop {
            let rest = &bytes[start..];
            if rest.is_empty() {
                return start;
            }
            match next_delimited(rest) {
                Delimited::Message { message, consumed } => {
                    let end = start + consumed;
                    chunk.documents.push(Document {
                        start: to_u32(end - message.len()),
                        end: to_u32(end),
                        fault: None,
                    });
                    start = end;
                }
                Delimited::TooLong { header, length } => {
                    let whole = length.saturating_add(header as u64);
                    if let Some(end) = usize::try_from(whole).ok().filter(|whole| *whole <= rest.len()) {
                        let fault = Some(MalformedReason::TooLong);
                        chunk.documents.push(Document {
                            start: to_u32(start),
                            end: to_u32(start + end),
                            fault,
                        });
                        start += end;
                        continue;
                    }
                    self.skipping = Skipping::Bytes(whole - rest.len() as u64);
                    return give_up(bytes, start, MalformedReason::TooLong, chunk);
                }
                // Where the next message begins is not to be known.
                Delimited::BadLength => {
                    self.skipping = Skipping::Bytes(u64::MAX);
                    return give_up(bytes, start, MalformedReason::UnreadableProtobuf, chunk);
                }
                Delimited::Incomplete if self.ended => {
                    return give_up(bytes, start, MalformedReason::CutOff, chunk);
                }
                Delimited::Incomplete => return start,
            }
        }
    }
}

/// The rest of the chunk is one document that can be none.
fn give_up(bytes: &[u8], start: usize, fault: MalformedReason, chunk: &mut Chunk) -> usize {
    chunk.documents.push(Document { start: to_u32(start), end: to_u32(bytes.len()), fault: Some(fault) });
    bytes.len()
}

/// Decompressors report bad data by these kinds; the system does not.
fn is_decompressor(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidData
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::Other
    )
}

/// Chunks are far shorter than 4 GiB.
fn to_u32(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
