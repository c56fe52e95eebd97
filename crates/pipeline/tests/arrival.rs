//! The same events give the same net result, whatever their order, their division into files and their repeats.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::io::Write;

use common::{Place, REPLY, TEXT_OF_USER, assert_sound, head, line, project, result, traffic};

#[test]
fn order_division_and_repeats_do_not_matter() {
    let lines = traffic(1_500);
    let straight = Place::new();
    let mut expected_in = straight.open();
    project(&mut expected_in, &[straight.file("all.jsonl", lines.concat())]);
    let expected = result(&mut expected_in);
    assert!(expected.net.len() > 100, "{}", expected.net.len());
    assert_sound(&expected_in);

    let mut backwards = lines.clone();
    backwards.reverse();
    // Every seventh line first, then every seventh beginning with the second, and so on.
    let scattered: Vec<String> =
        (0..7).flat_map(|start| lines.iter().skip(start).step_by(7).cloned()).collect();
    let twice: Vec<String> = lines.iter().flat_map(|line| [line.clone(), line.clone()]).collect();
    for (name, lines) in [("backwards", backwards), ("scattered", scattered), ("twice", twice)] {
        for pieces in [1, 5] {
            let place = Place::new();
            let length = lines.len().div_ceil(pieces);
            let files: Vec<String> = lines
                .chunks(length)
                .enumerate()
                .map(|(number, lines)| place.file(&format!("{number}.jsonl"), lines.concat()))
                .collect();
            let mut opened = place.open();
            if pieces == 1 {
                project(&mut opened, &files);
            } else {
                // Each in a run of its own, with a restart between.
                for file in &files {
                    drop(opened);
                    opened = place.open();
                    project(&mut opened, std::slice::from_ref(file));
                }
            }
            assert_eq!(result(&mut opened), expected, "{name} in {pieces}");
            assert_sound(&opened);
        }
    }
}

#[test]
fn another_event_is_another_digest() {
    let first = line("1", "2022-02-01T10:00:00Z", "5511987654321", TEXT_OF_USER);
    let reply = line("2", "2022-02-01T10:05:00Z", "5511987654321", REPLY);
    let digest = |content: &str| {
        let place = Place::new();
        let mut opened = place.open();
        project(&mut opened, &[place.file("a.jsonl", content)]);
        opened.digests().unwrap()[0].digest
    };
    assert_eq!(digest(&(first.clone() + &reply)), digest(&(reply.clone() + &first)));
    assert_ne!(digest(&(first.clone() + &reply)), digest(&first));
}

#[test]
fn a_file_read_before_changes_nothing() {
    let place = Place::new();
    let file = place.file("all.jsonl", traffic(200).concat());
    let mut opened = place.open();
    project(&mut opened, std::slice::from_ref(&file));
    let before = head(&opened);
    let renamed = place.file("copy.jsonl", traffic(200).concat());
    for again in [file, renamed] {
        let summary = project(&mut opened, std::slice::from_ref(&again));
        assert_eq!((summary.dispositions.total(), summary.entries), (0, 0));
        assert_eq!(summary.unchanged_inputs, [again]);
        assert_eq!(head(&opened), before);
    }
}

#[test]
fn a_file_that_has_grown_is_read_on() {
    let lines = traffic(300);
    let whole = Place::new();
    let mut expected_in = whole.open();
    project(&mut expected_in, &[whole.file("all.jsonl", lines.concat())]);

    for name in ["growing.jsonl", "growing.zst"] {
        let place = Place::new();
        let mut opened = place.open();
        let mut read = 0;
        for end in [100, 101, 300] {
            let mut content = lines[..end].concat().into_bytes();
            if name.ends_with(".zst") {
                content = zstd::bulk::compress(&content, 1).unwrap();
            }
            let file = place.file(name, content);
            let summary = project(&mut opened, &[file]);
            let control = summary.dispositions.by_disposition[2];
            assert_eq!(summary.dispositions.total() - control, (end - read) as u64, "{name}");
            read = end;
        }
        assert_eq!(result(&mut opened), result(&mut expected_in), "{name}");
        assert_sound(&opened);
    }
}

#[test]
fn a_last_line_that_was_cut_off_is_completed_later() {
    let first = line("1", "2022-02-01T10:00:00Z", "5511987654321", TEXT_OF_USER);
    let reply = line("2", "2022-02-01T10:05:00Z", "5511987654321", REPLY);
    let place = Place::new();
    let mut opened = place.open();
    let summary = project(&mut opened, &[place.file("a.jsonl", format!("{first}{}", &reply[..40]))]);
    assert_eq!(summary.dispositions.by_disposition[0], 1, "the torn line is malformed for now");
    assert!(result(&mut opened).net[0].charge.is_none());
    let summary = project(&mut opened, &[place.file("a.jsonl", format!("{first}{reply}"))]);
    assert_eq!(summary.dispositions.by_disposition[8], 1, "the whole line is applied");
    assert!(result(&mut opened).net[0].charge.is_some());
    assert_sound(&opened);
}

#[test]
fn a_last_line_without_an_end_counts_once() {
    let first = line("1", "2022-02-01T10:00:00Z", "5511987654321", TEXT_OF_USER);
    let reply = line("2", "2022-02-01T10:05:00Z", "5511987654321", REPLY);
    let place = Place::new();
    let mut opened = place.open();
    project(&mut opened, &[place.file("a.jsonl", first.trim_end())]);
    let summary = project(&mut opened, &[place.file("a.jsonl", &first)]);
    assert_eq!(summary.dispositions.total(), 0, "only the line's end is new");
    let summary = project(&mut opened, &[place.file("a.jsonl", format!("{first}{reply}"))]);
    assert_eq!(summary.dispositions.by_disposition[8], 1);
    assert_sound(&opened);
}

#[test]
fn compressed_files_are_the_same_as_plain_ones() {
    let text = traffic(300).concat();
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::bulk::compress(text.as_bytes(), 1).unwrap();
    let place = Place::new();
    let mut opened = place.open();
    project(&mut opened, &[place.file("plain", &text)]);
    let before = head(&opened);
    for (name, bytes) in [("one.gz", gzip), ("one.zst", zstd)] {
        let other = Place::new();
        let mut compressed = other.open();
        let file = other.file(name, &bytes);
        project(&mut compressed, std::slice::from_ref(&file));
        assert_eq!(head(&compressed).hash, before.hash, "{name}");
        // Known by what is in it, not by its name or its compression.
        let summary = project(&mut opened, &[file]);
        assert_eq!(summary.dispositions.total(), 0, "{name}");
    }
}

#[test]
fn a_damaged_compressed_file_gives_what_can_be_read() {
    let text = traffic(300).concat();
    let mut zstd = zstd::bulk::compress(text.as_bytes(), 1).unwrap();
    zstd.truncate(zstd.len() / 2);
    let place = Place::new();
    let mut opened = place.open();
    let summary = project(&mut opened, &[place.file("half.zst", zstd)]);
    assert!(summary.dispositions.by_disposition[0] >= 1, "the break is on record");
    assert_sound(&opened);
}
