//! Blocks of entries as one value: a header with the chain's two ends, then the compressed entries without their
//! previous hashes.
//!
//! Knows nothing of what entries say. Invariant: opening a block computes the chain through it, so that what is read
//! is verified, and has the canonical bytes that were hashed.
//!
//! Layout: version 1 byte, count varint, first sequence varint, hash before the first 32, hash of the last 32, number of
//! ids varint, the ids, raw length varint, then zstd of the entries. Of each entry, without its previous hash and its ids:
//! length varint, number of ids varint, for each id the bytes before it varint and its reference varint; then the bytes.

use model::{EntryHash, Sequence};

use super::ids::{ID, IdReader, IdWriter};
use crate::num::{Cursor, Malformed, index, put_varint};

const VERSION: u8 = 2;
/// More raw bytes than any block has; a larger number is damage, found before memory is asked for.
const RAW_MAX: u64 = 16 << 20;
/// What is left of entries without their ids repeats so much that any level compresses it: this one takes a fifth less
/// time than level 1 and a twentieth more room.
const LEVEL: i32 = -2;

/// Packs blocks, with buffers and a compression context that are used again.
pub(super) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    compressed: Vec<u8>,
    raw: Vec<u8>,
    ids: IdWriter,
}

/// An entry that is to be packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    /// Its canonical bytes without previous hash.
    pub(super) bytes: &'a [u8],
    /// Where ids stand in them, in order and apart from each other.
    pub(super) ids: &'a [usize],
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

/// What a block's header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockHeader {
    pub(super) first: Sequence,
    pub(super) count: u64,
    pub(super) previous: EntryHash,
    pub(super) last_hash: EntryHash,
}

impl Packer {
    pub(super) fn new() -> std::io::Result<Self> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Self { compressor, compressed: Vec::new(), raw: Vec::new(), ids: IdWriter::new() })
    }

    /// The stored value of a block of entries.
    pub(super) fn pack<'a>(
        &mut self,
        header: &BlockHeader,
        entries: impl Iterator<Item = Kept<'a>>,
    ) -> std::io::Result<Vec<u8>> {
        self.raw.clear();
        self.ids.clear();
        entries.for_each(|entry| self.add(entry));
        let Self { compressor, compressed, raw, ids } = self;
        compressed.clear();
        compressed.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        compressor.compress_to_buffer(raw, compressed)?;
        let mut value = Vec::with_capacity(96 + ids.column().len() + compressed.len());
        value.push(VERSION);
        put_varint(&mut value, header.count);
        put_varint(&mut value, header.first.0);
        value.extend_from_slice(&header.previous.0);
        value.extend_from_slice(&header.last_hash.0);
        put_varint(&mut value, (ids.column().len() / ID) as u64);
        value.extend_from_slice(ids.column());
        put_varint(&mut value, raw.len() as u64);
        value.extend_from_slice(compressed);
        Ok(value)
    }

    fn add(&mut self, entry: Kept<'_>) {
        let Self { raw, ids, .. } = self;
        put_varint(raw, (entry.bytes.len() - ID * entry.ids.len()) as u64);
        put_varint(raw, entry.ids.len() as u64);
        let mut from = 0;
        for at in entry.ids {
            if let Some(id) = entry.bytes[*at..].first_chunk() {
                put_varint(raw, (at - from) as u64);
                put_varint(raw, ids.reference(id));
                from = at + ID;
            }
        }
        from = 0;
        for at in entry.ids {
            raw.extend_from_slice(&entry.bytes[from..*at]);
            from = at + ID;
        }
        raw.extend_from_slice(&entry.bytes[from..]);
    }
}

/// Sequence, hash and canonical bytes of an entry.
pub(super) type EntryView<'a> = (Sequence, EntryHash, &'a [u8]);

/// An opened block: canonical bytes of its entries, with the hash of each.
#[derive(Debug, Default)]
pub(super) struct OpenBlock {
    pub(super) first: Sequence,
    pub(super) previous: Option<EntryHash>,
    bytes: Vec<u8>,
    /// Where each entry ends in `bytes`, and its hash.
    ends: Vec<(usize, EntryHash)>,
}

