//! How far each input has been read, so that a run after a crash carries on and a file read before changes nothing.
//!
//! An input is known by its content: by its first line, and by the hash of all that was read of it. Its name and its
//! time do not matter; a file that has grown is read on, a file with another beginning is another.

use std::io::Read;

/// Under which marks are kept: a hash of the first line, or of its first 4 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceKey(pub [u8; 32]);

impl SourceKey {
    const LENGTH_MAX: usize = 4_096;

    /// From the first bytes of an input.
    #[must_use]
    pub(crate) fn of(start: &[u8]) -> Self {
        let start = &start[..start.len().min(Self::LENGTH_MAX)];
        let line = memchr::memchr(b'\n', start).map_or(start, |end| &start[..end]);
        Self(*blake3::hash(line).as_bytes())
    }
}

/// How far one input has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceMark {
    /// Bytes from its start.
    pub(crate) consumed_bytes: u64,
    /// BLAKE3 of those bytes.
    pub(crate) consumed_hash: [u8; 32],
    /// Number of the next line or message.
    pub(crate) next_number: u64,
    /// BLAKE3 of a last line without a line's end, which was read but may still be being written; zeros if none.
    pub(crate) unfinished_hash: [u8; 32],
}

/// A mark that an input continues, with the hasher that has come to it: reading on needs nothing of what lies before.
#[derive(Debug, Clone)]
pub(crate) struct Resumption {
    /// Where an earlier run stopped.
    pub(crate) mark: SourceMark,
    /// Over the bytes before it.
    pub(crate) hasher: blake3::Hasher,
}

/// All inputs that begin alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceMarks(pub Vec<SourceMark>);

const MARK_BYTES: usize = 80;

impl SourceMarks {
    /// As they are stored.
    #[must_use]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * MARK_BYTES);
        for mark in &self.0 {
            out.extend_from_slice(&mark.consumed_bytes.to_be_bytes());
            out.extend_from_slice(&mark.next_number.to_be_bytes());
            out.extend_from_slice(&mark.consumed_hash);
            out.extend_from_slice(&mark.unfinished_hash);
        }
        out
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` if it is something else.
    #[must_use]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (marks, rest) = bytes.as_chunks::<MARK_BYTES>();
        let read = |mark: &[u8; MARK_BYTES]| {
            Some(SourceMark {
                consumed_bytes: u64::from_be_bytes(*mark.first_chunk()?),
                next_number: u64::from_be_bytes(*mark.get(8..16)?.first_chunk()?),
                consumed_hash: *mark.get(16..48)?.first_chunk()?,
                unfinished_hash: *mark.last_chunk()?,
            })
        };
        if rest.is_empty() { marks.iter().map(read).collect::<Option<_>>().map(Self) } else { None }
    }

    /// Puts `mark` in the place of the one it continues.
    pub(crate) fn advance(&mut self, from: Option<&SourceMark>, mark: SourceMark) {
        match self.0.iter_mut().find(|known| Some(&**known) == from) {
            Some(known) => *known = mark,
            None => self.0.push(mark),
        }
    }

    /// The longest mark that the input behind `content` continues.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(crate) fn longest(&self, mut content: impl Read) -> std::io::Result<Option<Resumption>> {
        let mut marks = self.0.clone();
        marks.sort_by_key(|mark| mark.consumed_bytes);
        let mut hasher = blake3::Hasher::new();
        let (mut length, mut longest) = (0, None);
        let mut buffer = vec![0; 1 << 18];
        for mark in marks {
            while length < mark.consumed_bytes {
                let wanted =
                    usize::try_from(mark.consumed_bytes - length).unwrap_or(usize::MAX).min(buffer.len());
                let read = content.read(&mut buffer[..wanted])?;
                if read == 0 {
                    return Ok(longest);
                }
                hasher.update(&buffer[..read]);
                length += read as u64;
            }
            if *hasher.finalize().as_bytes() == mark.consumed_hash {
                longest = Some(Resumption { mark, hasher: hasher.clone() });
            }
        }
        Ok(longest)
    }
}
