//! One suite over every store: what is committed reads back, verifies, adds up, and survives a crash at any write.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use common::{Traffic, applied};
use ledger::{
    Commit, EncodedEntries, EntryEncoder, Head, Ledger, LedgerError, LedgerReader, VerifiedShare,
    checkpoint::CheckpointRef,
    rollup::AccountPeriod,
    store::{Batch, FaultyStore, MemoryStore, Row, SledStore, Store},
};
use model::{
    ContentHash, DispositionCounts, Entry, EntryHash, Offset, PartitionId, Period, Sequence, UnixMillis,
};

const SECRET: ContentHash = ContentHash([5; 32]);
const P0: PartitionId = PartitionId(0);
const P1: PartitionId = PartitionId(1);

macro_rules! suite {
    ($($name:ident)*) => {
        mod memory {
            $(#[test] fn $name() { super::$name(ledger::store::MemoryStore::new()); })*
        }
        mod on_disk {
            $(#[test] fn $name() {
                let place = tempfile::tempdir().unwrap();
                super::$name(ledger::store::SledStore::open(place.path()).unwrap());
            })*
        }
        mod faulty {
            $(#[test] fn $name() {
                let inner = ledger::store::MemoryStore::new();
                super::$name(ledger::store::FaultyStore::new(inner, u64::MAX));
            })*
        }
    };
}

suite! {
    what_is_committed_reads_back_and_verifies
    batches_of_one_and_of_a_thousand_give_the_same_bytes
    sums_are_those_of_a_naive_count
    shares_read_apart_and_in_any_order_verify_the_whole
    partitions_are_committed_together_and_stay_apart
    rows_of_callers_are_committed_along
    a_commit_that_does_not_follow_is_refused_and_changes_nothing
    blocks_stored_ahead_are_seen_with_their_commit_and_not_before
    blocks_stored_ahead_of_no_commit_are_gone_when_the_ledger_is_opened
    blocks_ahead_that_do_not_follow_are_refused
    the_secret_is_pinned
    a_changed_byte_of_any_block_is_found
}

fn what_is_committed_reads_back_and_verifies(store: impl Store) {
    let mut ledger = Ledger::open(store, SECRET).unwrap();
    let mut traffic = Traffic::new(0, 1);
    let mut all = Vec::new();
    for size in [0, 1, 999, 128, 3] {
        let entries = traffic.entries(size, true);
        let head = commit(&mut ledger, P0, &entries).unwrap();
        all.extend(entries);
        assert_eq!(head.sequence, Sequence(all.len() as u64));
        assert!(head.accounts_for_every_offset());
    }
    let chained = chain(&all);
    let reader = ledger.reader().clone();
    for from in [0, 1, 2, 100, 129, 130, 1130, 1131, 1132, 2000] {
        let read: Vec<Entry> = reader.entries(P0, Sequence(from)).unwrap().collect::<Result<_, _>>().unwrap();
        let skipped = usize::try_from(from).unwrap().saturating_sub(1).min(all.len());
        assert_eq!(read, chained[skipped..], "{from}");
    }
    assert_eq!(reader.entry(P0, Sequence(500)).unwrap().as_ref(), Some(&chained[499]));
    assert_eq!(reader.entry(P0, Sequence(0)).unwrap(), None);
    assert_eq!(reader.entry(P0, Sequence(1132)).unwrap(), None);

    let mut seen = 0;
    let end = reader
        .verify_chain(P0, |sequence, _, bytes| {
            seen += 1;
            assert_eq!(sequence, Sequence(seen));
            let mut canonical = Vec::new();
            wire::encode_entry(&chained[usize::try_from(seen).unwrap() - 1], &mut canonical);
            assert_eq!(bytes, canonical);
            Ok(())
        })
        .unwrap();
    let head = reader.head(P0).unwrap();
    assert_eq!(end, (head.sequence, head.hash));
    assert_eq!(seen, 1131);
    assert_eq!(reader.verify_chain(P1, |_, _, _| Ok(())).unwrap(), (Sequence(0), EntryHash::ZERO));
}

