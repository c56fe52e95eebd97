//! Writes entries: the fields of `tarifa.billing.v1.Entry` in order, defaults left out.
//!
//! Does not know how to read. Invariant: the previous hash comes last, so that a store may cut it off.
//!
//! Entries are written from their last byte to their first (see [`Backwards`]), so that the functions here name the
//! fields from the last to the first.

use model::{
    Charge, Closed, ConversationFacts, Entry, EntryBody, EntryHash, Initiator, MessageEvidence, PriceOutcome,
    ProviderVerdict, Quarantined, Reversal, Revised, Subject, VerdictFacts,
};

use super::{INITIATOR_BUSINESS, INITIATOR_USER, PREVIOUS_HASH, backwards::Backwards, body, chain};

/// Appends the canonical bytes of an entry to `out`.
pub fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    out.extend_from_slice(EntryWriter::default().write(entry, &entry.previous_hash).bytes);
}

/// Writes entries one after the other, with a buffer that is used again.
#[derive(Debug, Default)]
pub struct EntryWriter {
    out: Backwards,
}

/// What was written of an entry.
#[derive(Debug, Clone, Copy)]
pub struct CanonicalEntry<'a> {
    /// Its canonical bytes.
    pub bytes: &'a [u8],
    ids: &'a [usize],
}

impl EntryWriter {
    /// The canonical bytes of an entry behind another one, whose hash is taken in place of the entry's `previous_hash`.
    pub fn write(&mut self, entry: &Entry, previous: &EntryHash) -> CanonicalEntry<'_> {
        let out = &mut self.out;
        out.clear();
        out.bytes(PREVIOUS_HASH, &previous.0);
        put_body(out, &entry.body);
        out.uint(5, entry.offset.0);
        out.uint(4, u64::from(entry.partition.0));
        out.int(3, entry.record_time.0);
        out.int(2, entry.event_time.0);
        out.uint(1, entry.sequence.0);
        self.last()
    }

    /// What was written last.
    #[must_use]
    pub fn last(&self) -> CanonicalEntry<'_> {
        CanonicalEntry { bytes: self.out.written(), ids: self.out.ids() }
    }
}

impl<'a> CanonicalEntry<'a> {
    /// The bytes without the previous hash, as [`super::split_previous_hash`] gives them.
    #[must_use]
    pub fn kept(&self) -> &'a [u8] {
        &self.bytes[..self.bytes.len() - chain::TAIL_LENGTH]
    }

    /// Where ids of 16 bytes stand in the bytes: hashes, which do not compress. In order, apart from each other, and
    /// before the previous hash.
    pub fn ids(&self) -> impl Iterator<Item = usize> + use<'a> {
        let length = self.bytes.len();
        self.ids.iter().rev().map(move |distance| length - distance)
    }
}

fn put_body(out: &mut Backwards, body: &EntryBody) {
    match body {
        EntryBody::ConversationOpened(facts) => {
            out.message(body::CONVERSATION_OPENED, |out| conversation(out, facts));
        }
        EntryBody::ConversationCharged(booked) => {
            out.message(body::CONVERSATION_CHARGED, |out| charge(out, booked));
        }
        EntryBody::MessageCharged(booked) => {
            out.message(body::MESSAGE_CHARGED, |out| charge(out, booked));
        }
        EntryBody::ChargeReversed(taken_back) => {
            out.message(body::CHARGE_REVERSED, |out| reversal(out, taken_back));
        }
        EntryBody::ConversationRevised(instead) => {
            out.message(body::CONVERSATION_REVISED, |out| revised(out, instead));
        }
        EntryBody::ConversationWithdrawn(facts) => {
            out.message(body::CONVERSATION_WITHDRAWN, |out| conversation(out, facts));
        }
        EntryBody::ConversationClosed(end) => {
            out.message(body::CONVERSATION_CLOSED, |out| closed(out, end));
        }
        EntryBody::ProviderVerdict(facts) => {
            out.message(body::PROVIDER_VERDICT, |out| verdict_facts(out, facts));
        }
        EntryBody::ConsentChanged { subject: whose, granted, source } => {
            out.message(body::CONSENT_CHANGED, |out| {
                out.text(3, source);
                out.boolean(2, *granted);
                out.message(1, |out| subject(out, whose));
            });
        }
        EntryBody::Configured { content, effective_from } => {
            out.message(body::CONFIGURED, |out| {
                out.int(2, effective_from.0);
                out.bytes(1, &content.0);
            });
        }
        EntryBody::RecordQuarantined(record) => {
            out.message(body::RECORD_QUARANTINED, |out| quarantined(out, record));
        }
    }
}

