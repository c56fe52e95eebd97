//! Values that are added and never moved: in pieces of fixed length, so that growing copies nothing.
//!
//! Knows nothing of what the values are. Invariant: every piece but the last is full.

use std::ops::{Index, IndexMut};

/// A growing list of values, each known by the number under which it was added. Values in a piece: enough that
/// allocations are few, little enough that the empty rest of the last piece of each of many thousand shares costs nothing;
/// and as many as fill what an allocator gives, which rounds up to an eighth.
#[derive(Debug)]
pub(crate) struct Slabs<T, const PIECE: usize> {
    pieces: Vec<Vec<T>>,
}

impl<T, const PIECE: usize> Default for Slabs<T, PIECE> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T, const PIECE: usize> Slabs<T, PIECE> {
    pub(crate) fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * PIECE + last.len())
    }

    /// Adds a value behind the others and gives its number.
    pub(crate) fn push(&mut self, value: T) -> u32 {
        let number = self.len();
        match self.pieces.last_mut() {
            Some(last) if last.len() < PIECE => {
                // Only the first piece grows: the rest of a share's threads come soon.
                if last.len() == last.capacity() {
                    last.reserve_exact(last.len().min(PIECE - last.len()));
                }
                last.push(value);
            }
            Some(_) => self.add_piece(PIECE, value),
            None => self.add_piece(1, value),
        }
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    #[cold]
    fn add_piece(&mut self, room: usize, value: T) {
        let mut piece = Vec::with_capacity(room);
        piece.push(value);
        self.pieces.push(piece);
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.pieces.get(number as usize / PIECE)?.get(number as usize % PIECE)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }
}

impl<T, const PIECE: usize> Index<u32> for Slabs<T, PIECE> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        &self.pieces[number as usize / PIECE][number as usize % PIECE]
    }
}

impl<T, const PIECE: usize> IndexMut<u32> for Slabs<T, PIECE> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        &mut self.pieces[number as usize / PIECE][number as usize % PIECE]
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
