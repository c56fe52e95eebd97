//! How a command ends when it does not end well: a code for scripts, and words for people.
//!
//! Knows no command and no crate of the house. Invariant: the words are printed once, in `main`, and every failure has
//! one of the documented exit codes.

use std::{error::Error, fmt, io, process::ExitCode};

use anstyle::{AnsiColor, Style};

/// What the process says to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Nothing went wrong: the reader of the output has seen enough. Nothing is printed.
    Enough = 0,
    /// A check found differences.
    Differences = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Bad data.
    BadData = 3,
    /// A service it needs is away, the directory is in use, or the disk does not take the output.
    Unavailable = 4,
}

/// Why a command stopped: what and where, what to do, and what lay beneath.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: Code,
    /// What went wrong and where; lowercase, without full stop.
    pub(crate) message: String,
    /// What to do about it, where the message does not say so itself.
    pub(crate) hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, source: None }
    }

    /// A check found differences. The differences themselves are a result and go to standard output.
    pub(crate) fn differences(message: impl Into<String>) -> Self {
        Self::new(Code::Differences, message)
    }

    /// Wrong usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Bad data.
    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self::new(Code::BadData, message)
    }

    /// Something that is needed is away, in use or full.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what lay beneath; its own causes are printed with it.
    #[must_use]
    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Results could not be written to standard output. A reader that went away, as `head` does, is no failure.
    #[must_use]
    pub(crate) fn of_output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Code::Enough, "the reader of the output has gone");
        }
        Self::unavailable("cannot write to standard output")
            .caused_by(error)
            .hint("check that there is room where it is redirected to")
    }

    /// The code for the process.
    #[must_use]
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }

    /// The lines for standard error; empty if there is nothing to say.
    #[must_use]
    pub(crate) fn report(&self, colour: bool) -> String {
        if self.code == Code::Enough {
            return String::new();
        }
        let style = |colour_of: AnsiColor| match colour {
            true => colour_of.on_default().bold(),
            false => Style::new(),
        };
        let label = match self.code {
            Code::Differences => ("differences", style(AnsiColor::Yellow)),
            Code::Enough | Code::Usage | Code::BadData | Code::Unavailable => {
                ("error", style(AnsiColor::Red))
            }
        };
        let mut text = format!("{style}{}:{style:#} {self}\n", label.0, style = label.1);
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(&format!("  because: {error}\n"));
            cause = error.source();
        }
        if let Some(hint) = &self.hint {
            let style = style(AnsiColor::Cyan);
            text.push_str(&format!("  {style}hint:{style:#} {hint}\n"));
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_why_and_what_to_do_each_once() {
        let beneath = io::Error::other("no room");
        let failure = Failure::unavailable("cannot write a.csv").caused_by(beneath).hint("make room");
        assert_eq!(
            failure.report(false),
            "error: cannot write a.csv\n  because: no room\n  hint: make room\n"
        );
        assert!(failure.report(true).starts_with("\u{1b}["));
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_and_a_full_disk_is() {
        let gone = Failure::of_output(io::ErrorKind::BrokenPipe.into());
        assert_eq!((gone.code, gone.report(false).as_str()), (Code::Enough, ""));
        let full = Failure::of_output(io::ErrorKind::StorageFull.into());
        assert_eq!(full.code, Code::Unavailable);
    }
}
