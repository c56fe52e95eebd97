//! Rows as records again.
//!
//! Knows nothing of files. Invariant: bytes that no encoder wrote are an error, never a panic or another record.

use model::{
    Category, Configured, ConsentFact, ContentHash, IgnoredReason, LeadingDigits, MalformedReason,
    MessageKind, MessageRef, Offset, ProviderVerdict, Record, RecordContent, SealedBody, SealedEvent,
    SealedStatus, SealedTemplate, StatusKind, Symbol, UnixMillis, UserRef,
};

use super::{LoggedRecord, NO_THREAD, NewThread, ThreadFacts, row, status, verdict};
use crate::{
    num::{Cursor, Malformed},
    store::Row,
};

/// What a segment has mentioned so far.
#[derive(Debug, Default)]
pub(super) struct SegmentDecoder {
    threads: Vec<ThreadFacts>,
    last_time: i64,
}

impl SegmentDecoder {
    pub(super) fn start_segment(&mut self) {
        self.threads.clear();
    }

    /// Reads the words that a block defines. Gives the rows of the group that it closes.
    pub(super) fn definitions(
        bytes: &[u8],
        mut each: impl FnMut(Symbol, &str) -> Result<(), Malformed>,
    ) -> Result<Vec<Row>, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let mut rows = Vec::new();
        while !cursor.is_empty() {
            let symbol = Symbol(cursor.varint_u32()?);
            if symbol == Symbol::EMPTY {
                while !cursor.is_empty() {
                    rows.push((cursor.bytes()?.to_vec(), cursor.bytes()?.to_vec()));
                }
                break;
            }
            each(symbol, cursor.text()?)?;
        }
        Ok(rows)
    }

    /// Reads all rows of a block. `threads` gets the number of each record's thread.
    pub(super) fn rows(
        &mut self,
        bytes: &[u8],
        first: Offset,
        count: u32,
        records: &mut Vec<LoggedRecord>,
        threads: &mut Vec<u32>,
        new_threads: &mut Vec<NewThread>,
    ) -> Result<(), Malformed> {
        let mut cursor = Cursor::new(bytes);
        self.last_time = 0;
        for place in 0..u64::from(count) {
            let (logged, thread) = self.row(&mut cursor, Offset(first.0 + place), new_threads)?;
            records.push(logged);
            threads.push(thread);
        }
        cursor.finish()
    }

    #[inline]
    fn row(
        &mut self,
        cursor: &mut Cursor<'_>,
        offset: Offset,
        new_threads: &mut Vec<NewThread>,
    ) -> Result<(LoggedRecord, u32), Malformed> {
        let mut first = cursor.byte()?;
        let mut resubmits = None;
        if first == row::RESUBMISSION {
            resubmits = Some(Offset(cursor.varint()?));
            first = cursor.byte()?;
        }
        let (record_time, content, thread) = if first & row::KIND <= row::CONSENT {
            let (event, record_time, thread) = self.event(cursor, first, new_threads)?;
            let content = match resubmits {
                Some(original) => RecordContent::Resubmission { original, event },
                None => RecordContent::Event(event),
            };
            (record_time, content, thread)
        } else if resubmits.is_some() || first & !(row::KIND | row::ORIGINAL) != 0 {
            return Err(Malformed);
        } else {
            let record_time = self.time(cursor)?;
            (record_time, without_event(cursor, first & row::KIND, record_time)?, NO_THREAD)
        };
        let original = match first & row::ORIGINAL {
            0 => None,
            _ => Some(Box::new(ContentHash(cursor.array()?))),
        };
        Ok((LoggedRecord { record: Record { offset, record_time, content }, original }, thread))
    }

    #[inline]
    fn event(
        &mut self,
        cursor: &mut Cursor<'_>,
        first: u8,
        new_threads: &mut Vec<NewThread>,
    ) -> Result<(SealedEvent, UnixMillis, u32), Malformed> {
        let number = cursor.varint_u32()?;
        if number as usize == self.threads.len() {
            let facts = ThreadFacts {
                user: UserRef(cursor.array()?),
                leading_digits: LeadingDigits(cursor.array()?),
                business_phone: Symbol(cursor.varint_u32()?),
                last_account: Symbol::EMPTY,
            };
            if first & row::ACCOUNT == 0 {
                return Err(Malformed);
            }
            self.threads.push(facts);
            new_threads.push(NewThread { number, user: facts.user, business_phone: facts.business_phone });
        }
        let occurred_at = self.time(cursor)?;
        let message = MessageRef(cursor.array()?);
        let record_time = match first & row::RECORD_TIME {
            0 => occurred_at,
            _ => UnixMillis(occurred_at.0.wrapping_add(cursor.signed()?)),
        };
        let facts = self.threads.get_mut(number as usize).ok_or(Malformed)?;
        if first & row::ACCOUNT != 0 {
            facts.last_account = Symbol(cursor.varint_u32()?);
        }
        let tag = match first & row::TAG {
            0 => Symbol::EMPTY,
            _ => Symbol(cursor.varint_u32()?),
        };
        let event = SealedEvent {
            occurred_at,
            message,
            user: facts.user,
            leading_digits: facts.leading_digits,
            business_phone: facts.business_phone,
            account: facts.last_account,
            tag,
            body: body(cursor, first & row::KIND)?,
        };
        Ok((event, record_time, number))
    }

    #[inline]
    fn time(&mut self, cursor: &mut Cursor<'_>) -> Result<UnixMillis, Malformed> {
        self.last_time = self.last_time.wrapping_add(cursor.signed()?);
        Ok(UnixMillis(self.last_time))
    }
}

