//! Checks of the checkout itself: which crate names which, what pure crates leave alone, and tidiness.
//!
//! Each is a function from what it looks at to findings. Invariant: a finding says where, what, and what to do.

pub(crate) mod boundaries;
pub(crate) mod buf;
pub(crate) mod data;
pub(crate) mod deploy;
pub(crate) mod pure;
pub(crate) mod text;
pub(crate) mod tidy;

use std::fmt;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File, with the line where there is one.
    pub(crate) place: String,
    /// What is wrong, and what to do.
    pub(crate) what: String,
}

impl Finding {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Prints findings. True if there are none.
pub(crate) fn tell(findings: &[Finding]) -> bool {
    for finding in findings {
        eprintln!("{finding}");
    }
    findings.is_empty()
}
