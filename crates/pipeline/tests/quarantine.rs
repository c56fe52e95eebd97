//! What cannot be billed is kept, with its place; and it can come again, mended or as it was.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use common::{NOW, Place, REPLY, TEXT_OF_USER, assert_sound, head, line, project, result};
use ledger::store::SledStore;
use model::{Disposition, Offset, QuarantineReason};
use pipeline::{Installation, PipelineError, ResubmitError, ResubmitOptions, Resubmitted};
use wire::WebhookDefaults;

const USER: &str = "5511987654321";

#[test]
fn garbage_is_kept_with_its_file_and_line() {
    let place = Place::new();
    let good = line("1", "2022-02-01T10:00:00Z", USER, TEXT_OF_USER);
    let content = [b"not json\n".as_slice(), good.as_bytes(), b"\xff\xfe\n{\"a\":1}\n\n"].concat();
    let file = place.file("mixed.jsonl", content);
    let mut opened = place.open();
    let summary = project(&mut opened, std::slice::from_ref(&file));
    assert_eq!(summary.dispositions.by_disposition, [3, 0, 2, 1, 0, 0, 0, 0, 1]);
    let kept = opened.quarantine().list().unwrap();
    let places: Vec<_> = kept.iter().map(|original| (original.source.as_str(), original.line)).collect();
    assert_eq!(places, [(file.as_str(), 1), (file.as_str(), 3), (file.as_str(), 4)]);
    assert!(kept.iter().all(|original| original.reason == QuarantineReason::Malformed));
    assert_eq!(kept[1].bytes.as_deref(), Some(b"\xff\xfe".as_slice()));
    assert_sound(&opened);
}

#[test]
fn a_mended_record_is_booked_as_if_it_had_come_whole() {
    let reply = line("2", "2022-02-01T10:05:00Z", USER, REPLY);
    let (place, mut opened) = with_a_torn_reply(&reply);
    let time = head(&opened).partition_time;
    let done = mended(&mut opened, torn(), &reply).unwrap();
    assert_eq!(done.disposition, Disposition::Control);
    assert!(done.entries.1 > 0);
    assert_eq!(head(&opened).partition_time, time, "no time passes");
    assert!(opened.projector().is_resubmitted(torn()));

    let clean = Place::new();
    let mut expected = clean.open();
    let first = line("1", "2022-02-01T10:00:00Z", USER, TEXT_OF_USER);
    project(&mut expected, &[clean.file("a.jsonl", first + &reply)]);
    assert_eq!(result(&mut opened), result(&mut expected));
    assert_sound(&opened);

    drop(opened);
    let mut opened = place.open();
    assert_eq!(result(&mut opened), result(&mut expected), "after a restart");
}

#[test]
fn the_same_original_twice_is_a_duplicate() {
    let reply = line("2", "2022-02-01T10:05:00Z", USER, REPLY);
    let (place, mut opened) = with_a_torn_reply(&reply);
    mended(&mut opened, torn(), &reply).unwrap();
    drop(opened);
    let mut opened = place.open();
    let other = line("3", "2022-02-01T10:06:00Z", USER, REPLY);
    let again = mended(&mut opened, torn(), &other).unwrap();
    assert_eq!((again.disposition, again.entries.1), (Disposition::Duplicate, 0));
    assert_sound(&opened);
}

#[test]
fn a_mended_record_of_a_new_user_is_found_by_its_number() {
    let reply = line("2", "2022-02-01T10:05:00Z", USER, REPLY);
    let (_place, mut opened) = with_a_torn_reply(&reply);
    let stranger = line("9", "2022-02-02T10:00:00Z", "4915112345678", TEXT_OF_USER);
    mended(&mut opened, torn(), &stranger).unwrap();
    let user = opened.secret().seal_user("4915112345678");
    assert_eq!(opened.users().unwrap().get(&user).map(String::as_str), Some("4915112345678"));
}

#[test]
fn what_contradicts_goes_into_quarantine_again() {
    let reply = line("2", "2022-02-01T10:05:00Z", USER, REPLY);
    let (_place, mut opened) = with_a_torn_reply(&reply);
    let contradicting = line("1", "2022-02-01T11:00:00Z", USER, TEXT_OF_USER);
    let refused = mended(&mut opened, torn(), &contradicting).unwrap();
    assert_eq!(refused.disposition, Disposition::Conflict);
    let kept = opened.quarantine().get(pipeline::EMBEDDED_PARTITION, refused.offset).unwrap().unwrap();
    assert_eq!((kept.reason, kept.source.as_str()), (QuarantineReason::Conflict, "mended.json"));
    assert_eq!(kept.bytes.as_deref(), Some(contradicting.as_bytes()));
    // That one may come again in its turn.
    let accepted = mended(&mut opened, refused.offset, &reply).unwrap();
    assert_eq!(accepted.disposition, Disposition::Control);
    assert_sound(&opened);
}

