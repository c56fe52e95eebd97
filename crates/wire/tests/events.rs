//! Events: golden JSON and protobuf of each kind, the more generous spellings, ranges, and what problems say.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/hex.rs"]
mod hex;

use std::borrow::Cow;

use golden::check_golden;
use hex::hex;
use model::{
    BusinessMessage, Category, Consent, Event, EventBody, IgnoredReason, MalformedReason, MessageKind,
    MessageStatus, ProviderVerdict, StatusKind, Template, UnixMillis, UserMessage,
};
use wire::{
    Piece, Problem, WebhookDefaults, decode_json_line, decode_protobuf, event_to_json, event_to_protobuf,
};

fn event(body: EventBody<'static>) -> Event<'static> {
    Event {
        event_id: "wamid.HBgNNTUxMTk4NzY1NDMyMRUCABIYFDNBMDAwMQA=".into(),
        occurred_at: UnixMillis(1_643_882_400_123),
        account: "102290129340398".into(),
        business_phone: "106540352242922".into(),
        user: "5511987654321".into(),
        tag: Some("campanha \"verão\" 7".into()),
        body,
    }
}

fn events() -> Vec<(&'static str, Event<'static>)> {
    let template = Template { name: "oferta".into(), category: Category::AuthenticationInternational };
    let provider = ProviderVerdict {
        conversation_id: "c7662d4fa5d580e5238260cdbb77483a".to_owned(),
        expires_at: Some(UnixMillis(1_643_968_800_000)),
        origin_type: "business_initiated".to_owned(),
        billable: Some(false),
        pricing_model: "CBP".to_owned(),
        pricing_type: "regular".to_owned(),
        category: "authentication-international".to_owned(),
    };
    let status = |status, error_code, provider| {
        EventBody::MessageStatus(MessageStatus { message_id: "wamid.A".into(), status, error_code, provider })
    };
    vec![
        (
            "user_message",
            event(EventBody::UserMessage(UserMessage { kind: MessageKind::Text, referral: true })),
        ),
        (
            "business_message",
            event(EventBody::BusinessMessage(BusinessMessage {
                kind: MessageKind::Template,
                template: Some(template),
            })),
        ),
        (
            "business_reply",
            event(EventBody::BusinessMessage(BusinessMessage { kind: MessageKind::Image, template: None })),
        ),
        ("message_status", event(status(StatusKind::Delivered, 0, Some(Box::new(provider))))),
        ("message_status_failed", event(status(StatusKind::Failed, 131_049, None))),
        ("user_call", event(EventBody::UserCall)),
        ("consent", event(EventBody::Consent(Consent { granted: false, source: "keyword".into() }))),
    ]
}

fn read(line: &str) -> Piece<'static> {
    let mut pieces = Vec::new();
    decode_json_line(line.as_bytes(), &WebhookDefaults::default(), &mut |piece| {
        pieces.push(match piece {
            Piece::Event(event) => {
                let mut out = Vec::new();
                event_to_protobuf(&event, &mut out);
                let Piece::Event(copy) = decode_protobuf(out.leak()) else {
                    panic!("an event that was read cannot be written");
                };
                Piece::Event(copy)
            }
            Piece::Ignored(reason) => Piece::Ignored(reason),
            Piece::Malformed(problem) => Piece::Malformed(problem),
            Piece::Tick(at) => Piece::Tick(at),
        });
    });
    assert_eq!(pieces.len(), 1, "{line}");
    pieces.remove(0)
}

fn problem(line: &str) -> Problem {
    match read(line) {
        Piece::Malformed(problem) => problem,
        other @ (Piece::Event(_) | Piece::Ignored(_) | Piece::Tick(_)) => {
            panic!("{line} is not malformed but {other:?}")
        }
    }
}

#[test]
fn every_kind_of_event_has_the_json_and_the_bytes_of_its_golden_files() {
    for (name, event) in events() {
        let (mut json, mut bytes) = (Vec::new(), Vec::new());
        event_to_json(&event, &mut json);
        event_to_protobuf(&event, &mut bytes);
        check_golden(
            &format!("golden/events/{name}.json"),
            &(String::from_utf8(json.clone()).unwrap() + "\n"),
        );
        check_golden(&format!("golden/events/{name}.hex"), &hex(&bytes));
        assert_eq!(read(std::str::from_utf8(&json).unwrap()), Piece::Event(event.clone()));
        assert_eq!(decode_protobuf(&bytes), Piece::Event(event));
    }
}

const LINE: &str = r#"{"eventId":"e1","occurredAt":"2022-02-03T10:00:00Z","accountId":"1","businessPhone":"2","userPhone":"5511987654321","userMessage":{"kind":"TEXT"}}"#;

