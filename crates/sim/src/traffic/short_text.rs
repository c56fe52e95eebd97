//! Short ASCII text kept in place, so that making an event allocates nothing.
//!
//! Does not know what it spells. Invariant: the first `length` bytes are ASCII.

use std::fmt;

/// At most `N` ASCII characters; `N` is below 256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortText<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

impl<const N: usize> ShortText<N> {
    /// No text.
    pub const EMPTY: Self = Self { length: 0, bytes: [0; N] };

    /// Appends one character. What is not ASCII, or finds no room, is left out.
    pub(crate) fn push(&mut self, byte: u8) {
        let end = usize::from(self.length);
        if byte.is_ascii() && end < N && self.length < u8::MAX {
            self.bytes[end] = byte;
            self.length += 1;
        }
    }

    /// Appends characters, as [`Self::push`] does.
    pub(crate) fn push_str(&mut self, text: &str) {
        for byte in text.bytes() {
            self.push(byte);
        }
    }

    /// Appends the last `digits` decimal digits of a number, with leading zeros.
    pub(crate) fn push_digits(&mut self, number: u64, digits: u32) {
        let mut divisor = 10_u64.checked_pow(digits.saturating_sub(1)).unwrap_or(1);
        while divisor > 0 {
            self.push(digit(number / divisor));
            divisor /= 10;
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or("")
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<const N: usize> fmt::Debug for ShortText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The character of a number's last decimal digit.
pub(crate) const fn digit(number: u64) -> u8 {
    b'0' + (number % 10).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_the_room_or_outside_ascii_is_left_out() {
        let mut text = ShortText::<6>::EMPTY;
        text.push_str("ä5");
        text.push_digits(1_234, 3);
        text.push_str("xyz");
        assert_eq!(text.as_str(), "5234xy");
        assert!(ShortText::<6>::EMPTY.is_empty());
    }
}
