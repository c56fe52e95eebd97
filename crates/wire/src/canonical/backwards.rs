//! Writes protobuf from its last byte to its first: a message's content is there before its length is written, so that
//! nothing is measured beforehand or moved afterwards.
//!
//! Does not know any message. Invariant: writing a default writes nothing, unless the function says otherwise.

use crate::pb::{delimited_key, varint_key};

/// Larger than nearly every entry.
const BYTES_USUAL: usize = 1024;
/// Bytes that a varint of up to 56 bits takes at most.
const WORD: usize = size_of::<u64>();

/// Bytes that grow towards the front. Fields are given in the reverse of the order in which they will stand.
#[derive(Debug, Default)]
pub(super) struct Backwards {
    bytes: Vec<u8>,
    /// Where what was written begins; it goes to the end.
    start: usize,
    /// For each id its distance from the end, the last id first.
    ids: Vec<usize>,
}

impl Backwards {
    pub(super) fn clear(&mut self) {
        self.start = self.bytes.len();
        self.ids.clear();
    }

    pub(super) fn written(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// For each [`Self::id`] the distance of its first byte from the end, the last id first.
    pub(super) fn ids(&self) -> &[usize] {
        &self.ids
    }

    /// An unsigned number, left out if 0.
    #[inline]
    pub(super) fn uint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.uint_always(field, value);
        }
    }

    /// An unsigned number with presence: written even if 0.
    #[inline]
    pub(super) fn uint_always(&mut self, field: u32, value: u64) {
        self.varint(value);
        self.key(varint_key(field));
    }

    /// An `int64`, left out if 0. Negative numbers take ten bytes.
    #[inline]
    pub(super) fn int(&mut self, field: u32, value: i64) {
        self.uint(field, value.cast_unsigned());
    }

    /// A `sint64` with presence: written even if 0.
    #[inline]
    pub(super) fn sint_always(&mut self, field: u32, value: i64) {
        self.uint_always(field, ((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    /// A boolean, left out if false.
    #[inline]
    pub(super) fn boolean(&mut self, field: u32, value: bool) {
        self.uint(field, u64::from(value));
    }

    /// Bytes, left out if empty.
    #[inline]
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.room(bytes.len()).copy_from_slice(bytes);
            self.varint(bytes.len() as u64);
            self.key(delimited_key(field));
        }
    }

    /// Text, left out if empty.
    #[inline]
    pub(super) fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// An id that is a hash, whose place is remembered.
    #[inline]
    pub(super) fn id(&mut self, field: u32, id: &[u8; 16]) {
        self.room(id.len()).copy_from_slice(id);
        self.ids.push(self.length());
        self.varint(id.len() as u64);
        self.key(delimited_key(field));
    }

    /// A message inside a message; written even if it is empty.
    #[inline]
    pub(super) fn message(&mut self, field: u32, content: impl FnOnce(&mut Self)) {
        let behind = self.length();
        content(self);
        self.varint((self.length() - behind) as u64);
        self.key(delimited_key(field));
    }

    #[inline]
    fn key(&mut self, key: u32) {
        self.varint(u64::from(key));
    }

    /// In its shortest form.
    #[inline]
    fn varint(&mut self, value: u64) {
        if value < 0x80 {
            self.room(1)[0] = (value & 0x7f) as u8;
        } else {
            self.long_varint(value);
        }
    }

    fn long_varint(&mut self, value: u64) {
        let length = (u64::BITS - value.leading_zeros()).div_ceil(7) as usize;
        if length > WORD {
            self.longest_varint(value, length);
            return;
        }
        let all_but_last = HIGH_BITS & !(u64::MAX << (8 * (length - 1)));
        let bytes = spread(value) | all_but_last;
        // A whole word is written, so that it ends where it has to: what stands before is written over by what comes.
        let word = (bytes << (8 * (WORD - length))).to_le_bytes();
        self.room(WORD).copy_from_slice(&word);
        self.start += WORD - length;
    }

    #[cold]
    fn longest_varint(&mut self, mut value: u64, length: usize) {
        let [bytes @ .., last] = self.room(length) else { return };
        for byte in bytes {
            *byte = (value & 0x7f) as u8 | 0x80;
            value >>= 7;
        }
        *last = (value & 0x7f) as u8;
    }

    fn length(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// So many bytes before what was written.
    #[inline]
    fn room(&mut self, length: usize) -> &mut [u8] {
        if self.start < length {
            self.grow(length);
        }
        self.start -= length;
        &mut self.bytes[self.start..self.start + length]
    }

    #[cold]
    fn grow(&mut self, wanted: usize) {
        let more = wanted.max(self.bytes.len()).max(BYTES_USUAL);
        self.bytes.splice(..0, std::iter::repeat_n(0, more));
        self.start += more;
    }
}

/// The bit of each byte that says whether another follows.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Seven bits of a number of up to 56 in each byte.
#[inline]
fn spread(value: u64) -> u64 {
    let value = (value & 0x00ff_ffff_f000_0000) << 4 | (value & 0x0000_0000_0fff_ffff);
    let value = (value & 0x0fff_c000_0fff_c000) << 2 | (value & 0x0000_3fff_0000_3fff);
    (value & 0x3f80_3f80_3f80_3f80) << 1 | (value & 0x007f_007f_007f_007f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pb::{
        put_bytes, put_int, put_message, put_text, put_uint, put_uint_always, take_varint, unzigzag,
    };

    proptest! {
        #[test]
        fn it_reads_as_if_written_forwards(
            number: u64,
            signed: i64,
            flag: bool,
            text in ".{0,300}",
            id: [u8; 16],
            bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        ) {
            let mut forwards = Vec::new();
            put_uint(&mut forwards, 1, number);
            put_message(&mut forwards, 2, |out| {
                put_int(out, 1, signed);
                put_bytes(out, 2, &id);
                put_message(out, 3, |out| put_text(out, 100, &text));
                put_uint(out, 4, u64::from(flag));
            });
            put_uint_always(&mut forwards, 3, ((signed << 1) ^ (signed >> 63)).cast_unsigned());
            put_bytes(&mut forwards, 4, &bytes);
            let mut out = Backwards::default();
            for _ in 0..2 {
                out.clear();
                out.bytes(4, &bytes);
                out.sint_always(3, signed);
                out.message(2, |out| {
                    out.boolean(4, flag);
                    out.message(3, |out| out.text(100, &text));
                    out.id(2, &id);
                    out.int(1, signed);
                });
                out.uint(1, number);
                prop_assert_eq!(out.written(), &forwards[..]);
                let [distance] = out.ids() else { panic!("one id") };
                let at = forwards.len() - distance;
                prop_assert_eq!(&forwards[at..at + 16], &id[..]);
            }
        }
    }

    #[test]
    fn varints_of_every_length_are_in_their_shortest_form() {
        for bits in 0..=u64::BITS {
            for value in
                [1_u64.checked_shl(bits).unwrap_or(0).wrapping_sub(1), 1_u64.checked_shl(bits).unwrap_or(0)]
            {
                let (mut out, mut forwards) = (Backwards::default(), Vec::new());
                out.text(2, "behind");
                out.uint_always(1, value);
                put_uint_always(&mut forwards, 1, value);
                put_text(&mut forwards, 2, "behind");
                assert_eq!(out.written(), &forwards[..], "{value}");
            }
        }
    }

    #[test]
    fn zigzag_turns_back() {
        for value in [0, 1, -1, 30_000, -30_000, i64::MAX, i64::MIN] {
            let mut out = Backwards::default();
            out.sint_always(1, value);
            assert_eq!(take_varint(&mut &out.written()[1..]).map(unzigzag), Ok(value));
        }
    }
}