#[test]
fn an_event_from_the_future_can_come_again_when_its_time_has_come() {
    let place = Place::new();
    let early = line("1", "2022-03-15T02:00:00Z", USER, TEXT_OF_USER);
    let mut opened = place.open();
    let summary = project(&mut opened, &[place.file("a.jsonl", early)]);
    assert_eq!(summary.dispositions.by_disposition[4], 1);
    let kept = opened.quarantine().list().unwrap()[0].offset;
    let mut options = ResubmitOptions { imported_at: NOW, ..ResubmitOptions::default() };
    let still = opened.resubmit(&[kept], &options, &mut |_| {}).unwrap();
    assert_eq!(still[0].disposition, Disposition::Future);
    options.imported_at.0 += 3 * 3_600_000;
    let done = opened.resubmit(&[kept], &options, &mut |_| {}).unwrap();
    assert_eq!(done[0].disposition, Disposition::Control);
    assert_eq!(result(&mut opened).net.len(), 1);
    assert_sound(&opened);
}

#[test]
fn one_event_of_a_webhook_body_comes_again_alone() {
    let message = |id: &str, text: &str| {
        format!(
            r#"{{"from":"{USER}","id":"wamid.{id}","timestamp":"{text}","type":"text","text":{{"body":"x"}}}}"#
        )
    };
    let body = |second: &str| {
        format!(
            r#"{{"messages":[{},{},{}]}}"#,
            message("1", "1643709600"),
            message("2", second),
            message("3", "1643709700")
        )
    };
    let place = Place::new();
    let mut opened = place.open();
    let mut options = common::options();
    options.webhook_defaults =
        WebhookDefaults { account: Some("acc".to_owned()), business_phone: Some("100".to_owned()) };
    let file = place.file("a.jsonl", body("soon") + "\n");
    opened.project(&[file], &options, &mut |_| {}).unwrap();
    let kept = opened.quarantine().list().unwrap();
    assert_eq!((kept.len(), kept[0].piece), (1, 1));
    let again = ResubmitOptions {
        mended: Some(("mended.json".to_owned(), body("1643709650").into_bytes())),
        webhook_defaults: options.webhook_defaults.clone(),
        imported_at: NOW,
    };
    opened.resubmit(&[kept[0].offset], &again, &mut |_| {}).unwrap();
    assert_eq!(result(&mut opened).net[0].user_messages, 3);
    assert_sound(&opened);
}

#[test]
fn what_cannot_be_resubmitted_is_refused_before_anything_is_appended() {
    let reply = line("2", "2022-02-01T10:05:00Z", USER, REPLY);
    let (_place, mut opened) = with_a_torn_reply(&reply);
    let before = head(&opened);
    let as_it_was = ResubmitOptions { imported_at: NOW, ..ResubmitOptions::default() };
    for (originals, expected) in [
        (vec![Offset(1)], "record 1 is not in quarantine: `tarifa quarantine list` shows those that are"),
        (vec![Offset(99)], "record 99 is not in quarantine: `tarifa quarantine list` shows those that are"),
        (
            vec![torn()],
            "record 2 cannot be resubmitted as it was (line ends in the middle of a JSON document",
        ),
    ] {
        let error = opened.resubmit(&originals, &as_it_was, &mut |_| {}).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    for (document, expected) in [
        ("{\"messages\":[", "mended.json is not readable"),
        ("{\"entry\":[]}", "mended.json is no billing event (empty_body): there is nothing to book"),
    ] {
        let error = mended(&mut opened, torn(), document).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let two = r#"{"messages":[{"id":"a"},{"id":"b"}]}"#;
    let error = mended(&mut opened, torn(), two).unwrap_err();
    assert!(matches!(error, PipelineError::Resubmit(ResubmitError::Several { events: 2, .. })), "{error}");
    assert_eq!(head(&opened), before);
    assert_eq!(opened.projector().next_offset(), before.next_offset);
}

/// Record 0 adopts, 1 is a message of the user, 2 is the first half of the reply, 3 the tick.
fn with_a_torn_reply(reply: &str) -> (Place, Installation<SledStore>) {
    let place = Place::new();
    let first = line("1", "2022-02-01T10:00:00Z", USER, TEXT_OF_USER);
    let file = place.file("torn.jsonl", format!("{first}{}\n", &reply[..50]));
    let mut opened = place.open();
    project(&mut opened, &[file]);
    (place, opened)
}

fn torn() -> Offset {
    Offset(2)
}

fn mended(
    opened: &mut Installation<SledStore>,
    original: Offset,
    document: &str,
) -> Result<Resubmitted, PipelineError> {
    let options = ResubmitOptions {
        mended: Some(("mended.json".to_owned(), document.as_bytes().to_vec())),
        webhook_defaults: WebhookDefaults::default(),
        imported_at: NOW,
    };
    opened.resubmit(&[original], &options, &mut |_| {}).map(|mut done| done.remove(0))
}