fn batches_of_one_and_of_a_thousand_give_the_same_bytes(store: impl Store) {
    let entries = Traffic::new(0, 2).entries(1000, true);
    let mut one_by_one = Ledger::open(store, SECRET).unwrap();
    for entry in &entries {
        commit(&mut one_by_one, P0, std::slice::from_ref(entry)).unwrap();
    }
    let mut at_once = Ledger::open(MemoryStore::new(), SECRET).unwrap();
    commit(&mut at_once, P0, &entries).unwrap();
    assert_eq!(one_by_one.head(P0).unwrap(), at_once.head(P0).unwrap());
    assert_eq!(raw(one_by_one.reader()), raw(at_once.reader()));
    assert_eq!(sums(one_by_one.reader()), sums(at_once.reader()));
}

fn sums_are_those_of_a_naive_count(store: impl Store) {
    let mut ledger = Ledger::open(store.clone(), SECRET).unwrap();
    let mut traffic = Traffic::new(0, 3);
    // Small commits, so that withdrawals name entries of the same commit and of earlier ones: by an encoder that looks
    // back, by one that goes on and remembers, and by a ledger that is opened again.
    for _ in 0..50 {
        let entries = traffic.entries(20, true);
        commit(&mut ledger, P0, &entries).unwrap();
    }
    let mut encoder = ledger.encoder(P0).unwrap();
    let twenty = applied(20);
    for round in 50..150 {
        if round == 100 {
            ledger = Ledger::open(store.clone(), SECRET).unwrap();
        }
        let encoded = encoder.encode(&traffic.entries(20, true)).unwrap();
        ledger.commit_encoded(&mut [(commit_of(P0, round * 20, &twenty), encoded)]).unwrap();
    }
    let counted: BTreeMap<_, _> = std::mem::take(&mut traffic.lines);
    let counted: BTreeMap<_, _> = counted.into_iter().filter(|(_, t)| *t != Default::default()).collect();
    let reader = ledger.reader();
    let mut stored = BTreeMap::new();
    for (place, _) in reader.accounts_and_periods().unwrap() {
        for line in reader.rollup_lines(&place).unwrap() {
            stored.insert((place.clone(), line.key), line.totals);
        }
    }
    assert_eq!(stored, counted);
    let kinds = counted.values().fold([0; 3], |[w, c, n], t| {
        [w + t.withdrawn, c + t.closed, n + i64::from(t.charges != 0 && t.amount_micros == 0)]
    });
    assert!(kinds.iter().all(|count| *count > 10), "withdrawals, closes and unpriced lines occur: {kinds:?}");
    let summaries: BTreeMap<_, _> = reader.accounts_and_periods().unwrap().into_iter().collect();
    assert_eq!(summaries, traffic.summaries);
    assert_eq!(reader.quarantined(P0).unwrap().total(), traffic.quarantined);
    assert!(traffic.quarantined > 0);
    assert_eq!(reader.verify_rollups(P0).unwrap(), None);

    let place = reader.accounts_and_periods().unwrap()[0].0.clone();
    let nobody = AccountPeriod::of("nobody", Period { year: 2022, month: 2 });
    assert_eq!(reader.rollup_lines(&nobody).unwrap(), []);
    assert!(!reader.rollup_lines(&place).unwrap().is_empty());
}

fn shares_read_apart_and_in_any_order_verify_the_whole(store: impl Store) {
    let mut ledger = Ledger::open(store, SECRET).unwrap();
    let mut traffic = Traffic::new(0, 1);
    let mut all = Vec::new();
    for size in [700, 1, 1299] {
        let entries = traffic.entries(size, true);
        commit(&mut ledger, P0, &entries).unwrap();
        all.extend(entries);
    }
    let reader = ledger.reader();
    let spans = [(1_500, u64::MAX), (1, 130), (900, 1_500), (130, 900)];
    let read = |which: &[usize]| {
        let mut shares = [VerifiedShare::new(P0).unwrap(), VerifiedShare::new(P0).unwrap()];
        let mut seen = 0;
        for number in which {
            let (from, to) = spans[*number];
            let share = &mut shares[number % 2];
            share.read(reader, Sequence(from)..Sequence(to), &mut |_| seen += 1).unwrap();
        }
        reader.join_shares(P0, shares.into()).map(|chain| (chain, seen))
    };
    let (chain, seen) = read(&[0, 1, 2, 3]).unwrap();
    let head = reader.head(P0).unwrap();
    assert_eq!((chain.end, seen), ((head.sequence, head.hash), all.len()));
    assert_eq!(reader.compare_rollups(P0, chain).unwrap(), None);
    for incomplete in [&[0, 1, 2][..], &[1, 2, 3], &[0, 2, 3], &[]] {
        assert!(read(incomplete).is_err(), "{incomplete:?}");
    }
}

