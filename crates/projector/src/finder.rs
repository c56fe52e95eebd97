//! Which thread of a bucket is a user's: a flat table of tags, one line of memory for a look-up.
//!
//! Knows nothing of threads but their places. Invariant: at most three of four slots are taken, and none is ever freed.

use model::{Symbol, UserRef};
use prefetch_index::prefetch_index;

/// A place, and enough of a hash to tell it from most others without a look at what lies there.
#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    at: u32,
}

impl Slot {
    const FREE: Self = Self { tag: 0, at: u32::MAX };

    fn is_free(self) -> bool {
        self.at == u32::MAX
    }
}

/// Users are keyed hashes, so that their bytes need no further hashing. Those that chose the bucket are left out.
pub(crate) fn tag_of(user: UserRef, business_phone: Symbol) -> u32 {
    let [_, _, a, b, c, d, ..] = user.0;
    u32::from_le_bytes([a, b, c, d]) ^ business_phone.0.wrapping_mul(0x9e37_79b9)
}

/// Places by tag. Tags are bits of keyed hashes, so that they are spread well as they are.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    /// As many as a power of two, or none.
    slots: Vec<Slot>,
    taken: usize,
}

impl Finder {
    /// The first place with this tag of which `is_it` holds.
    #[inline]
    pub(crate) fn find(&self, tag: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut number = tag as usize;
        loop {
            let slot = self.slots.get(number & mask)?;
            if slot.is_free() {
                return None;
            }
            if slot.tag == tag && is_it(slot.at) {
                return Some(slot.at);
            }
            number += 1;
        }
    }

    /// Asks for the line in which a look-up of this tag begins.
    #[inline]
    pub(crate) fn ask_for(&self, tag: u32) {
        prefetch_index(&self.slots, tag as usize & self.slots.len().wrapping_sub(1));
    }

    /// Adds a place.
    pub(crate) fn insert(&mut self, tag: u32, at: u32) {
        if 4 * (self.taken + 1) > 3 * self.slots.len() {
            self.grow((2 * self.slots.len()).max(8));
        }
        self.put(Slot { tag, at });
        self.taken += 1;
    }

    /// Makes room for this many places in all, so that adding them moves none.
    pub(crate) fn expect(&mut self, places: usize) {
        let slots = (places * 4 / 3 + 1).next_power_of_two();
        if slots > self.slots.len() {
            self.grow(slots);
        }
    }

    fn grow(&mut self, slots: usize) {
        let smaller = std::mem::replace(&mut self.slots, vec![Slot::FREE; slots]);
        smaller.into_iter().filter(|slot| !slot.is_free()).for_each(|slot| self.put(slot));
    }

    /// Says that what was at one place is at another.
    pub(crate) fn moved(&mut self, tag: u32, from: u32, to: u32) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut number = tag as usize;
        while let Some(slot) = self.slots.get_mut(number & mask).filter(|slot| !slot.is_free()) {
            if slot.at == from {
                slot.at = to;
                return;
            }
            number += 1;
        }
    }

    fn put(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut number = slot.tag as usize & mask;
        while !self.slots[number].is_free() {
            number = (number + 1) & mask;
        }
        self.slots[number] = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_tag_also_where_tags_collide() {
        let mut finder = Finder::default();
        assert_eq!(finder.find(7, |_| true), None);
        finder.expect(100);
        let tag = |at: u32| at.wrapping_mul(0x9e37_79b9) & 0xffff_f0ff;
        for at in 0..1_000 {
            finder.insert(tag(at), at);
        }
        for at in 0..1_000 {
            assert_eq!(finder.find(tag(at), |found| found == at), Some(at));
        }
        assert_eq!(finder.find(tag(3), |found| found == 4), None);
        finder.moved(tag(3), 3, 5_000);
        assert_eq!(finder.find(tag(3), |found| found == 5_000), Some(5_000));
        assert_eq!(finder.find(tag(3), |found| found == 3), None);
        assert_eq!(finder.find(tag(4), |found| found == 4), Some(4));
    }
}
