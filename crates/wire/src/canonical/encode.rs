//! Writes entries: the fields of `tarifa.billing.v1.Entry` in order, defaults left out.
//!
//! Does not know how to read. Invariant: the previous hash comes last, so that a store may cut it off.

use model::{
    Charge, Closed, ConversationFacts, Entry, EntryBody, Initiator, MessageEvidence, PriceOutcome,
    ProviderVerdict, Quarantined, Reversal, Revised, Subject, VerdictFacts,
};

use super::{INITIATOR_BUSINESS, INITIATOR_USER, PREVIOUS_HASH, body};
use crate::pb::{
    put_bool, put_bytes, put_int, put_message, put_sint_always, put_text, put_uint, put_uint_always,
};

/// Larger than nearly every entry, so that the buffer grows at most once.
const ENTRY_BYTES_USUAL: usize = 768;

/// Appends the canonical bytes of an entry to `out`.
pub fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    out.reserve(ENTRY_BYTES_USUAL);
    put_uint(out, 1, entry.sequence.0);
    put_int(out, 2, entry.event_time.0);
    put_int(out, 3, entry.record_time.0);
    put_uint(out, 4, u64::from(entry.partition.0));
    put_uint(out, 5, entry.offset.0);
    put_body(out, &entry.body);
    put_bytes(out, PREVIOUS_HASH, &entry.previous_hash.0);
}

fn put_body(out: &mut Vec<u8>, body: &EntryBody) {
    match body {
        EntryBody::ConversationOpened(facts) => {
            put_message(out, body::CONVERSATION_OPENED, |out| conversation(out, facts));
        }
        EntryBody::ConversationCharged(booked) => {
            put_message(out, body::CONVERSATION_CHARGED, |out| charge(out, booked));
        }
        EntryBody::MessageCharged(booked) => {
            put_message(out, body::MESSAGE_CHARGED, |out| charge(out, booked));
        }
        EntryBody::ChargeReversed(taken_back) => {
            put_message(out, body::CHARGE_REVERSED, |out| reversal(out, taken_back));
        }
        EntryBody::ConversationRevised(instead) => {
            put_message(out, body::CONVERSATION_REVISED, |out| revised(out, instead));
        }
        EntryBody::ConversationWithdrawn(facts) => {
            put_message(out, body::CONVERSATION_WITHDRAWN, |out| conversation(out, facts));
        }
        EntryBody::ConversationClosed(end) => {
            put_message(out, body::CONVERSATION_CLOSED, |out| closed(out, end));
        }
        EntryBody::ProviderVerdict(facts) => {
            put_message(out, body::PROVIDER_VERDICT, |out| verdict_facts(out, facts));
        }
        EntryBody::ConsentChanged { subject: whose, granted, source } => {
            put_message(out, body::CONSENT_CHANGED, |out| {
                put_message(out, 1, |out| subject(out, whose));
                put_bool(out, 2, *granted);
                put_text(out, 3, source);
            });
        }
        EntryBody::Configured { content, effective_from } => {
            put_message(out, body::CONFIGURED, |out| {
                put_bytes(out, 1, &content.0);
                put_int(out, 2, effective_from.0);
            });
        }
        EntryBody::RecordQuarantined(record) => {
            put_message(out, body::RECORD_QUARANTINED, |out| quarantined(out, record));
        }
    }
}

fn subject(out: &mut Vec<u8>, subject: &Subject) {
    put_text(out, 1, &subject.account);
    put_text(out, 2, &subject.business_phone);
    put_bytes(out, 3, &subject.user.0);
    put_text(out, 4, subject.leading_digits.as_str());
    put_text(out, 5, &subject.market);
    put_uint(out, 6, u64::from(subject.period.to_number()));
    put_uint(out, 7, u64::from(subject.booked_in.to_number()));
}

fn evidence(out: &mut Vec<u8>, evidence: &MessageEvidence) {
    put_bytes(out, 1, &evidence.message.0);
    put_int(out, 2, evidence.at.0);
    put_uint(out, 3, evidence.offset.0);
    put_text(out, 4, &evidence.template);
    put_uint(out, 5, u64::from(evidence.category.code()));
    put_text(out, 6, &evidence.tag);
}

fn conversation(out: &mut Vec<u8>, facts: &ConversationFacts) {
    put_message(out, 1, |out| subject(out, &facts.subject));
    put_bytes(out, 2, &facts.conversation.0);
    let initiator = match facts.initiator {
        Initiator::User => INITIATOR_USER,
        Initiator::Business => INITIATOR_BUSINESS,
    };
    put_uint(out, 3, initiator);
    put_int(out, 4, facts.opened_at.0);
    put_int(out, 5, facts.expires_at.0);
    put_message(out, 6, |out| evidence(out, &facts.opened_by));
    put_bool(out, 7, facts.without_consent);
    put_uint(out, 8, facts.previous_about.0);
}

fn closed(out: &mut Vec<u8>, end: &Closed) {
    put_message(out, 1, |out| conversation(out, &end.conversation));
    put_bool(out, 2, end.charged);
    put_uint(out, 3, u64::from(end.user_messages));
    put_uint(out, 4, u64::from(end.business_messages));
}

fn revised(out: &mut Vec<u8>, instead: &Revised) {
    put_message(out, 1, |out| closed(out, &instead.holds));
    put_bool(out, 2, instead.open_again);
}

fn charge(out: &mut Vec<u8>, booked: &Charge) {
    put_message(out, 1, |out| conversation(out, &booked.conversation));
    put_bytes(out, 2, &booked.charge.0);
    put_uint(out, 3, u64::from(booked.booking));
    put_message(out, 4, |out| evidence(out, &booked.earned_by));
    put_message(out, 5, |out| price(out, &booked.price));
}

fn price(out: &mut Vec<u8>, price: &PriceOutcome) {
    if let Some(amount) = price.amount {
        put_sint_always(out, 1, amount.0);
    }
    put_text(out, 2, price.currency.as_str());
    put_text(out, 3, &price.tariff);
    put_text(out, 4, &price.card);
    put_uint(out, 5, u64::from(price.row));
    put_text(out, 6, &price.reason);
}

fn reversal(out: &mut Vec<u8>, taken_back: &Reversal) {
    put_message(out, 1, |out| charge(out, &taken_back.charge));
    put_uint(out, 2, taken_back.reverses.0);
}

fn verdict_facts(out: &mut Vec<u8>, facts: &VerdictFacts) {
    put_message(out, 1, |out| subject(out, &facts.subject));
    put_bytes(out, 2, &facts.message.0);
    put_message(out, 3, |out| verdict(out, &facts.verdict));
}

fn verdict(out: &mut Vec<u8>, verdict: &ProviderVerdict) {
    put_text(out, 1, &verdict.conversation_id);
    if let Some(at) = verdict.expires_at {
        put_uint_always(out, 2, at.0.cast_unsigned());
    }
    put_text(out, 3, &verdict.origin_type);
    if let Some(billable) = verdict.billable {
        put_uint_always(out, 4, u64::from(billable));
    }
    put_text(out, 5, &verdict.pricing_model);
    put_text(out, 6, &verdict.pricing_type);
    put_text(out, 7, &verdict.category);
}

fn quarantined(out: &mut Vec<u8>, record: &Quarantined) {
    put_uint(out, 1, u64::from(record.reason.code()));
    put_uint(out, 2, u64::from(record.detail));
    put_bytes(out, 3, &record.original.0);
}
