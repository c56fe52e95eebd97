//! The checksum of everything that lies in files beside sled: the first half of a BLAKE3 hash.
//!
//! Knows nothing of what it covers.
//! Invariant: 16 bytes, so that damage goes unseen once in 2^128.

/// Half a BLAKE3 hash.
pub(crate) type Checksum = [u8; 16];

/// Bytes of a [`Checksum`].
pub(crate) const LENGTH: usize = 16;

/// Of one piece of bytes.
pub(crate) fn of(bytes: &[u8]) -> Checksum {
    half(&blake3::hash(bytes))
}

/// Of two pieces as if they stood one behind the other.
pub(crate) fn of_both(first: &[u8], second: &[u8]) -> Checksum {
    half(&blake3::Hasher::new().update(first).update(second).finalize())
}

/// Of bytes that come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Hasher(blake3::Hasher);

impl Hasher {
    /// Adds the next piece.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Of all pieces as if they were one.
    pub(crate) fn finish(&self) -> Checksum {
        half(&self.0.finalize())
    }
}

fn half(hash: &blake3::Hash) -> Checksum {
    let mut kept = [0; LENGTH];
    kept.copy_from_slice(&hash.as_bytes()[..LENGTH]);
    kept
}
