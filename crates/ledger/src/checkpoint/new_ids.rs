//! Ids on their way into the index, kept by their first bits so that little is left to sort.
//!
//! Knows nothing of files. Invariant: what comes out is sorted and has no pair twice.

use std::thread;

use super::{
    BUCKETS,
    index::{PAIR, Pair},
};

/// Ids are spread by this many of their first bits.
const PART_BITS: u32 = 10;
/// Bits of an id's tag that are left within a part; with those of a bucket they fill four bytes.
const REST_BITS: u32 = u32::BITS - PART_BITS;
const BUCKET_BITS: u32 = BUCKETS.trailing_zeros();

/// Ids that are new since the last checkpoint, each with its bucket. Four bytes an id.
#[derive(Debug, Clone)]
pub struct NewIds {
    parts: Parts,
    /// What others have gathered: put together only on its way out, as both at once would need twice the room.
    more: Vec<Parts>,
}

/// Ids by their first bits.
type Parts = Vec<Vec<u32>>;

impl Default for NewIds {
    fn default() -> Self {
        Self::expecting(0)
    }
}

impl NewIds {
    /// With room for about so many.
    #[must_use]
    pub fn expecting(count: usize) -> Self {
        let parts = 1_usize << PART_BITS;
        Self { parts: (0..parts).map(|_| Vec::with_capacity(count / parts)).collect(), more: Vec::new() }
    }

    /// Adds an id and its bucket, 0 to 1023.
    #[inline]
    pub fn add(&mut self, id: &[u8; 16], bucket: u16) {
        self.add_tag(u32::from_be_bytes([id[0], id[1], id[2], id[3]]), bucket);
    }

    #[inline]
    fn add_tag(&mut self, tag: u32, bucket: u16) {
        let rest = (tag << PART_BITS) | u32::from(bucket % BUCKETS);
        self.parts[(tag >> REST_BITS) as usize].push(rest);
    }

    /// Adds pairs of an older run.
    pub(super) fn extend(&mut self, pairs: &[Pair]) {
        for [a, b, c, d, high, low] in pairs {
            self.add_tag(u32::from_be_bytes([*a, *b, *c, *d]), u16::from_be_bytes([*high, *low]));
        }
    }

    /// Adds all that another has.
    pub fn append(&mut self, other: Self) {
        self.more.push(other.parts);
        self.more.extend(other.more);
    }

    /// How many have been added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all().flatten().map(Vec::len).sum()
    }

    /// Whether none has been added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn all(&self) -> impl Iterator<Item = &Parts> {
        std::iter::once(&self.parts).chain(&self.more)
    }

    /// Sorts them, on two threads.
    pub(super) fn sort(&mut self) {
        let sort = |parts: Vec<&mut [Vec<u32>]>| {
            parts.into_iter().flatten().for_each(|part| part.sort_unstable());
        };
        let all = std::iter::once(&mut self.parts).chain(&mut self.more);
        let (first, second): (Vec<_>, Vec<_>) =
            all.map(|parts| parts.split_at_mut(1 << (PART_BITS - 1))).unzip();
        thread::scope(|scope| {
            scope.spawn(|| sort(second));
            sort(first);
        });
    }

    /// Gives the bytes of all pairs in order, each once, piece by piece. They have been sorted.
    pub(super) fn each_piece<E>(&self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let (mut rests, mut piece): (Vec<u32>, Vec<Pair>) = (Vec::new(), Vec::new());
        for number in 0..1_u32 << PART_BITS {
            rests.clear();
            self.all().for_each(|parts| rests.extend(&parts[number as usize]));
            // A few runs that are in order each: this way of sorting takes them as such.
            rests.sort();
            rests.dedup();
            piece.clear();
            piece.extend(rests.iter().map(|rest| {
                let [a, b, c, d] = (number << REST_BITS | rest >> PART_BITS).to_be_bytes();
                let [_, _, high, low] = (rest & (u32::from(BUCKETS) - 1)).to_be_bytes();
                [a, b, c, d, high, low]
            }));
            each(piece.as_flattened())?;
        }
        Ok(())
    }
}

const _: () = assert!(BUCKET_BITS == PART_BITS && PAIR == 6);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_out_in_order_and_once() {
        let mut ids = NewIds::default();
        let pair = |tag: u32, bucket: u16| {
            let ([a, b, c, d], [high, low]) = (tag.to_be_bytes(), bucket.to_be_bytes());
            [a, b, c, d, high, low]
        };
        let mut expected = Vec::new();
        for n in 0..5_000_u32 {
            let (tag, bucket) = (n.wrapping_mul(0x9e37_79b1), u16::try_from(n % 1_024).unwrap());
            let mut id = [7; 16];
            id[..4].copy_from_slice(&tag.to_be_bytes());
            ids.add(&id, bucket);
            ids.add(&id, bucket);
            ids.add(&id, (bucket + 1) % 1_024);
            expected.extend([pair(tag, bucket), pair(tag, (bucket + 1) % 1_024)]);
        }
        ids.extend(&[pair(0, 3), pair(u32::MAX, 1_023)]);
        expected.extend([pair(0, 3), pair(u32::MAX, 1_023)]);
        assert_eq!(ids.len(), 15_002);
        ids.sort();
        expected.sort_unstable();
        expected.dedup();
        let mut bytes = Vec::new();
        ids.each_piece::<()>(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        assert_eq!(bytes.as_chunks::<PAIR>().0, expected);
    }
}
