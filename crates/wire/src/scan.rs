//! A scanner over JSON that has the usual shape: borrowed strings without escapes, small numbers, booleans, objects.
//!
//! Knows nothing of events. Invariant: `Some` only for what every JSON reader takes in the same way; `None` means
//! "unusual", not "wrong".

/// Place in a line.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is no white space, which stays where it is.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match *bytes.get(self.at)? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    #[inline]
    fn expect(&mut self, wanted: u8) -> Option<()> {
        if self.peek()? != wanted {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// Nothing but white space may be left.
    #[inline]
    pub(crate) fn end(&mut self) -> Option<()> {
        if self.peek().is_none() { Some(()) } else { None }
    }

    /// Just these bytes, without white space before them.
    #[inline]
    pub(crate) fn literal(&mut self, wanted: &str) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += wanted.len();
        rest.starts_with(wanted.as_bytes()).then_some(())
    }

    /// A string without escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        let end = start + plain_length(self.text.as_bytes().get(start..)?);
        if *self.text.as_bytes().get(end)? != b'"' {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// A whole number without sign, point, exponent or leading zero.
    pub(crate) fn uint32(&mut self) -> Option<u32> {
        self.peek()?;
        let rest = self.text.get(self.at..)?;
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = &rest[..length];
        if (digits.len() > 1 && digits.starts_with('0'))
            || matches!(rest.as_bytes().get(length), Some(b'.' | b'e' | b'E'))
        {
            return None;
        }
        self.at += length;
        digits.parse().ok()
    }

    pub(crate) fn boolean(&mut self) -> Option<bool> {
        self.peek()?;
        let rest = self.text.get(self.at..)?;
        let (value, length) = if rest.starts_with("true") {
            (true, 4)
        } else if rest.starts_with("false") {
            (false, 5)
        } else {
            return None;
        };
        self.at += length;
        Some(value)
    }

    /// An object; `member` gets each key and reads its value.
    #[inline]
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        let key = self.string()?;
        self.expect(b':')?;
        member(self, key)?;
        self.rest_of_object(member)
    }

    /// The rest of an object behind one of its values.
    #[inline]
    pub(crate) fn rest_of_object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
        }
    }
}

/// How many bytes come before the first quote, backslash or control character, eight at a time.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (chunks, tail) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        // The lowest flagged byte is exact; borrows can only raise false flags in bytes above a true one.
        let below_space = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = word ^ (ONES * 0x22);
        let quote = quote.wrapping_sub(ONES) & !quote;
        let backslash = word ^ (ONES * 0x5c);
        let backslash = backslash.wrapping_sub(ONES) & !backslash;
        let flags = (below_space | quote | backslash) & HIGHS;
        if flags != 0 {
            return index * 8 + (flags.trailing_zeros() / 8) as usize;
        }
    }
    let in_tail = tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    chunks.len() * 8 + in_tail.unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_length_is_that_of_a_search_byte_by_byte() {
        for stop in 0..=u8::MAX {
            for before in 0..20 {
                for filler in [b'a', b'!', b'#', b'[', b']', b' ', 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![filler; before];
                    bytes.extend([stop; 9]);
                    let wanted = bytes
                        .iter()
                        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
                        .unwrap_or(bytes.len());
                    assert_eq!(plain_length(&bytes), wanted, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn strings_with_escapes_or_control_characters_are_unusual() {
        assert_eq!(Scan::new(r#""plain ü""#).string(), Some("plain ü"));
        for unusual in [r#""a\nb""#, "\"a\nb\"", "\"open", "", "5"] {
            assert_eq!(Scan::new(unusual).string(), None, "{unusual}");
        }
    }

    #[test]
    fn numbers_are_whole_and_without_leading_zero() {
        assert_eq!(Scan::new(" 131049}").uint32(), Some(131_049));
        assert_eq!(Scan::new("0,").uint32(), Some(0));
        for unusual in ["01", "1.0", "1e3", "-1", "4294967296", "\"1\"", ""] {
            assert_eq!(Scan::new(unusual).uint32(), None, "{unusual}");
        }
    }
}