fn subject(out: &mut Backwards, subject: &Subject) {
    out.uint(7, u64::from(subject.booked_in.to_number()));
    out.uint(6, u64::from(subject.period.to_number()));
    out.text(5, &subject.market);
    out.text(4, subject.leading_digits.as_str());
    out.id(3, &subject.user.0);
    out.text(2, &subject.business_phone);
    out.text(1, &subject.account);
}

fn evidence(out: &mut Backwards, evidence: &MessageEvidence) {
    out.text(6, &evidence.tag);
    out.uint(5, u64::from(evidence.category.code()));
    out.text(4, &evidence.template);
    out.uint(3, evidence.offset.0);
    out.int(2, evidence.at.0);
    out.id(1, &evidence.message.0);
}

fn conversation(out: &mut Backwards, facts: &ConversationFacts) {
    let initiator = match facts.initiator {
        Initiator::User => INITIATOR_USER,
        Initiator::Business => INITIATOR_BUSINESS,
    };
    out.uint(8, facts.previous_about.0);
    out.boolean(7, facts.without_consent);
    out.message(6, |out| evidence(out, &facts.opened_by));
    out.int(5, facts.expires_at.0);
    out.int(4, facts.opened_at.0);
    out.uint(3, initiator);
    out.id(2, &facts.conversation.0);
    out.message(1, |out| subject(out, &facts.subject));
}

fn closed(out: &mut Backwards, end: &Closed) {
    out.uint(4, u64::from(end.business_messages));
    out.uint(3, u64::from(end.user_messages));
    out.boolean(2, end.charged);
    out.message(1, |out| conversation(out, &end.conversation));
}

fn revised(out: &mut Backwards, instead: &Revised) {
    out.boolean(2, instead.open_again);
    out.message(1, |out| closed(out, &instead.holds));
}

fn charge(out: &mut Backwards, booked: &Charge) {
    out.message(5, |out| price(out, &booked.price));
    out.message(4, |out| evidence(out, &booked.earned_by));
    out.uint(3, u64::from(booked.booking));
    out.id(2, &booked.charge.0);
    out.message(1, |out| conversation(out, &booked.conversation));
}

fn price(out: &mut Backwards, price: &PriceOutcome) {
    out.text(6, &price.reason);
    out.uint(5, u64::from(price.row));
    out.text(4, &price.card);
    out.text(3, &price.tariff);
    out.text(2, price.currency.as_str());
    if let Some(amount) = price.amount {
        out.sint_always(1, amount.0);
    }
}

fn reversal(out: &mut Backwards, taken_back: &Reversal) {
    out.uint(2, taken_back.reverses.0);
    out.message(1, |out| charge(out, &taken_back.charge));
}

fn verdict_facts(out: &mut Backwards, facts: &VerdictFacts) {
    out.message(3, |out| verdict(out, &facts.verdict));
    out.id(2, &facts.message.0);
    out.message(1, |out| subject(out, &facts.subject));
}

fn verdict(out: &mut Backwards, verdict: &ProviderVerdict) {
    out.text(7, &verdict.category);
    out.text(6, &verdict.pricing_type);
    out.text(5, &verdict.pricing_model);
    if let Some(billable) = verdict.billable {
        out.uint_always(4, u64::from(billable));
    }
    out.text(3, &verdict.origin_type);
    if let Some(at) = verdict.expires_at {
        out.uint_always(2, at.0.cast_unsigned());
    }
    out.text(1, &verdict.conversation_id);
}

fn quarantined(out: &mut Backwards, record: &Quarantined) {
    out.bytes(3, &record.original.0);
    out.uint(2, u64::from(record.detail));
    out.uint(1, u64::from(record.reason.code()));
}
