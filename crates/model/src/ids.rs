//! Identifiers. Those made of bytes print as lower-case hexadecimal.

use std::fmt;

/// An id in hexadecimal has the wrong length or a character that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id in hexadecimal")
    }
}

impl std::error::Error for ParseIdError {}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Reads the form that `Display` writes.
            ///
            /// # Errors
            /// Another length, or a character outside `0-9a-fA-F`.
            pub fn parse(hex: &str) -> Result<Self, ParseIdError> {
                let digits = hex.as_bytes();
                if digits.len() != 2 * $len {
                    return Err(ParseIdError);
                }
                let mut bytes = [0; $len];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
                }
                Ok(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }
    };
}

fn hex_digit(digit: u8) -> Result<u8, ParseIdError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ParseIdError),
    }
}

/// An id has 32 bytes at most.
fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    f.pad(std::str::from_utf8(&text[..bytes.len() * 2]).unwrap_or_default())
}

byte_id! {
    /// A user's number or provider id, as a hash keyed with the installation's secret.
    UserRef, 16
}
byte_id! {
    /// A message id (`wamid…`) or event id, as a hash keyed with the installation's secret.
    MessageRef, 16
}
byte_id! {
    /// Made from content: the thread, the opening time and the kind. The same in every replay.
    ConversationId, 16
}
byte_id! {
    /// Made from content: the id of what is charged. Booked again after a reversal it stays the same.
    ChargeId, 16
}
byte_id! {
    /// The chained hash of one entry: over the hash before it and the entry's canonical bytes.
    EntryHash, 32
}
byte_id! {
    /// A BLAKE3 hash of some content: a configuration, an original record.
    ContentHash, 32
}

impl EntryHash {
    /// What stands before the first entry of a partition.
    pub const ZERO: Self = Self([0; 32]);
}

/// Number of a partition of the input, from 0. An embedded log has the one partition 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PartitionId(pub u32);

/// Place of a record in its partition, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(pub u64);

/// Number of an entry in its partition, without gaps from 1. 0 means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);

/// Up to four leading characters of a user's number or provider id: all that a market look-up needs.
///
/// Digits of an E.164 number (`5511`), or the two capital letters of a provider id's country (`US`). Padded with zero
/// bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeadingDigits(pub [u8; 4]);

impl LeadingDigits {
    /// Takes them from a number (`5511987654321`) or a provider id (`US.13491208655302741918`).
    #[must_use]
    pub fn of(user: &str) -> Self {
        let bytes = user.as_bytes();
        let wanted = match bytes {
            [a, b, b'.', ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => 2,
            _ => 4,
        };
        let mut kept = [0; 4];
        for (slot, byte) in kept.iter_mut().zip(bytes.iter().take(wanted)) {
            if !byte.is_ascii_alphanumeric() {
                break;
            }
            *slot = *byte;
        }
        Self(kept)
    }

    /// The characters without the padding.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(4);
        std::str::from_utf8(&self.0[..length]).unwrap_or("")
    }
}

impl fmt::Debug for LeadingDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_digits_keep_four_of_a_number_and_the_country_of_a_provider_id() {
        for (user, kept) in
            [("5511987654321", "5511"), ("US.1349", "US"), ("49", "49"), ("7-123", "7"), ("", "")]
        {
            assert_eq!(LeadingDigits::of(user).as_str(), kept);
        }
    }

    #[test]
    fn byte_ids_read_back_what_they_print() {
        let id = ConversationId([0xa5; 16]);
        assert_eq!(ConversationId::parse(&id.to_string()), Ok(id));
        assert_eq!(ConversationId::parse("a5"), Err(ParseIdError));
        assert_eq!(ConversationId::parse(&"x".repeat(32)), Err(ParseIdError));
    }
}
