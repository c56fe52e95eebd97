//! A record of the log as the projector reads it: ids sealed by keyed hashes, words replaced by symbols.
//!
//! Sealing happens once, where bytes become events; behind it no number or message id in clear exists.

use crate::{
    disposition::{IgnoredReason, MalformedReason},
    event::{Category, MessageKind, ProviderVerdict, StatusKind},
    ids::{ContentHash, LeadingDigits, MessageRef, Offset, UserRef},
    time::UnixMillis,
};

/// Number of a word (account, business phone, template name, tag) in the log's own list of words, in order of first
/// mention. 0 is the empty word. The list is part of the log, so a replay numbers alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Symbol(pub u32);

impl Symbol {
    /// The empty word: no tag, no template name.
    pub const EMPTY: Self = Self(0);
}

/// One record of a partition of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub offset: Offset,
    /// When it reached the log.
    pub record_time: UnixMillis,
    /// What it says.
    pub content: RecordContent,
}

impl AsMut<Self> for Record {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

impl AsRef<Self> for Record {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordContent {
    /// A billing event.
    Event(SealedEvent),
    /// Not readable; the bytes are in quarantine.
    Malformed(MalformedReason),
    /// The key is not the thread of the value, or the partition is wrong; the bytes are in quarantine.
    Misrouted,
    /// Well-formed, but no billing event.
    Ignored(IgnoredReason),
    /// Time has passed.
    Tick(UnixMillis),
    /// Settings, tariffs and cards are adopted.
    Configuration(Configured),
    /// A quarantined record comes again, mended or as it was. Waives lateness.
    Resubmission {
        /// Place of the record that went into quarantine.
        original: Offset,
        /// What is to be booked.
        event: SealedEvent,
    },
}

impl RecordContent {
    /// The event that it brings, for the first time or again.
    #[inline]
    #[must_use]
    pub fn event(&self) -> Option<&SealedEvent> {
        match self {
            Self::Event(event) | Self::Resubmission { event, .. } => Some(event),
            Self::Malformed(_)
            | Self::Misrouted
            | Self::Ignored(_)
            | Self::Tick(_)
            | Self::Configuration(_) => None,
        }
    }
}

/// Adoption of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configured {
    /// Hash of the content, under which it is kept beside the ledger.
    pub content: ContentHash,
    /// From which event time it holds.
    pub effective_from: UnixMillis,
}

/// An event with its ids sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEvent {
    /// When it happened.
    pub occurred_at: UnixMillis,
    /// Sealed id of the message, or of the event where it is no message. For a status: of the message it is about.
    pub message: MessageRef,
    /// Sealed number or provider id of the user.
    pub user: UserRef,
    /// What the market look-up needs.
    pub leading_digits: LeadingDigits,
    /// The business's number id. With the user it makes the thread.
    pub business_phone: Symbol,
    /// Who is billed.
    pub account: Symbol,
    /// The sender's label, or the empty word.
    pub tag: Symbol,
    /// What happened.
    pub body: SealedBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedBody {
    /// A message from the user.
    UserMessage {
        /// Its form.
        kind: MessageKind,
        /// Whether it came from an ad or a page button.
        referral: bool,
    },
    /// A message from the business.
    BusinessMessage {
        /// Its form.
        kind: MessageKind,
        /// Absent for a free-form reply.
        template: Option<SealedTemplate>,
    },
    /// A status of a business message.
    Status(SealedStatus),
    /// The user called the business.
    UserCall,
    /// Opt-in or opt-out.
    Consent(ConsentFact),
}

/// The template of a business message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedTemplate {
    /// Its name.
    pub name: Symbol,
    /// Its category.
    pub category: Category,
}

/// A status of a business message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedStatus {
    /// What it says.
    pub status: StatusKind,
    /// The provider's error code; 0 if none.
    pub error_code: u32,
    /// What the provider says of conversation and price. Boxed: most records have none.
    pub verdict: Option<Box<ProviderVerdict>>,
}

/// Opt-in or opt-out of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentFact {
    /// Opt-in if true.
    pub granted: bool,
    /// Where it was given.
    pub source: Symbol,
}
