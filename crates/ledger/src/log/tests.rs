//! The log through restarts, torn tails and damage, and every kind of record through its bytes.

use std::{collections::HashMap, fs, path::Path};

use model::{
    Category, Configured, ConsentFact, IgnoredReason, LeadingDigits, MalformedReason, MessageKind,
    MessageRef, Offset, ProviderVerdict, RecordContent, SealedBody, SealedEvent, SealedStatus,
    SealedTemplate, StatusKind, UnixMillis, UserRef,
};
use proptest::{option, prelude::*};

use super::*;
use crate::SymbolTable;

mod groups;

#[test]
fn what_is_synced_reads_back_after_any_number_of_restarts() {
    let place = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    for run in 0..4 {
        let mut opened = LogWriter::open(place.path(), Offset(written.len() as u64)).unwrap();
        assert_eq!(opened.cut_bytes, 0);
        for _ in 0..run {
            append(&mut opened.writer, &mut written, 7);
            opened.writer.sync(&[]).unwrap();
        }
    }
    assert_eq!(read(place.path(), Offset(0)).unwrap(), written);
    assert_eq!(segments(place.path()).len(), 3, "one for each run that wrote");
}

#[test]
fn reading_may_begin_at_any_record_of_any_segment() {
    let place = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    let opened = LogWriter::open(place.path(), Offset(0)).unwrap();
    let mut writer = opened.writer.with_segment_records(20);
    for _ in 0..9 {
        append(&mut writer, &mut written, 7);
        writer.sync(&[]).unwrap();
    }
    assert_eq!(segments(place.path()).len(), 3);
    for from in 0..=written.len() {
        assert_eq!(read(place.path(), Offset(from as u64)).unwrap(), written[from..], "{from}");
    }
    let beyond = read(place.path(), Offset(written.len() as u64 + 1));
    assert!(matches!(beyond, Err(LogError::Short { .. })));
}

#[test]
fn a_tail_torn_at_any_byte_of_the_last_block_is_cut() {
    let place = tempfile::tempdir().unwrap();
    let (written, blocks) = three_blocks(place.path());
    let segment = &segments(place.path())[0];
    let whole = fs::read(segment).unwrap();
    let last = blocks[2];
    for length in last..whole.len() {
        fs::write(segment, &whole[..length]).unwrap();
        assert_eq!(read(place.path(), Offset(0)).unwrap(), written[..10], "{length}");
        let opened = LogWriter::open(place.path(), Offset(10)).unwrap();
        assert_eq!(opened.cut_bytes, (length - last) as u64);
        assert_eq!(opened.writer.next_offset(), Offset(10));
        assert_eq!(fs::read(segment).unwrap(), whole[..last]);
    }
}

#[test]
fn a_torn_block_that_the_ledger_has_used_is_not_cut_but_reported() {
    let place = tempfile::tempdir().unwrap();
    let (_, _) = three_blocks(place.path());
    let segment = &segments(place.path())[0];
    let whole = fs::read(segment).unwrap();
    fs::write(segment, &whole[..whole.len() - 1]).unwrap();
    let error = LogWriter::open(place.path(), Offset(11)).unwrap_err();
    assert!(matches!(error, LogError::Short { end: Offset(10), committed: Offset(11) }));
    assert_eq!(fs::read(segment).unwrap().len(), whole.len() - 1, "nothing is cut");
}

#[test]
fn any_changed_byte_before_the_last_block_is_damage_with_its_place() {
    let place = tempfile::tempdir().unwrap();
    let (_, blocks) = three_blocks(place.path());
    let segment = &segments(place.path())[0];
    let whole = fs::read(segment).unwrap();
    for position in 0..blocks[2] {
        let mut changed = whole.clone();
        changed[position] ^= 0x04;
        fs::write(segment, &changed).unwrap();
        let block = blocks.iter().rev().find(|start| **start <= position).unwrap();
        for error in [read(place.path(), Offset(0)).err(), LogWriter::open(place.path(), Offset(0)).err()] {
            match error {
                Some(LogError::Damaged { path, position, .. }) => {
                    assert_eq!((&path, position), (segment, *block as u64));
                }
                // A version that is not known yet may be a newer program's; nothing but its number says so.
                Some(LogError::Newer { .. }) if (4..6).contains(&(position - block)) => {}
                other => panic!("byte {position}: {other:?}"),
            }
        }
        assert_eq!(fs::read(segment).unwrap(), changed, "nothing is cut");
    }
}