fn partitions_are_committed_together_and_stay_apart(store: impl Store) {
    let mut ledger = Ledger::open(store, SECRET).unwrap();
    let mut traffic = Traffic::new(0, 4);
    let (zero, one) = (traffic.entries(300, false), Traffic::new(1, 5).entries(200, false));
    let counts = [applied(300), applied(200)];
    let mut encoders = [ledger.encoder(P0).unwrap(), ledger.encoder(P1).unwrap()];
    let mut commits = vec![
        (commit_of(P0, 0, &counts[0]), encoders[0].encode(&zero).unwrap()),
        (commit_of(P1, 7, &counts[1]), encoders[1].encode(&one).unwrap()),
    ];
    ledger.commit_encoded(&mut commits).unwrap();
    let reader = ledger.reader();
    let heads: Vec<_> = reader.heads().unwrap().into_iter().map(|(p, head)| (p, head.sequence)).collect();
    assert_eq!(heads, [(P0, Sequence(300)), (P1, Sequence(200))]);
    assert_eq!(reader.head(P1).unwrap().first_offset, Some(Offset(7)));
    for (partition, entries) in [(P0, zero), (P1, one)] {
        let read: Vec<_> = reader.entries(partition, Sequence(1)).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, chain(&entries));
        assert_eq!(reader.verify_rollups(partition).unwrap(), None);
    }
    let more = traffic.entries(100, true);
    let (hundred, none) = (applied(100), applied(0));
    let mut twice = vec![
        (commit_of(P0, 300, &hundred), encoders[0].encode(&more).unwrap()),
        (commit_of(P0, 400, &none), encoders[0].encode(&[]).unwrap()),
    ];
    assert!(matches!(ledger.commit_encoded(&mut twice), Err(LedgerError::Twice { partition: P0 })));
    // The sums do not remember what was refused.
    ledger.commit(&commit_of(P0, 300, &hundred), &more).unwrap();
    assert_eq!(ledger.reader().verify_rollups(P0).unwrap(), None);
}

fn rows_of_callers_are_committed_along(store: impl Store) {
    let mut ledger = Ledger::open(store, SECRET).unwrap();
    let row = |name: &str, content: &str| -> Row { (name.into(), content.into()) };
    let counts = DispositionCounts::default();
    for content in ["10", "20"] {
        let sources = [row("file/a", content), row("file/b", "5"), row("other", "x")];
        let commit = Commit { sources: &sources, ..commit_of(P0, 0, &counts) };
        ledger.commit(&commit, &[]).unwrap();
    }
    let reader = ledger.reader();
    assert_eq!(reader.source(b"file/a").unwrap().as_deref(), Some(&b"20"[..]));
    assert_eq!(reader.source(b"file/c").unwrap(), None);
    assert_eq!(reader.sources(b"file/").unwrap(), [row("file/a", "20"), row("file/b", "5")]);
}

