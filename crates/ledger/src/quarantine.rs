//! Originals of quarantined records, beside the ledger: they may hold numbers, and expire.
//!
//! Knows nothing of why a record is refused; the ledger has the hash, this has the bytes.
//! Invariant: an expired original keeps its place, reason and hash.

use std::{collections::BTreeMap, path::Path};

use model::{ContentHash, Offset, PartitionId, QuarantineReason, UnixMillis};

use crate::{
    frame::{FrameError, FrameFile},
    num::{Cursor, Malformed, put_bytes, put_signed, put_varint},
};

/// A record as it came, with why it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedOriginal {
    /// Partition of the record.
    pub partition: PartitionId,
    /// Its place there.
    pub offset: Offset,
    /// When it reached the log; decides when the bytes expire.
    pub record_time: UnixMillis,
    /// Why it was refused.
    pub reason: QuarantineReason,
    /// For people: what is wrong, where, and what to do.
    pub detail: String,
    /// File or topic it came from.
    pub source: String,
    /// Line or message in that file, from 1; 0 if it has none.
    pub line: u64,
    /// Which event of the line, from 0: a webhook body carries several.
    pub piece: u32,
    /// Of the bytes; stays when they have expired.
    pub original: ContentHash,
    /// As they came; `None` once expired.
    pub bytes: Option<Vec<u8>>,
}

/// The open quarantine.
#[derive(Debug)]
pub struct Quarantine {
    file: FrameFile,
    /// In which frame each original lies. The later of two of the same place stands: a crash between quarantine and
    /// log lets the same place be filled again.
    frames: BTreeMap<(PartitionId, Offset), u64>,
}

impl Quarantine {
    /// Opens the quarantine in the folder that [`crate::DataDir::quarantine`] names, or makes it there. What a crash
    /// left half-written is cut off.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn open(folder: &Path) -> Result<Self, FrameError> {
        let mut frames = BTreeMap::new();
        let (file, _) = FrameFile::open(&folder.join("originals"), |position, payload| {
            for original in read_all(payload).map_err(|Malformed| ())? {
                frames.insert((original.partition, original.offset), position);
            }
            Ok(())
        })?;
        Ok(Self { file, frames })
    }

    /// The name that the ledger's entry gives the bytes.
    #[must_use]
    pub fn hash(bytes: &[u8]) -> ContentHash {
        ContentHash(*blake3::hash(bytes).as_bytes())
    }

    /// Adds originals, all or none, and syncs.
    ///
    /// # Errors
    /// The system's; after one of those every further call fails.
    pub fn append(&mut self, originals: &[QuarantinedOriginal]) -> Result<(), FrameError> {
        if originals.is_empty() {
            return Ok(());
        }
        let mut payload = Vec::new();
        for original in originals {
            put_original(&mut payload, original);
        }
        let position = self.file.append(&payload)?;
        for original in originals {
            self.frames.insert((original.partition, original.offset), position);
        }
        Ok(())
    }

    /// All originals by partition and offset.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn list(&self) -> Result<Vec<QuarantinedOriginal>, FrameError> {
        let mut by_frame: BTreeMap<u64, Vec<(PartitionId, Offset)>> = BTreeMap::new();
        for (place, frame) in &self.frames {
            by_frame.entry(*frame).or_default().push(*place);
        }
        let mut listed = Vec::with_capacity(self.frames.len());
        for (frame, places) in by_frame {
            let originals = self.read_frame(frame)?;
            listed.extend(
                originals.into_iter().filter(|o| places.binary_search(&(o.partition, o.offset)).is_ok()),
            );
        }
        listed.sort_by_key(|original| (original.partition, original.offset));
        Ok(listed)
    }

    /// How many originals there are, expired ones with them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether nothing was ever quarantined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The original of one place.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn get(
        &self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<Option<QuarantinedOriginal>, FrameError> {
        let Some(frame) = self.frames.get(&(partition, offset)) else { return Ok(None) };
        let originals = self.read_frame(*frame)?;
        Ok(originals.into_iter().rev().find(|o| (o.partition, o.offset) == (partition, offset)))
    }

    /// Drops the bytes and details of all originals with a record time before `before`; place, reason
    /// and hash stay. Says how many expired.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn expire(&mut self, before: UnixMillis) -> Result<usize, FrameError> {
        let mut originals = self.list()?;
        let mut expired = 0;
        for original in &mut originals {
            if original.record_time < before && original.bytes.is_some() {
                original.bytes = None;
                original.detail.clear();
                expired += 1;
            }
        }
        if expired == 0 {
            return Ok(0);
        }
        self.rewrite(&originals)?;
        Ok(expired)
    }

    /// Drops the originals of a partition from an offset on: those of records that a crash kept from being logged. Says
    /// how many.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn forget_from(&mut self, partition: PartitionId, from: Offset) -> Result<usize, FrameError> {
        let forgotten = |place: &(PartitionId, Offset)| place.0 == partition && place.1 >= from;
        let count = self.frames.keys().filter(|place| forgotten(place)).count();
        if count > 0 {
            let mut originals = self.list()?;
            originals.retain(|original| !forgotten(&(original.partition, original.offset)));
            self.rewrite(&originals)?;
        }
        Ok(count)
    }

    /// Puts these originals in the place of all there are.
    fn rewrite(&mut self, originals: &[QuarantinedOriginal]) -> Result<(), FrameError> {
        let payloads: Vec<Vec<u8>> = originals
            .chunks(256)
            .map(|chunk| {
                let mut payload = Vec::new();
                chunk.iter().for_each(|original| put_original(&mut payload, original));
                payload
            })
            .collect();
        let positions = self.file.rewrite(&payloads)?;
        self.frames.clear();
        for (chunk, position) in originals.chunks(256).zip(positions) {
            self.frames
                .extend(chunk.iter().map(|original| ((original.partition, original.offset), position)));
        }
        Ok(())
    }

    fn read_frame(&self, position: u64) -> Result<Vec<QuarantinedOriginal>, FrameError> {
        read_all(&self.file.read(position)?).map_err(|Malformed| self.file.damaged(position))
    }
}

