//! All choices of a few letters, and all orders of a choice.
//!
//! Does not know what the letters mean. Invariant: each choice and each order comes exactly once, in rising order.

/// All multisets of `size` letters out of `letters`, as rising lists of letter numbers; see [`multisets`].
#[derive(Debug, Clone)]
pub struct Multisets {
    letters: usize,
    next: Option<Vec<usize>>,
}

/// All different orders of a multiset; see [`orders`].
#[derive(Debug, Clone)]
pub struct Orders {
    next: Option<Vec<usize>>,
}

/// Lists every choice of `size` letters out of `letters`, a letter as often as it likes: `n + k - 1` over `k` of them.
///
/// 12 letters give 1,365 choices of four and 12,376 of six.
#[must_use]
pub fn multisets(letters: usize, size: usize) -> Multisets {
    Multisets { letters, next: (letters > 0 || size == 0).then(|| vec![0; size]) }
}

/// Lists every order of a choice; equal letters are not told apart, so six different letters have 720 orders and six
/// equal ones have one.
#[must_use]
pub fn orders(choice: &[usize]) -> Orders {
    let mut first = choice.to_vec();
    first.sort_unstable();
    Orders { next: Some(first) }
}

impl Iterator for Multisets {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let current = self.next.take()?;
        // The last place that can still rise; all places after it start again from its new letter.
        if let Some(place) = current.iter().rposition(|letter| letter + 1 < self.letters) {
            let mut following = current.clone();
            let letter = current[place] + 1;
            following[place..].fill(letter);
            self.next = Some(following);
        }
        Some(current)
    }
}

impl Iterator for Orders {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        let current = self.next.take()?;
        // The next order of the dictionary: raise the last place that has something larger behind it.
        if let Some(place) = current.windows(2).rposition(|pair| pair[0] < pair[1]) {
            let mut following = current.clone();
            let larger = following.iter().rposition(|letter| *letter > current[place]).unwrap_or(place);
            following.swap(place, larger);
            following[place + 1..].reverse();
            self.next = Some(following);
        }
        Some(current)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn choices_are_as_many_as_arithmetic_says() {
        for (letters, size, count) in
            [(12, 4, 1_365), (12, 6, 12_376), (3, 2, 6), (1, 5, 1), (4, 0, 1), (0, 0, 1), (0, 2, 0)]
        {
            let all: BTreeSet<Vec<usize>> = multisets(letters, size).collect();
            assert_eq!((all.len(), multisets(letters, size).count()), (count, count));
            assert!(all.iter().all(|choice| choice.is_sorted() && choice.len() == size));
        }
    }

    #[test]
    fn every_order_comes_once() {
        for (choice, count) in
            [(vec![5, 4, 3, 2, 1, 0], 720), (vec![0, 0, 1, 1], 6), (vec![2, 2, 2], 1), (vec![], 1)]
        {
            let all: BTreeSet<Vec<usize>> = orders(&choice).collect();
            assert_eq!((all.len(), orders(&choice).count()), (count, count));
        }
    }
}