fn a_commit_that_does_not_follow_is_refused_and_changes_nothing(store: impl Store) {
    let mut ledger = Ledger::open(store, SECRET).unwrap();
    let mut traffic = Traffic::new(0, 6);
    let entries = traffic.entries(10, false);
    let following = traffic.entries(10, false);
    let ten = applied(10);
    let first = commit_of(P0, 5, &ten);
    let head = ledger.commit(&first, &entries).unwrap();
    let next = commit_of(P0, 15, &ten);
    let late = UnixMillis(14);

    type Is = fn(&LedgerError) -> bool;
    let wrong: [(&str, Commit<'_>, &[Entry], Is); 6] = [
        ("again", first.clone(), &following, |e| matches!(e, LedgerError::Offset { .. })),
        ("a gap", commit_of(P0, 16, &ten), &following, |e| matches!(e, LedgerError::Offset { .. })),
        ("a lost record", Commit { next_offset: Offset(26), ..next.clone() }, &following, |e| {
            matches!(e, LedgerError::Unaccounted { offsets: 11, accounted: 10, .. })
        }),
        ("back in time", Commit { partition_time: late, ..next.clone() }, &following, |e| {
            matches!(e, LedgerError::TimeGoesBack { .. })
        }),
        ("entries again", next.clone(), &entries, |e| matches!(e, LedgerError::Sequence { .. })),
        ("an entry left out", next.clone(), &following[1..], |e| matches!(e, LedgerError::Sequence { .. })),
    ];
    for (name, commit, entries, is) in wrong {
        let error = ledger.commit(&commit, entries).unwrap_err();
        assert!(is(&error), "{name}: {error}");
        assert_eq!(ledger.head(P0).unwrap(), head, "{name}");
    }
    let mut foreign = EntryEncoder::new(P0, head.sequence, EntryHash([1; 32])).unwrap();
    let mut other_chain = [(next.clone(), foreign.encode(&following).unwrap())];
    assert!(matches!(ledger.commit_encoded(&mut other_chain), Err(LedgerError::Chain { .. })));
    // Refusals are the caller's mistakes: the ledger goes on.
    ledger.commit(&next, &following).unwrap();
}

fn blocks_stored_ahead_are_seen_with_their_commit_and_not_before(store: impl Store) {
    let entries = Traffic::new(0, 12).entries(1_000, true);
    let mut at_once = Ledger::open(MemoryStore::new(), SECRET).unwrap();
    commit(&mut at_once, P0, &entries[..100]).unwrap();
    commit(&mut at_once, P0, &entries[100..]).unwrap();

    let mut ledger = Ledger::open(store, SECRET).unwrap();
    commit(&mut ledger, P0, &entries[..100]).unwrap();
    let encoded = ahead(&mut ledger, &entries[100..]);
    assert_eq!(raw(ledger.reader()).len(), 100, "the others have no commit yet");
    assert_eq!(ledger.reader().entry(P0, Sequence(101)).unwrap(), None);
    ledger.commit_encoded(&mut [(commit_of(P0, 100, &applied(900)), encoded)]).unwrap();

    assert_eq!(ledger.head(P0).unwrap(), at_once.head(P0).unwrap());
    assert_eq!(raw(ledger.reader()), raw(at_once.reader()));
    assert_eq!(sums(ledger.reader()), sums(at_once.reader()));
    assert_eq!(ledger.reader().verify_rollups(P0).unwrap(), None);
}

fn blocks_stored_ahead_of_no_commit_are_gone_when_the_ledger_is_opened(store: impl Store) {
    let entries = Traffic::new(0, 13).entries(1_000, true);
    // Of a ledger without a head, and of one with.
    for committed in [0, 100] {
        let mut ledger = Ledger::open(store.clone(), SECRET).unwrap();
        if committed > 0 {
            commit(&mut ledger, P0, &entries[..committed]).unwrap();
        }
        assert_eq!(ledger.head(P0).unwrap() == Head::default(), committed == 0);
        let before = all_rows(&store);
        drop(ahead(&mut ledger, &entries[committed..]));
        let added = all_rows(&store).len() - before.len();
        assert!(added > 0);
        assert_eq!(Ledger::open(store.clone(), SECRET).unwrap().removed_ahead(), added);
        assert_eq!(all_rows(&store), before);
    }
}

fn blocks_ahead_that_do_not_follow_are_refused(store: impl Store) {
    let entries = Traffic::new(0, 14).entries(1_000, true);
    let mut ledger = Ledger::open(store, SECRET).unwrap();
    let mut encoder = ledger.encoder(P0).unwrap();
    encoder.add(&entries[..500]).unwrap();
    let first = encoder.take_ahead(1).unwrap();
    assert!(encoder.take_ahead(1).is_none(), "nothing is packed behind them");
    encoder.add(&entries[500..]).unwrap();
    let second = encoder.take_ahead(1).unwrap();
    let is_refused = |result: Result<(), LedgerError>| matches!(result, Err(LedgerError::Sequence { .. }));
    assert!(is_refused(ledger.store_ahead(second)), "the first are missing");
    ledger.store_ahead(first).unwrap();
    let rest = encoder.finish().unwrap();
    let twice = ledger.commit_encoded(&mut [(commit_of(P0, 0, &applied(1_000)), rest)]);
    assert!(is_refused(twice), "the second are missing");
    assert_eq!(ledger.head(P0).unwrap(), Head::default());
}

/// Encodes entries in pieces, and stores ahead all blocks but the last.
fn ahead(ledger: &mut Ledger<impl Store>, entries: &[Entry]) -> EncodedEntries {
    let (mut encoder, mut pieces) = (ledger.encoder(P0).unwrap(), 0);
    for piece in entries.chunks(200) {
        encoder.add(piece).unwrap();
        if let Some(blocks) = encoder.take_ahead(1) {
            ledger.store_ahead(blocks).unwrap();
            pieces += 1;
        }
    }
    assert!(pieces > 2);
    encoder.finish().unwrap()
}

fn the_secret_is_pinned(store: impl Store) {
    drop(Ledger::open(store.clone(), SECRET).unwrap());
    let other = ContentHash([6; 32]);
    let error = Ledger::open(store.clone(), other).err().unwrap();
    assert!(
        matches!(error, LedgerError::OtherSecret { pinned, given } if (pinned, given) == (SECRET, other))
    );
    assert_eq!(LedgerReader::new(store.clone()).secret_fingerprint().unwrap(), Some(SECRET));
    Ledger::open(store, SECRET).unwrap();
}

fn a_changed_byte_of_any_block_is_found(store: impl Store) {
    let mut ledger = Ledger::open(store.clone(), SECRET).unwrap();
    let mut traffic = Traffic::new(0, 7);
    for _ in 0..3 {
        commit(&mut ledger, P0, &traffic.entries(3, false)).unwrap();
    }
    let reader = ledger.reader();
    let blocks: Vec<Row> = store.scan(b"e", b"e").map(Result::unwrap).collect();
    assert_eq!(blocks.len(), 3);
    for (key, value) in blocks {
        for position in 0..value.len() {
            let mut changed = value.clone();
            changed[position] ^= 0x20;
            put(&store, &key, Some(changed));
            assert!(reader.verify_chain(P0, |_, _, _| Ok(())).is_err(), "{position}");
            assert!(reader.entries(P0, Sequence(1)).unwrap().any(|entry| entry.is_err()), "{position}");
        }
        put(&store, &key, None);
        assert!(reader.verify_chain(P0, |_, _, _| Ok(())).is_err(), "a block is missing");
        put(&store, &key, Some(value));
    }
    reader.verify_chain(P0, |_, _, _| Ok(())).unwrap();

    let (key, mut value) = store.scan(b"r", b"r").next().unwrap().unwrap();
    *value.last_mut().unwrap() ^= 2;
    put(&store, &key, Some(value));
    assert_eq!(reader.verify_rollups(P0).unwrap().map(|found| found.rows), Some(1));
}

#[test]
fn a_crash_at_any_write_loses_nothing_that_was_committed_and_doubles_nothing() {
    let parts: Vec<Vec<Entry>> = {
        let mut traffic = Traffic::new(0, 8);
        [40, 150, 1, 60].map(|count| traffic.entries(count, true)).into()
    };
    let clean = MemoryStore::new();
    run(&clean, &parts).unwrap();
    let writes = (0..).find(|n| run(&FaultyStore::new(MemoryStore::new(), *n), &parts).is_ok()).unwrap();
    assert_eq!(writes, 10, "opening and four commits, each applied and flushed");
    for crash_at in 0..writes {
        let disk = MemoryStore::new();
        run(&FaultyStore::new(disk.clone(), crash_at), &parts).unwrap_err();
        let found = LedgerReader::new(disk.clone()).head(P0).unwrap();
        let ends: Vec<u64> = (0..=4).map(|n| parts[..n].iter().map(|part| part.len() as u64).sum()).collect();
        assert!(ends.contains(&found.sequence.0), "a whole number of commits, not {:?}", found.sequence);
        let flushed = usize::try_from(crash_at.saturating_sub(2) / 2).unwrap();
        assert!(found.sequence.0 >= ends[flushed], "what was flushed is there");
        run(&disk, &parts).unwrap();
        assert_eq!(all_rows(&disk), all_rows(&clean), "crash at write {crash_at}");
    }
}

#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let disk = MemoryStore::new();
    let mut ledger = Ledger::open(FaultyStore::new(disk.clone(), 3), SECRET).unwrap();
    let entries = Traffic::new(0, 9).entries(5, false);
    assert!(matches!(commit(&mut ledger, P0, &entries), Err(LedgerError::Store(_))));
    assert!(matches!(
        commit(&mut ledger, P0, &[]),
        Err(LedgerError::Poisoned | LedgerError::Sequence { .. })
    ));
    let mut ledger = Ledger::open(FaultyStore::new(disk, 0), SECRET).unwrap();
    assert!(matches!(commit(&mut ledger, P0, &[]), Err(LedgerError::Store(_))));
    assert!(matches!(commit(&mut ledger, P0, &[]), Err(LedgerError::Poisoned)));
}

