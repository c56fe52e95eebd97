//! The thread that reads: inputs into batches, as fast as the projector takes them.

use std::{
    io,
    sync::{Arc, atomic::Ordering, mpsc::SyncSender},
};

use model::Text;
use wire::Format;

use crate::{
    error::PipelineError,
    intake::{Batch, Intake},
    source::{self, DocumentReader, Input, Resumption, SourceKey, SourceMark, SourceMarks},
};

/// An input, and what of it has been read by earlier runs.
#[derive(Debug)]
pub(crate) struct Planned {
    /// As the user named it.
    pub(crate) name: String,
    /// Under which its marks are kept; `None` for standard input, which cannot be read twice.
    pub(crate) key: Option<SourceKey>,
    /// Where an earlier run stopped.
    pub(crate) from: Option<Resumption>,
    /// Size on disk, if it is a file.
    pub(crate) size_bytes: Option<u64>,
}

/// Looks at an input: what it begins with, and how far it was read before.
///
/// # Errors
/// It cannot be read.
pub(crate) fn plan(
    name: &str,
    marks_of: &mut dyn FnMut(SourceKey) -> Result<SourceMarks, PipelineError>,
) -> Result<Planned, PipelineError> {
    if name == "-" {
        return Ok(Planned { name: name.to_owned(), key: None, from: None, size_bytes: None });
    }
    let failed = |source| PipelineError::Read { name: name.to_owned(), source };
    let Input { mut content, size_bytes, .. } = source::open(name)?;
    let mut start = Vec::new();
    // A damaged compressed file is told of when it is read.
    if let Err(error) = io::Read::read_to_end(&mut io::Read::take(&mut content, 4_096), &mut start)
        && start.is_empty()
        && !is_damage(&error)
    {
        return Err(failed(error));
    }
    let key = SourceKey::of(&start);
    let marks = marks_of(key)?;
    let from = if marks.0.is_empty() {
        None
    } else {
        let again = source::open(name)?;
        marks.longest(again.content).map_err(failed)?
    };
    Ok(Planned { name: name.to_owned(), key: Some(key), from, size_bytes })
}

fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    )
}

/// Reads all inputs, one after the other, and gives the names of those with nothing new. Ends early, without an error, when nobody takes batches any more.
///
/// # Errors
/// An input cannot be opened or read on.
pub(crate) fn read_all(
    inputs: &[Planned],
    format: Option<Format>,
    intake: &mut Intake,
    batches: &SyncSender<Batch>,
) -> Result<Vec<String>, PipelineError> {
    let mut unchanged = Vec::new();
    let mut read_before = 0;
    for planned in inputs {
        let source: Text = Arc::from(planned.name.as_str());
        let failed = |error| PipelineError::Read { name: planned.name.clone(), source: error };
        let input = source::open(&planned.name)?;
        let read_bytes = Arc::clone(&input.read_bytes);
        let mut reader = DocumentReader::new(input.content, planned.key.is_some(), format);
        let mut unfinished = [0; 32];
        if let Some(from) = &planned.from {
            reader.resume(from).map_err(failed)?;
            unfinished = from.mark.unfinished_hash;
        }
        let mut nothing_new = true;
        while let Some(chunk) = reader.next_chunk().map_err(failed)? {
            let text =
                |document: &source::Document| &chunk.bytes[document.start as usize..document.end as usize];
            let hash_of = |document: &source::Document| *blake3::hash(text(document)).as_bytes();
            // A last line that was read before its end was written comes again: whole by now, or as it was.
            let known = unfinished != [0; 32]
                && chunk.documents.first().is_some_and(|first| hash_of(first) == unfinished);
            let last = chunk.documents.last().filter(|_| chunk.unfinished);
            unfinished = last.map_or([0; 32], hash_of);
            let mark = SourceMark {
                consumed_bytes: chunk.consumed_bytes,
                consumed_hash: reader.consumed_hash(),
                next_number: reader.next_number(),
                unfinished_hash: unfinished,
            };
            let mut batch = intake.read(chunk, reader.format(), usize::from(known), &source);
            batch.mark = planned.key.map(|key| (key, mark));
            batch.read_bytes = read_before + read_bytes.load(Ordering::Relaxed);
            nothing_new &= batch.records.is_empty();
            if batches.send(batch).is_err() {
                return Ok(unchanged);
            }
        }
        if nothing_new && planned.from.is_some() {
            unchanged.push(planned.name.clone());
        }
        read_before += read_bytes.load(Ordering::Relaxed);
    }
    Ok(unchanged)
}