#[test]
fn names_may_be_camel_or_snake_case_and_enums_short_long_or_numbers() {
    let wanted = read(LINE);
    assert!(matches!(wanted, Piece::Event(_)));
    for (from, to) in [
        ("eventId", "event_id"),
        ("occurredAt", "occurred_at"),
        ("accountId", "account_id"),
        ("businessPhone", "business_phone"),
        ("userPhone", "user_phone"),
        ("userMessage", "user_message"),
        ("\"TEXT\"", "\"MESSAGE_KIND_TEXT\""),
        ("\"TEXT\"", "1"),
        ("10:00:00Z", "10:00:00.000999Z"),
        ("10:00:00Z", "07:00:00-03:00"),
        ("{\"eventId\"", "{\"addedLater\":[{}],\"eventId\""),
        ("e1", "\\u0065\\u0031"),
        (":", " : "),
    ] {
        if to != " : " {
            assert_eq!(read(&LINE.replace(from, to)), wanted, "{to}");
        }
    }
    assert_eq!(read(&format!("\u{feff}  {LINE} \r\n")), wanted);
}

#[test]
fn a_problem_names_the_field_and_what_to_do_but_not_the_value() {
    for (from, to, reason, field) in [
        ("\"e1\"", "\"\"", MalformedReason::MissingField, "eventId"),
        ("\"occurredAt\":\"2022-02-03T10:00:00Z\",", "", MalformedReason::MissingField, "occurredAt"),
        ("\"accountId\":\"1\",", "", MalformedReason::MissingField, "accountId"),
        ("\"businessPhone\":\"2\",", "", MalformedReason::MissingField, "businessPhone"),
        ("5511987654321", "", MalformedReason::MissingField, "userPhone"),
        ("userMessage", "surprise", MalformedReason::MissingField, "body"),
        ("\"5511987654321\"", "5511987654321", MalformedReason::OutOfRange, "userPhone"),
        ("2022-02-03T10:00:00Z", "1969-12-31T23:59:59Z", MalformedReason::OutOfRange, "occurredAt"),
        ("2022-02-03T10:00:00Z", "5511987654321", MalformedReason::OutOfRange, "occurredAt"),
        ("TEXT", "5511987654321", MalformedReason::OutOfRange, "userMessage.kind"),
    ] {
        let problem = problem(&LINE.replace(from, to));
        assert_eq!((problem.reason, problem.field.as_deref()), (reason, Some(field)), "{}", problem.message);
        assert!(problem.message.starts_with(field), "{}", problem.message);
        assert!(!problem.message.contains("5511987654321"), "{}", problem.message);
        assert!(!problem.message.ends_with('.'), "{}", problem.message);
    }
}

#[test]
fn texts_may_be_as_long_as_their_limit_and_no_longer() {
    for (from, field, bytes_max) in [
        ("\"e1\"", "eventId", 512),
        ("\"1\"", "accountId", 128),
        ("\"2\"", "businessPhone", 128),
        ("\"5511987654321\"", "userPhone", 128),
    ] {
        let with = |length: usize| LINE.replace(from, &format!("\"{}\"", "x".repeat(length)));
        assert!(matches!(read(&with(bytes_max)), Piece::Event(_)), "{field}");
        let problem = problem(&with(bytes_max + 1));
        assert_eq!(problem.reason, MalformedReason::OutOfRange);
        assert_eq!(problem.field, Some(Cow::Borrowed(field)));
    }
}

#[test]
fn a_tick_names_its_time_and_other_control_records_are_ignored_in_files() {
    let at = UnixMillis(1_643_882_400_000);
    assert_eq!(read(r#"{"tick":{"until":"2022-02-03T10:00:00Z"}}"#), Piece::Tick(at));
    assert_eq!(read(r#"{"occurredAt":"2022-02-03T10:00:00Z","tick":{}}"#), Piece::Tick(at));
    assert_eq!(problem(r#"{"tick":{}}"#).field, Some(Cow::Borrowed("tick.until")));
    for control in ["configuration", "periodClosed", "userErased", "resubmission"] {
        let line = format!(r#"{{"{control}":{{}}}}"#);
        assert_eq!(read(&line), Piece::Ignored(IgnoredReason::UnknownType));
    }
}

#[test]
fn an_empty_consent_is_no_opt_out() {
    let line = LINE.replace(r#""userMessage":{"kind":"TEXT"}"#, r#""consent":{}"#);
    assert_eq!(problem(&line).field, Some(Cow::Borrowed("consent.granted")));
}

#[test]
fn a_message_that_is_too_long_or_no_protobuf_is_malformed() {
    let reason = |bytes: &[u8]| match decode_protobuf(bytes) {
        Piece::Malformed(problem) => problem.reason,
        other @ (Piece::Event(_) | Piece::Ignored(_) | Piece::Tick(_)) => panic!("{other:?}"),
    };
    assert_eq!(reason(&vec![0; (1 << 20) + 1]), MalformedReason::TooLong);
    assert_eq!(reason(b"\x0a\x05ab"), MalformedReason::UnreadableProtobuf);
    assert_eq!(reason(b"\x0a\x01\xff"), MalformedReason::UnreadableProtobuf);
    assert_eq!(reason(b""), MalformedReason::MissingField);
}
