//! What one input document yields: events, ignored parts, problems, ticks.
//!
//! Knows nothing of any format. Invariant: a problem names what, where and what to do, and repeats nothing of the input,
//! since that may hold a user's number.

use std::borrow::Cow;

use model::{Event, IgnoredReason, MalformedReason, UnixMillis};

/// One part of an input document; each becomes one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A billing event, all fields within their ranges.
    Event(Event<'a>),
    /// Well-formed, but no billing event.
    Ignored(IgnoredReason),
    /// Cannot be read, or a field is missing or out of range.
    Malformed(Problem),
    /// A tick that names its time.
    Tick(UnixMillis),
}

/// What is wrong with an input document, or with one part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The reason that is recorded.
    pub reason: MalformedReason,
    /// Path of the field: `occurredAt`, `entry[0].changes[0].value.messages[1].timestamp`.
    pub field: Option<Cow<'static, str>>,
    /// Byte in the line, from 1.
    pub column: Option<usize>,
    /// For people: what, where, what to do. Lowercase, without full stop.
    pub message: String,
}

impl Problem {
    /// A document that is no document of its format.
    pub(crate) fn unreadable(reason: MalformedReason, message: impl Into<String>) -> Self {
        Self { reason, field: None, column: None, message: message.into() }
    }

    /// A field that is absent or empty; `advice` says what to give.
    pub(crate) fn missing(field: impl Into<Cow<'static, str>>, advice: &str) -> Self {
        let field = field.into();
        let message = format!("{field} is missing or empty; {advice}");
        Self { reason: MalformedReason::MissingField, field: Some(field), column: None, message }
    }

    /// A field whose value is not of its form or outside its range; `advice` says what is.
    pub(crate) fn out_of_range(field: impl Into<Cow<'static, str>>, advice: &str) -> Self {
        let field = field.into();
        let message = format!("{field} has a value that cannot be; {advice}");
        Self { reason: MalformedReason::OutOfRange, field: Some(field), column: None, message }
    }
}
