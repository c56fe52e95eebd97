//! Whether a thread may have an id already: mostly told without a look at its messages.
//!
//! Invariant: an id that was added is never ruled out.

use model::MessageRef;

/// Tells of most ids that they are new, without a look at the messages: a Bloom filter of four bits an id. At 48
/// messages, beyond which there is a table, one new id in thirteen is looked for in vain, at 25 one in ninety.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct IdFilter([u64; 4]);

impl IdFilter {
    /// Of a thread with a table: the filter itself rules nothing out.
    pub(super) const FULL: Self = Self([u64::MAX; 4]);

    pub(super) fn is_full(&self) -> bool {
        self.0.iter().all(|word| *word == u64::MAX)
    }

    /// Four places among 256. Ids are keyed hashes, so that any of their bytes are as good as a hash of them.
    fn places(id: MessageRef) -> [(usize, u64); 4] {
        [id.0[8], id.0[9], id.0[10], id.0[11]].map(|place| (usize::from(place >> 6), 1 << (place & 63)))
    }

    pub(super) fn add(&mut self, id: MessageRef) {
        for (word, bit) in Self::places(id) {
            self.0[word] |= bit;
        }
    }

    pub(super) fn may_have(&self, id: MessageRef) -> bool {
        Self::places(id).iter().all(|(word, bit)| self.0[*word] & bit != 0)
    }
}
