//! A block on disk: a fixed header with a checksum, then the payload.
//!
//! Knows nothing of what the payload says.
//! Invariant: the checksum covers every byte of the block but itself.

use crate::checksum::{self, Checksum};

const MAGIC: [u8; 4] = *b"TFLB";
const VERSION: u16 = 2;
/// Knew no groups: each of its blocks counts as one.
const VERSION_WITHOUT_GROUPS: u16 = 1;
/// Flag of the last block of a group.
const CLOSES: u16 = 1;
const COVERED: usize = 36;

/// Bytes of a header: magic 4, version 2, flags 2, first offset 8, synced position 8, count 4, payload length 4,
/// definitions length 4, checksum 16; all numbers little-endian.
pub(super) const HEADER: usize = COVERED + checksum::LENGTH;
/// Records a block holds at most.
pub(super) const RECORDS_MAX: u32 = 16_384;
/// A longer payload is damage, found before memory is asked for. A record takes far less than 8 KiB: the words it may
/// define are at most a few of 512 bytes.
pub(super) const PAYLOAD_MAX: u32 = RECORDS_MAX * 8_192;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Offset of the first record.
    pub(super) first: u64,
    /// Up to which byte the file was synced when this block was written. A broken block below the synced position of a
    /// later one is damage; one above may be what a power cut left of writes that nobody relied on.
    pub(super) synced: u64,
    /// Records in it, from 1 to [`RECORDS_MAX`].
    pub(super) count: u32,
    /// Bytes behind the header.
    pub(super) payload: u32,
    /// Bytes of the payload that define words and, in a block that closes a group, hold its rows; those of records
    /// follow.
    pub(super) definitions: u32,
    /// Whether a group ends here. What stands behind the last such block of a log was never relied on.
    pub(super) closes: bool,
}

impl Header {
    /// Header bytes for a payload that is given in two parts.
    pub(super) fn seal(&self, definitions: &[u8], rows: &[u8]) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&if self.closes { CLOSES } else { 0 }.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.synced.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.count.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.payload.to_le_bytes());
        bytes[32..COVERED].copy_from_slice(&self.definitions.to_le_bytes());
        let hash =
            blake3::Hasher::new().update(&bytes[..COVERED]).update(definitions).update(rows).finalize();
        bytes[COVERED..].copy_from_slice(&hash.as_bytes()[..checksum::LENGTH]);
        bytes
    }

    /// Reads a header; `None` if it cannot be one.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (version, rest) = rest.split_first_chunk()?;
        let (flags, rest) = rest.split_first_chunk()?;
        let (version, flags) = (u16::from_le_bytes(*version), u16::from_le_bytes(*flags));
        let (first, rest) = rest.split_first_chunk()?;
        let (synced, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (payload, rest) = rest.split_first_chunk()?;
        let (definitions, _) = rest.split_first_chunk()?;
        let header = Self {
            first: u64::from_le_bytes(*first),
            synced: u64::from_le_bytes(*synced),
            count: u32::from_le_bytes(*count),
            payload: u32::from_le_bytes(*payload),
            definitions: u32::from_le_bytes(*definitions),
            closes: version == VERSION_WITHOUT_GROUPS || flags == CLOSES,
        };
        let known =
            (version == VERSION && flags <= CLOSES) || (version == VERSION_WITHOUT_GROUPS && flags == 0);
        let sound = known
            && (1..=RECORDS_MAX).contains(&header.count)
            && header.payload <= PAYLOAD_MAX
            && header.definitions <= header.payload;
        sound.then_some(header)
    }

    /// The version of a block that a newer program wrote.
    pub(super) fn newer(bytes: &[u8; HEADER]) -> Option<u16> {
        let (version, _) = bytes.strip_prefix(&MAGIC)?.split_first_chunk()?;
        Some(u16::from_le_bytes(*version)).filter(|version| *version > VERSION)
    }

    /// Whether header and payload are as they were written.
    pub(super) fn matches(bytes: &[u8; HEADER], payload: &[u8]) -> bool {
        let (covered, stored) = bytes.split_at(COVERED);
        let computed: Checksum = checksum::of_both(covered, payload);
        computed == *stored
    }

    /// Offset behind the last record.
    pub(super) const fn end(&self) -> u64 {
        self.first.saturating_add(self.count as u64)
    }
}
