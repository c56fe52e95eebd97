//! Records as rows: what a segment has mentioned before is a number, what is usual is left out.
//!
//! Knows nothing of files. Invariant: [`super::decode`] reads back exactly what was given.

use model::{
    ConsentFact, LeadingDigits, MessageKind, ProviderVerdict, Record, RecordContent, SealedBody, SealedEvent,
    SealedStatus, Symbol, UnixMillis,
};

use super::{LogError, LoggedRecord, NO_THREAD, WordSource, row, status, verdict};
use crate::{
    num::{put_bytes, put_signed, put_varint},
    store::Row,
};

/// What a segment has mentioned so far, and the block that is being filled.
#[derive(Debug, Default)]
pub(super) struct SegmentEncoder {
    /// Words that the block defines: number, length, bytes. In a block that closes a group its rows follow, behind the
    /// number of the empty word, which is never defined: name and content, each with its length.
    pub(super) definitions: Vec<u8>,
    pub(super) rows: Vec<u8>,
    defined: Vec<bool>,
    /// How many threads the segment has mentioned.
    threads: u32,
    /// By a caller's hint: what a record needs of its thread, in eight bytes, as this is read in no order.
    by_hint: Vec<Mentioned>,
    last_time: i64,
}

/// A thread that may have been mentioned in the segment.
#[derive(Debug, Clone, Copy, Default)]
struct Mentioned {
    /// Its number plus one; 0 if it was not mentioned.
    number: u32,
    /// Mixed from its user and business phone: a hint that stands for another thread is found by it.
    mark: u16,
    /// Symbol of its last record's account; [`OTHER_ACCOUNT`] for larger ones.
    last_account: u16,
}

/// An account that is not remembered, so that each row names it.
const OTHER_ACCOUNT: u16 = u16::MAX;

/// What a row says of its thread.
struct ThreadOfRow {
    number: u32,
    is_new: bool,
    new_account: bool,
}

impl SegmentEncoder {
    /// Starts the next block.
    pub(super) fn start_block(&mut self) {
        self.definitions.clear();
        self.rows.clear();
        self.last_time = 0;
    }

    /// Forgets everything mentioned, for the next segment.
    pub(super) fn start_segment(&mut self) {
        self.start_block();
        self.defined.clear();
        self.threads = 0;
        self.by_hint.clear();
    }

    /// Puts a group's rows into its last block.
    pub(super) fn close(&mut self, rows: &[Row]) {
        put_varint(&mut self.definitions, u64::from(Symbol::EMPTY.0));
        for (name, content) in rows {
            put_bytes(&mut self.definitions, name);
            put_bytes(&mut self.definitions, content);
        }
    }

    /// Reads what the next records will need of their threads, all at once: the loads overlap, where each would otherwise
    /// be waited for.
    pub(super) fn touch(&self, hints: &[u32]) {
        let mentioned = hints.iter().filter_map(|hint| self.by_hint.get(*hint as usize));
        std::hint::black_box(mentioned.fold(0, |sum, known| sum ^ known.number));
    }

    /// Writes one record behind the others. An error is the caller's mistake, and leaves half a row behind.
    pub(super) fn push(
        &mut self,
        logged: &LoggedRecord,
        hint: u32,
        words: &dyn WordSource,
    ) -> Result<(), LogError> {
        let record = &logged.record;
        let original = if logged.original.is_some() { row::ORIGINAL } else { 0 };
        match &record.content {
            RecordContent::Event(event) => self.event(event, record, hint, original, words)?,
            RecordContent::Resubmission { original: place, event } => {
                self.rows.push(row::RESUBMISSION);
                put_varint(&mut self.rows, place.0);
                self.event(event, record, hint, original, words)?;
            }
            RecordContent::Malformed(reason) => {
                self.without_event(row::MALFORMED | original, record.record_time);
                self.rows.push(reason.code());
            }
            RecordContent::Misrouted => self.without_event(row::MISROUTED | original, record.record_time),
            RecordContent::Ignored(reason) => {
                self.without_event(row::IGNORED | original, record.record_time);
                self.rows.push(reason.code());
            }
            RecordContent::Tick(named) => {
                self.without_event(row::TICK | original, record.record_time);
                put_signed(&mut self.rows, named.0.wrapping_sub(record.record_time.0));
            }
            RecordContent::Configuration(configured) => {
                self.without_event(row::CONFIGURATION | original, record.record_time);
                self.rows.extend(configured.content.0);
                put_signed(&mut self.rows, configured.effective_from.0);
            }
        }
        if let Some(hash) = &logged.original {
            self.rows.extend_from_slice(&hash.0);
        }
        Ok(())
    }

    fn without_event(&mut self, first: u8, record_time: UnixMillis) {
        self.rows.push(first);
        self.time(record_time);
    }

