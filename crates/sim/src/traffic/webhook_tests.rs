//! Bodies to the byte, and that any mixture of events makes whole ones.

use model::{BusinessMessage, Category, Consent, Template, UnixMillis};
use serde_json::Value;

use super::*;
use crate::traffic::TrafficPlan;

fn event(id: &'static str, user: &'static str, body: EventBody<'static>) -> Event<'static> {
    Event {
        event_id: id.into(),
        occurred_at: UnixMillis(1_643_882_400_999),
        account: "102".into(),
        business_phone: "106".into(),
        user: user.into(),
        tag: Some("campaign".into()),
        body,
    }
}

fn text(id: &'static str, user: &'static str) -> Event<'static> {
    event(id, user, EventBody::UserMessage(UserMessage { kind: MessageKind::Text, referral: false }))
}

fn line(events: &[Event<'_>]) -> (usize, String) {
    let mut out = Vec::new();
    let written = write_webhook_line(events, &mut out);
    (written, String::from_utf8(out).unwrap())
}

/// How many messages, statuses and calls a body has.
fn counts(body: &str) -> [usize; 3] {
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["object"], "whatsapp_business_account");
    let mut counts = [0; 3];
    for entry in body["entry"].as_array().unwrap() {
        assert!(entry["id"].is_string());
        for change in entry["changes"].as_array().unwrap() {
            let value = &change["value"];
            assert!(value["metadata"]["phone_number_id"].is_string());
            for (count, name) in counts.iter_mut().zip(["messages", "statuses", "calls"]) {
                *count += value[name].as_array().map_or(0, Vec::len);
            }
        }
    }
    counts
}

#[test]
fn one_message_in_one_body() {
    let wanted = concat!(
        r#"{"object":"whatsapp_business_account","entry":[{"id":"102","changes":[{"value":{"#,
        r#""messaging_product":"whatsapp","metadata":{"phone_number_id":"106"},"contacts":[{"wa_id":"5511"}],"#,
        r#""messages":[{"from":"5511","id":"wamid.1","timestamp":"1643882400","type":"text","#,
        r#""text":{"body":"Hello"}}]},"field":"messages"}]}]}"#,
        "\n"
    );
    assert_eq!(line(&[text("wamid.1", "5511")]), (1, wanted.to_owned()));
}

#[test]
fn a_business_message_becomes_its_sent_status() {
    let template = Some(Template { name: "order_update".into(), category: Category::Utility });
    let sent = EventBody::BusinessMessage(BusinessMessage { kind: MessageKind::Template, template });
    let (_, body) = line(&[event("wamid.1", "5511", sent)]);
    let wanted =
        r#""statuses":[{"id":"wamid.1","status":"sent","timestamp":"1643882400","recipient_id":"5511"}]"#;
    assert!(body.contains(wanted), "{body}");
}

#[test]
fn a_status_tells_error_conversation_and_price() {
    let verdict = ProviderVerdict {
        conversation_id: "c1".into(),
        expires_at: Some(UnixMillis(1_643_968_800_000)),
        origin_type: "user_initiated".into(),
        billable: Some(true),
        pricing_model: "CBP".into(),
        pricing_type: "regular".into(),
        category: "user_initiated".into(),
    };
    let told = EventBody::MessageStatus(MessageStatus {
        message_id: "wamid.1".into(),
        status: StatusKind::Failed,
        error_code: 131_026,
        provider: Some(Box::new(verdict)),
    });
    let (_, body) = line(&[event("s1", "5511", told)]);
    let wanted = concat!(
        r#"{"id":"wamid.1","status":"failed","timestamp":"1643882400","recipient_id":"5511","#,
        r#""errors":[{"code":131026}],"#,
        r#""conversation":{"id":"c1","expiration_timestamp":"1643968800","origin":{"type":"user_initiated"}},"#,
        r#""pricing":{"pricing_model":"CBP","billable":true,"type":"regular","category":"user_initiated"}}"#,
    );
    assert!(body.contains(wanted), "{body}");
}

#[test]
fn several_events_share_what_they_have_in_common() {
    let mut other_account = text("wamid.4", "5511");
    other_account.account = "103".into();
    let events = [
        text("wamid.1", "5511"),
        text("wamid.2", "5511"),
        text("wamid.3", "5522"),
        event("call", "5522", EventBody::UserCall),
        other_account,
        event("o1", "5511", EventBody::Consent(Consent { granted: true, source: "form".into() })),
    ];
    let (written, body) = line(&events);
    assert_eq!((written, counts(&body)), (5, [4, 0, 1]));
    assert_eq!(body.matches("\"changes\"").count(), 2, "one entry for each account");
    assert_eq!(body.matches("\"value\"").count(), 4, "the first two messages share a change");
}

#[test]
fn what_a_webhook_cannot_carry_makes_no_line() {
    let consent = event("o1", "5511", EventBody::Consent(Consent { granted: true, source: "form".into() }));
    assert_eq!(line(&[consent]), (0, String::new()));
    assert_eq!(line(&[]), (0, String::new()));
}

#[test]
fn a_stream_of_events_is_carried_whole_whatever_the_bodies() {
    let plan = TrafficPlan {
        events: 5_000,
        threads: 40,
        statuses: true,
        failed_per_mille: 100,
        calls_per_mille: 20,
        consents_per_mille: 20,
        ..TrafficPlan::default()
    };
    let mut lines = WebhookLines::new(1);
    let (mut out, mut carried) = (Vec::new(), 0);
    for event in plan.stream().unwrap() {
        carried += usize::from(lines.push(&event.event(), &mut out));
    }
    lines.finish(&mut out);
    let text = String::from_utf8(out).unwrap();
    let sizes: Vec<usize> = text.lines().map(|body| counts(body).iter().sum()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), carried);
    assert!(carried > 4_900 && carried < 5_000, "{carried} of 5000, the consents left out");
    assert!(sizes.contains(&1) && sizes.iter().any(|size| *size > 2));
}
