//! Reads entries from canonical bytes, field by field in the order in which they are written.
//!
//! Does not know how to write. Invariant: never panics, and takes nothing but what the writer writes.

use model::{
    Category, Charge, ChargeId, Closed, ContentHash, ConversationFacts, ConversationId, Currency, Entry,
    EntryBody, EntryHash, Initiator, LeadingDigits, MalformedReason, MessageEvidence, MessageRef, Micros,
    Offset, PartitionId, Period, PriceOutcome, ProviderVerdict, QuarantineReason, Quarantined, Reversal,
    Revised, Sequence, Subject, UnixMillis, UserRef, VerdictFacts,
};

use super::{
    INITIATOR_BUSINESS, INITIATOR_USER, PREVIOUS_HASH, body,
    fields::{CanonicalError, Fields},
    words::Words,
};

/// Reads one entry.
///
/// # Errors
/// Bytes that [`super::encode_entry`] would not have written; the error names the field.
pub fn decode_entry(bytes: &[u8], words: &mut Words) -> Result<Entry, CanonicalError> {
    let mut fields = Fields::new(bytes, "entry");
    let head = head(&mut fields)?;
    let body = entry_body(&mut fields, words)?;
    finish(fields, head, body)
}

/// What an entry begins with.
#[derive(Debug, Clone, Copy)]
struct Head {
    sequence: Sequence,
    event_time: UnixMillis,
    record_time: UnixMillis,
    partition: PartitionId,
    offset: Offset,
}

fn head(fields: &mut Fields<'_>) -> Result<Head, CanonicalError> {
    Ok(Head {
        sequence: Sequence(fields.uint(1, "sequence")?),
        event_time: fields.millis(2, "event_time_ms")?,
        record_time: fields.millis(3, "record_time_ms")?,
        partition: PartitionId(fields.uint32(4, "partition")?),
        offset: Offset(fields.uint(5, "offset")?),
    })
}

fn finish(fields: Fields<'_>, head: Head, body: EntryBody) -> Result<Entry, CanonicalError> {
    let previous_hash = previous_hash(fields)?;
    let Head { sequence, event_time, record_time, partition, offset } = head;
    Ok(Entry { sequence, event_time, record_time, partition, offset, body, previous_hash })
}

fn previous_hash(mut fields: Fields<'_>) -> Result<EntryHash, CanonicalError> {
    let hash = EntryHash(fields.id(PREVIOUS_HASH, "previous_hash")?);
    fields.end().map(|()| hash)
}

/// Reads entries one after the other to the place of an earlier one of their kind, so that what they have in common
/// with it, above all their words, is neither copied nor counted anew.
#[derive(Debug, Default)]
pub struct EntryDecoder {
    words: Words,
    opened: Option<Entry>,
    charged: Option<Entry>,
    closed: Option<Entry>,
    other: Option<Entry>,
}

impl EntryDecoder {
    /// Reads one entry, which stays until the next is read.
    ///
    /// # Errors
    /// As [`decode_entry`].
    pub fn decode(&mut self, bytes: &[u8]) -> Result<&Entry, CanonicalError> {
        let Self { words, opened, charged, closed, other } = self;
        let mut fields = Fields::new(bytes, "entry");
        let head = head(&mut fields)?;
        let of_kind = if fields.is_at_message(body::CONVERSATION_OPENED) {
            opened
        } else if fields.is_at_message(body::CONVERSATION_CHARGED) {
            charged
        } else if fields.is_at_message(body::CONVERSATION_CLOSED) {
            closed
        } else {
            other
        };
        match of_kind {
            Some(Entry { body: EntryBody::ConversationOpened(facts), .. }) => {
                let message = fields.message(body::CONVERSATION_OPENED, "conversation_opened")?;
                conversation_into(message, words, facts)?;
            }
            Some(Entry { body: EntryBody::ConversationCharged(booked), .. }) => {
                let message = fields.message(body::CONVERSATION_CHARGED, "conversation_charged")?;
                charge_into(message, words, booked)?;
            }
            Some(Entry { body: EntryBody::ConversationClosed(end), .. }) => {
                let message = fields.message(body::CONVERSATION_CLOSED, "conversation_closed")?;
                closed_into(message, words, end)?;
            }
            Some(_) | None => {
                let body = entry_body(&mut fields, words)?;
                return Ok(of_kind.insert(finish(fields, head, body)?));
            }
        }
        let previous_hash = previous_hash(fields)?;
        let Head { sequence, event_time, record_time, partition, offset } = head;
        // There is one, or it would have been made above.
        let entry = of_kind.as_mut().ok_or(CanonicalError::Missing { field: "body" })?;
        (entry.sequence, entry.event_time, entry.record_time) = (sequence, event_time, record_time);
        (entry.partition, entry.offset, entry.previous_hash) = (partition, offset, previous_hash);
        Ok(entry)
    }
}

