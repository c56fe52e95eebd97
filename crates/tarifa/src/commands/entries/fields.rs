//! All fields of an entry, flat, for programs.
//!
//! Invariant: every kind of entry has the same columns; those that it does not fill are absent.

use std::collections::HashMap;

use model::{
    Category, Charge, Closed, ConversationFacts, Entry, EntryBody, EntryHash, MessageEvidence,
    ProviderVerdict, Subject, UserRef,
};

use super::user_of;
use crate::output::{Column, Value};

macro_rules! fields {
    ($($field:ident = $name:literal, $column:ident;)*) => {
        #[derive(Clone, Copy)]
        enum Field { $($field,)* }

        const COUNT: usize = [$($name,)*].len();

        pub(super) fn columns() -> Vec<Column> {
            vec![$(Column::$column($name),)*]
        }
    };
}

fields! {
    Sequence = "sequence", number;
    Kind = "kind", text;
    EventTime = "eventTime", text;
    RecordTime = "recordTime", text;
    Partition = "partition", number;
    Offset = "offset", number;
    PreviousHash = "previousHash", text;
    Hash = "hash", text;
    Account = "accountId", text;
    BusinessPhone = "businessPhone", text;
    UserRef = "userRef", text;
    User = "user", text;
    LeadingDigits = "leadingDigits", text;
    Market = "market", text;
    Period = "period", text;
    BookedIn = "bookedIn", text;
    Conversation = "conversationId", text;
    Initiator = "initiator", text;
    OpenedAt = "openedAt", text;
    ExpiresAt = "expiresAt", text;
    OpenedBy = "openedByMessage", text;
    OpenedByAt = "openedByAt", text;
    OpenedByOffset = "openedByOffset", number;
    OpenedByTemplate = "openedByTemplate", text;
    OpenedByCategory = "openedByCategory", text;
    OpenedByTag = "openedByTag", text;
    WithoutConsent = "withoutConsent", text;
    PreviousAbout = "previousAbout", number;
    Charge = "chargeId", text;
    Booking = "booking", number;
    EarnedBy = "earnedByMessage", text;
    EarnedByAt = "earnedByAt", text;
    EarnedByOffset = "earnedByOffset", number;
    EarnedByTemplate = "earnedByTemplate", text;
    EarnedByCategory = "earnedByCategory", text;
    EarnedByTag = "earnedByTag", text;
    Amount = "amountMicros", number;
    Currency = "currency", text;
    Tariff = "tariff", text;
    Card = "card", text;
    CardRow = "cardRow", number;
    Reason = "reason", text;
    Reverses = "reverses", number;
    Charged = "charged", text;
    UserMessages = "userMessages", number;
    BusinessMessages = "businessMessages", number;
    OpenAgain = "openAgain", text;
    Granted = "granted", text;
    ConsentSource = "consentSource", text;
    Message = "message", text;
    ProviderConversation = "providerConversationId", text;
    ProviderExpiresAt = "providerExpiresAt", text;
    ProviderOriginType = "providerOriginType", text;
    ProviderBillable = "providerBillable", text;
    ProviderPricingModel = "providerPricingModel", text;
    ProviderPricingType = "providerPricingType", text;
    ProviderCategory = "providerCategory", text;
    Configuration = "configuration", text;
    EffectiveFrom = "effectiveFrom", text;
    Quarantined = "quarantined", text;
    Malformed = "malformed", text;
    Original = "original", text;
}

const OPENED_BY: [Field; 6] = [
    Field::OpenedBy,
    Field::OpenedByAt,
    Field::OpenedByOffset,
    Field::OpenedByTemplate,
    Field::OpenedByCategory,
    Field::OpenedByTag,
];
const EARNED_BY: [Field; 6] = [
    Field::EarnedBy,
    Field::EarnedByAt,
    Field::EarnedByOffset,
    Field::EarnedByTemplate,
    Field::EarnedByCategory,
    Field::EarnedByTag,
];

/// A row that is being filled.
struct Row<'e> {
    values: [Value<'e>; COUNT],
    users: &'e HashMap<UserRef, String>,
}

pub(super) fn row<'e>(
    entry: &'e Entry,
    hash: &EntryHash,
    users: &'e HashMap<UserRef, String>,
) -> [Value<'e>; COUNT] {
    let mut row = Row { values: [const { Value::Absent }; COUNT], users };
    row.set(Field::Sequence, Value::Count(entry.sequence.0));
    row.set(Field::Kind, Value::text(entry.body.kind().as_str()));
    row.set(Field::EventTime, Value::Time(entry.event_time));
    row.set(Field::RecordTime, Value::Time(entry.record_time));
    row.set(Field::Partition, Value::Count(u64::from(entry.partition.0)));
    row.set(Field::Offset, Value::Count(entry.offset.0));
    row.set(Field::PreviousHash, Value::shown(&entry.previous_hash));
    row.set(Field::Hash, Value::shown(hash));
    row.body(&entry.body);
    row.values
}

impl<'e> Row<'e> {
    fn set(&mut self, field: Field, value: Value<'e>) {
        self.values[field as usize] = value;
    }

    /// Words that may be empty, which is the same as absent.
    fn word(&mut self, field: Field, word: &'e str) {
        if !word.is_empty() {
            self.set(field, Value::text(word));
        }
    }

