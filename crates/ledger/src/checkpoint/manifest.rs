//! What a checkpoint consists of: which piece lies in which file where.
//!
//! Knows nothing of what the pieces hold. Invariant: the reference in the ledger names the manifest by its hash, and
//! the manifest names every piece by its checksum.

use std::collections::BTreeMap;

use model::ContentHash;

use crate::{
    checksum::Checksum,
    num::{Cursor, Malformed, put_varint},
};

/// What a manifest begins with, and the number of its layout.
const MAGIC: &[u8; 5] = b"TFCM2";

/// Names a checkpoint; committed with the entries that it goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointRef {
    /// From 1, one more for each.
    pub number: u64,
    /// Hash of the manifest.
    pub manifest: ContentHash,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    /// Number of the checkpoint that wrote the file.
    pub(super) file: u64,
    pub(super) position: u64,
    pub(super) length: u64,
    pub(super) checksum: Checksum,
}

/// All pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) number: u64,
    /// Bytes of each file that has a piece of this checkpoint.
    pub(super) files: BTreeMap<u64, u64>,
    pub(super) meta: Option<Section>,
    /// Of each bucket the sections that make it up together, in their order.
    pub(super) buckets: BTreeMap<u16, Vec<Section>>,
    /// Runs of the id index, oldest first.
    pub(super) runs: Vec<Section>,
}

impl Manifest {
    pub(super) fn sections(&self) -> impl Iterator<Item = &Section> {
        self.meta.iter().chain(self.buckets.values().flatten()).chain(&self.runs)
    }

    /// Bytes that each file contributes.
    pub(super) fn live_by_file(&self) -> BTreeMap<u64, u64> {
        let mut live: BTreeMap<u64, u64> = self.files.keys().map(|file| (*file, 0)).collect();
        for section in self.sections() {
            *live.entry(section.file).or_default() += section.length;
        }
        live
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_varint(&mut out, self.number);
        put_varint(&mut out, self.files.len() as u64);
        for (file, bytes) in &self.files {
            put_varint(&mut out, *file);
            put_varint(&mut out, *bytes);
        }
        put_varint(&mut out, u64::from(self.meta.is_some()));
        if let Some(meta) = &self.meta {
            put_section(&mut out, meta);
        }
        put_varint(&mut out, self.buckets.len() as u64);
        for (bucket, sections) in &self.buckets {
            put_varint(&mut out, u64::from(*bucket));
            put_varint(&mut out, sections.len() as u64);
            sections.iter().for_each(|section| put_section(&mut out, section));
        }
        put_varint(&mut out, self.runs.len() as u64);
        for run in &self.runs {
            put_section(&mut out, run);
        }
        out
    }

    /// Whether another version of the program wrote it.
    pub(super) fn is_of_other_version(bytes: &[u8]) -> bool {
        let [word @ .., _] = MAGIC;
        bytes.starts_with(word) && !bytes.starts_with(MAGIC)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes.strip_prefix(MAGIC).ok_or(Malformed)?);
        let mut manifest = Self { number: cursor.varint()?, ..Self::default() };
        for _ in 0..cursor.varint()? {
            manifest.files.insert(cursor.varint()?, cursor.varint()?);
        }
        if cursor.varint()? == 1 {
            manifest.meta = Some(read_section(&mut cursor)?);
        }
        for _ in 0..cursor.varint()? {
            let bucket = u16::try_from(cursor.varint()?).map_err(|_| Malformed)?;
            let sections = manifest.buckets.entry(bucket).or_default();
            for _ in 0..cursor.varint()? {
                sections.push(read_section(&mut cursor)?);
            }
        }
        for _ in 0..cursor.varint()? {
            manifest.runs.push(read_section(&mut cursor)?);
        }
        cursor.finish()?;
        Ok(manifest)
    }

    pub(super) fn reference(&self, encoded: &[u8]) -> CheckpointRef {
        CheckpointRef { number: self.number, manifest: Self::hash(encoded) }
    }

    pub(super) fn hash(encoded: &[u8]) -> ContentHash {
        ContentHash(*blake3::hash(encoded).as_bytes())
    }
}

fn put_section(out: &mut Vec<u8>, section: &Section) {
    put_varint(out, section.file);
    put_varint(out, section.position);
    put_varint(out, section.length);
    out.extend_from_slice(&section.checksum);
}

fn read_section(cursor: &mut Cursor<'_>) -> Result<Section, Malformed> {
    Ok(Section {
        file: cursor.varint()?,
        position: cursor.varint()?,
        length: cursor.varint()?,
        checksum: cursor.array()?,
    })
}