fn entry_body(entry: &mut Fields<'_>, words: &mut Words) -> Result<EntryBody, CanonicalError> {
    if let Some(fields) = entry.optional_message(body::CONVERSATION_OPENED, "conversation_opened")? {
        return Ok(EntryBody::ConversationOpened(conversation(fields, words)?));
    }
    if let Some(fields) = entry.optional_message(body::CONVERSATION_CHARGED, "conversation_charged")? {
        return Ok(EntryBody::ConversationCharged(Box::new(charge(fields, words)?)));
    }
    if let Some(fields) = entry.optional_message(body::MESSAGE_CHARGED, "message_charged")? {
        return Ok(EntryBody::MessageCharged(Box::new(charge(fields, words)?)));
    }
    if let Some(fields) = entry.optional_message(body::CHARGE_REVERSED, "charge_reversed")? {
        return Ok(EntryBody::ChargeReversed(Box::new(reversal(fields, words)?)));
    }
    if let Some(fields) = entry.optional_message(body::CONVERSATION_REVISED, "conversation_revised")? {
        return Ok(EntryBody::ConversationRevised(Box::new(revised(fields, words)?)));
    }
    if let Some(fields) = entry.optional_message(body::CONVERSATION_WITHDRAWN, "conversation_withdrawn")? {
        return Ok(EntryBody::ConversationWithdrawn(conversation(fields, words)?));
    }
    if let Some(fields) = entry.optional_message(body::CONVERSATION_CLOSED, "conversation_closed")? {
        return Ok(EntryBody::ConversationClosed(Box::new(closed(fields, words)?)));
    }
    if let Some(fields) = entry.optional_message(body::PROVIDER_VERDICT, "provider_verdict")? {
        return Ok(EntryBody::ProviderVerdict(Box::new(verdict_facts(fields, words)?)));
    }
    if let Some(fields) = entry.optional_message(body::CONSENT_CHANGED, "consent_changed")? {
        return consent_changed(fields, words);
    }
    if let Some(fields) = entry.optional_message(body::CONFIGURED, "configured")? {
        return configured(fields);
    }
    if let Some(fields) = entry.optional_message(body::RECORD_QUARANTINED, "record_quarantined")? {
        return Ok(EntryBody::RecordQuarantined(quarantined(fields)?));
    }
    Err(CanonicalError::Missing { field: "body" })
}

fn subject(fields: Fields<'_>, words: &mut Words) -> Result<Subject, CanonicalError> {
    let mut subject = no_subject(words);
    subject_into(fields, words, &mut subject)?;
    Ok(subject)
}

fn no_subject(words: &Words) -> Subject {
    const NEVER: Period = Period { year: 1970, month: 1 };
    Subject {
        account: words.empty(),
        business_phone: words.empty(),
        user: UserRef([0; 16]),
        leading_digits: LeadingDigits([0; 4]),
        market: words.empty(),
        period: NEVER,
        booked_in: NEVER,
    }
}

fn subject_into(mut fields: Fields<'_>, words: &mut Words, into: &mut Subject) -> Result<(), CanonicalError> {
    fields.word_into(1, "account", words, &mut into.account)?;
    fields.word_into(2, "business_phone", words, &mut into.business_phone)?;
    into.user = UserRef(fields.id(3, "user")?);
    into.leading_digits = leading_digits(fields.text(4, "leading_digits")?)?;
    fields.word_into(5, "market", words, &mut into.market)?;
    into.period = period(&mut fields, 6, "period")?;
    into.booked_in = period(&mut fields, 7, "booked_in")?;
    fields.end()
}