#[test]
fn a_ledger_on_disk_is_there_after_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("ledger");
    let mut traffic = Traffic::new(0, 10);
    let checkpoint = CheckpointRef { number: 3, manifest: ContentHash([9; 32]) };
    let mut before = Head::default();
    for round in 0..3_u64 {
        let mut ledger = Ledger::open(SledStore::open(&folder).unwrap(), SECRET).unwrap();
        assert_eq!(ledger.head(P0).unwrap(), before);
        let entries = traffic.entries(500, true);
        let counts = applied(500);
        let taken = (round == 1).then_some(checkpoint);
        let commit = Commit { checkpoint: taken, ..commit_of(P0, round * 500, &counts) };
        before = ledger.commit(&commit, &entries).unwrap();
    }
    assert_eq!((before.checkpoint, before.checkpoint_offset), (Some(checkpoint), Offset(1000)));
    // What a crash at start-up leaves behind.
    std::fs::write(folder.join("snap.0000000000000000.generating"), b"half").unwrap();
    let reader = LedgerReader::new(SledStore::open(&folder).unwrap());
    assert_eq!(reader.verify_rollups(P0).unwrap(), None);
    assert_eq!(reader.head(P0).unwrap(), before);
}

/// Pinned: another form of a stored block needs another version number. The compressed part is zstd's to choose, so the
/// header is compared as bytes and the rest by what it holds.
#[test]
fn the_bytes_of_a_block_stay_as_they_are() {
    let store = MemoryStore::new();
    let mut ledger = Ledger::open(store.clone(), SECRET).unwrap();
    let entries = Traffic::new(0, 11).entries(8, true);
    let head = commit(&mut ledger, P0, &entries).unwrap();
    let (key, value) = store.scan(b"e", b"e").next().unwrap().unwrap();
    assert_eq!(key, [b"e", &[0; 4][..], &[0, 0, 0, 0, 0, 0, 0, 1]].concat());
    let (mut ids, mut raw) = (Vec::new(), Vec::new());
    let mut writer = wire::EntryWriter::default();
    for entry in chain(&entries) {
        let written = writer.write(&entry, &entry.previous_hash);
        let mut rest = written.kept().to_vec();
        let mut places = Vec::new();
        for (place, at) in written.ids().enumerate() {
            let from = at - 16 * place;
            let id: Vec<u8> = rest.drain(from..from + 16).collect();
            let known = ids.iter().position(|known| *known == id);
            places.push((from, known.map_or(0, |known| ids.len() - known)));
            if known.is_none() {
                ids.push(id);
            }
        }
        raw.extend(varint(rest.len()));
        raw.extend(varint(places.len()));
        let mut before = 0;
        for (from, reference) in places {
            raw.extend([varint(from - before), varint(reference)].concat());
            before = from;
        }
        raw.extend(rest);
    }
    let mut header = vec![2, u8::try_from(entries.len()).unwrap(), 1];
    header.extend([0; 32]);
    header.extend(head.hash.0);
    header.extend(varint(ids.len()));
    header.extend(ids.concat());
    header.extend(varint(raw.len()));
    assert_eq!(value[..header.len()], header);
    assert_eq!(zstd::bulk::decompress(&value[header.len()..], 1 << 20).unwrap(), raw);
}

