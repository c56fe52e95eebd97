//! The words of the contract as types: ids, times, money, events, records, entries, dispositions.
//!
//! Knows nothing of serde, protobuf, calendars, floats, async or IO.
//! Invariant: every id and amount is its own type, so that a call with two of them swapped does not compile.

#![deny(clippy::float_arithmetic)]

mod disposition;
mod entry;
mod event;
mod ids;
mod money;
mod period;
mod record;
mod time;

pub use disposition::{Disposition, DispositionCounts, IgnoredReason, MalformedReason, QuarantineReason};
pub use entry::{
    Charge, Closed, ConversationFacts, Entry, EntryBody, EntryKind, MessageEvidence, PriceOutcome,
    Quarantined, Reversal, Revised, Subject, Text, VerdictFacts,
};
pub use event::{
    BusinessMessage, Category, Consent, Event, EventBody, MessageKind, MessageStatus, ProviderVerdict,
    StatusKind, Template, UserMessage,
};
pub use ids::{
    ChargeId, ContentHash, ConversationId, EntryHash, LeadingDigits, MessageRef, Offset, ParseIdError,
    PartitionId, Sequence, UserRef,
};
pub use money::{Currency, Micros, ParseCurrencyError};
pub use period::{ParsePeriodError, Period};
pub use record::{
    Configured, ConsentFact, Record, RecordContent, SealedBody, SealedEvent, SealedStatus, SealedTemplate,
    Symbol,
};
pub use time::{DurationMillis, UnixMillis};

/// Who began a conversation.
///
/// The provider's 2022 rules know two rates, one for each (source: provider's conversation-based pricing, 2022-02-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Initiator {
    /// A message of the user opened the conversation.
    User,
    /// A message of the business opened the conversation.
    Business,
}

impl Initiator {
    /// The word used in outputs and rate cards: `user` or `business`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Business => "business",
        }
    }
}