fn leading_digits(text: &str) -> Result<LeadingDigits, CanonicalError> {
    let mut kept = [0; 4];
    match kept.get_mut(..text.len()) {
        Some(place) if !text.contains('\0') => place.copy_from_slice(text.as_bytes()),
        _ => return Err(CanonicalError::BadText { field: "leading_digits" }),
    }
    Ok(LeadingDigits(kept))
}

fn period(fields: &mut Fields<'_>, field: u32, name: &'static str) -> Result<Period, CanonicalError> {
    let number = fields.uint32(field, name)?;
    Period::from_number(number).ok_or(CanonicalError::OutOfRange { field: name, number: u64::from(number) })
}

fn no_evidence(words: &Words) -> MessageEvidence {
    MessageEvidence {
        message: MessageRef([0; 16]),
        at: UnixMillis(0),
        offset: Offset(0),
        template: words.empty(),
        category: Category::Unspecified,
        tag: words.empty(),
    }
}

fn evidence_into(
    mut fields: Fields<'_>,
    words: &mut Words,
    into: &mut MessageEvidence,
) -> Result<(), CanonicalError> {
    into.message = MessageRef(fields.id(1, "message")?);
    into.at = fields.millis(2, "at_ms")?;
    into.offset = Offset(fields.uint(3, "offset")?);
    fields.word_into(4, "template", words, &mut into.template)?;
    into.category = fields.code(5, "category", Category::from_code)?;
    fields.word_into(6, "tag", words, &mut into.tag)?;
    fields.end()
}

fn conversation(fields: Fields<'_>, words: &mut Words) -> Result<ConversationFacts, CanonicalError> {
    let mut facts = no_conversation(words);
    conversation_into(fields, words, &mut facts)?;
    Ok(facts)
}

fn no_conversation(words: &Words) -> ConversationFacts {
    ConversationFacts {
        subject: no_subject(words),
        conversation: ConversationId([0; 16]),
        initiator: Initiator::User,
        opened_at: UnixMillis(0),
        expires_at: UnixMillis(0),
        opened_by: no_evidence(words),
        without_consent: false,
        previous_about: Sequence(0),
    }
}

fn conversation_into(
    mut fields: Fields<'_>,
    words: &mut Words,
    into: &mut ConversationFacts,
) -> Result<(), CanonicalError> {
    subject_into(fields.message(1, "subject")?, words, &mut into.subject)?;
    into.conversation = ConversationId(fields.id(2, "conversation_id")?);
    into.initiator = fields.code(3, "initiator", |code| match u64::from(code) {
        INITIATOR_USER => Some(Initiator::User),
        INITIATOR_BUSINESS => Some(Initiator::Business),
        _ => None,
    })?;
    into.opened_at = fields.millis(4, "opened_at_ms")?;
    into.expires_at = fields.millis(5, "expires_at_ms")?;
    evidence_into(fields.message(6, "opened_by")?, words, &mut into.opened_by)?;
    into.without_consent = fields.boolean(7, "without_consent")?;
    into.previous_about = Sequence(fields.uint(8, "previous_about")?);
    fields.end()
}

fn closed(fields: Fields<'_>, words: &mut Words) -> Result<Closed, CanonicalError> {
    let conversation = no_conversation(words);
    let mut closed = Closed { conversation, charged: false, user_messages: 0, business_messages: 0 };
    closed_into(fields, words, &mut closed)?;
    Ok(closed)
}

fn closed_into(mut fields: Fields<'_>, words: &mut Words, into: &mut Closed) -> Result<(), CanonicalError> {
    conversation_into(fields.message(1, "conversation")?, words, &mut into.conversation)?;
    into.charged = fields.boolean(2, "charged")?;
    into.user_messages = fields.uint32(3, "user_messages")?;
    into.business_messages = fields.uint32(4, "business_messages")?;
    fields.end()
}

fn revised(mut fields: Fields<'_>, words: &mut Words) -> Result<Revised, CanonicalError> {
    let revised = Revised {
        holds: closed(fields.message(1, "holds")?, words)?,
        open_again: fields.boolean(2, "open_again")?,
    };
    fields.end()?;
    Ok(revised)
}

fn charge(fields: Fields<'_>, words: &mut Words) -> Result<Charge, CanonicalError> {
    let mut charge = Charge {
        conversation: no_conversation(words),
        charge: ChargeId([0; 16]),
        booking: 0,
        earned_by: no_evidence(words),
        price: PriceOutcome {
            amount: None,
            currency: Currency::NONE,
            tariff: words.empty(),
            card: words.empty(),
            row: 0,
            reason: words.empty(),
        },
    };
    charge_into(fields, words, &mut charge)?;
    Ok(charge)
}

