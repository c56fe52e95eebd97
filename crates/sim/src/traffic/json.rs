//! An event as one line of JSON, in the form that senders use.
//!
//! Does not know where the event came from. Invariant: one line, no line break in it, fields in a fixed order.

use model::{
    BusinessMessage, Category, Event, EventBody, MessageKind, MessageStatus, ProviderVerdict, StatusKind,
    UserMessage,
};

use super::text::{push_number, push_string, push_time};

/// Appends one event and a line break. What is empty or not told is left out.
pub fn write_json_line(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"eventId\":");
    push_string(out, &event.event_id);
    out.extend_from_slice(b",\"occurredAt\":");
    push_time(out, event.occurred_at);
    field(out, ",\"accountId\":", &event.account);
    field(out, ",\"businessPhone\":", &event.business_phone);
    field(out, ",\"userPhone\":", &event.user);
    if let Some(tag) = &event.tag {
        field(out, ",\"tag\":", tag);
    }
    match &event.body {
        EventBody::UserMessage(message) => user_message(message, out),
        EventBody::BusinessMessage(message) => business_message(message, out),
        EventBody::MessageStatus(status) => message_status(status, out),
        EventBody::UserCall => out.extend_from_slice(b",\"userCall\":{}"),
        EventBody::Consent(consent) => {
            out.extend_from_slice(b",\"consent\":{\"granted\":");
            push_bool(out, consent.granted);
            if !consent.source.is_empty() {
                field(out, ",\"source\":", &consent.source);
            }
            out.push(b'}');
        }
    }
    out.extend_from_slice(b"}\n");
}

fn user_message(message: &UserMessage, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"userMessage\":{");
    let mut comma = "";
    kind(message.kind, &mut comma, out);
    if message.referral {
        out.extend_from_slice(comma.as_bytes());
        out.extend_from_slice(b"\"referral\":{}");
    }
    out.push(b'}');
}

fn business_message(message: &BusinessMessage<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"businessMessage\":{");
    let mut comma = "";
    kind(message.kind, &mut comma, out);
    if let Some(template) = &message.template {
        out.extend_from_slice(comma.as_bytes());
        out.extend_from_slice(b"\"template\":{");
        let mut comma = "";
        text("name", &template.name, &mut comma, out);
        if template.category != Category::Unspecified {
            text("category", category_name(template.category), &mut comma, out);
        }
        out.push(b'}');
    }
    out.push(b'}');
}

fn message_status(status: &MessageStatus<'_>, out: &mut Vec<u8>) {
    field(out, ",\"messageStatus\":{\"messageId\":", &status.message_id);
    field(out, ",\"status\":", status_name(status.status));
    if status.error_code != 0 {
        out.extend_from_slice(b",\"errorCode\":");
        push_number(out, status.error_code.into());
    }
    if let Some(verdict) = &status.provider {
        provider(verdict, out);
    }
    out.push(b'}');
}

fn provider(verdict: &ProviderVerdict, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"provider\":{");
    let mut comma = "";
    text("conversationId", &verdict.conversation_id, &mut comma, out);
    if let Some(at) = verdict.expires_at {
        name("expiresAt", &mut comma, out);
        push_time(out, at);
    }
    text("originType", &verdict.origin_type, &mut comma, out);
    if let Some(billable) = verdict.billable {
        name("billable", &mut comma, out);
        push_bool(out, billable);
    }
    text("pricingModel", &verdict.pricing_model, &mut comma, out);
    text("pricingType", &verdict.pricing_type, &mut comma, out);
    text("category", &verdict.category, &mut comma, out);
    out.push(b'}');
}

fn kind(kind: MessageKind, comma: &mut &str, out: &mut Vec<u8>) {
    if kind != MessageKind::Unspecified {
        text("kind", kind_name(kind), comma, out);
    }
}

/// Appends a field whose name, with all around it, is written out.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    push_string(out, value);
}

/// Appends a text field unless it is empty.
fn text(field: &str, value: &str, comma: &mut &str, out: &mut Vec<u8>) {
    if !value.is_empty() {
        name(field, comma, out);
        push_string(out, value);
    }
}

fn name(field: &str, comma: &mut &str, out: &mut Vec<u8>) {
    out.extend_from_slice(comma.as_bytes());
    push_string(out, field);
    out.push(b':');
    *comma = ",";
}

pub(super) fn push_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

