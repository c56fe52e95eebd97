//! A stop anywhere, and what is left of a directory: nothing lost, nothing doubled, the next run carries on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::fs::{self, OpenOptions};

use common::{NetResult, Place, assert_sound, head, project, result, traffic, try_project};
use ledger::{
    log::LogError,
    store::{FaultyStore, MemoryStore, Store},
};
use model::{EntryBody, EntryHash, Sequence};
use pipeline::{EMBEDDED_PARTITION, Installation, PipelineError};

#[test]
fn a_store_that_fails_at_any_write_loses_and_doubles_nothing() {
    // Three files in runs of their own, so that there are commits of records, of state, and of recoveries to fail.
    let lines = traffic(300);
    let parts: Vec<String> = lines.chunks(100).map(|lines| lines.concat()).collect();
    let (expected, _) = clean(&parts);
    let mut writes = 0;
    loop {
        let place = Place::new();
        let files: Vec<String> =
            parts.iter().enumerate().map(|(n, part)| place.file(&format!("{n}.jsonl"), part)).collect();
        let memory = MemoryStore::new();
        let faulty = FaultyStore::new(memory.clone(), writes);
        let stopped = place.open_with(faulty).and_then(|mut opened| {
            files.iter().try_for_each(|file| try_project(&mut opened, std::slice::from_ref(file)).map(|_| ()))
        });
        let mut opened = place.open_with(memory).unwrap();
        files.iter().for_each(|file| {
            project(&mut opened, std::slice::from_ref(file));
        });
        assert_eq!(result(&mut opened), expected, "stopped at write {writes}");
        assert_sound(&opened);
        if stopped.is_ok() {
            break;
        }
        writes += 1;
    }
    assert!(writes >= 12, "only {writes} writes were tried");
}

#[test]
fn a_lost_sled_folder_is_made_again_to_the_same_bytes() {
    let (place, expected, hash) = projected();
    fs::remove_dir_all(place.data().join("ledger")).unwrap();
    let mut opened = place.open();
    assert_eq!(head(&opened).hash, hash);
    assert_eq!(result(&mut opened), expected);
    assert_sound(&opened);
}

#[test]
fn lost_state_is_made_again() {
    let (place, expected, hash) = projected();
    let ids = ids_of(&place.open());
    fs::remove_dir_all(place.data().join("state")).unwrap();
    let mut opened = place.open();
    assert_eq!(head(&opened).hash, hash);
    assert_eq!(result(&mut opened), expected);
    assert_sound(&opened);
    drop(opened);
    let mut opened = place.open();
    assert_eq!(result(&mut opened), expected, "and kept");
    assert!(ids.len() > 100);
    for id in ids {
        assert!(opened.history_of(id).unwrap().is_some(), "messages, conversations and charges are found");
    }
}

/// Of conversations, charges, and the messages that they name.
fn ids_of<S: Store>(opened: &Installation<S>) -> Vec<[u8; 16]> {
    let mut ids = Vec::new();
    for entry in opened.ledger().entries(EMBEDDED_PARTITION, Sequence(1)).unwrap() {
        let entry = entry.unwrap();
        if let Some(facts) = entry.body.conversation() {
            ids.extend([facts.conversation.0, facts.opened_by.message.0]);
        }
        if let EntryBody::ConversationCharged(charge) = &entry.body {
            ids.extend([charge.charge.0, charge.earned_by.message.0]);
        }
    }
    ids
}

#[test]
fn lost_sled_and_state_are_made_again_and_the_directory_goes_on() {
    let (place, _, _) = projected();
    for folder in ["ledger", "state"] {
        fs::remove_dir_all(place.data().join(folder)).unwrap();
    }
    let mut opened = place.open();
    let more = place.file("more.jsonl", traffic(700)[500..].concat());
    project(&mut opened, &[more]);
    let (expected, _) = clean(&[traffic(500).concat(), traffic(700)[500..].concat()]);
    assert_eq!(result(&mut opened), expected);
    assert_sound(&opened);
}

#[test]
fn a_half_written_end_of_the_log_is_cut_off() {
    let (place, expected, hash) = projected();
    let segment = common::files_below(&place.data().join("log")).pop().unwrap();
    let content = fs::read(&segment).unwrap();
    // The beginning of a block, as a crash in the middle of writing it leaves it.
    let torn = [content.as_slice(), &content[..100]].concat();
    fs::write(&segment, torn).unwrap();
    let mut opened = place.open();
    assert_eq!(head(&opened).hash, hash);
    assert_eq!(result(&mut opened), expected);
    assert_sound(&opened);
}

#[test]
fn a_log_that_ends_before_the_ledger_is_refused() {
    let (place, _, _) = projected();
    let segment = common::files_below(&place.data().join("log")).pop().unwrap();
    let length = fs::metadata(&segment).unwrap().len();
    OpenOptions::new().write(true).open(&segment).unwrap().set_len(length - 1).unwrap();
    let error = place.open_with(ledger_of(&place)).unwrap_err();
    assert!(matches!(error, PipelineError::Log(LogError::Short { .. })), "{error}");
}

fn ledger_of(place: &Place) -> ledger::store::SledStore {
    ledger::store::SledStore::open(&place.data().join("ledger")).unwrap()
}

fn projected() -> (Place, NetResult, EntryHash) {
    let place = Place::new();
    let file = place.file("all.jsonl", traffic(500).concat());
    let mut opened = place.open();
    project(&mut opened, &[file]);
    let (expected, hash) = (result(&mut opened), head(&opened).hash);
    (place, expected, hash)
}

fn clean(parts: &[String]) -> (NetResult, EntryHash) {
    let place = Place::new();
    let mut opened = place.open();
    for (number, part) in parts.iter().enumerate() {
        let file = place.file(&format!("{number}.jsonl"), part);
        project(&mut opened, &[file]);
    }
    (result(&mut opened), head(&opened).hash)
}
