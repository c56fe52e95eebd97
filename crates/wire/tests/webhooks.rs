//! Webhook bodies: each fixture in `tests/webhooks` is a body with the pieces that it gives beside it.

#[path = "common/golden.rs"]
mod golden;

use std::{fs, path::Path};

use golden::check_golden;
use model::EventBody;
use wire::{Piece, WebhookDefaults, decode_json_line};

fn show(piece: &Piece<'_>) -> String {
    let event = match piece {
        Piece::Ignored(reason) => return format!("ignored {}", reason.as_str()),
        Piece::Malformed(problem) => {
            return format!("malformed {}: {}", problem.reason.as_str(), problem.message);
        }
        Piece::Tick(at) => return format!("tick {}", at.0),
        Piece::Event(event) => event,
    };
    let mut line = format!(
        "event {} at {} account {} phone {} user {}",
        event.event_id, event.occurred_at.0, event.account, event.business_phone, event.user
    );
    if let Some(tag) = &event.tag {
        line += &format!(" tag {tag}");
    }
    match &event.body {
        EventBody::UserMessage(message) => {
            line += &format!(" user message {}", message.kind.as_str());
            line += if message.referral { " referral" } else { "" };
        }
        EventBody::MessageStatus(status) => {
            line += &format!(" status {} of {}", status.status.as_str(), status.message_id);
            if status.error_code != 0 {
                line += &format!(" error {}", status.error_code);
            }
            if let Some(said) = &status.provider {
                line += &format!(" {said:?}");
            }
        }
        EventBody::UserCall => line += " user call",
        EventBody::BusinessMessage(_) | EventBody::Consent(_) => line += " never from a webhook",
    }
    line
}

fn pieces(body: &[u8], defaults: &WebhookDefaults) -> Vec<String> {
    let mut lines = Vec::new();
    decode_json_line(body, defaults, &mut |piece| lines.push(show(&piece)));
    lines
}

fn options() -> WebhookDefaults {
    WebhookDefaults { account: Some("900".to_owned()), business_phone: Some("901".to_owned()) }
}

#[test]
fn every_fixture_gives_the_pieces_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/webhooks");
    let mut fixtures = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let lines = pieces(&fs::read(&path).unwrap(), &options());
            check_golden(&format!("webhooks/{name}.pieces"), &(lines.join("\n") + "\n"));
            fixtures += 1;
        }
    }
    assert!(fixtures >= 20, "only {fixtures} fixtures found");
}

#[test]
fn a_bare_body_without_the_options_is_malformed_and_names_them() {
    let body =
        br#"{"messages":[{"from":"5511987654321","id":"ABEG1","timestamp":"1632479975","type":"text"}]}"#;
    let [problem] = &pieces(body, &WebhookDefaults::default())[..] else {
        panic!("not one piece");
    };
    assert!(problem.starts_with("malformed missing_field"), "{problem}");
    assert!(problem.contains("--account"), "{problem}");
    let no_phone = WebhookDefaults { account: Some("900".to_owned()), business_phone: None };
    assert!(pieces(body, &no_phone)[0].contains("--business-phone"));
}

#[test]
fn one_wrong_message_takes_no_other_with_it() {
    let good = |id: &str| {
        format!(r#"{{"from":"5511987654321","id":"{id}","timestamp":"1632479975","type":"text"}}"#)
    };
    for (wrong, reason) in [
        (r#"{"from":"5511987654321","id":"w","timestamp":"yesterday","type":"text"}"#, "out_of_range"),
        (r#"{"from":"5511987654321","id":"w","timestamp":1632479975000,"type":"text"}"#, "out_of_range"),
        (r#"{"from":"5511987654321","id":"w","timestamp":1632479975.5,"type":"text"}"#, "out_of_range"),
        (r#"{"from":"5511987654321","id":"w","timestamp":"-5","type":"text"}"#, "out_of_range"),
        (r#"{"from":"5511987654321","id":"w","type":"text"}"#, "missing_field"),
        (r#"{"from":"5511987654321","timestamp":"1632479975","type":"text"}"#, "missing_field"),
        (r#"{"id":"w","timestamp":"1632479975","type":"text"}"#, "missing_field"),
        (r#"{"from":"5511987654321","id":"w","timestamp":"1632479975"}"#, "missing_field"),
        ("17", "out_of_range"),
        ("null", "out_of_range"),
    ] {
        let body = format!(r#"{{"messages":[{},{wrong},{}]}}"#, good("first"), good("last"));
        let lines = pieces(body.as_bytes(), &options());
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("event first") && lines[2].starts_with("event last"), "{lines:?}");
        assert!(lines[1].starts_with(&format!("malformed {reason}: messages[1]")), "{}", lines[1]);
        assert!(!lines[1].contains("5511987654321"), "a problem repeats no number: {}", lines[1]);
    }
}

#[test]
fn timestamps_may_be_text_or_numbers() {
    let body = |timestamp: &str| {
        format!(r#"{{"messages":[{{"from":"1","id":"w","timestamp":{timestamp},"type":"text"}}]}}"#)
    };
    assert_eq!(
        pieces(body("1632479975").as_bytes(), &options()),
        pieces(body("\"1632479975\"").as_bytes(), &options())
    );
}

#[test]
fn lists_that_are_none_are_malformed_and_empty_bodies_are_said_to_be_empty() {
    for (body, wanted) in [
        (r#"{"object":"whatsapp_business_account","entry":[]}"#, "ignored empty_body"),
        (r#"{"object":"whatsapp_business_account"}"#, "ignored empty_body"),
        (r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[]}]}"#, "ignored empty_body"),
        (r#"{"messages":[],"statuses":[]}"#, "ignored empty_body"),
        (r#"{"object":"page","entry":[{"id":"1","messaging":[]}]}"#, "ignored unknown_type"),
        (r#"{"object":"whatsapp_business_account","entry":5}"#, "malformed out_of_range: entry has"),
        (r#"{"entry":[{"changes":{}}]}"#, "malformed out_of_range: entry[0].changes has"),
        (
            r#"{"entry":[{"changes":[{"field":"messages"}]}]}"#,
            "malformed missing_field: entry[0].changes[0].value",
        ),
        (r#"{"statuses":{}}"#, "malformed out_of_range: statuses[0] has"),
        (r#"{"contacts":[]}"#, "malformed unknown_shape"),
        ("[]", "malformed unknown_shape"),
        ("", "ignored empty_line"),
        (" \t\r\n", "ignored empty_line"),
        ("{", "malformed unreadable_json"),
    ] {
        let lines = pieces(body.as_bytes(), &options());
        assert_eq!(lines.len(), 1, "{body}: {lines:?}");
        assert!(lines[0].starts_with(wanted), "{body}: {lines:?}");
    }
    let long = [b"{\"messages\":[]".as_slice(), &vec![b' '; 1 << 20], b"}"].concat();
    assert!(pieces(&long, &options())[0].starts_with("malformed too_long"));
    assert!(pieces(b"{\"messages\":\"\xff\"}", &options())[0].starts_with("malformed invalid_utf8"));
}
