//! Hashing ids: each alone, or sixteen at once where the processor can.
//!
//! Knows nothing of what an id names. Invariant: an id hashes to the same, alone or among others, on every machine.

use blake3::{
    IncrementCounter,
    platform::{Platform, words_from_le_bytes_32},
};

/// Bytes of one block of BLAKE3, which is what ids are padded to.
const BLOCK: usize = 64;
/// How many are hashed at once.
pub(crate) const LANES: usize = 16;

/// What BLAKE3 gives the one block of a keyed message: first and last of its chunk, root, keyed.
const FLAGS: u8 = 1 << 4;
const FLAGS_START: u8 = 1;
const FLAGS_END: u8 = 1 << 1 | 1 << 3;

/// An id padded with zeros to a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block([u8; BLOCK]);

impl Block {
    /// `None` if the id is longer than a block, or ends in a zero, which could be padding.
    pub(crate) fn of(id: &str) -> Option<Self> {
        let bytes = id.as_bytes();
        if bytes.len() > BLOCK || bytes.last() == Some(&0) {
            return None;
        }
        let mut block = [0; BLOCK];
        block[..bytes.len()].copy_from_slice(bytes);
        Some(Self(block))
    }
}

/// A key, ready for use.
#[derive(Clone)]
pub(crate) struct Key {
    bytes: [u8; 32],
    words: [u32; 8],
    platform: Platform,
}

impl Key {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self { bytes, words: words_from_le_bytes_32(&bytes), platform: Platform::detect() }
    }

    /// The first half of the keyed hash of the id's block; of an id without one, of the id and a byte that no text
    /// ends in.
    pub(crate) fn hash(&self, id: &str) -> [u8; 16] {
        let hash = match Block::of(id) {
            Some(block) => blake3::keyed_hash(&self.bytes, &block.0),
            None => blake3::keyed_hash(&self.bytes, &[id.as_bytes(), &[0x80]].concat()),
        };
        half(hash.as_bytes())
    }

    /// The same of up to [`LANES`] blocks at once.
    pub(crate) fn hash_blocks(&self, blocks: &[Block], each: &mut dyn FnMut(usize, [u8; 16])) {
        let mut out = [0; 32 * LANES];
        for (batch, first) in blocks.chunks(LANES).zip((0..).step_by(LANES)) {
            let mut inputs = [&[0; BLOCK]; LANES];
            for (input, block) in inputs.iter_mut().zip(batch) {
                *input = &block.0;
            }
            let out = &mut out[..32 * batch.len()];
            self.platform.hash_many(
                &inputs[..batch.len()],
                &self.words,
                0,
                IncrementCounter::No,
                FLAGS,
                FLAGS_START,
                FLAGS_END,
                out,
            );
            for (index, hash) in out.as_chunks::<32>().0.iter().enumerate() {
                each(first + index, half(hash));
            }
        }
    }
}

fn half(hash: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_are_hashed_as_each_alone() {
        let key = Key::new([9; 32]);
        for count in [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 40] {
            let ids: Vec<String> = (0..count).map(|n| "wamid.".repeat(n % 11) + &n.to_string()).collect();
            let blocks: Vec<Block> = ids.iter().map(|id| Block::of(id).unwrap()).collect();
            let mut found = Vec::new();
            key.hash_blocks(&blocks, &mut |index, hash| found.push((index, hash)));
            let wanted: Vec<_> = ids.iter().map(|id| key.hash(id)).enumerate().collect();
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn what_padding_could_make_alike_is_hashed_otherwise() {
        let key = Key::new([9; 32]);
        let long = "x".repeat(65);
        let full = "x".repeat(64);
        let ids = ["", "\0", "\0\0", "a", "a\0", "a\0\0", "a\0b", &full, &long, &(full.clone() + "\0")];
        for (index, id) in ids.iter().enumerate() {
            for other in &ids[..index] {
                assert_ne!(key.hash(id), key.hash(other), "{id:?} {other:?}");
            }
        }
        assert!(Block::of(&full).is_some() && Block::of(&long).is_none() && Block::of("a\0").is_none());
    }

    /// The blocks are those of the public function, so that anyone with the secret can check a reference.
    #[test]
    fn a_block_is_hashed_as_the_text_with_its_padding() {
        let mut padded = [0; 64];
        padded[..5].copy_from_slice(b"wamid");
        let wanted = blake3::keyed_hash(&[9; 32], &padded);
        assert_eq!(Key::new([9; 32]).hash("wamid"), half(wanted.as_bytes()));
    }
}
