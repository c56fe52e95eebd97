//! From entries to records of the billing topics: keys, headers, and the numbering of charges.
//!
//! Knows nothing of Kafka. Invariant: the value of a ledger record is the entry's canonical bytes, untouched, and a
//! consumer can tell from the headers alone what follows what.

use std::{fmt, io::Write as _, ops::Range};

use model::{Entry, EntryBody, EntryHash, Offset, Sequence, UnixMillis};

use super::ports::{Header, LedgerRecord, OutRecord, PortError, Publisher, Target};

/// Names of the headers. CloudEvents' own begin with `ce_`; ours with `tarifa_`.
pub mod header {
    /// Number of the record in its partition (ledger), or among those of its source partition (charges), in decimal.
    pub const SEQUENCE: &str = "tarifa_sequence";
    /// Chain hash of the entry before, or of the entry behind the charges record before: 32 bytes.
    pub const PREVIOUS_HASH: &str = "tarifa_previous_hash";
    /// In the ledger topic, with the last of a transaction: how many of the partition's entries up to this one are in the
    /// charges topic, in decimal.
    pub const CHARGES: &str = "tarifa_charges";
    /// Beside it: chain hash of the last of those, 32 bytes.
    pub const CHARGES_HASH: &str = "tarifa_charges_hash";
    /// In the charges topic: partition of the ledger topic that the record comes from, in decimal.
    pub const SOURCE_PARTITION: &str = "tarifa_source_partition";
    /// In the dead-letter topic: why.
    pub const REASON: &str = "tarifa_reason";
    /// In the dead-letter topic: topic, partition and offset of the original, with slashes between.
    pub const POSITION: &str = "tarifa_position";
    /// Form of the value.
    pub const CONTENT_TYPE: &str = "content-type";
}

const PROTOBUF: &[u8] = b"application/protobuf";

/// How many entries of a partition have gone to the charges topic, and the chain hash of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChargesHead {
    pub(crate) number: u64,
    pub(crate) hash: EntryHash,
}

impl Default for ChargesHead {
    fn default() -> Self {
        Self { number: 0, hash: EntryHash::ZERO }
    }
}

/// Where a partition's publishing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublishedHead {
    pub(crate) sequence: Sequence,
    pub(crate) hash: EntryHash,
    /// Of the record that led to this entry.
    pub(crate) offset: Offset,
    pub(crate) charges: ChargesHead,
}

impl Default for PublishedHead {
    fn default() -> Self {
        Self {
            sequence: Sequence(0),
            hash: EntryHash::ZERO,
            offset: Offset(0),
            charges: ChargesHead::default(),
        }
    }
}

impl PublishedHead {
    /// Publishing stands behind this entry, which has this hash.
    pub(crate) fn behind(entry: &Entry, hash: EntryHash, charges: ChargesHead) -> Self {
        Self { sequence: entry.sequence, hash, offset: entry.offset, charges }
    }
}

impl ChargesHead {
    /// What a record of the ledger topic says. The last one does unless a transaction was cut in two, as others are not
    /// seen before it is ended.
    pub(crate) fn told_by(record: &LedgerRecord) -> Option<Self> {
        let value =
            |name: &str| record.headers.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value);
        let number = value(header::CHARGES).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())?;
        let hash = value(header::CHARGES_HASH).and_then(|bytes| bytes.as_slice().try_into().ok())?;
        Some(Self { number, hash: EntryHash(hash) })
    }

    /// After one more entry: the charges topic has those about money alone.
    pub(crate) fn after(self, entry: &Entry, hash: EntryHash) -> Self {
        match entry.body.charge() {
            Some(_) => Self { number: self.number + 1, hash },
            None => self,
        }
    }
}

/// The names that go into every record.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// `ce_source`.
    pub(crate) source: String,
    /// Name of the ledger topic.
    pub(crate) ledger: String,
    /// Name of the charges topic.
    pub(crate) charges: String,
    /// Name of the dead-letter topic.
    pub(crate) dead_letter: String,
}

