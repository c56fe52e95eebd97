//! The hash chain over canonical bytes, and the previous hash cut off and put back.
//!
//! Does not know what an entry says. Invariant: `join_previous_hash` after `split_previous_hash` gives the same bytes.

use model::EntryHash;

use super::lanes::Lanes;

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

/// Entries laid out as they are hashed, one behind the other, so that hashing needs no further copy: what stands before
/// the canonical bytes, and the canonical bytes. Their previous hashes are put in as they become known.
#[derive(Debug, Default)]
pub struct Chained {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Bytes that are hashed before the canonical ones: domain tag, version, previous hash.
const HEAD_LENGTH: usize = DOMAIN.len() + 1 + 32;

impl Chained {
    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds an entry, whose canonical bytes without previous hash `put_kept` appends.
    ///
    /// # Errors
    /// That of `put_kept`; the entries are of no more use then.
    pub fn push<E>(&mut self, put_kept: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.bytes.extend_from_slice(DOMAIN);
        self.bytes.push(VERSION);
        self.bytes.extend_from_slice(&EntryHash::ZERO.0);
        put_kept(&mut self.bytes)?;
        join_previous_hash(&[], &EntryHash::ZERO, &mut self.bytes);
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Says which hash is before the entry at a place; nothing happens if there is no such entry.
    pub fn set_previous(&mut self, place: usize, previous: &EntryHash) {
        let start = self.start(place);
        let Some(message) = self.ends.get(place).and_then(|end| self.bytes.get_mut(start..*end)) else {
            return;
        };
        message[HEAD_LENGTH - 32..HEAD_LENGTH].copy_from_slice(&previous.0);
        let tail = message.len() - 32;
        message[tail..].copy_from_slice(&previous.0);
    }

    /// Canonical bytes of the entry at a place, with its previous hash.
    #[must_use]
    pub fn canonical(&self, place: usize) -> Option<&[u8]> {
        self.message(place)?.get(HEAD_LENGTH..)
    }

    /// Hash of the entry at a place, as [`chain_hash`] gives it.
    #[must_use]
    pub fn hash(&self, place: usize) -> Option<EntryHash> {
        self.message(place).map(|message| EntryHash(*blake3::hash(message).as_bytes()))
    }

    fn message(&self, place: usize) -> Option<&[u8]> {
        self.bytes.get(self.start(place)..*self.ends.get(place)?)
    }

    fn start(&self, place: usize) -> usize {
        place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }
}

/// Hashes entries of many chains at once, which takes a fraction of the time of one after the other.
#[derive(Debug)]
pub struct ChainLanes(Lanes);

impl Default for ChainLanes {
    fn default() -> Self {
        Self(Lanes::new())
    }
}

impl ChainLanes {
    /// Gives the hash of the entry at one place of each of these, with the number of the chain among them, in no order.
    /// Those that have no such place are passed over.
    pub fn hash_each<'a>(
        &mut self,
        chains: impl Iterator<Item = &'a Chained>,
        place: usize,
        mut each: impl FnMut(usize, EntryHash),
    ) {
        let with_place = chains.enumerate().filter_map(|(n, chain)| Some((n, chain.message(place)?)));
        let (numbers, messages): (Vec<usize>, Vec<&[u8]>) = with_place.unzip();
        self.0.hash_each(&messages, &mut |n, hash| each(numbers[n], hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_side_by_side_are_those_that_each_is_alone() {
        let mut chains: Vec<Chained> = Vec::new();
        for number in 0..20_u8 {
            let mut chain = Chained::default();
            for length in 0..usize::from(number) {
                let kept = vec![number; length * 37];
                let put_kept = |out: &mut Vec<u8>| {
                    out.extend_from_slice(&kept);
                    Ok::<_, ()>(())
                };
                chain.push(put_kept).unwrap();
            }
            chains.push(chain);
        }
        let mut hashes = vec![EntryHash::ZERO; chains.len()];
        let mut lanes = ChainLanes::default();
        for place in 0..20 {
            for (chain, hash) in chains.iter_mut().zip(&hashes) {
                chain.set_previous(place, hash);
            }
            let mut next = hashes.clone();
            lanes.hash_each(chains.iter(), place, |n, hash| next[n] = hash);
            for ((chain, before), hash) in chains.iter().zip(&hashes).zip(&next) {
                let Some(canonical) = chain.canonical(place) else { continue };
                assert_eq!(chain_hash(before, canonical), *hash);
                assert_eq!(chain.hash(place), Some(*hash));
                assert_eq!(split_previous_hash(canonical).map(|(_, hash)| hash), Some(*before));
            }
            hashes = next;
        }
    }

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
