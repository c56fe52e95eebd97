//! The one way in which commands print: results to standard output in the form asked for, everything else to standard
//! error.
//!
//! Knows no command. Invariant: standard output carries results only, so that it can always be piped on; it has colours
//! only on a terminal that wants them.

mod document;
mod json;
mod list;
mod table;
mod value;

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstyle::Style;

pub(crate) use document::{Document, InCsv};
pub(crate) use list::List;
pub(crate) use value::{Column, Value};

use crate::{failure::Failure, progress::Bar};

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, for people.
    Table,
    /// JSON: an array of objects, or one object for a result of several parts.
    Json,
    /// CSV with a header.
    Csv,
}

/// The option that every command with a result has.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct FormatArgs {
    /// Form of the result: aligned columns, JSON, or CSV
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// Where a command's words go.
pub(crate) struct Out {
    stdout: BufWriter<StdoutLock<'static>>,
    stdout_has_colours: bool,
    stderr_is_terminal: bool,
}

impl Out {
    /// The streams of this process.
    #[must_use]
    pub(crate) fn of_process() -> Self {
        Self {
            stdout_has_colours: wants_colours(&io::stdout()),
            stderr_is_terminal: io::stderr().is_terminal(),
            stdout: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
        }
    }

    /// Starts a result that is one list.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn list(&mut self, format: Format, columns: Vec<Column>) -> Result<List<'_>, Failure> {
        let heading = self.heading();
        List::new(&mut self.stdout, format, heading, columns, "\n")
    }

    /// Starts a result of several parts.
    pub(crate) fn document(&mut self, format: Format) -> Document<'_> {
        let heading = self.heading();
        Document::new(&mut self.stdout, format, heading)
    }

    /// Standard output for bytes that are the result themselves.
    pub(crate) fn raw(&mut self) -> &mut dyn Write {
        &mut self.stdout
    }

    /// Says something to the person at the terminal.
    pub(crate) fn note(&self, text: &str) {
        // Nobody is left to tell if standard error is gone.
        writeln!(io::stderr(), "{text}").ok();
    }

    /// Starts a progress bar; it shows nothing unless standard error is a terminal.
    #[must_use]
    pub(crate) fn bar(&self) -> Bar {
        if self.stderr_is_terminal { Bar::shown() } else { Bar::hidden() }
    }

    /// Hands everything on to the system.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(Failure::of_output)
    }

    fn heading(&self) -> Style {
        if self.stdout_has_colours { Style::new().bold() } else { Style::new() }
    }
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out").finish_non_exhaustive()
    }
}

/// Whether a stream is a terminal that wants colours; `NO_COLOR` and its kin decide.
pub(crate) fn wants_colours(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}
