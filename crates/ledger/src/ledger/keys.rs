//! Keys of the ledger's rows: a table's letter, then big-endian numbers, so that rows sort as their numbers do.
//!
//! Knows nothing of values. Invariant: no two kinds of rows share a first letter (`a`, `q` and `r` are the sums').

use model::{PartitionId, Sequence};

/// What holds for the whole ledger.
pub(super) const META: &[u8] = b"m";
/// Rows that callers commit along with entries.
pub(super) const SOURCE: &[u8] = b"s";
/// Prefix of all blocks.
pub(super) const BLOCKS: &[u8] = b"e";
/// Prefix of all heads.
pub(super) const HEADS: &[u8] = b"h";

pub(super) fn head(partition: PartitionId) -> Vec<u8> {
    [HEADS, &partition.0.to_be_bytes()].concat()
}

pub(super) fn partition_of_head(key: &[u8]) -> Option<PartitionId> {
    let number = key.strip_prefix(HEADS)?.try_into().ok()?;
    Some(PartitionId(u32::from_be_bytes(number)))
}

/// Prefix of a partition's blocks.
pub(super) fn blocks(partition: PartitionId) -> Vec<u8> {
    [BLOCKS, &partition.0.to_be_bytes()].concat()
}

pub(super) fn partition_of_block(key: &[u8]) -> Option<PartitionId> {
    let number = key.strip_prefix(BLOCKS)?.first_chunk()?;
    Some(PartitionId(u32::from_be_bytes(*number)))
}

/// The block that begins with a sequence.
pub(super) fn block(partition: PartitionId, first: Sequence) -> Vec<u8> {
    let mut key = blocks(partition);
    key.extend(first.0.to_be_bytes());
    key
}

pub(super) fn source(name: &[u8]) -> Vec<u8> {
    [SOURCE, name].concat()
}
