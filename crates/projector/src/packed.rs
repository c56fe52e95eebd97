//! Numbers in six bytes: times, offsets and sequences, of which the state of millions of threads mostly consists.

/// 48 unsigned bits: milliseconds up to the year 10889, offsets and sequences up to 2.8 × 10¹⁴.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed48([u8; 6]);

impl Packed48 {
    const MAX: u64 = (1 << 48) - 1;

    pub(crate) fn new(value: u64) -> Self {
        let [a, b, c, d, e, f, ..] = value.min(Self::MAX).to_le_bytes();
        Self([a, b, c, d, e, f])
    }

    pub(crate) fn get(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
}
