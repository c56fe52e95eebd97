//! What can be wrong with a log that is projected.

use std::fmt;

use model::{ContentHash, Offset};

/// A log that cannot be projected. Each is a fault of the log or of the caller, none of the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectError {
    /// A billing event stands before the first configuration.
    NotConfigured(Offset),
    /// The content of an adopted configuration was not provided.
    UnknownConfiguration(Offset, ContentHash),
    /// A second configuration: its corrections are not defined by this version of the rules.
    SecondConfiguration(Offset),
    /// A record is not the next one.
    Gap {
        /// The offset that should have come.
        expected: Offset,
        /// The offset that came.
        found: Offset,
    },
    /// State that is needed has not been loaded.
    NotLoaded(Offset),
    /// State that is needed is not what was written.
    DamagedState(Offset),
}

impl ProjectError {
    /// The record that cannot be applied.
    #[must_use]
    pub fn offset(&self) -> Offset {
        match self {
            Self::NotConfigured(at)
            | Self::UnknownConfiguration(at, _)
            | Self::SecondConfiguration(at)
            | Self::Gap { found: at, .. }
            | Self::NotLoaded(at)
            | Self::DamagedState(at) => *at,
        }
    }
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured(at) => {
                write!(
                    f,
                    "record {} is a billing event, but no configuration stands before it in the log",
                    at.0
                )
            }
            Self::UnknownConfiguration(at, hash) => {
                write!(f, "record {} adopts configuration {hash}, whose content is missing", at.0)
            }
            Self::SecondConfiguration(at) => {
                write!(f, "record {} adopts a second configuration, which this version cannot do", at.0)
            }
            Self::Gap { expected, found } => {
                write!(f, "record {} came where record {} should have come", found.0, expected.0)
            }
            Self::NotLoaded(at) => write!(f, "record {} needs state that was not loaded", at.0),
            Self::DamagedState(at) => write!(
                f,
                "record {} needs stored state that is damaged: remove the state folder's files and rebuild from the log",
                at.0
            ),
        }
    }
}

impl std::error::Error for ProjectError {}
