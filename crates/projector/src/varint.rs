//! Whole numbers in as few bytes as they need (LEB128), for state that is written often.

/// A stored state ends early or holds a value that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Signed numbers near zero are short on either side.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, zigzag(value));
}

/// Numbers near zero on either side are small.
pub(crate) fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

/// The number behind [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote.
#[derive(Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        self.take(N)?.try_into().map_err(|_| Damaged)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(Damaged)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damaged)
    }

    /// Passes over some numbers, eight bytes at a time.
    pub(crate) fn pass_numbers(&mut self, mut count: u32) -> Result<(), Damaged> {
        const LAST: u64 = 0x8080_8080_8080_8080;
        while let Some((word, rest)) = self.0.split_first_chunk::<8>() {
            // A bit for each byte that ends a number.
            let mut ends = !u64::from_le_bytes(*word) & LAST;
            if ends.count_ones() >= count {
                (1..count).for_each(|_| ends &= ends - 1);
                self.0 = &self.0[(ends.trailing_zeros() / 8 + 1) as usize..];
                return Ok(());
            }
            count -= ends.count_ones();
            self.0 = rest;
        }
        (0..count).try_for_each(|_| self.number().map(|_| ()))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Damaged> {
        self.number().map(unzigzag)
    }

    pub(crate) fn small(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.number()?).map_err(|_| Damaged)
    }

    pub(crate) fn length(&mut self) -> Result<usize, Damaged> {
        let length = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        // Everything counted takes at least a byte, so a damaged length cannot ask for more than there is.
        if length > self.0.len() { Err(Damaged) } else { Ok(length) }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.length()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_passed_over_as_they_are_read() {
        let numbers = [0, 1, 127, 128, 300, u64::MAX, 5, 1 << 40, 9, 70_000, 0, 2];
        for first in 0..numbers.len() {
            for count in 1..=numbers.len() - first {
                let mut bytes = Vec::new();
                numbers[first..].iter().for_each(|number| put(&mut bytes, *number));
                let mut input = Input(&bytes);
                input.pass_numbers(u32::try_from(count).unwrap()).unwrap();
                for number in &numbers[first + count..] {
                    assert_eq!(input.number(), Ok(*number), "{count} from {first}");
                }
                assert_eq!(input.0, []);
            }
        }
        assert_eq!(Input(&[1, 2, 0x80]).pass_numbers(3), Err(Damaged));
    }
}
