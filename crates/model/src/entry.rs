//! Entries of the ledger: what was decided, with its evidence. Never changed, never removed.

use std::sync::Arc;

use crate::{
    Initiator,
    disposition::QuarantineReason,
    event::{Category, ProviderVerdict},
    ids::{
        ChargeId, ContentHash, ConversationId, EntryHash, LeadingDigits, MessageRef, Offset, PartitionId,
        Sequence, UserRef,
    },
    money::{Currency, Micros},
    period::Period,
    time::UnixMillis,
};

/// A short word shared by many entries.
pub type Text = Arc<str>;

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Number in the partition, from 1, without gaps.
    pub sequence: Sequence,
    /// When the booked fact happened: an opening, a charge's earning, a close's end.
    pub event_time: UnixMillis,
    /// Record time of the record that caused it.
    pub record_time: UnixMillis,
    /// Partition of the record that caused it.
    pub partition: PartitionId,
    /// Offset of the record that caused it.
    pub offset: Offset,
    /// Hash of the entry before it.
    pub previous_hash: EntryHash,
    /// What was decided.
    pub body: EntryBody,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// A conversation opened.
    ConversationOpened(ConversationFacts),
    /// A conversation was charged.
    ConversationCharged(Box<Charge>),
    /// A message was charged (tariffs of 2025 and later).
    MessageCharged(Box<Charge>),
    /// A charge is taken back.
    ChargeReversed(Box<Reversal>),
    /// What the opening or the close said is no longer so.
    ConversationRevised(Box<Revised>),
    /// The conversation never was; what holds instead follows.
    ConversationWithdrawn(ConversationFacts),
    /// A conversation ended.
    ConversationClosed(Box<Closed>),
    /// The provider's status said something new of a message.
    ProviderVerdict(Box<VerdictFacts>),
    /// The user opted in or out.
    ConsentChanged {
        /// Whose.
        subject: Subject,
        /// Opt-in if true.
        granted: bool,
        /// Where it was given.
        source: Text,
    },
    /// Settings, tariffs and cards were adopted.
    Configured {
        /// Hash of the content.
        content: ContentHash,
        /// From which event time.
        effective_from: UnixMillis,
    },
    /// A record went into quarantine.
    RecordQuarantined(Quarantined),
}

/// Which thread and account an entry is about, and in which months it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Who is billed.
    pub account: Text,
    /// The business's number id.
    pub business_phone: Text,
    /// The user, as a keyed hash.
    pub user: UserRef,
    /// Leading characters of the user's number.
    pub leading_digits: LeadingDigits,
    /// Market of the user on the rate card.
    pub market: Text,
    /// Month in which the conversation opened.
    pub period: Period,
    /// Month in which it is booked: the same, unless that one was closed before.
    pub booked_in: Period,
}

/// What all entries about a conversation say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationFacts {
    /// Thread, account, months.
    pub subject: Subject,
    /// From content.
    pub conversation: ConversationId,
    /// Who opened it.
    pub initiator: Initiator,
    /// When its window starts.
    pub opened_at: UnixMillis,
    /// When its window ends as far as known at this entry; exclusive.
    pub expires_at: UnixMillis,
    /// The message that opened it.
    pub opened_by: MessageEvidence,
    /// The user had not opted in, in an account that tracks consent.
    pub without_consent: bool,
    /// The last entry about this conversation before this one; 0 if none.
    pub previous_about: Sequence,
}

/// A message as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEvidence {
    /// Sealed id.
    pub message: MessageRef,
    /// Its time: that of its earliest evidence.
    pub at: UnixMillis,
    /// Where its first report stands in the input.
    pub offset: Offset,
    /// Template name, or empty.
    pub template: Text,
    /// Template category.
    pub category: Category,
    /// The sender's label, or empty.
    pub tag: Text,
}

/// A charge: the entry that bills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The conversation that is charged.
    pub conversation: ConversationFacts,
    /// From the subject's id.
    pub charge: ChargeId,
    /// 1 for the first booking of this charge; one more each time it was taken back and booked again.
    pub booking: u32,
    /// The message that earned it.
    pub earned_by: MessageEvidence,
    /// What it costs.
    pub price: PriceOutcome,
}

/// What a charge costs, and which row says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceOutcome {
    /// Signed; absent if unpriced, zero only if free.
    pub amount: Option<Micros>,
    /// The account's currency.
    pub currency: Currency,
    /// Id of the tariff.
    pub tariff: Text,
    /// File name of the rate card; empty if free or unpriced.
    pub card: Text,
    /// Line of the row in that file, from 1; 0 if none.
    pub row: u32,
    /// Why it is free or unpriced; empty otherwise.
    pub reason: Text,
}

/// The entry that takes a charge back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The charge that is taken back; its price's amount is the negative of what was booked.
    pub charge: Charge,
    /// Sequence of the entry that it reverses.
    pub reverses: Sequence,
}

/// What a close or a revision says of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The conversation; `expires_at` is its end.
    pub conversation: ConversationFacts,
    /// Whether it was charged.
    pub charged: bool,
    /// Messages of the user in it.
    pub user_messages: u32,
    /// Messages of the business in it.
    pub business_messages: u32,
}