#[test]
fn blocks_that_were_never_synced_are_all_cut_when_the_first_of_them_is_broken() {
    let place = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
    append(&mut writer, &mut written, 5);
    writer.sync(&[]).unwrap();
    let synced = fs::read(&segments(place.path())[0]).unwrap().len();
    // Two full blocks in one append, of which a power cut may keep the second and lose the first.
    append(&mut writer, &mut written, 2 * 16_384);
    writer.sync(&[]).unwrap();
    let segment = &segments(place.path())[0];
    let mut content = fs::read(segment).unwrap();
    content[synced..synced + 4096].fill(0);
    fs::write(segment, &content).unwrap();
    let opened = LogWriter::open(place.path(), Offset(5)).unwrap();
    assert_eq!(opened.cut_bytes, (content.len() - synced) as u64);
    assert_eq!(read(place.path(), Offset(0)).unwrap(), written[..5]);
}

#[test]
fn a_segment_without_a_whole_block_gives_way_to_the_next_run() {
    let place = tempfile::tempdir().unwrap();
    let (mut written, _) = three_blocks(place.path());
    for leftover in [&b""[..], b"TFLB and then nothing"] {
        let empty = place.path().join(format!("{:020}.log", written.len()));
        fs::write(&empty, leftover).unwrap();
        assert_eq!(read(place.path(), Offset(0)).unwrap(), written);
        let mut opened = LogWriter::open(place.path(), Offset(written.len() as u64)).unwrap();
        assert_eq!(opened.cut_bytes, leftover.len() as u64);
        append(&mut opened.writer, &mut written, 3);
        opened.writer.sync(&[]).unwrap();
        assert_eq!(read(place.path(), Offset(0)).unwrap(), written);
    }
}

#[test]
fn a_missing_segment_is_a_gap() {
    let place = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    for _ in 0..3 {
        let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
        append(&mut writer, &mut written, 4);
        writer.sync(&[]).unwrap();
    }
    fs::remove_file(&segments(place.path())[1]).unwrap();
    let gap = read(place.path(), Offset(0));
    assert!(matches!(gap, Err(LogError::Gap { expected: Offset(4), found: Offset(8), .. })));
    fs::remove_file(&segments(place.path())[0]).unwrap();
    let gap = read(place.path(), Offset(0));
    assert!(matches!(gap, Err(LogError::Gap { expected: Offset(0), found: Offset(8), .. })));
}

#[test]
fn wrong_calls_are_refused_and_end_the_writing() {
    let words = SymbolTable::new();
    let first = logged(0, 1, RecordContent::Misrouted);
    let place = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
    let skips = logged(1, 1, RecordContent::Misrouted);
    assert!(matches!(writer.append(&[skips], &[NO_THREAD], &words), Err(LogError::OutOfOrder { .. })));
    assert!(matches!(writer.append(&[first], &[NO_THREAD], &words), Err(LogError::Poisoned)));
    assert!(matches!(writer.sync(&[]), Err(LogError::Poisoned)));

    let ana = message(0, 1 << 32);
    let ben = message(1, 2 << 32);
    let mut ana_elsewhere = message(1, 1 << 32);
    if let RecordContent::Event(event) = &mut ana_elsewhere.record.content {
        event.business_phone = Symbol(1);
    }
    for other in [ben, ana_elsewhere] {
        let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
        let error = writer.append(&[ana.clone(), other], &[7, 7], &words).unwrap_err();
        assert!(matches!(error, LogError::Hint { offset: Offset(1), hint: 7 }));
    }
}

