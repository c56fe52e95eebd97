//! Reports of one message: which are new, which repeat, which contradict; and what they make of it together.
//!
//! Invariant: what is known of a message is a function of the set of its accepted reports.

use std::collections::BTreeMap;

use model::{MessageRef, Offset, SealedStatus, StatusKind, Symbol, UnixMillis};

use crate::message::seen;

/// One report of a message, kept where there is more than one of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) message: MessageRef,
    pub(crate) at: UnixMillis,
    pub(crate) offset: Offset,
    pub(crate) account: Symbol,
    /// One of the bits in [`seen`].
    pub(crate) what: u16,
    /// Of what the provider said with it, to tell whether it says something new. 0 if it said nothing.
    pub(crate) verdict_hash: u32,
}

/// What a report turns out to be, given those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Novelty {
    /// Known, nothing in it that is earlier.
    Repeat,
    /// Known within the same second, but at an earlier millisecond: the earliest time stands.
    Earlier,
    /// Another account says the same: the first stands.
    Contradicts,
    /// Not known yet.
    New,
}

/// The bit of a status.
pub(crate) fn bit_of(status: StatusKind) -> u16 {
    match status {
        StatusKind::Sent => seen::SENT,
        StatusKind::Delivered => seen::DELIVERED,
        StatusKind::Read => seen::READ,
        StatusKind::Failed => seen::FAILED,
    }
}

/// A short hash of what the provider said; 0 where it said nothing.
pub(crate) fn verdict_hash(status: &SealedStatus) -> u32 {
    let Some(verdict) = &status.verdict else { return 0 };
    let mut hasher = blake3::Hasher::new();
    let expires = verdict.expires_at.map_or(i64::MIN, |at| at.0);
    let billable = verdict.billable.map_or(2, u8::from);
    hasher.update(&expires.to_be_bytes()).update(&[billable]);
    let words = [
        &verdict.conversation_id,
        &verdict.origin_type,
        &verdict.pricing_model,
        &verdict.pricing_type,
        &verdict.category,
    ];
    for word in words {
        hasher.update(&(word.len() as u64).to_be_bytes()).update(word.as_bytes());
    }
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    u32::from_le_bytes([a, b, c, d]).max(1)
}

/// Reports are told apart by message, kind and whole second.
type Key = (MessageRef, u16, i64);

/// All reports of the messages of a thread that have more than one. A tree, so that a thread with a million of them
/// takes the next one as quickly as a short one.
#[derive(Debug, Default)]
pub(crate) struct EvidenceLog {
    reports: BTreeMap<Key, Evidence>,
}

impl EvidenceLog {
    /// All reports of one message.
    pub(crate) fn of(&self, message: MessageRef) -> impl Iterator<Item = &Evidence> + Clone {
        self.reports.range((message, 0, i64::MIN)..=(message, u16::MAX, i64::MAX)).map(|(_, report)| report)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Evidence> {
        self.reports.values()
    }

    /// Whether a report is new.
    pub(crate) fn novelty(&self, report: &Evidence) -> Novelty {
        match self.reports.get(&key_of(report)) {
            None => Novelty::New,
            Some(known) => compare(known, report),
        }
    }

    /// Adds a report, in place of one of the same second.
    pub(crate) fn put(&mut self, report: Evidence) {
        self.reports.insert(key_of(&report), report);
    }
}

fn key_of(report: &Evidence) -> Key {
    (report.message, report.what, report.at.second())
}

/// What a report is beside a known one of the same kind and second.
pub(crate) fn compare(known: &Evidence, report: &Evidence) -> Novelty {
    if known.account != report.account {
        Novelty::Contradicts
    } else if report.at < known.at {
        Novelty::Earlier
    } else {
        Novelty::Repeat
    }
}

/// What the reports of one message say together: its time, the place of the report that gives it, and its account.
///
/// The account is that of the message's own report if there is one, else of its earliest report; of those at the same
/// instant sent comes before delivered, read and failed.
pub(crate) fn together<'a>(
    reports: impl Iterator<Item = &'a Evidence> + Clone,
) -> Option<(UnixMillis, Offset, Symbol)> {
    let earliest = reports.clone().min_by_key(|report| (report.at, report.what))?;
    let mut reports = reports;
    let reported = reports.find(|report| report.what == seen::REPORTED);
    Some((earliest.at, earliest.offset, reported.unwrap_or(earliest).account))
}
