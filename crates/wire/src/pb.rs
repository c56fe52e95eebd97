//! The protobuf wire form: varints, keys and length-delimited fields, written and read.
//!
//! Does not know any message of ours. Invariant: writing a default writes nothing, unless the function says otherwise.

/// Wire type 0.
pub(crate) const VARINT: u32 = 0;
/// Wire type 1.
pub(crate) const FIXED64: u32 = 1;
/// Wire type 2.
pub(crate) const DELIMITED: u32 = 2;
/// Wire type 5.
pub(crate) const FIXED32: u32 = 5;

/// The key of a field with a varint.
pub(crate) const fn varint_key(field: u32) -> u32 {
    field << 3 | VARINT
}

/// The key of a length-delimited field.
pub(crate) const fn delimited_key(field: u32) -> u32 {
    field << 3 | DELIMITED
}

/// Appends a varint in its shortest form.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

#[inline]
fn put_key(out: &mut Vec<u8>, key: u32) {
    put_varint(out, u64::from(key));
}

/// An unsigned number, left out if 0.
#[inline]
pub(crate) fn put_uint(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        put_uint_always(out, field, value);
    }
}

/// An unsigned number with presence: written even if 0.
#[inline]
pub(crate) fn put_uint_always(out: &mut Vec<u8>, field: u32, value: u64) {
    put_key(out, varint_key(field));
    put_varint(out, value);
}

/// An `int64`, left out if 0. Negative numbers take ten bytes.
#[inline]
pub(crate) fn put_int(out: &mut Vec<u8>, field: u32, value: i64) {
    put_uint(out, field, value.cast_unsigned());
}

/// The number behind the zigzag form of a `sint64`.
#[inline]
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Bytes, left out if empty.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_key(out, delimited_key(field));
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// Text, left out if empty.
#[inline]
pub(crate) fn put_text(out: &mut Vec<u8>, field: u32, text: &str) {
    put_bytes(out, field, text.as_bytes());
}

/// A message inside a message; written even if it is empty.
///
/// The length stands before the content but is known after it. One byte is kept for it, and the content is moved in the
/// rarer case that it needs more: cheaper than measuring everything first.
#[inline]
pub(crate) fn put_message(out: &mut Vec<u8>, field: u32, content: impl FnOnce(&mut Vec<u8>)) {
    put_key(out, delimited_key(field));
    put_sized(out, content);
}

/// A length as a varint, then the content.
#[inline]
pub(crate) fn put_sized(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let place = out.len();
    out.push(0);
    content(out);
    let end = out.len();
    let length = end - place - 1;
    if let Ok(short @ 0..0x80) = u8::try_from(length) {
        out[place] = short;
        return;
    }
    put_varint(out, length as u64);
    let length_bytes = out.len() - end;
    // Behind the content stand now the bytes of its length: turn the two around, over the byte kept before.
    let mut header = [0; 10];
    header[..length_bytes].copy_from_slice(&out[end..]);
    out.pop();
    out.copy_within(place + 1..end, place + length_bytes);
    out[place..place + length_bytes].copy_from_slice(&header[..length_bytes]);
}

/// Why bytes are no protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// They end in the middle of a field.
    CutOff,
    /// A varint longer than ten bytes or beyond 64 bits.
    LongVarint,
    /// A wire type that proto3 does not have, or field number 0.
    BadKey,
}

/// Takes a varint from the front.
#[inline]
pub(crate) fn take_varint(rest: &mut &[u8]) -> Result<u64, ReadError> {
    match **rest {
        [byte, ref tail @ ..] if byte < 0x80 => {
            *rest = tail;
            Ok(u64::from(byte))
        }
        _ => take_long_varint(rest),
    }
}

fn take_long_varint(rest: &mut &[u8]) -> Result<u64, ReadError> {
    let mut value = 0;
    for (index, byte) in rest.iter().take(10).enumerate() {
        // The tenth byte holds the 64th bit alone.
        if index == 9 && *byte > 1 {
            return Err(ReadError::LongVarint);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(if rest.len() < 10 { ReadError::CutOff } else { ReadError::LongVarint })
}

/// Takes a length and as many bytes from the front.
#[inline]
pub(crate) fn take_delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ReadError> {
    let length = take_varint(rest)?;
    let length = usize::try_from(length).map_err(|_| ReadError::CutOff)?;
    let (content, tail) = rest.split_at_checked(length).ok_or(ReadError::CutOff)?;
    *rest = tail;
    Ok(content)
}

/// Takes a key from the front.
#[inline]
pub(crate) fn take_key(rest: &mut &[u8]) -> Result<u32, ReadError> {
    let key = u32::try_from(take_varint(rest)?).map_err(|_| ReadError::BadKey)?;
    if key < 8 { Err(ReadError::BadKey) } else { Ok(key) }
}

/// Passes over the value of a field whose key was taken.
pub(crate) fn skip_value(rest: &mut &[u8], key: u32) -> Result<(), ReadError> {
    let fixed_length = match key & 7 {
        VARINT => return take_varint(rest).map(drop),
        DELIMITED => return take_delimited(rest).map(drop),
        FIXED64 => 8,
        FIXED32 => 4,
        _ => return Err(ReadError::BadKey),
    };
    *rest = rest.get(fixed_length..).ok_or(ReadError::CutOff)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_read_back_what_was_written() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(take_varint(&mut &out[..]), Ok(value));
            // With more behind it, of which some look like its continuation.
            for behind in [[0; 9], [0xff; 9], [0x80; 9], [1; 9]] {
                let mut followed = out.clone();
                followed.extend(behind);
                let mut rest = &followed[..];
                assert_eq!((take_varint(&mut rest), rest), (Ok(value), &behind[..]));
            }
            for cut in 0..out.len() {
                assert_eq!(take_varint(&mut &out[..cut]), Err(ReadError::CutOff));
            }
        }
    }

    #[test]
    fn a_varint_beyond_64_bits_is_refused() {
        assert_eq!(take_varint(&mut &[0xff; 12][..]), Err(ReadError::LongVarint));
        let mut beyond = [0xff; 10];
        beyond[9] = 2;
        assert_eq!(take_varint(&mut &beyond[..]), Err(ReadError::LongVarint));
    }

    #[test]
    fn a_length_is_put_before_content_of_any_size() {
        for size in [0_usize, 1, 127, 128, 16_383, 16_384, 40_000] {
            let mut out = vec![7];
            put_message(&mut out, 1, |out| out.extend((0..=250).cycle().take(size)));
            let mut rest = &out[1..];
            assert_eq!(take_key(&mut rest), Ok(delimited_key(1)));
            let content = take_delimited(&mut rest).unwrap();
            assert!(rest.is_empty());
            assert_eq!(content.len(), size);
            assert!(content.iter().enumerate().all(|(i, byte)| usize::from(*byte) == i % 251));
        }
    }
}
