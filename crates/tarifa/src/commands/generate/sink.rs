//! Where generated traffic goes: standard output or a file, compressed by the ending of its name.
//!
//! Knows nothing of traffic. Invariant: a file is whole only after [`Sink::finish`]; a failure names it.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use zstd::stream::write::Encoder;

use crate::{failure::Failure, output::Out};

/// An open output.
pub(super) struct Sink<'o> {
    form: Form<'o>,
    /// Absent for standard output.
    path: Option<PathBuf>,
}

enum Form<'o> {
    Standard(&'o mut dyn Write),
    Plain(BufWriter<File>),
    Gzip(GzEncoder<File>),
    Zstd(Box<Encoder<'static, File>>),
}

impl<'o> Sink<'o> {
    /// Opens a file, replacing what it had, or standard output.
    pub(super) fn open(path: Option<&Path>, out: &'o mut Out) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self { form: Form::Standard(out.raw()), path: None }) };
        let create = || {
            let file = File::create(path)?;
            Ok(match path.extension().and_then(|ending| ending.to_str()) {
                Some("gz") => Form::Gzip(GzEncoder::new(file, Compression::fast())),
                Some("zst") => Form::Zstd(Box::new(Encoder::new(file, 1)?)),
                Some(_) | None => Form::Plain(BufWriter::new(file)),
            })
        };
        let form = create().map_err(|error: io::Error| {
            Failure::usage(format!("cannot create {}", path.display()))
                .caused_by(error)
                .hint("name a file in a folder that exists and may be written to")
        })?;
        Ok(Self { form, path: Some(path.to_owned()) })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.form {
            Form::Standard(out) => out.write_all(bytes),
            Form::Plain(file) => file.write_all(bytes),
            Form::Gzip(file) => file.write_all(bytes),
            Form::Zstd(file) => file.write_all(bytes),
        }
        .map_err(|error| failure(self.path.as_deref(), error))
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        match self.form {
            Form::Standard(out) => out.flush(),
            Form::Plain(mut file) => file.flush(),
            Form::Gzip(file) => file.finish().map(drop),
            Form::Zstd(file) => file.finish().map(drop),
        }
        .map_err(|error| failure(self.path.as_deref(), error))
    }
}

fn failure(path: Option<&Path>, error: io::Error) -> Failure {
    match path {
        None => Failure::of_output(error),
        Some(path) => Failure::unavailable(format!("cannot write {}", path.display()))
            .caused_by(error)
            .hint("check that there is room; what the file has so far is cut off"),
    }
}