fn put_original(out: &mut Vec<u8>, original: &QuarantinedOriginal) {
    put_varint(out, u64::from(original.partition.0));
    put_varint(out, original.offset.0);
    put_signed(out, original.record_time.0);
    out.push(original.reason.code());
    put_bytes(out, original.detail.as_bytes());
    put_bytes(out, original.source.as_bytes());
    put_varint(out, original.line);
    put_varint(out, u64::from(original.piece));
    out.extend(original.original.0);
    out.push(u8::from(original.bytes.is_some()));
    if let Some(bytes) = &original.bytes {
        put_bytes(out, bytes);
    }
}

fn read_all(payload: &[u8]) -> Result<Vec<QuarantinedOriginal>, Malformed> {
    let mut cursor = Cursor::new(payload);
    let mut originals = Vec::new();
    while !cursor.is_empty() {
        originals.push(QuarantinedOriginal {
            partition: PartitionId(cursor.varint_u32()?),
            offset: Offset(cursor.varint()?),
            record_time: UnixMillis(cursor.signed()?),
            reason: QuarantineReason::from_code(cursor.byte()?).ok_or(Malformed)?,
            detail: cursor.text()?.to_owned(),
            source: cursor.text()?.to_owned(),
            line: cursor.varint()?,
            piece: cursor.varint_u32()?,
            original: ContentHash(cursor.array()?),
            bytes: match cursor.byte()? {
                0 => None,
                1 => Some(cursor.bytes()?.to_vec()),
                _ => return Err(Malformed),
            },
        });
    }
    Ok(originals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn originals_read_back_after_a_restart() {
        let place = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::open(place.path()).unwrap();
        let (cut, late) = (original(3, "{\"eventId"), original(9, "{}"));
        quarantine.append(std::slice::from_ref(&late)).unwrap();
        quarantine.append(std::slice::from_ref(&cut)).unwrap();
        drop(quarantine);
        let quarantine = Quarantine::open(place.path()).unwrap();
        assert_eq!(quarantine.list().unwrap(), [cut.clone(), late]);
        assert_eq!(quarantine.get(PartitionId(0), Offset(3)).unwrap(), Some(cut));
        assert_eq!(quarantine.get(PartitionId(1), Offset(3)).unwrap(), None);
    }

    #[test]
    fn a_place_filled_again_after_a_crash_has_the_later_original() {
        let place = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::open(place.path()).unwrap();
        quarantine.append(&[original(3, "before"), original(4, "kept")]).unwrap();
        quarantine.append(&[original(3, "after")]).unwrap();
        assert_eq!(quarantine.list().unwrap(), [original(3, "after"), original(4, "kept")]);
        assert_eq!(quarantine.len(), 2);
    }

    #[test]
    fn originals_of_records_that_were_never_logged_are_forgotten() {
        let place = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::open(place.path()).unwrap();
        quarantine.append(&[original(3, "logged"), original(4, "never logged")]).unwrap();
        quarantine.append(&[original(9, "neither")]).unwrap();
        assert_eq!(quarantine.forget_from(PartitionId(1), Offset(0)).unwrap(), 0, "another partition's");
        assert_eq!(quarantine.forget_from(PartitionId(0), Offset(4)).unwrap(), 2);
        let quarantine = Quarantine::open(place.path()).unwrap();
        assert_eq!(quarantine.list().unwrap(), [original(3, "logged")]);
    }

    #[test]
    fn expiry_takes_the_bytes_and_leaves_the_hash() {
        let place = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::open(place.path()).unwrap();
        quarantine.append(&[original(3, "5511987654321"), original(90, "young")]).unwrap();
        assert_eq!(quarantine.expire(UnixMillis(50)).unwrap(), 1);
        assert_eq!(quarantine.expire(UnixMillis(50)).unwrap(), 0);
        let old = quarantine.get(PartitionId(0), Offset(3)).unwrap().unwrap();
        assert_eq!(old.bytes, None);
        assert_eq!(old.original, Quarantine::hash(b"5511987654321"));
        assert_eq!(quarantine.get(PartitionId(0), Offset(90)).unwrap(), Some(original(90, "young")));
        let content = std::fs::read(place.path().join("originals")).unwrap();
        assert!(!content.windows(13).any(|window| window == b"5511987654321"));
    }

    fn original(offset: u64, bytes: &str) -> QuarantinedOriginal {
        QuarantinedOriginal {
            partition: PartitionId(0),
            offset: Offset(offset),
            record_time: UnixMillis(i64::try_from(offset).unwrap()),
            reason: QuarantineReason::Malformed,
            detail: format!("cannot read {bytes}"),
            source: "february.jsonl".to_owned(),
            line: offset + 1,
            piece: 2,
            original: Quarantine::hash(bytes.as_bytes()),
            bytes: Some(bytes.as_bytes().to_vec()),
        }
    }
}