/// Why a block cannot be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    Malformed,
    /// The chain through the block does not end as the header says.
    Chain {
        last: Sequence,
        expected: EntryHash,
        found: EntryHash,
    },
}

impl From<Malformed> for OpenError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

/// Opens blocks, with buffers and a context that are used again.
pub(super) struct Opener {
    decompressor: zstd::bulk::Decompressor<'static>,
    raw: Vec<u8>,
    /// Of one entry: the bytes before each id, and the id's reference.
    places: Vec<(u64, u64)>,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

impl Opener {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { decompressor: zstd::bulk::Decompressor::new()?, raw: Vec::new(), places: Vec::new() })
    }

    /// Opens a block and verifies the chain through it.
    pub(super) fn open(&mut self, value: &[u8], into: &mut OpenBlock) -> Result<(), OpenError> {
        let mut cursor = Cursor::new(value);
        if cursor.byte()? != VERSION {
            return Err(OpenError::Malformed);
        }
        let count = cursor.varint()?;
        let first = Sequence(cursor.varint()?);
        let previous = EntryHash(cursor.array()?);
        let expected = EntryHash(cursor.array()?);
        let id_count = cursor.varint()?;
        let mut ids = IdReader::take(&mut cursor, id_count)?;
        let raw_length = cursor.varint()?;
        if raw_length > RAW_MAX || count == 0 || count > raw_length {
            return Err(OpenError::Malformed);
        }
        let compressed = cursor.slice(cursor.remaining())?;
        self.raw.clear();
        self.raw.reserve(index(raw_length));
        let read = self.decompressor.decompress_to_buffer(compressed, &mut self.raw);
        if read.ok() != Some(index(raw_length)) {
            return Err(OpenError::Malformed);
        }

        into.first = first;
        into.previous = Some(previous);
        into.bytes.clear();
        into.ends.clear();
        let mut hash = previous;
        let mut entries = Cursor::new(&self.raw);
        for _ in 0..count {
            let start = into.bytes.len();
            put_kept(&mut entries, &mut ids, &mut self.places, &mut into.bytes)?;
            wire::join_previous_hash(&[], &hash, &mut into.bytes);
            hash = wire::chain_hash(&hash, &into.bytes[start..]);
            into.ends.push((into.bytes.len(), hash));
        }
        entries.finish()?;
        ids.finish()?;
        if hash == expected {
            Ok(())
        } else {
            Err(OpenError::Chain { last: Sequence(first.0.saturating_add(count - 1)), expected, found: hash })
        }
    }
}

/// Reads what [`Packer::add`] wrote of an entry, and puts its ids back in their places.
fn put_kept(
    entries: &mut Cursor<'_>,
    ids: &mut IdReader<'_>,
    places: &mut Vec<(u64, u64)>,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let length = index(entries.varint()?);
    places.clear();
    for _ in 0..entries.varint()? {
        places.push((entries.varint()?, entries.varint()?));
    }
    let mut rest = Cursor::new(entries.slice(length)?);
    for (before, reference) in places {
        out.extend_from_slice(rest.slice(index(*before))?);
        out.extend_from_slice(ids.id(*reference)?);
    }
    out.extend_from_slice(rest.slice(rest.remaining())?);
    Ok(())
}

impl OpenBlock {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Sequence, hash and canonical bytes of the entry at a place.
    pub(super) fn entry(&self, place: usize) -> Option<EntryView<'_>> {
        let (end, hash) = *self.ends.get(place)?;
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |(end, _)| *end);
        Some((Sequence(self.first.0 + place as u64), hash, self.bytes.get(start..end)?))
    }

    /// The entry with a sequence, if it is in this block.
    pub(super) fn find(&self, sequence: Sequence) -> Option<EntryView<'_>> {
        self.entry(index(sequence.0.checked_sub(self.first.0)?))
    }

    /// Hash of the last entry.
    pub(super) fn last_hash(&self) -> EntryHash {
        self.ends.last().map_or(EntryHash::ZERO, |(_, hash)| *hash)
    }
}
