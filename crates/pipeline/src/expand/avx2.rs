//! Eight blocks of BLAKE3's output at once, a register for each word of their states.
//!
//! Knows only elements of one chunk; leaves longer ones to the library.

use core::arch::x86_64::__m256i;

use blake3::{
    hazmat::hash_derive_key_context,
    platform::{Platform, words_from_le_bytes_32, words_from_le_bytes_64},
};
use pulp::{NullaryFnOnce, cast, x86::V3};

use super::Lanes;

const BLOCK: usize = 64;
const CHUNK: usize = 1_024;
/// Blocks of output that are made at once.
const BLOCKS: usize = 8;
/// Numbers in half a block, which is what a register holds.
const HALF: usize = 16;

const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const DERIVE_KEY_MATERIAL: u8 = 1 << 6;
/// The first words of the square roots of the first primes.
const BEGIN: [u32; 4] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a];
const ROUNDS: usize = 7;

/// For each round the order in which it takes the words of a message.
const SCHEDULE: [[usize; 16]; ROUNDS] = {
    const NEXT: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut schedule = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]; ROUNDS];
    let mut round = 1;
    while round < ROUNDS {
        let mut place = 0;
        while place < 16 {
            schedule[round][place] = schedule[round - 1][NEXT[place]];
            place += 1;
        }
        round += 1;
    }
    schedule
};

/// Where the bytes of four words come from when each is rotated to the right by so many bits.
const RIGHT_8: [u8; 16] = [1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12];
const RIGHT_16: [u8; 16] = [2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13];

/// Proof that the processor has AVX2, what the library makes of it, and the key of the context.
#[derive(Clone, Copy)]
pub(super) struct Avx2 {
    simd: V3,
    platform: Platform,
    key: [u32; 8],
}

impl Avx2 {
    pub(super) fn where_there_is_any(context: &str) -> Option<Self> {
        let simd = V3::try_new()?;
        let key = words_from_le_bytes_32(&hash_derive_key_context(context));
        Some(Self { simd, platform: Platform::detect(), key })
    }

    /// Where the library does not do better.
    pub(super) fn where_it_pays(context: &str) -> Option<Self> {
        Self::where_there_is_any(context).filter(|avx2| avx2.platform.simd_degree() <= BLOCKS)
    }

    /// Adds the numbers of an element; false if it has more than a chunk, and nothing is added.
    pub(super) fn add(self, element: &[u8], to: &mut Lanes) -> bool {
        let Some(output) = Output::of(self.platform, self.key, element) else { return false };
        self.simd.vectorize(Expanding { lanes: Eight(self.simd), output: &output, to });
        true
    }
}

/// What the blocks of output are made from, beside their numbers.
struct Output {
    chaining_value: [u32; 8],
    last_block: [u32; 16],
    length: u32,
    flags: u32,
}

impl Output {
    fn of(platform: Platform, key: [u32; 8], element: &[u8]) -> Option<Self> {
        if element.len() > CHUNK {
            return None;
        }
        let mut chaining_value = key;
        let (before, mut flags) =
            (element.len().saturating_sub(1) / BLOCK, DERIVE_KEY_MATERIAL | CHUNK_START);
        let (blocks, _) = element.as_chunks::<BLOCK>();
        for block in &blocks[..before] {
            platform.compress_in_place(&mut chaining_value, block, 64, 0, flags);
            flags &= !CHUNK_START;
        }
        let last = &element[before * BLOCK..];
        let mut padded = [0; BLOCK];
        padded[..last.len()].copy_from_slice(last);
        let length = u32::try_from(last.len()).ok()?;
        let flags = u32::from(flags | CHUNK_END | ROOT);
        Some(Self { chaining_value, last_block: words_from_le_bytes_64(&padded), length, flags })
    }
}

/// Adds all blocks of output of an element.
struct Expanding<'a> {
    lanes: Eight,
    output: &'a Output,
    to: &'a mut Lanes,
}

impl NullaryFnOnce for Expanding<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { lanes, output, to } = self;
        let (halves, _) = to.as_chunks_mut::<HALF>();
        for (first, halves) in (0..).step_by(BLOCKS).zip(halves.chunks_exact_mut(2 * BLOCKS)) {
            let (left, right) = lanes.blocks(output, first);
            for (number, halves) in halves.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                halves[0] = lanes.add_numbers(halves[0], left[number]);
                halves[1] = lanes.add_numbers(halves[1], right[number]);
            }
        }
    }
}

/// Works on eight words at once, each of another block.
#[derive(Clone, Copy)]
struct Eight(V3);

