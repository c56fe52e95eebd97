//! What the log and the ledger cost a record and an entry: `cargo bench -p ledger`. Figures go to stderr.
//!
//! Each time is that of the wall and, behind it, the thread's own on its core, which other work on the machine does
//! not change.
//!
//! Without `--bench` (as `cargo test --all-targets` runs it) it does a hundredth of the work, to see that it works.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{hint::black_box, path::Path, time::Instant};

use common::{Traffic, applied};
use ledger::{
    Commit, EntryEncoder, Ledger, SymbolTable,
    checkpoint::{NewIds, StateStore},
    log::{LogBatch, LogReader, LogWriter, LoggedRecord},
    store::SledStore,
};
use model::{
    ContentHash, EntryHash, LeadingDigits, MessageKind, MessageRef, Offset, PartitionId, Record,
    RecordContent, SealedBody, SealedEvent, Sequence, Symbol, UnixMillis, UserRef,
};

const P0: PartitionId = PartitionId(0);

fn main() {
    let scale: u32 = if std::env::args().any(|arg| arg == "--bench") { 100 } else { 1 };
    log(u64::from(50_000 * scale));
    entries(9_000 * scale as usize);
    index(20_000 * scale);
}

fn log(count: u64) {
    let place = tempfile::tempdir().expect("a temporary folder");
    let mut words = SymbolTable::new();
    let phones: Vec<Symbol> = (0..50).map(|n| words.intern(&format!("1065403522429{n}"))).collect();
    let accounts: Vec<Symbol> = (0..20).map(|n| words.intern(&format!("1022901293403{n}"))).collect();
    let threads = 200_000;
    let record = |offset: u64| {
        let thread = offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let thread = thread % threads;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&offset.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let mut user = [7; 16];
        user[..8].copy_from_slice(&thread.to_le_bytes());
        let at = UnixMillis(1_643_673_600_000 + i64::try_from(offset).unwrap_or(0) * 500);
        let body = if offset.is_multiple_of(2) {
            SealedBody::UserMessage { kind: MessageKind::Text, referral: false }
        } else {
            SealedBody::BusinessMessage { kind: MessageKind::Text, template: None }
        };
        let event = SealedEvent {
            occurred_at: at,
            message: MessageRef(id),
            user: UserRef(user),
            leading_digits: LeadingDigits(*b"5511"),
            business_phone: phones[usize::try_from(thread % 50).unwrap_or(0)],
            account: accounts[usize::try_from(thread % 20).unwrap_or(0)],
            tag: Symbol::EMPTY,
            body,
        };
        let record = Record { offset: Offset(offset), record_time: at, content: RecordContent::Event(event) };
        (LoggedRecord { record, original: None }, u32::try_from(thread).unwrap_or(0))
    };
    let mut writer = LogWriter::open(place.path(), Offset(0)).expect("an empty log").writer;
    let mut nanos = [0; 2];
    let mut first = 0;
    while first < count {
        let (records, hints): (Vec<_>, Vec<_>) = (first..(first + 50_000).min(count)).map(record).unzip();
        let start = Clock::start();
        writer.append(&records, &hints, &words).expect("appending works");
        writer.sync(&[]).expect("syncing works");
        let [wall, core] = start.per(1);
        nanos = [nanos[0] + wall, nanos[1] + core];
        first += records.len() as u64;
    }
    time("log: write and sync, ns a record", [nanos[0] / count, nanos[1] / count]);
    say("log: bytes a record ×100", bytes_in(place.path()) * 100 / count);

    let start = Clock::start();
    let mut reader = LogReader::open(place.path(), Offset(0)).expect("the log opens");
    let mut batch = LogBatch::default();
    let mut read = 0;
    while reader.next_batch(&mut batch).expect("the log reads") {
        read += batch.records.len() as u64;
        black_box(&batch.records);
    }
    assert_eq!(read, count);
    time("log: read, ns a record", start.per(count));
}

