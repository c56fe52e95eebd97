//! What has to hold for bytes that nobody vouches for: one function for each reader of such bytes. It is given to the
//! fuzzer, and to the tests that replay what the fuzzer once found.
//!
//! Knows nothing of who makes the bytes. Invariant: a function returns for any bytes, or the reader is wrong.

use std::{collections::HashMap, fs};

use ledger::log::{LogBatch, LogReader, LogWriter, LoggedRecord, NO_THREAD, WordSource, check_log};
use model::{Event, Offset, SealedBody, Symbol, UserRef};
use wire::{
    Delimited, Format, Piece, WebhookDefaults, decode_json_line, decode_protobuf, decode_record_value,
    event_to_json, event_to_protobuf, next_delimited, sniff, strip_confluent,
};

/// Panics if a reader is wrong.
pub type Reader = fn(&[u8]);

/// Every reader by the name of its fuzz target.
pub const READERS: [(&str, Reader); 5] = [
    ("json_line", json_line),
    ("webhook", webhook),
    ("protobuf", protobuf),
    ("framing", framing),
    ("log", log),
];

/// A line of JSON gives at least one piece, and an event in it is written and read again as it is.
///
/// # Panics
/// If it does not.
pub fn json_line(line: &[u8]) {
    let mut pieces = 0;
    decode_json_line(line, &defaults(), &mut |piece| {
        pieces += 1;
        look(&piece);
    });
    assert!(pieces > 0, "a line is nothing");
}