/// A revision: what holds instead of what the opening or the close said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revised {
    /// What holds.
    pub holds: Closed,
    /// It was closed and is open again.
    pub open_again: bool,
}

/// What the provider's status said of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictFacts {
    /// Thread and account.
    pub subject: Subject,
    /// The message.
    pub message: MessageRef,
    /// What it said.
    pub verdict: ProviderVerdict,
}

/// A record in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantined {
    /// Why.
    pub reason: QuarantineReason,
    /// The finer reason: code of a [`crate::MalformedReason`], 0 for the others.
    pub detail: u8,
    /// Hash of the original bytes.
    pub original: ContentHash,
}

/// The name of an entry's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// See [`EntryBody::ConversationOpened`].
    ConversationOpened,
    /// See [`EntryBody::ConversationCharged`].
    ConversationCharged,
    /// See [`EntryBody::MessageCharged`].
    MessageCharged,
    /// See [`EntryBody::ChargeReversed`].
    ChargeReversed,
    /// See [`EntryBody::ConversationRevised`].
    ConversationRevised,
    /// See [`EntryBody::ConversationWithdrawn`].
    ConversationWithdrawn,
    /// See [`EntryBody::ConversationClosed`].
    ConversationClosed,
    /// See [`EntryBody::ProviderVerdict`].
    ProviderVerdict,
    /// See [`EntryBody::ConsentChanged`].
    ConsentChanged,
    /// See [`EntryBody::Configured`].
    Configured,
    /// See [`EntryBody::RecordQuarantined`].
    RecordQuarantined,
}

impl EntryBody {
    /// The name of its type.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        match self {
            Self::ConversationOpened(_) => EntryKind::ConversationOpened,
            Self::ConversationCharged(_) => EntryKind::ConversationCharged,
            Self::MessageCharged(_) => EntryKind::MessageCharged,
            Self::ChargeReversed(_) => EntryKind::ChargeReversed,
            Self::ConversationRevised(_) => EntryKind::ConversationRevised,
            Self::ConversationWithdrawn(_) => EntryKind::ConversationWithdrawn,
            Self::ConversationClosed(_) => EntryKind::ConversationClosed,
            Self::ProviderVerdict(_) => EntryKind::ProviderVerdict,
            Self::ConsentChanged { .. } => EntryKind::ConsentChanged,
            Self::Configured { .. } => EntryKind::Configured,
            Self::RecordQuarantined(_) => EntryKind::RecordQuarantined,
        }
    }

    /// Facts of the conversation it is about, if it is about one.
    #[must_use]
    pub fn conversation(&self) -> Option<&ConversationFacts> {
        match self {
            Self::ConversationOpened(facts) | Self::ConversationWithdrawn(facts) => Some(facts),
            Self::ConversationCharged(charge) | Self::MessageCharged(charge) => Some(&charge.conversation),
            Self::ChargeReversed(reversal) => Some(&reversal.charge.conversation),
            Self::ConversationRevised(revised) => Some(&revised.holds.conversation),
            Self::ConversationClosed(closed) => Some(&closed.conversation),
            Self::ProviderVerdict(_)
            | Self::ConsentChanged { .. }
            | Self::Configured { .. }
            | Self::RecordQuarantined(_) => None,
        }
    }

    /// Thread, account and months, if it is about a thread.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        match self {
            Self::ProviderVerdict(facts) => Some(&facts.subject),
            Self::ConsentChanged { subject, .. } => Some(subject),
            Self::ConversationOpened(_)
            | Self::ConversationCharged(_)
            | Self::MessageCharged(_)
            | Self::ChargeReversed(_)
            | Self::ConversationRevised(_)
            | Self::ConversationWithdrawn(_)
            | Self::ConversationClosed(_)
            | Self::Configured { .. }
            | Self::RecordQuarantined(_) => self.conversation().map(|facts| &facts.subject),
        }
    }

    /// The charge that it books or takes back, with the amount's sign as the entry has it, if it is about money.
    #[must_use]
    pub fn charge(&self) -> Option<&Charge> {
        match self {
            Self::ConversationCharged(charge) | Self::MessageCharged(charge) => Some(charge),
            Self::ChargeReversed(reversal) => Some(&reversal.charge),
            Self::ConversationOpened(_)
            | Self::ConversationRevised(_)
            | Self::ConversationWithdrawn(_)
            | Self::ConversationClosed(_)
            | Self::ProviderVerdict(_)
            | Self::ConsentChanged { .. }
            | Self::Configured { .. }
            | Self::RecordQuarantined(_) => None,
        }
    }
}

impl EntryKind {
    /// As the contract names it: `ConversationOpened`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConversationOpened => "ConversationOpened",
            Self::ConversationCharged => "ConversationCharged",
            Self::MessageCharged => "MessageCharged",
            Self::ChargeReversed => "ChargeReversed",
            Self::ConversationRevised => "ConversationRevised",
            Self::ConversationWithdrawn => "ConversationWithdrawn",
            Self::ConversationClosed => "ConversationClosed",
            Self::ProviderVerdict => "ProviderVerdict",
            Self::ConsentChanged => "ConsentChanged",
            Self::Configured => "Configured",
            Self::RecordQuarantined => "RecordQuarantined",
        }
    }
}
