//! The hash chain over canonical bytes, and the previous hash cut off and put back.
//!
//! Does not know what an entry says. Invariant: `join_previous_hash` after `split_previous_hash` gives the same bytes.

use model::EntryHash;

const DOMAIN: &[u8] = b"tarifa.billing.v1.chain";
const VERSION: u8 = 1;

/// How every entry ends: key of field 100 as two bytes, length 32, then the hash.
const TAIL_HEADER: [u8; 3] = [0xa2, 0x06, 32];
pub(super) const TAIL_LENGTH: usize = TAIL_HEADER.len() + 32;

/// Hash of an entry: BLAKE3 over domain tag, version byte, the hash before it and its canonical bytes.
///
/// The entry before the first counts as [`EntryHash::ZERO`].
#[must_use]
pub fn chain_hash(previous: &EntryHash, canonical: &[u8]) -> EntryHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(DOMAIN).update(&[VERSION]).update(&previous.0).update(canonical);
    EntryHash(*hasher.finalize().as_bytes())
}

/// Cuts the previous hash off canonical bytes: 35 bytes that do not compress and that a store knows already.
///
/// `None` if the bytes do not end with one.
#[must_use]
pub fn split_previous_hash(canonical: &[u8]) -> Option<(&[u8], EntryHash)> {
    let (kept, tail) = canonical.split_at_checked(canonical.len().checked_sub(TAIL_LENGTH)?)?;
    let hash = tail.strip_prefix(&TAIL_HEADER)?;
    Some((kept, EntryHash(hash.try_into().ok()?)))
}

/// Puts back what [`split_previous_hash`] cut off: appends the canonical bytes to `out`.
pub fn join_previous_hash(kept: &[u8], previous: &EntryHash, out: &mut Vec<u8>) {
    out.reserve(kept.len() + TAIL_LENGTH);
    out.extend_from_slice(kept);
    out.extend_from_slice(&TAIL_HEADER);
    out.extend_from_slice(&previous.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_hash_of_known_bytes_never_changes() {
        assert_eq!(
            chain_hash(&EntryHash::ZERO, b"first").to_string(),
            blake3::hash(&[b"tarifa.billing.v1.chain\x01".as_slice(), &[0; 32], b"first"].concat())
                .to_hex()
                .to_string()
        );
    }

    #[test]
    fn another_predecessor_gives_another_hash() {
        let first = chain_hash(&EntryHash::ZERO, b"same");
        assert_ne!(chain_hash(&first, b"same"), first);
    }

    #[test]
    fn bytes_without_a_previous_hash_are_not_split() {
        assert_eq!(split_previous_hash(b""), None);
        assert_eq!(split_previous_hash(&[0; 40]), None);
    }
}