const fn kind_name(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Unspecified => "UNSPECIFIED",
        MessageKind::Text => "TEXT",
        MessageKind::Image => "IMAGE",
        MessageKind::Audio => "AUDIO",
        MessageKind::Video => "VIDEO",
        MessageKind::Document => "DOCUMENT",
        MessageKind::Sticker => "STICKER",
        MessageKind::Location => "LOCATION",
        MessageKind::Contacts => "CONTACTS",
        MessageKind::Interactive => "INTERACTIVE",
        MessageKind::Button => "BUTTON",
        MessageKind::Reaction => "REACTION",
        MessageKind::Order => "ORDER",
        MessageKind::Template => "TEMPLATE",
        MessageKind::Unsupported => "UNSUPPORTED",
        MessageKind::Other => "OTHER",
    }
}

const fn category_name(category: Category) -> &'static str {
    match category {
        Category::Unspecified => "UNSPECIFIED",
        Category::Marketing => "MARKETING",
        Category::Utility => "UTILITY",
        Category::Authentication => "AUTHENTICATION",
        Category::AuthenticationInternational => "AUTHENTICATION_INTERNATIONAL",
        Category::Service => "SERVICE",
    }
}

const fn status_name(status: StatusKind) -> &'static str {
    match status {
        StatusKind::Sent => "SENT",
        StatusKind::Delivered => "DELIVERED",
        StatusKind::Read => "READ",
        StatusKind::Failed => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use model::{Consent, Template, UnixMillis};

    use super::*;

    fn check(body: EventBody<'_>, tag: Option<&str>, wanted: &str) {
        let event = Event {
            event_id: "wamid.1".into(),
            occurred_at: UnixMillis(1_643_882_400_123),
            account: "102".into(),
            business_phone: "106".into(),
            user: "5511987654321".into(),
            tag: tag.map(Into::into),
            body,
        };
        let mut out = Vec::new();
        write_json_line(&event, &mut out);
        let head = "{\"eventId\":\"wamid.1\",\"occurredAt\":\"2022-02-03T10:00:00.123Z\",\"accountId\":\"102\",\
             \"businessPhone\":\"106\",\"userPhone\":\"5511987654321\",";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{head}{wanted}}}\n"));
    }

    #[test]
    fn messages_in_their_canonical_form() {
        let user = |kind, referral| EventBody::UserMessage(UserMessage { kind, referral });
        check(user(MessageKind::Text, false), None, r#""userMessage":{"kind":"TEXT"}"#);
        check(user(MessageKind::Text, true), None, r#""userMessage":{"kind":"TEXT","referral":{}}"#);
        check(user(MessageKind::Unspecified, true), None, r#""userMessage":{"referral":{}}"#);
        let reply = BusinessMessage { kind: MessageKind::Text, template: None };
        check(
            EventBody::BusinessMessage(reply),
            Some("spring \"22\""),
            r#""tag":"spring \"22\"","businessMessage":{"kind":"TEXT"}"#,
        );
        let template = Template { name: "order_update".into(), category: Category::Utility };
        check(
            EventBody::BusinessMessage(BusinessMessage {
                kind: MessageKind::Template,
                template: Some(template),
            }),
            None,
            r#""businessMessage":{"kind":"TEMPLATE","template":{"name":"order_update","category":"UTILITY"}}"#,
        );
    }

    #[test]
    fn statuses_calls_and_consents_in_their_canonical_form() {
        let status = |error_code, provider| {
            EventBody::MessageStatus(MessageStatus {
                message_id: "wamid.0".into(),
                status: StatusKind::Failed,
                error_code,
                provider,
            })
        };
        check(status(0, None), None, r#""messageStatus":{"messageId":"wamid.0","status":"FAILED"}"#);
        let verdict = ProviderVerdict {
            conversation_id: "c".into(),
            expires_at: Some(UnixMillis(0)),
            origin_type: "user_initiated".into(),
            billable: Some(true),
            pricing_model: "CBP".into(),
            pricing_type: String::new(),
            category: "user_initiated".into(),
        };
        check(
            status(131_026, Some(Box::new(verdict))),
            None,
            concat!(
                r#""messageStatus":{"messageId":"wamid.0","status":"FAILED","errorCode":131026,"#,
                r#""provider":{"conversationId":"c","expiresAt":"1970-01-01T00:00:00.000Z","#,
                r#""originType":"user_initiated","billable":true,"pricingModel":"CBP","category":"user_initiated"}}"#
            ),
        );
        check(EventBody::UserCall, None, r#""userCall":{}"#);
        check(
            EventBody::Consent(Consent { granted: false, source: "web_form".into() }),
            None,
            r#""consent":{"granted":false,"source":"web_form"}"#,
        );
    }
}
