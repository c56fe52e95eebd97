//! Shares the short words of entries (accounts, markets, tariffs) instead of copying them for each.
//!
//! Does not know what a word means. Invariant: bounded memory; a word that is not remembered is only copied again.

use std::sync::Arc;

use model::Text;

/// A power of two. 64 KiB of places hold the accounts, numbers, templates and cards of a large installation.
const PLACES: usize = 4096;
/// Longer words are not remembered, which bounds what the places hold.
const WORD_BYTES_MAX: usize = 256;

/// Remembers words it has met, one per place; a newer word of the same place drives the older one out.
#[derive(Debug)]
pub struct Words {
    places: Box<[Option<Text>]>,
    empty: Text,
}

impl Default for Words {
    fn default() -> Self {
        Self::new()
    }
}

impl Words {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { places: vec![None; PLACES].into_boxed_slice(), empty: Arc::from("") }
    }

    /// The word as shared text.
    #[must_use]
    pub fn intern(&mut self, word: &str) -> Text {
        self.intern_bytes(word.as_bytes()).unwrap_or_else(|| Arc::from(word))
    }

    /// The empty word.
    pub(super) fn empty(&self) -> Text {
        Arc::clone(&self.empty)
    }

    /// The word behind some bytes; `None` if they are no UTF-8.
    ///
    /// Bytes equal to those of a remembered word need not be checked again, which is most of the gain.
    #[inline]
    pub(super) fn intern_bytes(&mut self, word: &[u8]) -> Option<Text> {
        if word.is_empty() {
            return Some(Arc::clone(&self.empty));
        }
        let place = &mut self.places[place_of(word)];
        if let Some(known) = place
            && is_word(known, word)
        {
            return Some(Arc::clone(known));
        }
        let text: Text = Arc::from(std::str::from_utf8(word).ok()?);
        if word.len() <= WORD_BYTES_MAX {
            *place = Some(Arc::clone(&text));
        }
        Some(text)
    }
}

/// Whether some bytes are a word. Most words have none or up to sixteen, which are compared without a call.
#[inline]
pub(super) fn is_word(known: &str, bytes: &[u8]) -> bool {
    let known = known.as_bytes();
    if known.len() != bytes.len() {
        return false;
    }
    match (known.first_chunk::<8>(), known.last_chunk::<8>()) {
        _ if known.is_empty() => true,
        (Some(first), Some(last)) if known.len() <= 16 => {
            bytes.first_chunk() == Some(first) && bytes.last_chunk() == Some(last)
        }
        _ => known == bytes,
    }
}

fn place_of(word: &[u8]) -> usize {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = word.len() as u64;
    let (chunks, tail) = word.as_chunks::<8>();
    for chunk in chunks {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*chunk)).wrapping_mul(MIX);
    }
    // The last eight bytes overlap what was read before, which costs less than reading the rest byte by byte.
    let last = match word.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last),
        None => tail.iter().fold(0, |last, byte| last << 8 | u64::from(*byte)),
    };
    hash = (hash.rotate_left(23) ^ last).wrapping_mul(MIX);
    (hash >> 40) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_met_before_is_shared() {
        let mut words = Words::new();
        let first = words.intern("Brazil");
        assert!(Arc::ptr_eq(&first, &words.intern("Brazil")));
        assert_eq!(&*words.intern(""), "");
    }

    #[test]
    fn bytes_are_a_word_if_all_of_them_are() {
        let long = "abcdefghijklmnopqrstuvwxyz";
        for length in 0..=long.len() {
            let word = &long[..length];
            assert!(is_word(word, word.as_bytes()));
            assert!(!is_word(word, &long.as_bytes()[..long.len() - length]) || length * 2 == long.len());
            for at in 0..length {
                let mut other = word.as_bytes().to_vec();
                other[at] ^= 1;
                assert!(!is_word(word, &other), "{length} {at}");
            }
        }
    }

    #[test]
    fn any_number_of_words_reads_back_right() {
        let mut words = Words::new();
        for round in 0..2 {
            for number in 0..3 * PLACES {
                let word = format!("campaign-{number}");
                assert_eq!(*words.intern(&word), *word, "{round}");
            }
        }
        let long = "x".repeat(WORD_BYTES_MAX + 1);
        assert_eq!(*words.intern(&long), *long);
    }
}
