//! Values that are added and never moved: in pieces of fixed length, so that growing copies nothing.
//!
//! Knows nothing of what the values are. Invariant: every piece but the last is full.

use std::ops::{Index, IndexMut};

use prefetch_index::prefetch_index;

/// A growing list of values, each known by the number under which it was added. Values in a piece: enough that
/// allocations are few, little enough that the empty rest of the last piece of each of many thousand shares costs nothing;
/// and as many as fill what an allocator gives, which rounds up to an eighth.
#[derive(Debug)]
pub(crate) struct Slabs<T, const PIECE: usize> {
    full: Vec<Vec<T>>,
    /// Apart from the others: where to add is known without a look among them.
    last: Vec<T>,
}

impl<T, const PIECE: usize> Default for Slabs<T, PIECE> {
    fn default() -> Self {
        Self { full: Vec::new(), last: Vec::new() }
    }
}

impl<T, const PIECE: usize> Slabs<T, PIECE> {
    pub(crate) fn len(&self) -> usize {
        self.full.len() * PIECE + self.last.len()
    }

    /// Adds a value behind the others and gives its number.
    pub(crate) fn push(&mut self, value: T) -> u32 {
        if self.last.len() == self.last.capacity() {
            self.make_room();
        }
        self.last.push(value);
        u32::try_from(self.len() - 1).unwrap_or(u32::MAX)
    }

    #[cold]
    fn make_room(&mut self) {
        if self.last.len() >= PIECE {
            self.full.push(std::mem::replace(&mut self.last, Vec::with_capacity(PIECE)));
        } else {
            // Only the first piece grows: the rest of a share's values come soon.
            self.last.reserve_exact(self.last.len().clamp(1, PIECE - self.last.len()));
        }
    }

    /// Asks for the memory into which the next value will be written.
    #[inline]
    pub(crate) fn ask_for_end(&self) {
        prefetch_index(&self.last, self.last.len());
    }

    /// Asks for what [`Self::get`] will read to find this value's piece.
    #[inline]
    pub(crate) fn ask_for_piece(&self, number: u32) {
        prefetch_index(&self.full, number as usize / PIECE);
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.full.get(number as usize / PIECE).unwrap_or(&self.last).get(self.within(number))
    }

    /// Where a value is within its piece; behind all if it is behind the last.
    fn within(&self, number: u32) -> usize {
        let number = number as usize;
        if number / PIECE <= self.full.len() { number % PIECE } else { PIECE }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.full.iter().flatten().chain(&self.last)
    }
}

impl<T, const PIECE: usize> Index<u32> for Slabs<T, PIECE> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        &self.full.get(number as usize / PIECE).unwrap_or(&self.last)[self.within(number)]
    }
}

impl<T, const PIECE: usize> IndexMut<u32> for Slabs<T, PIECE> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        let within = self.within(number);
        &mut self.full.get_mut(number as usize / PIECE).unwrap_or(&mut self.last)[within]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_under_the_numbers_they_were_given() {
        let mut slabs = Slabs::<usize, 27>::default();
        for value in 0..1_000 {
            assert_eq!(slabs.len(), value);
            assert_eq!(slabs.push(value) as usize, value);
        }
        slabs[77] = 5_000;
        assert_eq!((slabs[77], slabs[999], slabs.get(1_000)), (5_000, 999, None));
        assert!(slabs.iter().copied().filter(|value| *value != 5_000).is_sorted());
        assert_eq!(slabs.iter().count(), 1_000);
    }
}
