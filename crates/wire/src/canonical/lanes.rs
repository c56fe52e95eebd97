//! Chain hashes of many entries at once, each of another chain.
//!
//! Knows nothing of what the chains belong to. Invariant: gives what [`super::chain_hash`] gives, on every machine.
//!
//! A processor hashes sixteen messages of equally many blocks in little more than the time of one. All blocks but the last
//! are hashed so; the last is shorter and goes alone.

use blake3::{
    IncrementCounter,
    platform::{Platform, le_bytes_from_words_32, words_from_le_bytes_32},
};
use model::EntryHash;

/// Bytes of one block of BLAKE3.
const BLOCK: usize = 64;
/// Messages longer than a chunk are a tree of chunks, which is hashed alone.
const CHUNK: usize = 1024;
/// How many are hashed at once.
const LANES: usize = 16;

/// What BLAKE3 gives the first block of a chunk, and the last block of a message of one chunk: its end, and the root.
const FLAGS_START: u8 = 1;
const FLAGS_END: u8 = 1 << 1 | 1 << 3;
/// What every chain of blocks begins with: the first words of the square roots of the first primes.
const BEGIN: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Hashes many messages at once, with buffers that are used again.
#[derive(Debug)]
pub(super) struct Lanes {
    platform: Platform,
    /// By number of blocks before the last: which messages have so many.
    by_blocks: [Vec<usize>; CHUNK / BLOCK],
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self { platform: Platform::detect(), by_blocks: Default::default() }
    }

    /// Gives the hash of each message with its place among the messages, in no order.
    pub(super) fn hash_each(&mut self, messages: &[&[u8]], each: &mut impl FnMut(usize, EntryHash)) {
        for (place, message) in messages.iter().enumerate() {
            match message.len().checked_sub(1) {
                Some(last) if last < CHUNK => self.by_blocks[last / BLOCK].push(place),
                Some(_) | None => each(place, EntryHash(*blake3::hash(message).as_bytes())),
            }
        }
        for blocks in 0..self.by_blocks.len() {
            let mut places = std::mem::take(&mut self.by_blocks[blocks]);
            for places in places.chunks(LANES) {
                self.hash_alike(blocks, places, messages, each);
            }
            places.clear();
            self.by_blocks[blocks] = places;
        }
    }

    /// Hashes up to [`LANES`] messages with so many blocks before their last.
    fn hash_alike(
        &self,
        blocks: usize,
        places: &[usize],
        messages: &[&[u8]],
        each: &mut impl FnMut(usize, EntryHash),
    ) {
        let mut states = [0; 32 * LANES];
        match blocks {
            1 => self.all_but_last::<{ BLOCK }>(places, messages, &mut states),
            2 => self.all_but_last::<{ 2 * BLOCK }>(places, messages, &mut states),
            3 => self.all_but_last::<{ 3 * BLOCK }>(places, messages, &mut states),
            4 => self.all_but_last::<{ 4 * BLOCK }>(places, messages, &mut states),
            5 => self.all_but_last::<{ 5 * BLOCK }>(places, messages, &mut states),
            6 => self.all_but_last::<{ 6 * BLOCK }>(places, messages, &mut states),
            7 => self.all_but_last::<{ 7 * BLOCK }>(places, messages, &mut states),
            8 => self.all_but_last::<{ 8 * BLOCK }>(places, messages, &mut states),
            9 => self.all_but_last::<{ 9 * BLOCK }>(places, messages, &mut states),
            10 => self.all_but_last::<{ 10 * BLOCK }>(places, messages, &mut states),
            // Entries are seldom that short or long.
            _ => {
                for place in places {
                    each(*place, EntryHash(*blake3::hash(messages[*place]).as_bytes()));
                }
                return;
            }
        }
        for (place, state) in places.iter().zip(states.as_chunks::<32>().0) {
            let last = &messages[*place][blocks * BLOCK..];
            let mut block = [0; BLOCK];
            block[..last.len()].copy_from_slice(last);
            let mut words = words_from_le_bytes_32(state);
            let length = u8::try_from(last.len()).unwrap_or(u8::MAX);
            self.platform.compress_in_place(&mut words, &block, length, 0, FLAGS_END);
            each(*place, EntryHash(le_bytes_from_words_32(&words)));
        }
    }

    fn all_but_last<const BYTES: usize>(
        &self,
        places: &[usize],
        messages: &[&[u8]],
        states: &mut [u8; 32 * LANES],
    ) {
        let mut inputs = [&[0; BYTES]; LANES];
        for (input, place) in inputs.iter_mut().zip(places) {
            if let Some(blocks) = messages[*place].first_chunk() {
                *input = blocks;
            }
        }
        let states = &mut states[..32 * places.len()];
        self.platform.hash_many(
            &inputs[..places.len()],
            &BEGIN,
            0,
            IncrementCounter::No,
            0,
            FLAGS_START,
            0,
            states,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_are_hashed_as_each_alone() {
        let mut lanes = Lanes::new();
        let bytes: Vec<u8> = (0..4_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        for count in [0, 1, 2, 15, 16, 17, 40, 2_100] {
            // Lengths from 0 to two chunks, neighbours alike and not.
            let messages: Vec<&[u8]> = (0..count)
                .map(|n| &bytes[n..][..(if count < 50 { n / 4 * 61 } else { n }) % 1_900])
                .collect();
            let mut found = vec![None; messages.len()];
            lanes.hash_each(&messages, &mut |place, hash| found[place] = Some(hash));
            let alone = messages.iter().map(|message| Some(EntryHash(*blake3::hash(message).as_bytes())));
            assert_eq!(found, alone.collect::<Vec<_>>());
        }
    }
}
