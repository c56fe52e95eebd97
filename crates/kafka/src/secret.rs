//! Words that must not be seen: passwords, and what else stands in for a person.
//!
//! Knows nothing of what they open. Invariant: no formatting of a secret shows it.

use std::{fmt, fs, io, path::Path};

use thiserror::Error;

/// A password or the like. Shown as dots.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A file with a secret cannot be used.
#[derive(Debug, Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("cannot read the secret in {path}: check that the file exists and that this user may read it")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{path} is empty: write the secret into it, on a line of its own")]
    Empty {
        /// The file.
        path: String,
    },
}

impl Secret {
    /// Takes a secret that was given otherwise, such as by a variable of the environment.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads a file that holds nothing but the secret. A line's end after it is no part of it.
    ///
    /// # Errors
    /// The file cannot be read, or is empty.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| SecretError::Read { path: name(), source })?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(SecretError::Empty { path: name() });
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, for the client that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_without_the_end_of_its_line_and_never_shown() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("password");
        fs::write(&file, "wolf 7 \r\n").unwrap();
        let secret = Secret::read(&file).unwrap();
        assert_eq!(secret.reveal(), "wolf 7 ");
        assert_eq!(format!("{secret:?}"), "…");
    }

    #[test]
    fn a_file_without_a_secret_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("password");
        assert!(Secret::read(&file).unwrap_err().to_string().starts_with("cannot read the secret in"));
        fs::write(&file, "\n").unwrap();
        assert!(Secret::read(&file).unwrap_err().to_string().contains("password is empty"));
    }
}