impl Eight {
    /// The left and the right halves of eight blocks, of which the first has this number.
    #[inline(always)]
    fn blocks(self, output: &Output, first: u32) -> ([__m256i; BLOCKS], [__m256i; BLOCKS]) {
        let Output { chaining_value: before, last_block: message, length, flags } = output;
        let [b0, b1, b2, b3, b4, b5, b6, b7] = before.map(|word| self.splat(word));
        let [i0, i1, i2, i3] = BEGIN.map(|word| self.splat(word));
        let numbers: [u32; BLOCKS] = [0, 1, 2, 3, 4, 5, 6, 7].map(|block| first + block);
        let [low, high] = [cast(numbers), self.splat(0)];
        let [length, flags] = [*length, *flags].map(|word| self.splat(word));
        let mut v = [b0, b1, b2, b3, b4, b5, b6, b7, i0, i1, i2, i3, low, high, length, flags];
        for order in &SCHEDULE {
            let word = |place: usize| self.splat(message[order[place]]);
            self.mix(&mut v, [0, 4, 8, 12], word(0), word(1));
            self.mix(&mut v, [1, 5, 9, 13], word(2), word(3));
            self.mix(&mut v, [2, 6, 10, 14], word(4), word(5));
            self.mix(&mut v, [3, 7, 11, 15], word(6), word(7));
            self.mix(&mut v, [0, 5, 10, 15], word(8), word(9));
            self.mix(&mut v, [1, 6, 11, 12], word(10), word(11));
            self.mix(&mut v, [2, 7, 8, 13], word(12), word(13));
            self.mix(&mut v, [3, 4, 9, 14], word(14), word(15));
        }
        let left = std::array::from_fn(|word| self.xor(v[word], v[word + 8]));
        let right = std::array::from_fn(|word| self.xor(v[word + 8], self.splat(before[word])));
        (self.by_block(left), self.by_block(right))
    }

    /// BLAKE3's mixing function on four words of the state.
    #[inline(always)]
    fn mix(self, v: &mut [__m256i; 16], [a, b, c, d]: [usize; 4], x: __m256i, y: __m256i) {
        v[a] = self.add(self.add(v[a], v[b]), x);
        v[d] = self.move_bytes(self.xor(v[d], v[a]), RIGHT_16);
        v[c] = self.add(v[c], v[d]);
        v[b] = self.rotate::<12, 20>(self.xor(v[b], v[c]));
        v[a] = self.add(self.add(v[a], v[b]), y);
        v[d] = self.move_bytes(self.xor(v[d], v[a]), RIGHT_8);
        v[c] = self.add(v[c], v[d]);
        v[b] = self.rotate::<7, 25>(self.xor(v[b], v[c]));
    }

    /// From eight words of each of eight blocks, word by word, to block by block.
    #[inline(always)]
    fn by_block(self, [a, b, c, d, e, f, g, h]: [__m256i; 8]) -> [__m256i; BLOCKS] {
        let pairs = |a, b| [self.0.avx2._mm256_unpacklo_epi32(a, b), self.0.avx2._mm256_unpackhi_epi32(a, b)];
        let fours = |a, b| [self.0.avx2._mm256_unpacklo_epi64(a, b), self.0.avx2._mm256_unpackhi_epi64(a, b)];
        let front = |a, b| self.0.avx2._mm256_permute2x128_si256::<0x20>(a, b);
        let back = |a, b| self.0.avx2._mm256_permute2x128_si256::<0x31>(a, b);
        let ([ab, ab2], [cd, cd2]) = (pairs(a, b), pairs(c, d));
        let ([ef, ef2], [gh, gh2]) = (pairs(e, f), pairs(g, h));
        let ([p0, p1], [p2, p3]) = (fours(ab, cd), fours(ab2, cd2));
        let ([q0, q1], [q2, q3]) = (fours(ef, gh), fours(ef2, gh2));
        [
            front(p0, q0),
            front(p1, q1),
            front(p2, q2),
            front(p3, q3),
            back(p0, q0),
            back(p1, q1),
            back(p2, q2),
            back(p3, q3),
        ]
    }

    #[inline(always)]
    fn splat(self, word: u32) -> __m256i {
        self.0.avx._mm256_set1_epi32(word.cast_signed())
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_add_epi32(a, b)
    }

    /// Adds the numbers of a digest, two to a word.
    #[inline(always)]
    fn add_numbers(self, numbers: [u16; HALF], more: __m256i) -> [u16; HALF] {
        cast(self.0.avx2._mm256_add_epi16(cast(numbers), more))
    }

    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        self.0.avx2._mm256_xor_si256(a, b)
    }

    /// To the right by so many bits; the second number is what is left of 32.
    #[inline(always)]
    fn rotate<const BITS: i32, const REST: i32>(self, a: __m256i) -> __m256i {
        let (right, left) =
            (self.0.avx2._mm256_srli_epi32::<BITS>(a), self.0.avx2._mm256_slli_epi32::<REST>(a));
        self.0.avx2._mm256_or_si256(right, left)
    }

    /// Within each word, as one of the tables has it.
    #[inline(always)]
    fn move_bytes(self, a: __m256i, from: [u8; 16]) -> __m256i {
        self.0.avx2._mm256_shuffle_epi8(a, cast([from; 2]))
    }
}
