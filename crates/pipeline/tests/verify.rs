//! Verification finds what was changed from outside, and says where.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::fs;

use common::{Place, files_below, project, traffic};
use ledger::store::{Batch, MemoryStore, Store};
use pipeline::{Installation, Outcome, Verification};

#[test]
fn an_untouched_directory_holds() {
    let (_place, opened, _) = projected();
    let verified = opened.verify(&mut |_| {}).unwrap();
    assert!(verified.holds(), "{:#?}", verified.checks);
    let names: Vec<&str> = verified.checks.iter().map(|check| check.name).collect();
    assert_eq!(names, ["secret", "log", "chain", "dispositions", "quarantine", "rollups", "state"]);
    let progress_total = {
        let mut total = 0;
        opened.verify(&mut |progress| total = progress.work_total.unwrap_or(0)).unwrap();
        total
    };
    assert!(progress_total > 1_000, "buckets and spans");
}

#[test]
fn a_changed_entry_breaks_the_chain_and_leaves_what_follows_untold() {
    let (_place, opened, store) = projected();
    let blocks: Vec<_> = store.scan(b"e", b"e").map(|row| row.unwrap()).collect();
    assert!(blocks.len() > 2);
    let (key, mut value) = blocks[1].clone();
    let middle = value.len() / 2;
    value[middle] ^= 1;
    put(&store, key, value);
    let verified = opened.verify(&mut |_| {}).unwrap();
    assert!(finding(&verified, "chain").is_some_and(|what| what.contains("of partition 0")));
    for name in ["quarantine", "rollups", "state"] {
        assert_eq!(outcome(&verified, name), Outcome::NotTold, "{name}");
    }
    assert_eq!(outcome(&verified, "log"), Outcome::Holds);
}

#[test]
fn a_missing_block_and_a_missing_end_are_found() {
    for which in [1, usize::MAX] {
        let (_place, opened, store) = projected();
        let keys: Vec<_> = store.scan(b"e", b"e").map(|row| row.unwrap().0).collect();
        let mut batch = Batch::default();
        batch.remove(keys[which.min(keys.len() - 1)].clone());
        store.apply(batch).unwrap();
        let verified = opened.verify(&mut |_| {}).unwrap();
        assert!(finding(&verified, "chain").is_some());
    }
}

#[test]
fn changed_sums_are_found() {
    let (_place, opened, store) = projected();
    let (key, mut value) = store.scan(b"a", b"a").next().unwrap().unwrap();
    *value.last_mut().unwrap() ^= 2;
    put(&store, key, value);
    let verified = opened.verify(&mut |_| {}).unwrap();
    assert_eq!(
        finding(&verified, "rollups").as_deref(),
        Some("1 rows of sums are not those of the entries; set the folder `ledger` aside, it is made again")
    );
    assert_eq!(outcome(&verified, "chain"), Outcome::Holds);
}

#[test]
fn a_changed_log_is_found_with_its_file_and_byte() {
    let (place, opened, _) = projected();
    let segment = files_below(&place.data().join("log")).remove(0);
    let mut content = fs::read(&segment).unwrap();
    content[200] ^= 1;
    fs::write(&segment, content).unwrap();
    let verified = opened.verify(&mut |_| {}).unwrap();
    let what = finding(&verified, "log").unwrap();
    assert!(
        what.contains(".log is damaged at byte 0") || what.contains("the log ends at record 0"),
        "{what}"
    );
}

#[test]
fn a_lost_original_is_found() {
    let (place, opened, store) = projected();
    drop(opened);
    fs::remove_file(place.data().join("quarantine/originals")).unwrap();
    let opened = place.open_with(store).unwrap();
    let verified = opened.verify(&mut |_| {}).unwrap();
    assert_eq!(
        finding(&verified, "quarantine").as_deref(),
        Some("the original of record 1 is not in the folder `quarantine`")
    );
}

#[test]
fn changed_counts_of_dispositions_are_found() {
    let (_place, opened, store) = projected();
    let (key, value) = store.scan(b"h", b"h").next().unwrap().unwrap();
    // Behind version, first offset, next offset, sequence, hash and partition time: the count of malformed records.
    let count = value.iter().rposition(|byte| *byte == 9).unwrap_or(0);
    let first = value.windows(3).position(|window| window[0] == 9 && window[1] == 1).unwrap_or(count);
    let mut value = value;
    value[first + 1] = 2;
    put(&store, key, value);
    let verified = opened.verify(&mut |_| {}).unwrap();
    assert!(finding(&verified, "dispositions").is_some_and(|what| what.starts_with("offsets 0 to ")));
}

fn outcome(verified: &Verification, name: &str) -> Outcome {
    verified.checks.iter().find(|check| check.name == name).unwrap().outcome.clone()
}

fn finding(verified: &Verification, name: &str) -> Option<String> {
    match outcome(verified, name) {
        Outcome::Differs(what) => Some(what),
        Outcome::Holds | Outcome::NotTold => None,
    }
}

fn put(store: &MemoryStore, key: Vec<u8>, value: Vec<u8>) {
    let mut batch = Batch::default();
    batch.put(key, value);
    store.apply(batch).unwrap();
}

/// Traffic behind one line of garbage.
fn projected() -> (Place, Installation<MemoryStore>, MemoryStore) {
    let place = Place::new();
    let store = MemoryStore::new();
    let mut opened = place.open_with(store.clone()).unwrap();
    let file = place.file("all.jsonl", format!("garbage\n{}", traffic(1_500).concat()));
    project(&mut opened, &[file]);
    (place, opened, store)
}
