//! What others do to the topics, on a real broker: for each the documented outcome, and no wrong charge in any.
//!
//! The outcomes are in `deploy/README.md`, under "When something is lost" and "When something is sent that should not be".

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod service;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use kafka::meddling::{CRC32, Stray};
use model::{EntryKind, PartitionId};
use pipeline::service::{header, partition_of};
use service::Place;

/// No tick comes in between: what is published follows from what was sent alone.
const WITHOUT_TICKS: &[&str] = &["--tick-interval-ms", "3600000"];

/// What the record of an event has in the input topic.
fn key_of(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    format!("{}:{}", event["businessPhone"].as_str().unwrap(), event["userPhone"].as_str().unwrap())
}

#[test]
fn what_is_sent_wrongly_becomes_a_dead_letter_and_charges_nobody() {
    let Some(place) = Place::new(4) else { return };
    let lines = place.generate(3_000);
    let (sound, others) = lines.split_at(2_000);
    let sound = place.file("sound.jsonl", sound);
    place.project(&sound);
    let instance = place.start("one", WITHOUT_TICKS);
    place.publish(&sound);

    let (meddler, input) = (place.meddler(), &place.names.input);
    let keys: Vec<String> = others.iter().map(|line| key_of(line)).collect();
    let of_crc32: Vec<Stray<'_>> = keys
        .iter()
        .zip(others)
        .map(|(key, line)| Stray { partition: None, key: Some(key.as_bytes()), value: Some(line.as_bytes()) })
        .collect();
    let landed = meddler.send(input, CRC32, &of_crc32).unwrap();
    // Of four partitions, one in four is the right one by chance.
    let is_right = |index: usize| landed[index].0 == partition_of(keys[index].as_bytes(), place.partitions);
    let (right, astray): (Vec<usize>, Vec<usize>) = (0..others.len()).partition(|index| is_right(*index));
    assert!(right.len() > 50 && astray.len() > 500, "{} right, {} astray", right.len(), astray.len());

    let of_another = lines[..5].iter().map(|line| Stray {
        partition: None,
        key: Some(b"106540352242922:someone else"),
        value: Some(line.as_bytes()),
    });
    let without_key =
        lines[5..8].iter().map(|line| Stray { partition: None, key: None, value: Some(line.as_bytes()) });
    let garbage = [Some(&b"\xff\xfe\x00"[..]), Some(b"{\"eventId\":\"cut o"), Some(b""), None];
    let garbage = garbage.map(|value| Stray { partition: Some(PartitionId(1)), key: Some(b"key"), value });
    let mistaken: Vec<Stray<'_>> = of_another.chain(without_key).chain(garbage).collect();
    meddler.send(input, "murmur2_random", &mistaken).unwrap();
    place.wait_until_published(&[&instance]);
    assert_eq!(instance.stop(), Some(0));

    let wrong: Vec<Stray<'_>> = astray.iter().map(|index| of_crc32[*index]).chain(mistaken).collect();
    let kinds = place.read_ledger();
    assert_eq!(kinds[&EntryKind::RecordQuarantined], wrong.len() as u64);
    let mut sent: Vec<_> = wrong.iter().map(|stray| (stray.key, stray.value)).collect();
    let letters = place.dead_letters();
    let mut kept: Vec<_> =
        letters.iter().map(|letter| (letter.key.as_deref(), letter.value.as_deref())).collect();
    sent.sort_unstable();
    kept.sort_unstable();
    assert_eq!(kept, sent, "every one of them is kept as it came");
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for letter in &letters {
        let reason =
            letter.headers.iter().find(|(name, _)| name == header::REASON).unwrap().1.clone().unwrap();
        *reasons.entry(String::from_utf8(reason).unwrap()).or_default() += 1;
    }
    assert_eq!(reasons, [("malformed".to_owned(), 4), ("misrouted".to_owned(), wrong.len() - 4)].into());

    let right: Vec<&String> = right.iter().map(|index| &others[*index]).collect();
    place.project(&place.file("right.jsonl", &right));
    place.assert_same_digests(&["one"]);
    place.verify();
}

#[test]
fn a_producers_clock_is_refused_at_the_start_and_while_it_runs() {
    let Some(place) = Place::new(1) else { return };
    let lines = place.generate(900);
    let (sound, late) = lines.split_at(600);
    let (sound, late) = (place.file("sound.jsonl", sound), place.file("late.jsonl", late));
    place.project(&sound);
    let meddler = place.meddler();
    let set = |value| meddler.set(&place.names.input, "message.timestamp.type", value).unwrap();
    set("CreateTime");
    let (code, log) = place.start("one", WITHOUT_TICKS).ended();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("--add-config message.timestamp.type=LogAppendTime"), "{log}");

    set("LogAppendTime");
    let instance = place.start("one", WITHOUT_TICKS);
    place.publish(&sound);
    place.wait_until_published(&[&instance]);
    let before = place.read_ledger();
    set("CreateTime");
    thread::sleep(Duration::from_secs(1));
    place.publish(&late);
    let (code, log) = instance.ended();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("message.timestamp.type=LogAppendTime"), "{log}");

    // Setting the topic right again does not give its records another time.
    set("LogAppendTime");
    let (code, log) = place.start("one", WITHOUT_TICKS).ended();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("has its producer's time, not the broker's"), "{log}");
    assert_eq!(place.read_ledger(), before);
    place.assert_same_digests(&["one"]);
}

