//! Input files as chunks of documents: JSON lines or delimited protobuf messages, plain, gzip or zstd.
//!
//! Knows nothing of what a document says. Invariant: every byte of an input belongs to exactly one document, so that
//! nothing is lost: what cannot be a document becomes one with a fault.

mod chunk;
mod mark;
mod open;

pub(crate) use chunk::{Chunk, Document, DocumentReader};
pub(crate) use mark::{Resumption, SourceKey, SourceMark, SourceMarks};
pub use open::OpenInputError;
pub(crate) use open::{Content, Input, open};

/// A longer line or message is refused.
pub(crate) const DOCUMENT_MAX_BYTES: usize = 1 << 20;
/// About how much is read, and handed on, at once.
const CHUNK_BYTES: usize = 1 << 20;
