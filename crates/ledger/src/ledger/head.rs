//! How far a partition has come: the row that every commit replaces.
//!
//! Knows nothing of entries' contents. Invariant: it is written in the same batch as what it speaks of.

use model::{ContentHash, DispositionCounts, EntryHash, Offset, Sequence, UnixMillis};

use crate::{
    checkpoint::CheckpointRef,
    num::{Cursor, Malformed, put_signed, put_varint},
};

const VERSION: u8 = 1;

/// How far a partition has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Where the first commit began to read; `None` before it.
    pub first_offset: Option<Offset>,
    /// Behind the last record that was used.
    pub next_offset: Offset,
    /// Of the last entry; 0 if there is none.
    pub sequence: Sequence,
    /// Of the last entry; zero if there is none.
    pub hash: EntryHash,
    /// That of the newest tick; [`UnixMillis::MIN`] before the first.
    pub partition_time: UnixMillis,
    /// What became of all records.
    pub dispositions: DispositionCounts,
    /// Offsets that hold no record, such as a broker's transaction markers.
    pub empty_offsets: u64,
    /// The configuration adopted last.
    pub config: Option<ContentHash>,
    /// The newest checkpoint of the projector's state.
    pub checkpoint: Option<CheckpointRef>,
    /// `next_offset` at the commit of that checkpoint: where reading the log again begins.
    pub checkpoint_offset: Offset,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            first_offset: None,
            next_offset: Offset(0),
            sequence: Sequence(0),
            hash: EntryHash::ZERO,
            partition_time: UnixMillis::MIN,
            dispositions: DispositionCounts::default(),
            empty_offsets: 0,
            config: None,
            checkpoint: None,
            checkpoint_offset: Offset(0),
        }
    }
}

impl Head {
    /// Whether every offset is accounted for: next offset − first offset = records by disposition + empty offsets.
    #[must_use]
    pub fn accounts_for_every_offset(&self) -> bool {
        let first = self.first_offset.unwrap_or(self.next_offset);
        self.next_offset.0.checked_sub(first.0) == self.dispositions.total().checked_add(self.empty_offsets)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, u64::from(self.first_offset.is_some()));
        put_varint(&mut out, self.first_offset.unwrap_or_default().0);
        put_varint(&mut out, self.next_offset.0);
        put_varint(&mut out, self.sequence.0);
        out.extend(self.hash.0);
        put_signed(&mut out, self.partition_time.0);
        let DispositionCounts { by_disposition, ignored, malformed } = &self.dispositions;
        for counts in [&by_disposition[..], ignored, malformed] {
            put_varint(&mut out, counts.len() as u64);
            counts.iter().for_each(|count| put_varint(&mut out, *count));
        }
        put_varint(&mut out, self.empty_offsets);
        put_varint(&mut out, u64::from(self.config.is_some()));
        out.extend(self.config.iter().flat_map(|hash| hash.0));
        put_varint(&mut out, u64::from(self.checkpoint.is_some()));
        if let Some(checkpoint) = &self.checkpoint {
            put_varint(&mut out, checkpoint.number);
            out.extend(checkpoint.manifest.0);
        }
        put_varint(&mut out, self.checkpoint_offset.0);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        if cursor.byte()? != VERSION {
            return Err(Malformed);
        }
        let has_first = cursor.varint()? == 1;
        let first = Offset(cursor.varint()?);
        let mut head = Self {
            first_offset: has_first.then_some(first),
            next_offset: Offset(cursor.varint()?),
            sequence: Sequence(cursor.varint()?),
            hash: EntryHash(cursor.array()?),
            partition_time: UnixMillis(cursor.signed()?),
            ..Self::default()
        };
        let DispositionCounts { by_disposition, ignored, malformed } = &mut head.dispositions;
        for counts in [&mut by_disposition[..], ignored, malformed] {
            // A later version may know more reasons than this one; fewer are those of an earlier version.
            let stored = crate::num::index(cursor.varint()?);
            let known = counts.get_mut(..stored).ok_or(Malformed)?;
            for count in known {
                *count = cursor.varint()?;
            }
        }
        head.empty_offsets = cursor.varint()?;
        if cursor.varint()? == 1 {
            head.config = Some(ContentHash(cursor.array()?));
        }
        if cursor.varint()? == 1 {
            let number = cursor.varint()?;
            head.checkpoint = Some(CheckpointRef { number, manifest: ContentHash(cursor.array()?) });
        }
        head.checkpoint_offset = Offset(cursor.varint()?);
        cursor.finish()?;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use model::Disposition;

    use super::*;

    #[test]
    fn heads_read_back() {
        let mut head = Head::default();
        assert_eq!(Head::decode(&head.encode()), Ok(head.clone()));
        head.dispositions.count(Disposition::Late);
        head.first_offset = Some(Offset(5));
        head.next_offset = Offset(8);
        head.empty_offsets = 2;
        head.config = Some(ContentHash([3; 32]));
        head.checkpoint = Some(CheckpointRef { number: 9, manifest: ContentHash([4; 32]) });
        assert_eq!(Head::decode(&head.encode()), Ok(head.clone()));
        assert!(head.accounts_for_every_offset());
        head.empty_offsets = 1;
        assert!(!head.accounts_for_every_offset());
    }
}
