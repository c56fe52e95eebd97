//! Reads the fields of one canonical message, in order, and says what is wrong with bytes that are not canonical.
//!
//! Does not know any message. Invariant: accepts shortest varints and present non-defaults only, so that what was read
//! is written again as it was.

use model::{Text, UnixMillis};
use thiserror::Error;

use super::{Words, words::is_word};
use crate::pb::{delimited_key, take_varint, unzigzag, varint_key};

/// Why bytes are no canonical entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CanonicalError {
    /// The bytes end inside a field.
    #[error("entry ends inside {field}; its bytes were cut, read them again from the ledger topic")]
    CutOff {
        /// Of the schema.
        field: &'static str,
    },
    /// A field that every such message has is absent.
    #[error("entry has no {field}; the bytes are not a canonical entry of tarifa.billing.v1")]
    Missing {
        /// Of the schema.
        field: &'static str,
    },
    /// A field this version does not write, or one out of order.
    #[error(
        "entry has an unexpected field with key byte {key} in {message}; it was altered, or written by a newer version"
    )]
    Unexpected {
        /// The message it is in.
        message: &'static str,
        /// First byte of its key.
        key: u8,
    },
    /// An id or hash of another length than it has.
    #[error("{field} of the entry is {length} bytes long instead of {wanted}; the bytes were altered")]
    WrongLength {
        /// Of the schema.
        field: &'static str,
        /// What was found.
        length: usize,
        /// What it ought to be.
        wanted: usize,
    },
    /// A number outside the field's range.
    #[error("{field} of the entry is {number}, outside its range; the bytes were altered")]
    OutOfRange {
        /// Of the schema.
        field: &'static str,
        /// What was found.
        number: u64,
    },
    /// An enum number that this version does not know.
    #[error(
        "{field} of the entry is the unknown number {number}; it was written by a newer version, or altered"
    )]
    UnknownNumber {
        /// Of the schema.
        field: &'static str,
        /// What was found.
        number: u64,
    },
    /// Text that is no UTF-8 or not of the field's form.
    #[error("{field} of the entry is not text of its form; the bytes were altered")]
    BadText {
        /// Of the schema.
        field: &'static str,
    },
    /// A default written out, or a number in more bytes than it needs.
    #[error("{field} of the entry is not in its canonical form; the bytes were altered")]
    NotCanonical {
        /// Of the schema.
        field: &'static str,
    },
}

