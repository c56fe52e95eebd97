//! Opening an input: a file or standard input, decompressed by what its first bytes say.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// An input that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {name}: check that it exists and may be read")]
pub struct OpenInputError {
    /// As the user named it.
    pub name: String,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// An open input.
pub(crate) struct Input {
    /// As the user named it; `-` for standard input.
    pub name: String,
    /// Size on disk, if it is a file.
    pub size_bytes: Option<u64>,
    /// How many bytes have been read from disk so far, before decompression.
    pub read_bytes: Arc<AtomicU64>,
    /// Its content, decompressed.
    pub content: Box<dyn Read + Send>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input")
            .field("name", &self.name)
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

/// Opens a file, or standard input for `-`.
///
/// # Errors
/// It does not exist, is a folder, or may not be read.
pub(crate) fn open(name: &str) -> Result<Input, OpenInputError> {
    let failed = |source| OpenInputError { name: name.to_owned(), source };
    let read_bytes = Arc::new(AtomicU64::new(0));
    let (raw, size_bytes): (Box<dyn Read + Send>, _) = if name == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(Path::new(name)).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        if facts.is_dir() {
            return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
        }
        (Box::new(file), facts.is_file().then_some(facts.len()))
    };
    let counted = Counted { inner: raw, count: Arc::clone(&read_bytes) };
    let mut buffered = BufReader::with_capacity(1 << 18, counted);
    let start = buffered.fill_buf().map_err(failed)?;
    let content: Box<dyn Read + Send> = match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(zstd::stream::read::Decoder::with_buffer(buffered).map_err(failed)?)
        }
        _ => Box::new(buffered),
    };
    Ok(Input { name: name.to_owned(), size_bytes, read_bytes, content })
}

struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