    fn body(&mut self, body: &'e EntryBody) {
        match body {
            EntryBody::ConversationOpened(facts) | EntryBody::ConversationWithdrawn(facts) => {
                self.conversation(facts);
            }
            EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => self.charge(charge),
            EntryBody::ChargeReversed(reversal) => {
                self.charge(&reversal.charge);
                self.set(Field::Reverses, Value::Count(reversal.reverses.0));
            }
            EntryBody::ConversationRevised(revised) => {
                self.closed(&revised.holds);
                self.set(Field::OpenAgain, Value::Flag(revised.open_again));
            }
            EntryBody::ConversationClosed(closed) => self.closed(closed),
            EntryBody::ProviderVerdict(facts) => {
                self.subject(&facts.subject);
                self.set(Field::Message, Value::shown(&facts.message));
                self.verdict(&facts.verdict);
            }
            EntryBody::ConsentChanged { subject, granted, source } => {
                self.subject(subject);
                self.set(Field::Granted, Value::Flag(*granted));
                self.word(Field::ConsentSource, source);
            }
            EntryBody::Configured { content, effective_from } => {
                self.set(Field::Configuration, Value::shown(content));
                self.set(Field::EffectiveFrom, Value::Time(*effective_from));
            }
            EntryBody::RecordQuarantined(record) => {
                self.set(Field::Quarantined, Value::text(record.reason.as_str()));
                if let Some(reason) = model::MalformedReason::from_code(record.detail) {
                    self.set(Field::Malformed, Value::text(reason.as_str()));
                }
                self.set(Field::Original, Value::shown(&record.original));
            }
        }
    }

    fn subject(&mut self, subject: &'e Subject) {
        self.set(Field::Account, Value::text(&*subject.account));
        self.set(Field::BusinessPhone, Value::text(&*subject.business_phone));
        self.set(Field::UserRef, Value::shown(&subject.user));
        self.set(Field::User, user_of(subject.user, self.users));
        self.set(Field::LeadingDigits, Value::text(subject.leading_digits.as_str()));
        self.set(Field::Market, Value::text(&*subject.market));
        self.set(Field::Period, Value::shown(&subject.period));
        self.set(Field::BookedIn, Value::shown(&subject.booked_in));
    }

    fn conversation(&mut self, facts: &'e ConversationFacts) {
        self.subject(&facts.subject);
        self.set(Field::Conversation, Value::shown(&facts.conversation));
        self.set(Field::Initiator, Value::text(facts.initiator.as_str()));
        self.set(Field::OpenedAt, Value::Time(facts.opened_at));
        self.set(Field::ExpiresAt, Value::Time(facts.expires_at));
        self.evidence(OPENED_BY, &facts.opened_by);
        self.set(Field::WithoutConsent, Value::Flag(facts.without_consent));
        self.set(Field::PreviousAbout, Value::Count(facts.previous_about.0));
    }

    fn evidence(&mut self, fields: [Field; 6], evidence: &'e MessageEvidence) {
        let word = |word: &'e str| if word.is_empty() { Value::Absent } else { Value::text(word) };
        let category =
            if evidence.category == Category::Unspecified { "" } else { evidence.category.as_str() };
        let values = [
            Value::shown(&evidence.message),
            Value::Time(evidence.at),
            Value::Count(evidence.offset.0),
            word(&evidence.template),
            word(category),
            word(&evidence.tag),
        ];
        for (field, value) in fields.into_iter().zip(values) {
            self.set(field, value);
        }
    }

    fn charge(&mut self, charge: &'e Charge) {
        self.conversation(&charge.conversation);
        self.set(Field::Charge, Value::shown(&charge.charge));
        self.set(Field::Booking, Value::Count(u64::from(charge.booking)));
        self.evidence(EARNED_BY, &charge.earned_by);
        let price = &charge.price;
        self.set(Field::Amount, price.amount.map_or(Value::Absent, Value::Money));
        self.set(Field::Currency, Value::shown(&price.currency));
        self.set(Field::Tariff, Value::text(&*price.tariff));
        self.word(Field::Card, &price.card);
        if price.row > 0 {
            self.set(Field::CardRow, Value::Count(u64::from(price.row)));
        }
        self.word(Field::Reason, &price.reason);
    }

    fn closed(&mut self, closed: &'e Closed) {
        self.conversation(&closed.conversation);
        self.set(Field::Charged, Value::Flag(closed.charged));
        self.set(Field::UserMessages, Value::Count(u64::from(closed.user_messages)));
        self.set(Field::BusinessMessages, Value::Count(u64::from(closed.business_messages)));
    }

    fn verdict(&mut self, said: &'e ProviderVerdict) {
        self.word(Field::ProviderConversation, &said.conversation_id);
        self.set(Field::ProviderExpiresAt, said.expires_at.map_or(Value::Absent, Value::Time));
        self.word(Field::ProviderOriginType, &said.origin_type);
        self.set(Field::ProviderBillable, said.billable.map_or(Value::Absent, Value::Flag));
        self.word(Field::ProviderPricingModel, &said.pricing_model);
        self.word(Field::ProviderPricingType, &said.pricing_type);
        self.word(Field::ProviderCategory, &said.category);
    }
}