/// What is left of one message.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    message: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8], message: &'static str) -> Self {
        Self { rest: bytes, message }
    }

    /// Whether the next field has this key; takes the key if so.
    #[inline]
    fn next_is(&mut self, key: u32) -> bool {
        let [low, high] = [(key & 0x7f) as u8, (key >> 7 & 0x7f) as u8];
        match *self.rest {
            [first, ref tail @ ..] if high == 0 && first == low => self.rest = tail,
            [first, second, ref tail @ ..] if high != 0 && first == low | 0x80 && second == high => {
                self.rest = tail;
            }
            _ => return false,
        }
        true
    }

    /// Whether a message with this number comes next.
    #[inline]
    pub(super) fn is_at_message(&self, field: u32) -> bool {
        Self { ..*self }.next_is(delimited_key(field))
    }

    #[inline]
    fn varint(&mut self, field: &'static str) -> Result<u64, CanonicalError> {
        if let [byte, tail @ ..] = self.rest
            && *byte < 0x80
        {
            self.rest = tail;
            return Ok(u64::from(*byte));
        }
        let before = self.rest;
        let value = take_varint(&mut self.rest).map_err(|_| CanonicalError::CutOff { field })?;
        let length = before.len() - self.rest.len();
        if before[length - 1] == 0 {
            return Err(CanonicalError::NotCanonical { field });
        }
        Ok(value)
    }

    /// A number; 0 if absent.
    #[inline]
    pub(super) fn uint(&mut self, field: u32, name: &'static str) -> Result<u64, CanonicalError> {
        match self.optional_uint(field, name)? {
            Some(0) => Err(CanonicalError::NotCanonical { field: name }),
            value => Ok(value.unwrap_or(0)),
        }
    }

    /// A number of at most 32 bits; 0 if absent.
    #[inline]
    pub(super) fn uint32(&mut self, field: u32, name: &'static str) -> Result<u32, CanonicalError> {
        let number = self.uint(field, name)?;
        u32::try_from(number).map_err(|_| CanonicalError::OutOfRange { field: name, number })
    }

    /// A number with presence.
    #[inline]
    pub(super) fn optional_uint(
        &mut self,
        field: u32,
        name: &'static str,
    ) -> Result<Option<u64>, CanonicalError> {
        if self.next_is(varint_key(field)) { self.varint(name).map(Some) } else { Ok(None) }
    }

    /// A signed number with presence, in zigzag form.
    #[inline]
    pub(super) fn optional_sint(
        &mut self,
        field: u32,
        name: &'static str,
    ) -> Result<Option<i64>, CanonicalError> {
        Ok(self.optional_uint(field, name)?.map(unzigzag))
    }

    /// A time; the first millisecond of 1970 if absent.
    #[inline]
    pub(super) fn millis(&mut self, field: u32, name: &'static str) -> Result<UnixMillis, CanonicalError> {
        Ok(UnixMillis(self.uint(field, name)?.cast_signed()))
    }

    /// A boolean; false if absent.
    #[inline]
    pub(super) fn boolean(&mut self, field: u32, name: &'static str) -> Result<bool, CanonicalError> {
        match self.uint(field, name)? {
            0 => Ok(false),
            1 => Ok(true),
            number => Err(CanonicalError::OutOfRange { field: name, number }),
        }
    }

    /// An enum of ours by its number; 0 if absent.
    #[inline]
    pub(super) fn code<T>(
        &mut self,
        field: u32,
        name: &'static str,
        known: impl Fn(u8) -> Option<T>,
    ) -> Result<T, CanonicalError> {
        let number = self.uint(field, name)?;
        u8::try_from(number).ok().and_then(known).ok_or(CanonicalError::UnknownNumber { field: name, number })
    }

    /// An id or hash, always present.
    #[inline]
    pub(super) fn id<const LENGTH: usize>(
        &mut self,
        field: u32,
        name: &'static str,
    ) -> Result<[u8; LENGTH], CanonicalError> {
        let bytes = self.delimited(field, name)?.ok_or(CanonicalError::Missing { field: name })?;
        bytes.try_into().map_err(|_| CanonicalError::WrongLength {
            field: name,
            length: bytes.len(),
            wanted: LENGTH,
        })
    }

    /// Text, empty if absent.
    #[inline]
    pub(super) fn text(&mut self, field: u32, name: &'static str) -> Result<&'a str, CanonicalError> {
        match self.delimited(field, name)? {
            None => Ok(""),
            Some([]) => Err(CanonicalError::NotCanonical { field: name }),
            Some(bytes) => std::str::from_utf8(bytes).map_err(|_| CanonicalError::BadText { field: name }),
        }
    }

    /// Shared text, empty if absent.
    #[inline]
    pub(super) fn word(
        &mut self,
        field: u32,
        name: &'static str,
        words: &mut Words,
    ) -> Result<Text, CanonicalError> {
        match self.delimited(field, name)? {
            Some([]) => Err(CanonicalError::NotCanonical { field: name }),
            bytes => words.intern_bytes(bytes.unwrap_or(&[])).ok_or(CanonicalError::BadText { field: name }),
        }
    }

    /// As [`Self::word`], in the place of another; nothing is shared anew if that is the same word.
    #[inline]
    pub(super) fn word_into(
        &mut self,
        field: u32,
        name: &'static str,
        words: &mut Words,
        into: &mut Text,
    ) -> Result<(), CanonicalError> {
        let bytes = match self.delimited(field, name)? {
            Some([]) => return Err(CanonicalError::NotCanonical { field: name }),
            bytes => bytes.unwrap_or(&[]),
        };
        if !is_word(into, bytes) {
            *into = words.intern_bytes(bytes).ok_or(CanonicalError::BadText { field: name })?;
        }
        Ok(())
    }

    /// A message inside this one, always present.
    #[inline]
    pub(super) fn message(&mut self, field: u32, name: &'static str) -> Result<Self, CanonicalError> {
        self.optional_message(field, name)?.ok_or(CanonicalError::Missing { field: name })
    }

    /// A message inside this one.
    #[inline]
    pub(super) fn optional_message(
        &mut self,
        field: u32,
        name: &'static str,
    ) -> Result<Option<Self>, CanonicalError> {
        Ok(self.delimited(field, name)?.map(|bytes| Self::new(bytes, name)))
    }

    #[inline]
    fn delimited(&mut self, field: u32, name: &'static str) -> Result<Option<&'a [u8]>, CanonicalError> {
        if !self.next_is(delimited_key(field)) {
            return Ok(None);
        }
        let length = self.varint(name)?;
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (content, rest) = split.ok_or(CanonicalError::CutOff { field: name })?;
        self.rest = rest;
        Ok(Some(content))
    }

    /// Nothing may be left.
    #[inline]
    pub(super) fn end(self) -> Result<(), CanonicalError> {
        match self.rest.first() {
            None => Ok(()),
            Some(&key) => Err(CanonicalError::Unexpected { message: self.message, key }),
        }
    }
}
