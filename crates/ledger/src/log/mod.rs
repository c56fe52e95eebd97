//! The embedded event log: append-only segments of checksummed blocks beside sled.
//!
//! Knows nothing of rules, entries or sled; it is the only truth of an installation without Kafka.
//! Invariant: what `sync` has returned for reads back bit by bit, or opening fails and says where it is damaged.
//!
//! Records come in groups. A group carries rows of the caller's own, such as how far each input was read, and is there
//! as a whole or not at all, so that rows and records agree after any crash.
//!
//! A segment is a file named by its first offset. It explains itself: words and threads are written in full at their
//! first mention in it, so that any segment can be read without those before.

mod block;
mod check;
mod decode;
mod encode;
mod error;
mod reader;
mod segment;
mod writer;

pub use check::{LogExtent, check_log};
pub use error::LogError;
pub use reader::{LogBatch, LogReader, NewThread};
pub use writer::{LogWriter, Opened};

use model::{ContentHash, Record, Symbol};

/// Thread hint of a record that belongs to no thread.
pub const NO_THREAD: u32 = u32::MAX;

/// A record, and the hash of its original bytes if it went into quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRecord {
    /// What was read.
    pub record: Record,
    /// Of the bytes that quarantine holds. Apart, as few records have it and all are handed on.
    pub original: Option<Box<ContentHash>>,
}

impl AsMut<Record> for LoggedRecord {
    fn as_mut(&mut self) -> &mut Record {
        &mut self.record
    }
}

impl AsRef<Record> for LoggedRecord {
    fn as_ref(&self) -> &Record {
        &self.record
    }
}

/// Gives the word behind a symbol, at its first mention in a segment.
pub trait WordSource {
    /// The word; empty if the number was never given.
    fn word_of(&self, symbol: Symbol) -> &str;
}

impl WordSource for crate::SymbolTable {
    fn word_of(&self, symbol: Symbol) -> &str {
        self.word(symbol)
    }
}

/// What a thread is, and which account its last record in the segment had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ThreadFacts {
    user: model::UserRef,
    leading_digits: model::LeadingDigits,
    business_phone: Symbol,
    last_account: Symbol,
}

/// First bytes of a row: what it is, and what of it is written. The kind is in the low four bits.
mod row {
    pub(super) const USER_MESSAGE: u8 = 0;
    /// Text without a referral: the usual case, saved a byte.
    pub(super) const USER_TEXT: u8 = 1;
    pub(super) const BUSINESS_MESSAGE: u8 = 2;
    /// Text without a template.
    pub(super) const BUSINESS_TEXT: u8 = 3;
    pub(super) const TEMPLATE: u8 = 4;
    pub(super) const STATUS: u8 = 5;
    pub(super) const USER_CALL: u8 = 6;
    pub(super) const CONSENT: u8 = 7;
    pub(super) const MALFORMED: u8 = 8;
    pub(super) const MISROUTED: u8 = 9;
    pub(super) const IGNORED: u8 = 10;
    pub(super) const TICK: u8 = 11;
    pub(super) const CONFIGURATION: u8 = 12;
    /// The original offset and the row of an event follow.
    pub(super) const RESUBMISSION: u8 = 13;

    pub(super) const KIND: u8 = 0x0f;
    /// The record time differs from the event time.
    pub(super) const RECORD_TIME: u8 = 0x10;
    /// The account differs from that of the thread's last record.
    pub(super) const ACCOUNT: u8 = 0x20;
    pub(super) const TAG: u8 = 0x40;
    /// The hash of the original bytes.
    pub(super) const ORIGINAL: u8 = 0x80;
}

/// Bits of a status row.
mod status {
    pub(super) const KIND: u8 = 0x07;
    pub(super) const ERROR_CODE: u8 = 0x08;
    pub(super) const VERDICT: u8 = 0x10;
}

/// Bits that say which fields of a provider's verdict are there.
mod verdict {
    pub(super) const CONVERSATION_ID: u8 = 0x01;
    pub(super) const EXPIRES_AT: u8 = 0x02;
    pub(super) const ORIGIN_TYPE: u8 = 0x04;
    pub(super) const BILLABLE: u8 = 0x08;
    pub(super) const NOT_BILLABLE: u8 = 0x10;
    pub(super) const PRICING_MODEL: u8 = 0x20;
    pub(super) const PRICING_TYPE: u8 = 0x40;
    pub(super) const CATEGORY: u8 = 0x80;
}

#[cfg(test)]
mod tests;