fn charge_into(mut fields: Fields<'_>, words: &mut Words, into: &mut Charge) -> Result<(), CanonicalError> {
    conversation_into(fields.message(1, "conversation")?, words, &mut into.conversation)?;
    into.charge = ChargeId(fields.id(2, "charge_id")?);
    into.booking = fields.uint32(3, "booking")?;
    evidence_into(fields.message(4, "earned_by")?, words, &mut into.earned_by)?;
    price_into(fields.message(5, "price")?, words, &mut into.price)?;
    fields.end()
}

fn price_into(
    mut fields: Fields<'_>,
    words: &mut Words,
    into: &mut PriceOutcome,
) -> Result<(), CanonicalError> {
    into.amount = fields.optional_sint(1, "amount_micros")?.map(Micros);
    into.currency = Currency::parse(fields.text(2, "currency")?)
        .map_err(|_| CanonicalError::BadText { field: "currency" })?;
    fields.word_into(3, "tariff", words, &mut into.tariff)?;
    fields.word_into(4, "card", words, &mut into.card)?;
    into.row = fields.uint32(5, "row")?;
    fields.word_into(6, "reason", words, &mut into.reason)?;
    fields.end()
}

fn reversal(mut fields: Fields<'_>, words: &mut Words) -> Result<Reversal, CanonicalError> {
    let reversal = Reversal {
        charge: charge(fields.message(1, "charge")?, words)?,
        reverses: Sequence(fields.uint(2, "reverses")?),
    };
    fields.end()?;
    Ok(reversal)
}

fn verdict_facts(mut fields: Fields<'_>, words: &mut Words) -> Result<VerdictFacts, CanonicalError> {
    let facts = VerdictFacts {
        subject: subject(fields.message(1, "subject")?, words)?,
        message: MessageRef(fields.id(2, "message")?),
        verdict: verdict(fields.message(3, "verdict")?)?,
    };
    fields.end()?;
    Ok(facts)
}

fn verdict(mut fields: Fields<'_>) -> Result<ProviderVerdict, CanonicalError> {
    let verdict = ProviderVerdict {
        conversation_id: fields.text(1, "conversation_id")?.to_owned(),
        expires_at: fields.optional_uint(2, "expires_at_ms")?.map(|at| UnixMillis(at.cast_signed())),
        origin_type: fields.text(3, "origin_type")?.to_owned(),
        billable: match fields.optional_uint(4, "billable")? {
            None => None,
            Some(0) => Some(false),
            Some(1) => Some(true),
            Some(number) => return Err(CanonicalError::OutOfRange { field: "billable", number }),
        },
        pricing_model: fields.text(5, "pricing_model")?.to_owned(),
        pricing_type: fields.text(6, "pricing_type")?.to_owned(),
        category: fields.text(7, "category")?.to_owned(),
    };
    fields.end()?;
    Ok(verdict)
}

fn consent_changed(mut fields: Fields<'_>, words: &mut Words) -> Result<EntryBody, CanonicalError> {
    let body = EntryBody::ConsentChanged {
        subject: subject(fields.message(1, "subject")?, words)?,
        granted: fields.boolean(2, "granted")?,
        source: fields.word(3, "source", words)?,
    };
    fields.end()?;
    Ok(body)
}

fn configured(mut fields: Fields<'_>) -> Result<EntryBody, CanonicalError> {
    let body = EntryBody::Configured {
        content: ContentHash(fields.id(1, "content_hash")?),
        effective_from: fields.millis(2, "effective_from_ms")?,
    };
    fields.end()?;
    Ok(body)
}

fn quarantined(mut fields: Fields<'_>) -> Result<Quarantined, CanonicalError> {
    let record = Quarantined {
        reason: fields.code(1, "reason", QuarantineReason::from_code)?,
        detail: fields.code(2, "detail", |code| {
            (code == 0 || MalformedReason::from_code(code).is_some()).then_some(code)
        })?,
        original: ContentHash(fields.id(3, "original_hash")?),
    };
    fields.end()?;
    Ok(record)
}