#[inline]
fn body(cursor: &mut Cursor<'_>, kind: u8) -> Result<SealedBody, Malformed> {
    match kind {
        row::USER_TEXT => Ok(SealedBody::UserMessage { kind: MessageKind::Text, referral: false }),
        row::USER_MESSAGE => {
            let form = cursor.byte()?;
            Ok(SealedBody::UserMessage { kind: message_kind(form & 0x7f)?, referral: form & 0x80 != 0 })
        }
        row::BUSINESS_TEXT => Ok(SealedBody::BusinessMessage { kind: MessageKind::Text, template: None }),
        row::BUSINESS_MESSAGE => {
            Ok(SealedBody::BusinessMessage { kind: message_kind(cursor.byte()?)?, template: None })
        }
        row::TEMPLATE => {
            let kind = message_kind(cursor.byte()?)?;
            let name = Symbol(cursor.varint_u32()?);
            let category = Category::from_code(cursor.byte()?).ok_or(Malformed)?;
            Ok(SealedBody::BusinessMessage { kind, template: Some(SealedTemplate { name, category }) })
        }
        row::STATUS => read_status(cursor).map(SealedBody::Status),
        row::USER_CALL => Ok(SealedBody::UserCall),
        row::CONSENT => {
            let granted = flag(cursor.byte()?)?;
            Ok(SealedBody::Consent(ConsentFact { granted, source: Symbol(cursor.varint_u32()?) }))
        }
        _ => Err(Malformed),
    }
}

fn without_event(
    cursor: &mut Cursor<'_>,
    kind: u8,
    record_time: UnixMillis,
) -> Result<RecordContent, Malformed> {
    Ok(match kind {
        row::MALFORMED => {
            RecordContent::Malformed(MalformedReason::from_code(cursor.byte()?).ok_or(Malformed)?)
        }
        row::MISROUTED => RecordContent::Misrouted,
        row::IGNORED => RecordContent::Ignored(IgnoredReason::from_code(cursor.byte()?).ok_or(Malformed)?),
        row::TICK => RecordContent::Tick(UnixMillis(record_time.0.wrapping_add(cursor.signed()?))),
        row::CONFIGURATION => RecordContent::Configuration(Configured {
            content: ContentHash(cursor.array()?),
            effective_from: UnixMillis(cursor.signed()?),
        }),
        _ => return Err(Malformed),
    })
}

fn message_kind(code: u8) -> Result<MessageKind, Malformed> {
    MessageKind::from_code(code).ok_or(Malformed)
}

const fn flag(byte: u8) -> Result<bool, Malformed> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed),
    }
}

fn read_status(cursor: &mut Cursor<'_>) -> Result<SealedStatus, Malformed> {
    let bits = cursor.byte()?;
    if bits & !(status::KIND | status::ERROR_CODE | status::VERDICT) != 0 {
        return Err(Malformed);
    }
    Ok(SealedStatus {
        status: StatusKind::from_code(bits & status::KIND).ok_or(Malformed)?,
        error_code: if bits & status::ERROR_CODE == 0 { 0 } else { cursor.varint_u32()? },
        verdict: if bits & status::VERDICT == 0 { None } else { Some(Box::new(read_verdict(cursor)?)) },
    })
}

fn read_verdict(cursor: &mut Cursor<'_>) -> Result<ProviderVerdict, Malformed> {
    let bits = cursor.byte()?;
    let expires_at = if bits & verdict::EXPIRES_AT == 0 { None } else { Some(UnixMillis(cursor.signed()?)) };
    let mut text = |bit| if bits & bit == 0 { Ok(String::new()) } else { cursor.text().map(str::to_owned) };
    Ok(ProviderVerdict {
        conversation_id: text(verdict::CONVERSATION_ID)?,
        expires_at,
        origin_type: text(verdict::ORIGIN_TYPE)?,
        billable: match (bits & verdict::BILLABLE != 0, bits & verdict::NOT_BILLABLE != 0) {
            (false, false) => None,
            (true, false) => Some(true),
            (false, true) => Some(false),
            (true, true) => return Err(Malformed),
        },
        pricing_model: text(verdict::PRICING_MODEL)?,
        pricing_type: text(verdict::PRICING_TYPE)?,
        category: text(verdict::CATEGORY)?,
    })
}
