//! Where an id is: sorted runs of (first four bytes of the id, bucket), searched in their files.
//!
//! Knows nothing of what an id names. Four bytes may agree by chance, so a bucket that is found may not have the id;
//! a bucket that has it is always found.
//! Invariant: a run is sorted and has no pair twice.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, sync::OnceLock};

use super::manifest::Section;

/// Bytes of one pair on disk: tag 4, bucket 2, both big-endian, so that pairs sort as their bytes do.
pub(super) const PAIR: usize = 6;
/// Pairs between two tags that are kept in memory: what one look-up reads.
const FENCE: usize = 128;
/// Filter bits a pair, as a power of two: 2^3 bits let about one look-up in eight of an unknown id go to the file.
const FILTER_BITS_LOG: u32 = 3;

/// A pair of the index: the first four bytes of an id, and its bucket, big-endian.
pub(super) type Pair = [u8; PAIR];

/// A run of pairs on disk. What is kept of it in memory is made at the first look-up, as most commands have none.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) section: Section,
    guide: OnceLock<Guide>,
}

/// What is kept in memory of a run: about one byte a pair.
#[derive(Debug, Clone)]
pub(super) struct Guide {
    /// Tag of each 128th pair.
    fences: Vec<u32>,
    /// One bit for each range of tags, set if a pair lies in it.
    filter: Vec<u64>,
    /// A tag shifted right by this is its bit.
    shift: u32,
}

/// The tag of an id.
pub(super) fn tag(id: &[u8; 16]) -> u32 {
    u32::from_be_bytes([id[0], id[1], id[2], id[3]])
}

/// Pairs of a run's bytes.
pub(super) fn decode(bytes: &[u8]) -> &[Pair] {
    bytes.as_chunks().0
}

fn tag_of(pair: &Pair) -> u32 {
    let [a, b, c, d, ..] = *pair;
    u32::from_be_bytes([a, b, c, d])
}

impl Run {
    pub(super) fn new(section: Section) -> Self {
        Self { section, guide: OnceLock::new() }
    }

    /// The guide to the run, made from all its bytes if it is not there yet.
    pub(super) fn guide<E>(&self, bytes: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<&Guide, E> {
        match self.guide.get() {
            Some(guide) => Ok(guide),
            None => {
                let made = Guide::new(&bytes()?);
                Ok(self.guide.get_or_init(|| made))
            }
        }
    }
}

impl Guide {
    fn new(bytes: &[u8]) -> Self {
        let count = u32::try_from(bytes.len() / PAIR).unwrap_or(u32::MAX).max(1);
        let bits_log = (count.next_power_of_two().trailing_zeros() + FILTER_BITS_LOG).clamp(6, 32);
        let shift = 32 - bits_log;
        let mut filter = vec![0_u64; 1 << (bits_log - 6)];
        for pair in decode(bytes) {
            let bit = u64::from(tag_of(pair)) >> shift;
            filter[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        let fences = decode(bytes).iter().step_by(FENCE).map(tag_of).collect();
        Self { fences, filter, shift }
    }

    /// Adds the buckets of all pairs with this tag in the run's section of its file.
    pub(super) fn lookup(
        &self,
        section: &Section,
        file: &File,
        tag: u32,
        out: &mut Vec<u16>,
    ) -> io::Result<()> {
        let bit = u64::from(tag) >> self.shift;
        if self.filter[(bit / 64) as usize] & 1 << (bit % 64) == 0 {
            return Ok(());
        }
        let first = self.fences.partition_point(|fence| *fence < tag).saturating_sub(1);
        let last = self.fences.partition_point(|fence| *fence <= tag);
        let start = (first * FENCE * PAIR) as u64;
        let end = ((last * FENCE * PAIR) as u64).min(section.length);
        if start >= end {
            return Ok(());
        }
        collect(section, file, start..end, tag, out)
    }
}

/// As [`Guide::lookup`] without a guide: some twenty reads of a few bytes for each run, which is less than making one
/// where a single id is looked up.
pub(super) fn lookup_unguided(
    section: &Section,
    file: &File,
    tag: u32,
    out: &mut Vec<u16>,
) -> io::Result<()> {
    let tag_at = |pair: u64| {
        let mut bytes = [0; PAIR];
        file.read_exact_at(&mut bytes, section.position + pair * PAIR as u64)?;
        Ok::<u32, io::Error>(tag_of(&bytes))
    };
    // The first pair that `is_behind`, as far as a block of pairs, which is read at once.
    let bound = |is_behind: &dyn Fn(u32) -> bool| {
        let (mut low, mut high) = (0, section.length / PAIR as u64);
        while high - low > FENCE as u64 {
            let middle = low.midpoint(high);
            if is_behind(tag_at(middle)?) { high = middle } else { low = middle }
        }
        Ok::<_, io::Error>((low, high))
    };
    let (start, _) = bound(&|found| found >= tag)?;
    let (_, end) = bound(&|found| found > tag)?;
    collect(section, file, start * PAIR as u64..end * PAIR as u64, tag, out)
}

/// Adds the buckets of all pairs with a tag in sorted bytes of a section.
fn collect(
    section: &Section,
    file: &File,
    range: Range<u64>,
    tag: u32,
    out: &mut Vec<u16>,
) -> io::Result<()> {
    let mut bytes = vec![0; crate::num::index(range.end - range.start)];
    file.read_exact_at(&mut bytes, section.position + range.start)?;
    let (pairs, _) = bytes.as_chunks::<PAIR>();
    let wanted = tag.to_be_bytes();
    let from = pairs.partition_point(|pair| pair[..4] < wanted[..]);
    for pair in pairs[from..].iter().take_while(|pair| pair[..4] == wanted[..]) {
        let bucket = u16::from_be_bytes([pair[4], pair[5]]);
        if !out.contains(&bucket) {
            out.push(bucket);
        }
    }
    Ok(())
}
