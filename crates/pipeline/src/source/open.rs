//! Opening an input: a file or standard input, decompressed by what its first bytes say.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
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
    pub content: Content,
}

/// The content of an input.
pub(crate) enum Content {
    /// A file as it is.
    Plain(BufReader<Counted<File>>),
    /// Standard input, or what a decompressor makes of a file.
    Stream(Box<dyn Read + Send>),
}

/// Bytes that are enough to tell the form of an input.
const START_BYTES: usize = 1 << 12;

impl Content {
    /// Passes over the first bytes, which must not have been read yet. Gives those that it begins with.
    ///
    /// # Errors
    /// There are fewer, or the system's.
    pub(crate) fn pass(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        self.by_ref().take(bytes.min(START_BYTES as u64)).read_to_end(&mut start)?;
        let left = bytes - start.len() as u64;
        match self {
            Self::Plain(file) => {
                if file.get_ref().inner.metadata()?.len() < bytes {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                file.seek_relative(i64::try_from(left).map_err(|_| io::ErrorKind::UnexpectedEof)?)?;
            }
            Self::Stream(content) => {
                if io::copy(&mut content.take(left), &mut io::sink())? < left {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Ok(start)
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Stream(content) => content.read(buffer),
        }
    }
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
    let (content, size_bytes) = if name == "-" {
        let counted = Counted { inner: io::stdin(), count: Arc::clone(&read_bytes) };
        (decompressed(counted, |plain| Content::Stream(Box::new(plain))), None)
    } else {
        let file = File::open(Path::new(name)).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        if facts.is_dir() {
            return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
        }
        let counted = Counted { inner: file, count: Arc::clone(&read_bytes) };
        // Pipes and devices have names too, but nothing can be passed over in them.
        let plain = |plain| {
            if facts.is_file() { Content::Plain(plain) } else { Content::Stream(Box::new(plain)) }
        };
        (decompressed(counted, plain), facts.is_file().then_some(facts.len()))
    };
    Ok(Input { name: name.to_owned(), size_bytes, read_bytes, content: content.map_err(failed)? })
}

fn decompressed<R: Read + Send + 'static>(
    raw: R,
    plain: impl FnOnce(BufReader<R>) -> Content,
) -> io::Result<Content> {
    let mut buffered = BufReader::with_capacity(1 << 18, raw);
    Ok(match buffered.fill_buf()? {
        [0x1f, 0x8b, ..] => Content::Stream(Box::new(flate2::bufread::MultiGzDecoder::new(buffered))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Content::Stream(Box::new(zstd::stream::read::Decoder::with_buffer(buffered)?))
        }
        _ => plain(buffered),
    })
}

/// Counts what is read.
pub(crate) struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Seek> Seek for Counted<R> {
    /// What is passed over counts as read.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = self.inner.seek(to)?;
        self.count.store(position, Ordering::Relaxed);
        Ok(position)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