/// Sends what an entry says to the ledger topic and, if it is about money, to the charges topic. Gives where publishing
/// stands then. Only the last entry of a transaction says so itself: each header costs as much as a tenth of the record,
/// here and at every reader.
///
/// # Errors
/// The publisher's.
pub(crate) fn send_entry(
    publisher: &mut dyn Publisher,
    names: &Names,
    entry: &Entry,
    (hash, canonical): (EntryHash, &[u8]),
    (before, is_last): (&PublishedHead, bool),
) -> Result<PublishedHead, PortError> {
    let partition = entry.partition.0;
    let account = entry.body.charge().map(|charge| &*charge.conversation.subject.account);
    let charges = before.charges.after(entry, hash);
    // All texts of an entry lie in one piece of memory.
    let mut texts = Texts::default();
    let id = texts.put(format_args!("{}/{partition}/{}", names.ledger, entry.sequence.0));
    let sequence = texts.put(format_args!("{}", entry.sequence.0));
    let kind = texts.put(format_args!("tarifa.billing.v1.{}", entry.body.kind().as_str()));
    let time = texts.put_time(entry.event_time);
    let number = texts.put(format_args!("{}", charges.number));
    // The thread that the entry is about, if it is about one.
    let key = entry
        .body
        .subject()
        .map(|subject| texts.put(format_args!("{}:{}", subject.business_phone, subject.user)));
    let headers: [Header<'_>; 10] = [
        ("ce_specversion", Some(b"1.0")),
        ("ce_id", Some(texts.get(&id))),
        ("ce_source", Some(names.source.as_bytes())),
        ("ce_type", Some(texts.get(&kind))),
        ("ce_time", Some(texts.get(&time))),
        (header::CONTENT_TYPE, Some(PROTOBUF)),
        (header::SEQUENCE, Some(texts.get(&sequence))),
        (header::PREVIOUS_HASH, Some(&before.hash.0)),
        (header::CHARGES, Some(texts.get(&number))),
        (header::CHARGES_HASH, Some(&charges.hash.0)),
    ];
    // The last two, about charges, stand with the last entry alone.
    let told = if is_last { headers.len() } else { headers.len() - 2 };
    publisher.send(&OutRecord {
        target: Target::Ledger(entry.partition),
        key: key.as_ref().map(|key| texts.get(key)),
        value: Some(canonical),
        headers: &headers[..told],
    })?;
    if let Some(account) = account {
        let id = texts.put(format_args!("{}/{partition}/{}", names.charges, charges.number));
        let source = texts.put(format_args!("{partition}"));
        let headers: [Header<'_>; 9] = [
            ("ce_specversion", Some(b"1.0")),
            ("ce_id", Some(texts.get(&id))),
            ("ce_source", Some(names.source.as_bytes())),
            ("ce_type", Some(texts.get(&kind))),
            ("ce_time", Some(texts.get(&time))),
            (header::CONTENT_TYPE, Some(PROTOBUF)),
            (header::SOURCE_PARTITION, Some(texts.get(&source))),
            (header::SEQUENCE, Some(texts.get(&number))),
            (header::PREVIOUS_HASH, Some(&before.charges.hash.0)),
        ];
        publisher.send(&OutRecord {
            target: Target::Charges,
            key: Some(account.as_bytes()),
            value: Some(canonical),
            headers: &headers,
        })?;
    }
    Ok(PublishedHead::behind(entry, hash, charges))
}

/// What is left of a quarantined record.
#[derive(Debug)]
pub(crate) struct DeadLetter<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [(String, Option<Vec<u8>>)],
}

/// Sends the original of a quarantined record to the dead-letter topic.
///
/// # Errors
/// The publisher's.
pub(crate) fn send_dead_letter(
    publisher: &mut dyn Publisher,
    names: &Names,
    input: &str,
    (entry, previous): (&Entry, &EntryHash),
    letter: &DeadLetter<'_>,
) -> Result<(), PortError> {
    let EntryBody::RecordQuarantined(quarantined) = &entry.body else { return Ok(()) };
    let (partition, sequence) = (entry.partition.0, entry.sequence.0.to_string());
    let id = format!("{}/{partition}/{sequence}", names.dead_letter);
    let position = format!("{input}/{partition}/{}", entry.offset.0);
    let time = wire::rfc3339_of(entry.record_time);
    let mut headers: Vec<Header<'_>> =
        letter.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    headers.extend([
        ("ce_specversion", Some(b"1.0".as_slice())),
        ("ce_id", Some(id.as_bytes())),
        ("ce_source", Some(names.source.as_bytes())),
        ("ce_type", Some(b"tarifa.billing.v1.RecordQuarantined")),
        ("ce_time", Some(time.as_bytes())),
        (header::REASON, Some(quarantined.reason.as_str().as_bytes())),
        (header::POSITION, Some(position.as_bytes())),
        (header::SEQUENCE, Some(sequence.as_bytes())),
        (header::PREVIOUS_HASH, Some(&previous.0)),
    ]);
    publisher.send(&OutRecord {
        target: Target::DeadLetter,
        key: letter.key,
        value: letter.value,
        headers: &headers,
    })
}

/// Texts one behind the other, each known by where it lies.
struct Texts(Vec<u8>);

impl Default for Texts {
    fn default() -> Self {
        Self(Vec::with_capacity(256))
    }
}

impl Texts {
    fn put(&mut self, text: fmt::Arguments<'_>) -> Range<usize> {
        let start = self.0.len();
        // Memory takes whatever is written.
        self.0.write_fmt(text).ok();
        start..self.0.len()
    }

    fn put_time(&mut self, at: UnixMillis) -> Range<usize> {
        let start = self.0.len();
        wire::put_rfc3339(&mut self.0, at);
        start..self.0.len()
    }

    fn get(&self, place: &Range<usize>) -> &[u8] {
        &self.0[place.clone()]
    }
}