#[test]
fn words_and_threads_are_told_once_and_again_in_each_segment() {
    let place = tempfile::tempdir().unwrap();
    let mut words = SymbolTable::new();
    let tag = words.intern("spring");
    let account = words.intern("102290129340398");
    for offset in 0..2 {
        let mut record = message(offset, 1);
        let RecordContent::Event(event) = &mut record.record.content else { panic!() };
        (event.tag, event.account) = (tag, account);
        let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
        writer.append(&[record], &[0], &words).unwrap();
        writer.sync(&[]).unwrap();
    }
    let mut reader = LogReader::open(place.path(), Offset(0)).unwrap();
    let mut batch = LogBatch::default();
    assert!(reader.next_batch(&mut batch).unwrap());
    let told: Vec<_> = batch.words.iter().map(|(symbol, word)| (symbol.0, &**word)).collect();
    assert_eq!(told, [(2, "102290129340398"), (1, "spring")]);
    assert_eq!((batch.segment, batch.new_threads.len(), batch.threads[0]), (Offset(0), 1, 0));
    assert!(reader.next_batch(&mut batch).unwrap());
    assert_eq!((batch.segment, batch.new_threads.len(), batch.words.len()), (Offset(1), 1, 0));
}

/// Pinned: another form of a block needs another version number, as logs are kept for ever.
#[test]
fn the_bytes_of_a_block_stay_as_they_are() {
    let place = tempfile::tempdir().unwrap();
    let mut words = SymbolTable::new();
    let mut business = message(1, 1);
    if let RecordContent::Event(event) = &mut business.record.content {
        event.occurred_at = UnixMillis(1_643_882_700_000);
        event.tag = words.intern("spring");
        event.body = SealedBody::BusinessMessage {
            kind: MessageKind::Template,
            template: Some(SealedTemplate { name: words.intern("hello"), category: Category::Marketing }),
        };
    }
    let malformed = LoggedRecord {
        original: Some(Box::new(ContentHash([9; 32]))),
        ..logged(2, 1_643_882_800_000, RecordContent::Malformed(MalformedReason::CutOff))
    };
    let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
    writer.append(&[message(0, 1), business, malformed], &[0, 0, NO_THREAD], &words).unwrap();
    writer.sync(&[(b"february.jsonl".to_vec(), vec![7; 4])]).unwrap();
    let bytes = fs::read(&segments(place.path())[0]).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("golden_block.hex").trim_end());
    let written = read(place.path(), Offset(0)).unwrap();

    let before = include_str!("golden_block_1.hex").trim_end();
    let bytes: Vec<u8> =
        (0..before.len()).step_by(2).map(|at| u8::from_str_radix(&before[at..at + 2], 16).unwrap()).collect();
    fs::write(&segments(place.path())[0], bytes).unwrap();
    let opened = LogWriter::open(place.path(), Offset(3)).unwrap();
    assert_eq!(opened.cut_bytes, 0, "a block of version 1 is a group of its own");
    assert_eq!(read(place.path(), Offset(0)).unwrap(), written);
}

#[test]
fn an_event_of_usual_traffic_takes_22_bytes() {
    let place = tempfile::tempdir().unwrap();
    let words = SymbolTable::new();
    let mut writer = LogWriter::open(place.path(), Offset(0)).unwrap().writer;
    let (threads, count) = (10_000_u64, 100_000_u64);
    for offset in 0..count {
        // Half a second between two messages, and every thread in turn.
        let mut record = message(offset, offset * 7919 % threads);
        let time = UnixMillis(1_643_882_400_000 + i64::try_from(offset).unwrap() * 500);
        record.record.record_time = time;
        if let RecordContent::Event(event) = &mut record.record.content {
            event.occurred_at = time;
        }
        let hint = u32::try_from(offset * 7919 % threads).unwrap();
        writer.append(&[record], &[hint], &words).unwrap();
    }
    writer.sync(&[]).unwrap();
    let bytes = fs::metadata(&segments(place.path())[0]).unwrap().len();
    let of_threads = threads * 21;
    assert!((bytes - of_threads) <= 22 * count, "{bytes}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_records_read_back(contents in prop::collection::vec((content(), time(), option::of(any::<[u8; 32]>())), 1..80), sync_every in 1..30_usize) {
        let place = tempfile::tempdir().unwrap();
        let words = words();
        let records: Vec<LoggedRecord> = (0..)
            .zip(contents)
            .map(|(offset, (content, time, original))| LoggedRecord {
                original: original.map(|hash| Box::new(ContentHash(hash))),
                ..logged(offset, time.0, content)
            })
            .collect();
        let mut hints = Hints::default();
        let opened = LogWriter::open(place.path(), Offset(0)).unwrap();
        let mut writer = opened.writer.with_segment_records(40);
        for chunk in records.chunks(sync_every) {
            let numbers: Vec<u32> = chunk.iter().map(|record| hints.of(record)).collect();
            writer.append(chunk, &numbers, &words).unwrap();
            writer.sync(&[]).unwrap();
        }
        prop_assert_eq!(read(place.path(), Offset(0)).unwrap(), records);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0..20_u32) {
        let (mut records, mut threads, mut new) = (Vec::new(), Vec::new(), Vec::new());
        // Whether it fails is of no interest, only that it returns.
        let mut decoder = decode::SegmentDecoder::default();
        decoder.rows(&bytes, Offset(0), count, &mut records, &mut threads, &mut new).unwrap_or(());
        decode::SegmentDecoder::definitions(&bytes, |_, _| Ok(())).unwrap_or_default();
    }
}