#[test]
fn raised_partitions_stop_the_service() {
    let Some(place) = Place::new(2) else { return };
    let files = place.traffic(1_000, 1);
    let more = place.file("more.jsonl", &place.generate(500));
    let instance = place.start("one", WITHOUT_TICKS);
    place.publish(&files[0]);
    place.wait_until_published(&[&instance]);
    let before = place.read_ledger();
    place.meddler().raise_partitions(&place.names.input, 3).unwrap();
    let (code, log) = instance.ended();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("copy the events into it"), "{log}");

    // With what follows, and with an empty machine, it is refused as well.
    place.publish(&more);
    for data in ["one", "other"] {
        let (code, log) = place.start(data, WITHOUT_TICKS).ended();
        assert_eq!(code, Some(2), "{log}");
        assert!(log.contains("copy the events into it"), "{log}");
    }
    assert_eq!(place.read_ledger(), before);
    place.assert_same_digests(&["one"]);
    place.verify();
}

#[test]
fn an_input_topic_that_was_made_anew_is_not_billed() {
    let Some(place) = Place::new(2) else { return };
    let files = place.traffic(1_000, 1);
    let more = place.file("more.jsonl", &place.generate(800));
    let instance = place.start("one", WITHOUT_TICKS);
    place.publish(&files[0]);
    place.close_all(&[&instance]);
    assert_eq!(instance.stop(), Some(0));
    let before = place.read_ledger();
    place.assert_same_book();
    make_input_anew(&place);
    place.publish(&more);

    // The directory knows what it read last; an empty machine knows from the ledger topic how far the input went.
    for data in ["one", "other"] {
        let instance = place.start(data, WITHOUT_TICKS);
        let said = instance.stopped(2);
        assert!(said.contains("is not the one that was read before"), "{said}");
        assert_eq!(instance.stop(), Some(0));
    }
    assert_eq!(place.read_ledger(), before);
}

#[test]
fn an_input_topic_that_is_made_anew_while_it_is_read_stops_its_partitions() {
    let Some(place) = Place::new(2) else { return };
    let files = place.traffic(1_000, 1);
    let more = place.file("more.jsonl", &place.generate(300));
    let instance = place.start("one", WITHOUT_TICKS);
    place.publish(&files[0]);
    place.close_all(&[&instance]);
    let before = place.read_ledger();
    place.assert_same_book();
    make_input_anew(&place);
    place.publish(&more);
    let said = instance.stopped(2);
    assert!(said.contains("is not the one that was read before"), "{said}");
    assert_eq!(instance.stop(), Some(0));
    assert_eq!(place.read_ledger(), before);
    place.verify();
}

fn make_input_anew(place: &Place) {
    let (meddler, input) = (place.meddler(), &place.names.input);
    meddler.delete(input).unwrap();
    let settings = [("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1")];
    meddler.make(input, place.partitions, &settings).unwrap();
}

#[test]
fn an_emptied_ledger_topic_is_written_again_only_if_that_is_asked_for() {
    let Some(place) = Place::new(2) else { return };
    let files = place.traffic(1_500, 3);
    // How far it is published is written down along with what comes next.
    for file in &files[..2] {
        let instance = place.start("one", WITHOUT_TICKS);
        place.publish(file);
        place.wait_until_published(&[&instance]);
        assert_eq!(instance.stop(), Some(0));
    }
    let before = place.read_ledger();
    empty_ledger(&place);
    let instance = place.start("one", WITHOUT_TICKS);
    let said = instance.stopped(2);
    assert!(said.contains("it has lost its end") && said.contains("`--republish-ledger`"), "{said}");
    assert_eq!(instance.stop(), Some(0));
    assert!(place.read_ledger().is_empty(), "nothing is written into it unasked");

    let republish = [WITHOUT_TICKS, &["--republish-ledger"]].concat();
    let instance = place.start("one", &republish);
    place.wait_until_published(&[&instance]);
    assert_eq!(place.read_ledger(), before);
    place.publish(&files[2]);
    place.close_all(&[&instance]);
    assert_eq!(instance.stop(), Some(0));
    place.read_ledger();
    place.assert_same_digests(&["one"]);
    place.assert_same_book();
    place.verify_with(&["--republished"]);
}

#[test]
fn a_ledger_topic_that_is_emptied_while_it_is_written_stops_its_partition() {
    let Some(place) = Place::new(1) else { return };
    let files = place.traffic(900, 3);
    let instance = place.start("one", WITHOUT_TICKS);
    for file in &files[..2] {
        place.publish(file);
        place.wait_until_published(&[&instance]);
    }
    empty_ledger(&place);
    place.publish(&files[2]);
    let said = instance.stopped(1);
    assert!(said.contains("the ledger topic") && said.contains("`--republish-ledger`"), "{said}");
    assert_eq!(instance.stop(), Some(0));
}

