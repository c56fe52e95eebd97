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
    let entry = Entry {
        sequence: Sequence(fields.uint(1, "sequence")?),
        event_time: fields.millis(2, "event_time_ms")?,
        record_time: fields.millis(3, "record_time_ms")?,
        partition: PartitionId(fields.uint32(4, "partition")?),
        offset: Offset(fields.uint(5, "offset")?),
        body: entry_body(&mut fields, words)?,
        previous_hash: EntryHash(fields.id(PREVIOUS_HASH, "previous_hash")?),
    };
    fields.end()?;
    Ok(entry)
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

fn subject(mut fields: Fields<'_>, words: &mut Words) -> Result<Subject, CanonicalError> {
    let subject = Subject {
        account: fields.word(1, "account", words)?,
        business_phone: fields.word(2, "business_phone", words)?,
        user: UserRef(fields.id(3, "user")?),
        leading_digits: leading_digits(fields.text(4, "leading_digits")?)?,
        market: fields.word(5, "market", words)?,
        period: period(&mut fields, 6, "period")?,
        booked_in: period(&mut fields, 7, "booked_in")?,
    };
    fields.end()?;
    Ok(subject)
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

fn evidence(mut fields: Fields<'_>, words: &mut Words) -> Result<MessageEvidence, CanonicalError> {
    let evidence = MessageEvidence {
        message: MessageRef(fields.id(1, "message")?),
        at: fields.millis(2, "at_ms")?,
        offset: Offset(fields.uint(3, "offset")?),
        template: fields.word(4, "template", words)?,
        category: fields.code(5, "category", Category::from_code)?,
        tag: fields.word(6, "tag", words)?,
    };
    fields.end()?;
    Ok(evidence)
}

fn conversation(mut fields: Fields<'_>, words: &mut Words) -> Result<ConversationFacts, CanonicalError> {
    let facts = ConversationFacts {
        subject: subject(fields.message(1, "subject")?, words)?,
        conversation: ConversationId(fields.id(2, "conversation_id")?),
        initiator: fields.code(3, "initiator", |code| match u64::from(code) {
            INITIATOR_USER => Some(Initiator::User),
            INITIATOR_BUSINESS => Some(Initiator::Business),
            _ => None,
        })?,
        opened_at: fields.millis(4, "opened_at_ms")?,
        expires_at: fields.millis(5, "expires_at_ms")?,
        opened_by: evidence(fields.message(6, "opened_by")?, words)?,
        without_consent: fields.boolean(7, "without_consent")?,
        previous_about: Sequence(fields.uint(8, "previous_about")?),
    };
    fields.end()?;
    Ok(facts)
}

fn closed(mut fields: Fields<'_>, words: &mut Words) -> Result<Closed, CanonicalError> {
    let closed = Closed {
        conversation: conversation(fields.message(1, "conversation")?, words)?,
        charged: fields.boolean(2, "charged")?,
        user_messages: fields.uint32(3, "user_messages")?,
        business_messages: fields.uint32(4, "business_messages")?,
    };
    fields.end()?;
    Ok(closed)
}

fn revised(mut fields: Fields<'_>, words: &mut Words) -> Result<Revised, CanonicalError> {
    let revised = Revised {
        holds: closed(fields.message(1, "holds")?, words)?,
        open_again: fields.boolean(2, "open_again")?,
    };
    fields.end()?;
    Ok(revised)
}

fn charge(mut fields: Fields<'_>, words: &mut Words) -> Result<Charge, CanonicalError> {
    let charge = Charge {
        conversation: conversation(fields.message(1, "conversation")?, words)?,
        charge: ChargeId(fields.id(2, "charge_id")?),
        booking: fields.uint32(3, "booking")?,
        earned_by: evidence(fields.message(4, "earned_by")?, words)?,
        price: price(fields.message(5, "price")?, words)?,
    };
    fields.end()?;
    Ok(charge)
}

fn price(mut fields: Fields<'_>, words: &mut Words) -> Result<PriceOutcome, CanonicalError> {
    let price = PriceOutcome {
        amount: fields.optional_sint(1, "amount_micros")?.map(Micros),
        currency: Currency::parse(fields.text(2, "currency")?)
            .map_err(|_| CanonicalError::BadText { field: "currency" })?,
        tariff: fields.word(3, "tariff", words)?,
        card: fields.word(4, "card", words)?,
        row: fields.uint32(5, "row")?,
        reason: fields.word(6, "reason", words)?,
    };
    fields.end()?;
    Ok(price)
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