/// Gives each thread the next number, as callers do.
#[derive(Default)]
struct Hints(HashMap<(UserRef, Symbol), u32>);

impl Hints {
    fn of(&mut self, logged: &LoggedRecord) -> u32 {
        let event = match &logged.record.content {
            RecordContent::Event(event) | RecordContent::Resubmission { event, .. } => event,
            RecordContent::Malformed(_)
            | RecordContent::Misrouted
            | RecordContent::Ignored(_)
            | RecordContent::Tick(_)
            | RecordContent::Configuration(_) => return NO_THREAD,
        };
        let next = u32::try_from(self.0.len()).unwrap();
        *self.0.entry((event.user, event.business_phone)).or_insert(next)
    }
}

/// Reads everything, and checks on the way that thread numbers, threads and words explain the records.
fn read(folder: &Path, from: Offset) -> Result<Vec<LoggedRecord>, LogError> {
    let mut reader = LogReader::open(folder, from)?;
    let mut batch = LogBatch::default();
    let mut threads = Vec::new();
    let mut segment = None;
    let mut records = Vec::new();
    while reader.next_batch(&mut batch)? {
        if segment.replace(batch.segment) != Some(batch.segment) {
            threads.clear();
        }
        for thread in &batch.new_threads {
            assert_eq!(thread.number as usize, threads.len());
            threads.push((thread.user, thread.business_phone));
        }
        for (logged, thread) in batch.records.iter().zip(&batch.threads) {
            match &logged.record.content {
                RecordContent::Event(event) | RecordContent::Resubmission { event, .. } => {
                    assert_eq!(threads[*thread as usize], (event.user, event.business_phone));
                }
                RecordContent::Malformed(_)
                | RecordContent::Misrouted
                | RecordContent::Ignored(_)
                | RecordContent::Tick(_)
                | RecordContent::Configuration(_) => assert_eq!(*thread, NO_THREAD),
            }
        }
        records.append(&mut batch.records);
    }
    Ok(records)
}

fn append(writer: &mut LogWriter, written: &mut Vec<LoggedRecord>, count: u64) {
    let first = written.len() as u64;
    for offset in first..first + count {
        let record = message(offset, offset % 3);
        writer
            .append(std::slice::from_ref(&record), &[u32::try_from(offset % 3).unwrap()], &words())
            .unwrap();
        written.push(record);
    }
}

/// Three synced blocks of five records, and where each begins.
fn three_blocks(folder: &Path) -> (Vec<LoggedRecord>, Vec<usize>) {
    let mut written = Vec::new();
    let mut starts = Vec::new();
    let mut writer = LogWriter::open(folder, Offset(0)).unwrap().writer;
    for _ in 0..3 {
        starts.push(segments(folder).first().map_or(0, |path| fs::read(path).unwrap().len()));
        append(&mut writer, &mut written, 5);
        writer.sync(&[]).unwrap();
    }
    (written, starts)
}

fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    crate::files::names(folder).unwrap().into_iter().map(|name| folder.join(name)).collect()
}

fn logged(offset: u64, record_time: i64, content: RecordContent) -> LoggedRecord {
    let record = Record { offset: Offset(offset), record_time: UnixMillis(record_time), content };
    LoggedRecord { record, original: None }
}