/// The same for the `value` of a webhook body, which a fuzzer seldom gets to by itself.
///
/// # Panics
/// As [`json_line`].
pub fn webhook(value: &[u8]) {
    let (before, after) =
        (br#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"value":"#, b"}]}]}");
    json_line(&[before, value, after].concat());
}

/// A protobuf message is one piece, and an event is written and read again as it is.
///
/// # Panics
/// If it is not.
pub fn protobuf(message: &[u8]) {
    look(&decode_protobuf(message));
}

/// Messages with their length before them lie within the bytes, one behind the other; a value of a record gives a piece.
///
/// # Panics
/// If they do not.
pub fn framing(bytes: &[u8]) {
    let mut rest = bytes;
    while let Delimited::Message { message, consumed } = next_delimited(rest) {
        assert!(consumed > message.len() && consumed <= rest.len());
        rest = &rest[consumed..];
    }
    if let Delimited::TooLong { header, .. } = next_delimited(rest) {
        assert!(header <= rest.len());
    }
    if let Some(inner) = strip_confluent(bytes) {
        assert!(bytes.ends_with(inner) && inner.len() < bytes.len());
    }
    assert!(matches!(sniff(bytes), Format::JsonLines | Format::Protobuf));
    let mut pieces = 0;
    decode_record_value(bytes, &defaults(), &mut |piece| {
        pieces += 1;
        look(&piece);
    });
    assert!(pieces > 0, "a value is nothing");
}

/// A segment of the log of any bytes is read, refused or cut; rows of any bytes in a block with the right checksum too,
/// and what is read of them is written and read again as it is.
///
/// # Panics
/// If it is not.
pub fn log(bytes: &[u8]) {
    let read = read_segment(bytes);
    if let Some((end, records)) = &read {
        assert!(records.len() as u64 <= *end);
    }
    let [count, definitions, payload @ ..] = bytes else { return };
    let Some((end, records)) = read_segment(&sealed(u32::from(count % 32) + 1, *definitions, payload)) else {
        return;
    };
    assert_eq!(end, records.len() as u64);
    if records.iter().all(|logged| symbols_of(logged).iter().all(|symbol| symbol.0 < 1 << 16)) {
        let place = tempfile::tempdir().expect("a folder can be made");
        let mut writer = LogWriter::open(place.path(), Offset(0)).expect("an empty log opens").writer;
        let mut hints = HashMap::new();
        let hints: Vec<u32> = records.iter().map(|logged| hint_of(logged, &mut hints)).collect();
        writer.append(&records, &hints, &NoWords).expect("what was read can be written");
        writer.sync(&[]).expect("a folder can be written to");
        assert_eq!(read_all(place.path()), Some(records));
    }
}

fn defaults() -> WebhookDefaults {
    WebhookDefaults { account: Some("1".to_owned()), business_phone: Some("2".to_owned()) }
}

/// What holds for every piece.
fn look(piece: &Piece<'_>) {
    match piece {
        Piece::Event(event) => read_again(event),
        Piece::Malformed(problem) => assert!(!problem.message.is_empty(), "{problem:?}"),
        Piece::Ignored(_) | Piece::Tick(_) => {}
    }
}

fn read_again(event: &Event<'_>) {
    let mut message = Vec::new();
    event_to_protobuf(event, &mut message);
    assert_eq!(event_in(&decode_protobuf(&message)), Some(event));
    let mut line = Vec::new();
    event_to_json(event, &mut line);
    let mut pieces = 0;
    decode_json_line(&line, &defaults(), &mut |piece| {
        pieces += 1;
        assert_eq!(event_in(&piece), Some(event), "{}", String::from_utf8_lossy(&line));
    });
    assert_eq!(pieces, 1);
}

fn event_in<'a, 'e>(piece: &'a Piece<'e>) -> Option<&'a Event<'e>> {
    match piece {
        Piece::Event(event) => Some(event),
        Piece::Ignored(_) | Piece::Malformed(_) | Piece::Tick(_) => None,
    }
}

/// Opens a log of one segment as a program does after a crash. Gives the offset of its end and its records, if it can be
/// read.
fn read_segment(bytes: &[u8]) -> Option<(u64, Vec<LoggedRecord>)> {
    let place = tempfile::tempdir().expect("a folder can be made");
    let segment = place.path().join(format!("{:020}.log", 0));
    fs::write(&segment, bytes).expect("a folder can be written to");
    let checked = check_log(place.path());
    let opened = LogWriter::open(place.path(), Offset(0)).ok()?;
    let end = opened.writer.next_offset();
    assert_eq!(checked.expect("a log that opens passes the check").next, end);
    let again = LogWriter::open(place.path(), end).expect("a log that was opened opens again");
    assert_eq!((again.cut_bytes, again.writer.next_offset()), (0, end));
    Some((end.0, read_all(place.path())?))
}

fn read_all(folder: &std::path::Path) -> Option<Vec<LoggedRecord>> {
    let mut reader = LogReader::open(folder, Offset(0)).expect("a log that opened can be read");
    let (mut batch, mut records) = (LogBatch::default(), Vec::new());
    while reader.next_batch(&mut batch).ok()? {
        assert_eq!(batch.records.len(), batch.threads.len());
        records.append(&mut batch.records);
    }
    Some(records)
}

/// A block as the log has it, around a payload whose first bytes define words: see `ledger::log::block`.
fn sealed(count: u32, definitions: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a fuzzer's input is short");
    let mut block = b"TFLB\x02\x00\x01\x00".to_vec();
    block.extend([0; 16]);
    for number in [count, length, u32::from(definitions).min(length)] {
        block.extend(number.to_le_bytes());
    }
    let checksum = blake3::Hasher::new().update(&block).update(payload).finalize();
    block.extend(&checksum.as_bytes()[..16]);
    block.extend(payload);
    block
}

/// Rows of a fuzzer name words that no block defines.
struct NoWords;

impl WordSource for NoWords {
    fn word_of(&self, _: Symbol) -> &str {
        ""
    }
}

fn hint_of(logged: &LoggedRecord, known: &mut HashMap<(UserRef, Symbol), u32>) -> u32 {
    let Some(event) = logged.record.content.event() else { return NO_THREAD };
    let next = u32::try_from(known.len()).expect("a fuzzer's input is short");
    *known.entry((event.user, event.business_phone)).or_insert(next)
}

fn symbols_of(logged: &LoggedRecord) -> Vec<Symbol> {
    let Some(event) = logged.record.content.event() else { return Vec::new() };
    let of_body = match &event.body {
        SealedBody::BusinessMessage { template: Some(template), .. } => template.name,
        SealedBody::Consent(consent) => consent.source,
        SealedBody::BusinessMessage { template: None, .. }
        | SealedBody::UserMessage { .. }
        | SealedBody::Status(_)
        | SealedBody::UserCall => Symbol::EMPTY,
    };
    vec![event.account, event.business_phone, event.tag, of_body]
}
