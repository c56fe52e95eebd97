//! Numbers and message ids stand in the erasable places alone, the secret stays what it is, and one process at a time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::{collections::BTreeSet, fs};

use common::{Place, files_below, project, traffic};
use ledger::{DataDir, DirError, LedgerError, SecretError, store::SledStore};
use pipeline::{Installation, PipelineError};

#[test]
fn no_number_and_no_message_id_stands_outside_users_and_quarantine() {
    let lines = traffic(400);
    let place = Place::new();
    // One line of garbage, whose bytes hold a number as well.
    let torn = &lines[0][..lines[0].len() / 2];
    let file = place.file("all.jsonl", format!("{torn}\n{}", lines.concat()));
    let mut opened = place.open();
    project(&mut opened, &[file]);
    drop(opened);

    let mut clear = BTreeSet::new();
    for line in &lines {
        for member in ["\"userPhone\":\"", "\"eventId\":\"", "\"messageId\":\""] {
            for found in line.split(member).skip(1) {
                clear.insert(found.split('"').next().unwrap().to_owned());
            }
        }
    }
    assert!(clear.len() > 300, "{}", clear.len());
    let allowed = [place.data().join("users"), place.data().join("quarantine")];
    let mut looked_at = 0;
    for path in files_below(&place.data()) {
        if allowed.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        looked_at += bytes.len();
        for text in &clear {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "{} holds {text}", path.display());
        }
    }
    assert!(looked_at > 10_000, "{looked_at}");
}

#[test]
fn another_secret_is_refused() {
    let place = Place::new();
    let mut opened = place.open();
    project(&mut opened, &[place.file("all.jsonl", traffic(50).concat())]);
    drop(opened);
    fs::write(place.data().join("secret"), [8; 32]).unwrap();
    let error = Installation::open(&place.data(), false, &mut |_| {}).unwrap_err();
    assert!(matches!(error, PipelineError::Ledger(LedgerError::OtherSecret { .. })), "{error}");
}

#[test]
fn a_secret_is_not_made_anew_beside_an_old_log() {
    let place = Place::new();
    let mut opened = place.open();
    project(&mut opened, &[place.file("all.jsonl", traffic(50).concat())]);
    drop(opened);
    let secret = place.data().join("secret");
    fs::remove_file(&secret).unwrap();
    let error = Installation::open(&place.data(), false, &mut |_| {}).unwrap_err();
    assert!(matches!(error, PipelineError::Secret(SecretError::Missing { .. })), "{error}");
    assert!(!secret.exists());

    // Even where the ledger, which has the fingerprint, is lost as well.
    fs::remove_dir_all(place.data().join("ledger")).unwrap();
    fs::write(&secret, [8; 32]).unwrap();
    let error = Installation::open(&place.data(), false, &mut |_| {}).unwrap_err();
    assert!(matches!(error, PipelineError::Secret(SecretError::Other { .. })), "{error}");
    fs::write(&secret, [7; 32]).unwrap();
    Installation::open(&place.data(), false, &mut |_| {}).unwrap();
}

#[test]
fn a_second_process_is_told_that_the_directory_is_in_use() {
    let place = Place::new();
    let opened = place.open();
    let error = Installation::open(&place.data(), false, &mut |_| {}).unwrap_err();
    assert!(matches!(error, PipelineError::Dir(DirError::InUse { .. })), "{error}");
    drop(opened);
    let dir = DataDir::open(&place.data(), false).unwrap();
    SledStore::open(&dir.ledger()).unwrap();
}
