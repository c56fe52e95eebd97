//! A message in the stored state: its id, then times, offset and label in as few bytes as they need.
//!
//! Invariant: times and offsets are differences to those of the message before, so what is read depends on the order.

use model::{MessageRef, Offset, UnixMillis};

use crate::{
    labels::LabelId,
    message::{Flags, Message},
    varint::{Damaged, Input, unzigzag, zigzag},
};

/// Bytes of the id, of the lengths, of the flags, and at most of time, offset and label.
const LONGEST: usize = ID + 1 + 2 + 8 + 8 + 8;
const ID: usize = size_of::<MessageRef>();

/// Time and offset of the message before; both 0 before the first.
pub(crate) type Before = (i64, i64);

/// Writes a message. The byte behind its id says how long the numbers behind it are, so that they are written
/// and read without a look at each of their bytes.
pub(crate) fn put_message(out: &mut Vec<u8>, message: &Message, before: &mut Before) {
    let (at, offset) = (message.at().0, message.offset().0.cast_signed());
    let numbers =
        [zigzag(at - before.0), zigzag(offset.wrapping_sub(before.1)), u64::from(message.label().0)];
    *before = (at, offset);
    let [time_bytes, offset_bytes, label_bytes] = numbers.map(bytes_of);
    let mut row = [0; LONGEST];
    row[..ID].copy_from_slice(&message.id.0);
    let lengths = (time_bytes - 1) | (offset_bytes - 1) << 3 | (label_bytes - 1) << 6;
    row[ID] = lengths.to_le_bytes()[0];
    row[ID + 1..ID + 3].copy_from_slice(&message.flags.bits().to_le_bytes());
    let mut end = ID + 3;
    for (number, bytes) in numbers.into_iter().zip([time_bytes, offset_bytes, label_bytes]) {
        row[end..end + 8].copy_from_slice(&number.to_le_bytes());
        end += bytes;
    }
    out.extend_from_slice(&row[..end]);
}

/// Reads what [`put_message`] wrote.
pub(crate) fn get_message(input: &mut Input<'_>, before: &mut Before) -> Result<Message, Damaged> {
    let id = MessageRef(input.array()?);
    let [lengths, low, high] = input.array()?;
    let [time_bytes, offset_bytes, label_bytes] = lengths_of(lengths);
    let at = before.0.checked_add(unzigzag(number(input, time_bytes)?)).ok_or(Damaged)?;
    let offset = before.1.wrapping_add(unzigzag(number(input, offset_bytes)?));
    let label = u32::try_from(number(input, label_bytes)?).map_err(|_| Damaged)?;
    let flags = Flags::from_bits(u16::from_le_bytes([low, high]));
    *before = (at, offset);
    let message = Message::new(id, UnixMillis(at), Offset(offset.cast_unsigned()), LabelId(label), flags);
    if message.is_none() { Err(Damaged) } else { Ok(message) }
}

fn lengths_of(lengths: u8) -> [usize; 3] {
    [lengths & 7, lengths >> 3 & 7, lengths >> 6].map(|less_one| usize::from(less_one) + 1)
}

/// Bytes that a number needs, at least one.
fn bytes_of(number: u64) -> usize {
    8 - ((number | 1).leading_zeros() / 8) as usize
}

fn number(input: &mut Input<'_>, bytes: usize) -> Result<u64, Damaged> {
    let mut number = [0; 8];
    number[..bytes].copy_from_slice(input.take(bytes)?);
    Ok(u64::from_le_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Side, seen};

    #[test]
    fn messages_are_read_as_they_were_written() {
        let flags = Flags::new(Side::Business, seen::SENT | seen::FAILED).with_template(true);
        let of = |at, offset, label| {
            Message::new(MessageRef([9; 16]), UnixMillis(at), Offset(offset), LabelId(label), flags)
        };
        let messages = [
            of(1_643_673_600_000, 1 << 40, 3),
            of(1_643_673_600_000, 0, u32::MAX),
            of(0, 7, 256),
            of((1 << 48) - 1, (1 << 48) - 1, 0),
        ];
        let (mut bytes, mut before) = (Vec::new(), Before::default());
        messages.iter().for_each(|message| put_message(&mut bytes, message, &mut before));
        let (mut input, mut before) = (Input(&bytes), Before::default());
        for message in &messages {
            assert_eq!(get_message(&mut input, &mut before), Ok(*message));
        }
        assert!(input.0.is_empty());
        for cut in 0..bytes.len() {
            let (mut input, mut before) = (Input(&bytes[..cut]), Before::default());
            assert!(messages.iter().any(|_| get_message(&mut input, &mut before).is_err()));
        }
    }
}
