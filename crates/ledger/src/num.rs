//! Numbers as bytes: varints, zigzag, and a cursor that reads them back.
//!
//! Knows nothing of what the numbers mean.
//! Invariant: reading never panics and never goes past the end; bytes that are no number are an error.

/// The bytes end too early, or a varint is longer than its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Writes seven bits a byte, lowest first, the top bit set on all but the last.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Small magnitudes of either sign become small numbers: 0, -1, 1, -2 … → 0, 1, 2, 3 …
#[inline]
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Takes [`zigzag`] back.
#[inline]
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Writes a signed number as its zigzag varint.
#[inline]
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Writes a signed number of up to 128 bits as its zigzag varint.
pub(crate) fn put_signed_wide(out: &mut Vec<u8>, value: i128) {
    let mut rest = ((value << 1) ^ (value >> 127)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}

/// Writes a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A file position or length as an index; more than this machine can address becomes the largest, which no slice has.
#[inline]
pub(crate) fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Reads a slice from its front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let &first = self.rest.first().ok_or(Malformed)?;
        if first < 0x80 {
            self.rest = &self.rest[1..];
            return Ok(u64::from(first));
        }
        let mut value = 0_u64;
        for (place, &byte) in self.rest.iter().take(10).enumerate() {
            if place == 9 && byte > 1 {
                return Err(Malformed);
            }
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    #[inline]
    pub(crate) fn varint_u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed)
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Result<i64, Malformed> {
        self.varint().map(unzigzag)
    }

    pub(crate) fn signed_wide(&mut self) -> Result<i128, Malformed> {
        let mut value = 0_u128;
        for place in 0..19 {
            let byte = self.byte()?;
            if place == 18 && byte > 3 {
                return Err(Malformed);
            }
            value |= u128::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        Err(Malformed)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn slice(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = index(self.varint()?);
        self.slice(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// Succeeds if everything was read.
    pub(crate) const fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_back(a: u64, b: i64, c: i128) {
            let mut out = Vec::new();
            put_varint(&mut out, a);
            put_signed(&mut out, b);
            put_signed_wide(&mut out, c);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.varint(), Ok(a));
            prop_assert_eq!(cursor.signed(), Ok(b));
            prop_assert_eq!(cursor.signed_wide(), Ok(c));
            prop_assert_eq!(cursor.finish(), Ok(()));
        }
    }

    #[test]
    fn extremes_read_back() {
        for value in [i128::MIN, i128::MAX, 0, -1] {
            let mut out = Vec::new();
            put_signed_wide(&mut out, value);
            assert_eq!(Cursor::new(&out).signed_wide(), Ok(value));
        }
        assert_eq!(unzigzag(zigzag(i64::MIN)), i64::MIN);
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        assert_eq!(Cursor::new(&[0x80]).varint(), Err(Malformed));
        assert_eq!(Cursor::new(&[0xff; 11]).varint(), Err(Malformed));
        assert_eq!(Cursor::new(&[0xff; 20]).signed_wide(), Err(Malformed));
        assert_eq!(Cursor::new(&[5, 1]).bytes(), Err(Malformed));
    }
}