fn entries(count: usize) {
    let place = tempfile::tempdir().expect("a temporary folder");
    let all = Traffic::new(0, 1).entries(count, false);
    let start = Clock::start();
    let mut encoder = EntryEncoder::new(P0, Sequence(0), EntryHash::ZERO).expect("an encoder");
    let (mut canonical, mut stored) = (0, 0);
    for part in all.chunks(50_000) {
        let encoded = encoder.encode(part).expect("encoding works");
        canonical += encoded.canonical_bytes();
        stored += encoded.stored_bytes();
    }
    let per = |bytes: u64| bytes / count as u64;
    time("entries: encode, chain, pack, sum alone, ns an entry", start.per(count as u64));
    say("entries: canonical bytes an entry", per(canonical));
    say("entries: stored bytes an entry", per(stored));

    let mut writer = wire::EntryWriter::default();
    let start = Clock::start();
    for entry in &all {
        black_box(writer.write(black_box(entry), &EntryHash::ZERO));
    }
    time("entries: of which canonical encoding, ns an entry", start.per(count as u64));
    let start = Clock::start();
    let mut sums = ledger::rollup::Rollups::default();
    all.iter().for_each(|entry| sums.apply(black_box(entry)));
    time("entries: of which sums, ns an entry", start.per(count as u64));

    let store = SledStore::open(place.path()).expect("sled opens");
    let mut ledger = Ledger::open(store.clone(), ContentHash([1; 32])).expect("an empty ledger");
    let start = Clock::start();
    let mut from = 0;
    for part in all.chunks(50_000) {
        let counts = applied(part.len() as u64);
        let next = from + part.len() as u64;
        let commit = Commit {
            partition: P0,
            from_offset: Offset(from),
            next_offset: Offset(next),
            partition_time: UnixMillis(0),
            dispositions: &counts,
            empty_offsets: 0,
            config: None,
            checkpoint: None,
            sources: &[],
        };
        ledger.commit(&commit, part).expect("committing works");
        from = next;
    }
    time("ledger: commit of 50,000 all in, ns an entry", start.per(count as u64));
    say("ledger: sled's bytes an entry", per(bytes_in(place.path())));

    let mut hashes = EntryHash::ZERO;
    let raw: Vec<Vec<u8>> = ledger
        .reader()
        .raw_entries(P0, Sequence(1))
        .expect("entries")
        .map(|entry| entry.expect("an entry").bytes)
        .collect();
    let start = Clock::start();
    for bytes in &raw {
        hashes = wire::chain_hash(&hashes, bytes);
    }
    time("verify: pure chain in memory, ns an entry", start.per(count as u64));
    black_box(hashes);
    let start = Clock::start();
    ledger.reader().verify_chain(P0, |_, _, _| Ok(())).expect("the chain holds");
    time("verify: chain from sled, ns an entry", start.per(count as u64));
    let start = Clock::start();
    assert_eq!(ledger.reader().verify_rollups(P0).expect("the sums can be computed"), None);
    time("verify: chain and sums from sled, ns an entry", start.per(count as u64));
    let start = Clock::start();
    let read = ledger.reader().entries(P0, Sequence(1)).expect("entries").filter(Result::is_ok).count();
    assert_eq!(read, count);
    time("read: entries from sled, ns an entry", start.per(count as u64));
}

fn index(count: u32) {
    let place = tempfile::tempdir().expect("a temporary folder");
    let mut state = StateStore::open(place.path(), None).expect("an empty state");
    let id_of = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b1).to_be_bytes());
        id
    };
    let start = Clock::start();
    for part in 0..10 {
        let mut ids = NewIds::default();
        (0..count / 10).for_each(|n| ids.add(&id_of(part * (count / 10) + n), 1));
        let reference = state.write(b"", &[], ids).expect("writing works");
        state.retire(&reference).expect("retiring works");
    }
    time("index: add, ns an id", start.per(u64::from(count)));
    for (name, shift) in [("index: known id, ns", 0), ("index: unknown id, ns", count)] {
        let mut found = Vec::new();
        let start = Clock::start();
        for n in 0..count {
            found.clear();
            state.lookup(&id_of(n.wrapping_add(shift)), &mut found).expect("looking up works");
            black_box(&found);
        }
        time(name, start.per(u64::from(count)));
    }
}

fn bytes_in(folder: &Path) -> u64 {
    let mut total = 0;
    for item in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let facts = item.metadata().expect("its facts can be read");
        total += if facts.is_dir() { bytes_in(&item.path()) } else { facts.len() };
    }
    total
}

fn say(what: &str, number: u64) {
    eprintln!("{what:<55} {number:>8}");
}

fn time(what: &str, [wall, core]: [u64; 2]) {
    eprintln!("{what:<55} {wall:>8} {core:>8}");
}

/// Time of the wall, and of this thread on its core.
struct Clock {
    wall: Instant,
    core: u64,
}

impl Clock {
    fn start() -> Self {
        Self { wall: Instant::now(), core: core_nanos() }
    }

    fn per(&self, count: u64) -> [u64; 2] {
        let wall = u64::try_from(self.wall.elapsed().as_nanos()).unwrap_or(u64::MAX);
        [wall / count, (core_nanos() - self.core) / count]
    }
}

/// Nanoseconds this thread has run, where the system tells; 0 elsewhere.
fn core_nanos() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}
