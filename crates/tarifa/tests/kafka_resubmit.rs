//! Records that could not be billed, on their way back through Kafka: mended, they are billed as if they had come whole.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod service;

use std::collections::BTreeMap;

use kafka::meddling::Stray;
use model::{EntryKind, PartitionId};
use pipeline::service::{header, partition_of};
use service::Place;

const BROKEN: usize = 4;

#[test]
fn a_mended_record_is_billed_as_if_it_had_come_whole() {
    let Some(place) = Place::new(2) else { return };
    let lines = place.generate(1_000);
    place.project(&place.file("all.jsonl", &lines));
    // Every so many lines one is torn, the first ones of conversations among them.
    let torn: Vec<usize> = (0..BROKEN).map(|number| number * lines.len() / BROKEN).collect();
    let whole: Vec<&String> =
        (0..lines.len()).filter(|index| !torn.contains(index)).map(|index| &lines[index]).collect();
    let instance = place.start("one", &["--tick-interval-ms", "3600000"]);
    place.publish(&place.file("whole.jsonl", &whole));
    // Half of them on the partition of their thread, the others not.
    let strays: Vec<Stray<'_>> = torn
        .iter()
        .enumerate()
        .map(|(number, index)| {
            let home = partition_of(key_of(&lines[*index]).as_bytes(), 2);
            let partition = Some(PartitionId(if number % 2 == 0 { home } else { 1 - home }));
            let value = lines[*index].as_bytes();
            Stray { partition, key: None, value: Some(&value[..value.len() / 2]) }
        })
        .collect();
    place.meddler().send(&place.names.input, "murmur2_random", &strays).unwrap();
    place.wait_until_published(&[&instance]);
    assert_eq!(place.read_ledger()[&EntryKind::RecordQuarantined], BROKEN as u64);

    let positions = positions(&place);
    for (number, (stray, index)) in strays.iter().zip(&torn).enumerate() {
        let record = &positions[stray.value.unwrap()];
        let out = resubmit(&place, &[record]);
        assert!(out.contains("cannot be resubmitted as it was"), "{out}");
        let mended = place.file("mended.json", &[&lines[*index]]);
        let mended = ["--mended", mended.to_str().unwrap(), record];
        let out = resubmit(&place, &mended);
        let sent = if number % 2 == 0 { "sent as a resubmission" } else { "sent as an event of its own" };
        assert!(out.contains(sent), "{out}");
        // Twice is once.
        resubmit(&place, &mended);
    }
    let out = resubmit(&place, &["0/0"]);
    assert!(out.contains("is not in quarantine"), "{out}");

    place.close_all(&[&instance]);
    let duplicates = instance.numbers()["tarifa_records_total{disposition=\"duplicate\"}"];
    assert!(duplicates >= BROKEN as f64, "{duplicates}");
    assert_eq!(instance.stop(), Some(0));
    assert_eq!(place.read_ledger()[&EntryKind::RecordQuarantined], BROKEN as u64);
    place.assert_same_digests(&["one"]);
    place.assert_same_book();
    place.verify();
}

/// Runs the command, however it ends, and gives all that it said.
fn resubmit(place: &Place, arguments: &[&str]) -> String {
    let out = place.command(&["quarantine", "resubmit"]).args(arguments).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// By their bytes, where quarantined records lie: as the headers of the dead letters have it.
fn positions(place: &Place) -> BTreeMap<Vec<u8>, String> {
    let letters = place.dead_letters().into_iter();
    letters
        .map(|letter| {
            let position = letter.headers.into_iter().find(|(name, _)| name == header::POSITION);
            (letter.value.unwrap(), String::from_utf8(position.unwrap().1.unwrap()).unwrap())
        })
        .collect()
}

fn key_of(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    format!("{}:{}", event["businessPhone"].as_str().unwrap(), event["userPhone"].as_str().unwrap())
}