    #[inline]
    fn event(
        &mut self,
        event: &SealedEvent,
        record: &Record,
        hint: u32,
        original: u8,
        words: &dyn WordSource,
    ) -> Result<(), LogError> {
        let (kind, form) = kind_and_form(&event.body);
        let mentioned = self.thread(event, hint).ok_or(LogError::Hint { offset: record.offset, hint })?;
        let (number, is_new) = (mentioned.number, mentioned.is_new);
        let new_account = mentioned.new_account;
        let mut first = kind | original;
        first |= if record.record_time == event.occurred_at { 0 } else { row::RECORD_TIME };
        first |= if new_account { row::ACCOUNT } else { 0 };
        first |= if event.tag == Symbol::EMPTY { 0 } else { row::TAG };
        self.rows.push(first);
        put_varint(&mut self.rows, u64::from(number));
        if is_new {
            self.rows.extend_from_slice(&event.user.0);
            let LeadingDigits(digits) = event.leading_digits;
            self.rows.extend_from_slice(&digits);
            self.symbol(event.business_phone, words);
        }
        self.time(event.occurred_at);
        self.rows.extend_from_slice(&event.message.0);
        if first & row::RECORD_TIME != 0 {
            put_signed(&mut self.rows, record.record_time.0.wrapping_sub(event.occurred_at.0));
        }
        if new_account {
            self.symbol(event.account, words);
        }
        if first & row::TAG != 0 {
            self.symbol(event.tag, words);
        }
        if let Some(form) = form {
            self.rows.push(form);
        }
        match &event.body {
            SealedBody::BusinessMessage { template: Some(template), .. } => {
                self.symbol(template.name, words);
                self.rows.push(template.category.code());
            }
            SealedBody::Status(told) => self.status(told),
            SealedBody::Consent(ConsentFact { granted, source }) => {
                self.rows.push(u8::from(*granted));
                self.symbol(*source, words);
            }
            SealedBody::UserMessage { .. }
            | SealedBody::BusinessMessage { template: None, .. }
            | SealedBody::UserCall => {}
        }
        Ok(())
    }

    /// Number of the thread in this segment, and whether this is its first mention.
    fn thread(&mut self, event: &SealedEvent, hint: u32) -> Option<ThreadOfRow> {
        if hint == NO_THREAD {
            return None;
        }
        let slot = hint as usize;
        if slot >= self.by_hint.len() {
            self.by_hint.resize((slot + 1).next_power_of_two(), Mentioned::default());
        }
        let mark = mark_of(event);
        let account = u16::try_from(event.account.0).unwrap_or(OTHER_ACCOUNT);
        let known = &mut self.by_hint[slot];
        let is_new = known.number == 0;
        if is_new {
            // A segment has far fewer threads than numbers: it holds four million records.
            self.threads += 1;
            *known = Mentioned { number: self.threads, mark, last_account: account };
        } else if known.mark != mark {
            return None;
        }
        let new_account = is_new || known.last_account != account || account == OTHER_ACCOUNT;
        known.last_account = account;
        Some(ThreadOfRow { number: known.number - 1, is_new, new_account })
    }

    fn status(&mut self, told: &SealedStatus) {
        let mut bits = told.status.code();
        bits |= if told.error_code == 0 { 0 } else { status::ERROR_CODE };
        bits |= if told.verdict.is_some() { status::VERDICT } else { 0 };
        self.rows.push(bits);
        if told.error_code != 0 {
            put_varint(&mut self.rows, u64::from(told.error_code));
        }
        if let Some(said) = &told.verdict {
            put_verdict(&mut self.rows, said);
        }
    }

    #[inline]
    fn time(&mut self, time: UnixMillis) {
        put_signed(&mut self.rows, time.0.wrapping_sub(self.last_time));
        self.last_time = time.0;
    }

    #[inline]
    fn symbol(&mut self, symbol: Symbol, words: &dyn WordSource) {
        put_varint(&mut self.rows, u64::from(symbol.0));
        if symbol != Symbol::EMPTY && !self.defined.get(symbol.0 as usize).is_some_and(|known| *known) {
            self.define(symbol, words);
        }
    }

    #[cold]
    fn define(&mut self, symbol: Symbol, words: &dyn WordSource) {
        let slot = symbol.0 as usize;
        if slot >= self.defined.len() {
            self.defined.resize(slot + 1, false);
        }
        self.defined[slot] = true;
        put_varint(&mut self.definitions, u64::from(symbol.0));
        put_bytes(&mut self.definitions, words.word_of(symbol).as_bytes());
    }
}

fn mark_of(event: &SealedEvent) -> u16 {
    let [a, b, c, d, e, f, g, h, ..] = event.user.0;
    let both = u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ u64::from(event.business_phone.0);
    (both.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}

/// The row's kind, and the byte of the message's form where the kind does not say it.
#[inline]
fn kind_and_form(body: &SealedBody) -> (u8, Option<u8>) {
    match body {
        SealedBody::UserMessage { kind: MessageKind::Text, referral: false } => (row::USER_TEXT, None),
        SealedBody::UserMessage { kind, referral } => {
            (row::USER_MESSAGE, Some(kind.code() | u8::from(*referral) << 7))
        }
        SealedBody::BusinessMessage { kind: MessageKind::Text, template: None } => (row::BUSINESS_TEXT, None),
        SealedBody::BusinessMessage { kind, template: None } => (row::BUSINESS_MESSAGE, Some(kind.code())),
        SealedBody::BusinessMessage { kind, template: Some(_) } => (row::TEMPLATE, Some(kind.code())),
        SealedBody::Status(_) => (row::STATUS, None),
        SealedBody::UserCall => (row::USER_CALL, None),
        SealedBody::Consent(_) => (row::CONSENT, None),
    }
}

fn put_verdict(out: &mut Vec<u8>, said: &ProviderVerdict) {
    let texts = [
        (verdict::CONVERSATION_ID, &said.conversation_id),
        (verdict::ORIGIN_TYPE, &said.origin_type),
        (verdict::PRICING_MODEL, &said.pricing_model),
        (verdict::PRICING_TYPE, &said.pricing_type),
        (verdict::CATEGORY, &said.category),
    ];
    let mut bits = match said.billable {
        None => 0,
        Some(true) => verdict::BILLABLE,
        Some(false) => verdict::NOT_BILLABLE,
    };
    bits |= if said.expires_at.is_some() { verdict::EXPIRES_AT } else { 0 };
    for (bit, text) in texts {
        bits |= if text.is_empty() { 0 } else { bit };
    }
    out.push(bits);
    if let Some(time) = said.expires_at {
        put_signed(out, time.0);
    }
    for (_, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        put_bytes(out, text.as_bytes());
    }
}