#[test]
fn stored_blocks_stay_below_the_size_that_sled_spills() {
    let store = MemoryStore::new();
    let mut ledger = Ledger::open(store.clone(), SECRET).unwrap();
    commit(&mut ledger, P0, &Traffic::new(0, 12).entries(5000, false)).unwrap();
    let sizes: Vec<usize> = store.scan(b"e", b"e").map(|row| row.unwrap().1.len()).collect();
    assert!(sizes.iter().all(|size| *size <= 10 << 10), "{:?}", sizes.iter().max());
    assert!(sizes.len() <= 5000 / 60, "and are not many small ones: {}", sizes.len());
}

/// Commits what is not there yet, as a run does that carries on after a crash.
fn run<S: Store>(store: &S, parts: &[Vec<Entry>]) -> Result<(), LedgerError> {
    let mut ledger = Ledger::open(store.clone(), SECRET)?;
    for part in parts {
        if part[0].sequence > ledger.head(P0)?.sequence {
            commit(&mut ledger, P0, part)?;
        }
    }
    Ok(())
}

fn commit<S: Store>(
    ledger: &mut Ledger<S>,
    partition: PartitionId,
    entries: &[Entry],
) -> Result<Head, LedgerError> {
    let from = ledger.head(partition)?.next_offset.0;
    let counts = applied(entries.len() as u64);
    ledger.commit(&commit_of(partition, from, &counts), entries)
}

