//! The 1,024 numbers that an element of a digest stands for: 2,048 bytes of BLAKE3's extendable output.
//!
//! Knows nothing of conversations. Invariant: adds what the library gives, on every machine.
//!
//! The library makes many blocks of output at once with AVX-512 alone; without it, one after the other, which took a
//! quarter of a verification. With AVX2 eight are made at once here.

#[cfg(target_arch = "x86_64")]
mod avx2;

/// Numbers of a digest.
pub(crate) const LANES: usize = 1_024;
/// Bytes of such a number.
pub(crate) const LANE_BYTES: usize = 2;

/// The numbers of a digest.
pub(crate) type Lanes = [u16; LANES];

/// Expands elements, with buffers that are used again.
pub(crate) struct Expander {
    hasher: blake3::Hasher,
    expanded: Box<[u8; LANES * LANE_BYTES]>,
    #[cfg(target_arch = "x86_64")]
    avx2: Option<avx2::Avx2>,
}

impl Expander {
    /// For elements of a context, as `BLAKE3`'s key derivation has it.
    pub(crate) fn new(context: &str) -> Self {
        Self {
            hasher: blake3::Hasher::new_derive_key(context),
            expanded: Box::new([0; LANES * LANE_BYTES]),
            #[cfg(target_arch = "x86_64")]
            avx2: avx2::Avx2::where_it_pays(context),
        }
    }

    /// Adds the numbers of an element, place by place.
    pub(crate) fn add(&mut self, element: &[u8], to: &mut Lanes) {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = &self.avx2
            && avx2.add(element, to)
        {
            return;
        }
        self.add_by_library(element, to);
    }

    fn add_by_library(&mut self, element: &[u8], to: &mut Lanes) {
        self.hasher.reset();
        self.hasher.update(element);
        self.hasher.finalize_xof().fill(&mut self.expanded[..]);
        let (pairs, _) = self.expanded.as_chunks::<LANE_BYTES>();
        for (lane, pair) in to.iter_mut().zip(pairs) {
            *lane = lane.wrapping_add(u16::from_le_bytes(*pair));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around every number of blocks that a chunk may have, and beyond a chunk.
    fn elements() -> impl Iterator<Item = Vec<u8>> {
        let lengths = (0..20).flat_map(|blocks| [64 * blocks, 64 * blocks + 1, 64 * blocks + 63]);
        lengths.map(|length| (0..length).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect())
    }

    #[test]
    fn what_is_added_is_what_the_library_gives() {
        let mut expander = Expander::new("a context");
        let (mut found, mut expected) = ([7; LANES], [7; LANES]);
        for element in elements() {
            expander.add(&element, &mut found);
            expander.add_by_library(&element, &mut expected);
            assert_eq!(found, expected, "{}", element.len());
        }
    }

    /// Where the processor has AVX-512 the test above compares the library with itself.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn eight_blocks_at_once_are_those_of_the_library() {
        let Some(avx2) = avx2::Avx2::where_there_is_any("a context") else { return };
        let mut expander = Expander { avx2: None, ..Expander::new("a context") };
        for element in elements() {
            let (mut found, mut expected) = ([0; LANES], [0; LANES]);
            let is_one_chunk = element.len() <= 1_024;
            assert_eq!(avx2.add(&element, &mut found), is_one_chunk);
            if is_one_chunk {
                expander.add(&element, &mut expected);
            }
            assert_eq!(found, expected, "{}", element.len());
        }
    }
}