/// A text of a user of its own.
fn message(offset: u64, user: u64) -> LoggedRecord {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&offset.to_be_bytes());
    let mut user_ref = [0xaa; 16];
    user_ref[..8].copy_from_slice(&user.to_be_bytes());
    let at = 1_643_882_400_000;
    let event = SealedEvent {
        occurred_at: UnixMillis(at),
        message: MessageRef(id),
        user: UserRef(user_ref),
        leading_digits: LeadingDigits(*b"5511"),
        business_phone: Symbol::EMPTY,
        account: Symbol::EMPTY,
        tag: Symbol::EMPTY,
        body: SealedBody::UserMessage { kind: MessageKind::Text, referral: false },
    };
    logged(offset, at, RecordContent::Event(event))
}

fn words() -> SymbolTable {
    let mut table = SymbolTable::new();
    for number in 1..6 {
        assert_eq!(table.intern(&format!("word {number}")), Symbol(number));
    }
    table
}

fn symbol() -> impl Strategy<Value = Symbol> {
    (0..6_u32).prop_map(Symbol)
}

fn time() -> impl Strategy<Value = UnixMillis> {
    prop_oneof![
        4 => (1_643_000_000_000..1_644_000_000_000_i64).prop_map(UnixMillis),
        1 => any::<i64>().prop_map(UnixMillis)
    ]
}

fn content() -> impl Strategy<Value = RecordContent> {
    prop_oneof![
        8 => event().prop_map(RecordContent::Event),
        1 => prop::sample::select(MalformedReason::ALL).prop_map(RecordContent::Malformed),
        1 => Just(RecordContent::Misrouted),
        1 => prop::sample::select(IgnoredReason::ALL).prop_map(RecordContent::Ignored),
        1 => time().prop_map(RecordContent::Tick),
        1 => (any::<[u8; 32]>(), time()).prop_map(|(hash, effective_from)| {
            RecordContent::Configuration(Configured { content: ContentHash(hash), effective_from })
        }),
        1 => (any::<u64>(), event()).prop_map(|(original, event)| {
            RecordContent::Resubmission { original: Offset(original), event }
        }),
    ]
}

fn event() -> impl Strategy<Value = SealedEvent> {
    (time(), any::<[u8; 16]>(), 0..5_u8, symbol(), symbol(), symbol(), body()).prop_map(
        |(occurred_at, id, user, business_phone, account, tag, body)| SealedEvent {
            occurred_at,
            message: MessageRef(id),
            user: UserRef([user; 16]),
            leading_digits: LeadingDigits([b'0' + user; 4]),
            business_phone,
            account,
            tag,
            body,
        },
    )
}

fn body() -> impl Strategy<Value = SealedBody> {
    let kind = || prop::sample::select(MessageKind::ALL);
    let template = (symbol(), prop::sample::select(Category::ALL))
        .prop_map(|(name, category)| SealedTemplate { name, category });
    prop_oneof![
        (kind(), any::<bool>()).prop_map(|(kind, referral)| SealedBody::UserMessage { kind, referral }),
        (kind(), option::of(template))
            .prop_map(|(kind, template)| SealedBody::BusinessMessage { kind, template }),
        (prop::sample::select(StatusKind::ALL), any::<u32>(), option::of(verdict())).prop_map(
            |(status, error_code, verdict)| {
                SealedBody::Status(SealedStatus { status, error_code, verdict: verdict.map(Box::new) })
            }
        ),
        Just(SealedBody::UserCall),
        (any::<bool>(), symbol())
            .prop_map(|(granted, source)| SealedBody::Consent(ConsentFact { granted, source })),
    ]
}

fn verdict() -> impl Strategy<Value = ProviderVerdict> {
    let text = || "[a-zé_]{0,12}";
    (text(), option::of(time()), text(), option::of(any::<bool>()), text(), text(), text()).prop_map(
        |(conversation_id, expires_at, origin_type, billable, pricing_model, pricing_type, category)| {
            ProviderVerdict {
                conversation_id,
                expires_at,
                origin_type,
                billable,
                pricing_model,
                pricing_type,
                category,
            }
        },
    )
}