fn empty_ledger(place: &Place) {
    let meddler = place.meddler();
    for partition in (0..place.partitions).map(PartitionId) {
        meddler.cut(&place.names.ledger, partition, None).unwrap();
    }
}

/// Snapshots come early and often, so that there are some of little traffic.
fn with_snapshots(shared: &str) -> Vec<&str> {
    let often = ["--snapshots", shared, "--snapshot-interval-ms", "100", "--checkpoint-records", "100"];
    [WITHOUT_TICKS, &often].concat()
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_nothing_is_published_twice() {
    let Some(place) = Place::new(2) else { return };
    let files = place.traffic(2_000, 2);
    let shared = place.path("shared");
    let snapshots = with_snapshots(shared.to_str().unwrap());
    let instance = place.start("one", &snapshots);
    place.publish(&files[0]);
    place.wait_until_published(&[&instance]);
    wait_for_snapshots(&place, &shared);
    instance.kill();
    let before = place.read_ledger();
    for file in files_below(&shared) {
        if file.extension().is_some_and(|extension| extension == "state") {
            fs::write(&file, "not a state").unwrap();
        }
    }
    let instance = place.start("other", &snapshots);
    place.wait_until_published(&[&instance]);
    assert!(instance.log().contains("passed over"), "{}", instance.log());
    assert_eq!(place.read_ledger(), before);
    place.publish(&files[1]);
    place.wait_until_published(&[&instance]);
    assert_eq!(instance.stop(), Some(0));
    place.read_ledger();
    place.assert_same_digests(&["other"]);
    place.verify();
}

#[test]
fn an_input_that_was_cut_is_taken_over_from_a_snapshot_and_refused_without_one() {
    let Some(place) = Place::new(2) else { return };
    let lines = place.generate(3_000);
    let (sound, more) = lines.split_at(2_000);
    let sound = [place.file("first.jsonl", &sound[..1_000]), place.file("second.jsonl", &sound[1_000..])];
    sound.iter().for_each(|file| place.project(file));
    let more = place.file("more.jsonl", more);
    let shared = place.path("shared");
    let snapshots = with_snapshots(shared.to_str().unwrap());
    let instance = place.start("one", &snapshots);
    place.publish(&sound[0]);
    place.wait_until_published(&[&instance]);
    wait_for_snapshots(&place, &shared);
    instance.kill();

    // Before the snapshot: nothing of it is needed any more.
    let meddler = place.meddler();
    let begin = newest_snapshots(&place, &shared);
    for (partition, begin) in &begin {
        meddler.cut(&place.names.input, *partition, Some(*begin)).unwrap();
    }
    let instance = place.start("other", &snapshots);
    place.publish(&sound[1]);
    place.close_all(&[&instance]);
    assert!(instance.log().contains("restored from a snapshot"), "{}", instance.log());
    assert_eq!(instance.stop(), Some(0));
    let before = place.read_ledger();
    place.assert_same_digests(&["other"]);

    // Without it, what is left of the input does not do.
    let instance = place.start("without", WITHOUT_TICKS);
    let said = instance.stopped(2);
    assert!(said.contains("records were removed before they were read"), "{said}");
    assert_eq!(instance.stop(), Some(0));

    // Behind the snapshot, and behind what the directory has read.
    place.publish(&more);
    for (partition, end) in place.input_ends() {
        meddler.cut(&place.names.input, PartitionId(partition), Some(end - 10)).unwrap();
    }
    for (data, snapshots) in [("other", &snapshots), ("third", &snapshots)] {
        let instance = place.start(data, snapshots);
        let said = instance.stopped(2);
        assert!(said.contains("records were removed before they were read"), "{said}");
        assert_eq!(instance.stop(), Some(0));
    }
    assert_eq!(place.read_ledger(), before);
    place.verify();
}

/// Behind the last record that the newest snapshot of each partition has used: the last number in its folder's name.
fn newest_snapshots(place: &Place, shared: &Path) -> BTreeMap<PartitionId, u64> {
    let heads = files_below(&shared.join(place.app())).into_iter().filter(|file| file.ends_with("head"));
    let mut newest = BTreeMap::new();
    for head in heads {
        let mut names = head.ancestors().skip(1).map(|folder| folder.file_name().unwrap().to_str().unwrap());
        let (name, partition) = (names.next().unwrap(), names.next().unwrap());
        let offset: u64 = name.split_once('-').unwrap().1.parse().unwrap();
        let partition = PartitionId(partition.strip_prefix('p').unwrap().parse().unwrap());
        newest.entry(partition).and_modify(|known: &mut u64| *known = offset.max(*known)).or_insert(offset);
    }
    newest
}

fn wait_for_snapshots(place: &Place, shared: &Path) {
    let began = Instant::now();
    while newest_snapshots(place, shared).len() < place.partitions as usize {
        assert!(began.elapsed() < Duration::from_secs(30), "no snapshots in {}", shared.display());
        thread::sleep(Duration::from_millis(50));
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