/// A commit of applied records from an offset on.
fn commit_of(partition: PartitionId, from: u64, dispositions: &DispositionCounts) -> Commit<'_> {
    let next = from + dispositions.total();
    Commit {
        partition,
        from_offset: Offset(from),
        next_offset: Offset(next),
        partition_time: UnixMillis(i64::try_from(next).unwrap()),
        dispositions,
        empty_offsets: 0,
        config: None,
        checkpoint: None,
        sources: &[],
    }
}

/// The entries with their previous hashes.
fn chain(entries: &[Entry]) -> Vec<Entry> {
    let mut hash = EntryHash::ZERO;
    let mut chained = entries.to_vec();
    for entry in &mut chained {
        entry.previous_hash = hash;
        let mut canonical = Vec::new();
        wire::encode_entry(entry, &mut canonical);
        hash = wire::chain_hash(&hash, &canonical);
    }
    chained
}

fn raw<S: Store>(reader: &LedgerReader<S>) -> Vec<Vec<u8>> {
    reader.raw_entries(P0, Sequence(1)).unwrap().map(|entry| entry.unwrap().bytes).collect()
}

fn sums<S: Store>(reader: &LedgerReader<S>) -> Vec<String> {
    let places = reader.accounts_and_periods().unwrap();
    places
        .iter()
        .map(|(place, summary)| format!("{place:?} {summary:?} {:?}", reader.rollup_lines(place)))
        .collect()
}

/// Of a number below 16,384.
fn varint(number: usize) -> Vec<u8> {
    let (low, high) = (u8::try_from(number % 128).unwrap(), u8::try_from(number / 128).unwrap());
    if high == 0 { vec![low] } else { vec![low | 0x80, high] }
}

fn all_rows(store: &impl Store) -> Vec<Row> {
    store.scan(b"", b"").map(Result::unwrap).collect()
}

fn put(store: &impl Store, key: &[u8], value: Option<Vec<u8>>) {
    let mut batch = Batch::default();
    match value {
        Some(value) => batch.put(key.to_vec(), value),
        None => batch.remove(key.to_vec()),
    }
    store.apply(batch).unwrap();
}
