//! Writes events in JSON.
//!
//! Does not know how to read. Invariant: the canonical proto3 JSON mapping without white space, byte for byte what the
//! generated type writes, save that UTC is `Z`.

use model::{Event, EventBody, ProviderVerdict, UnixMillis};

use super::names::{
    CATEGORIES, CATEGORY_PREFIX, MESSAGE_KIND_PREFIX, MESSAGE_KINDS, STATUS_KIND_PREFIX, STATUS_KINDS,
};
use crate::rfc3339;

/// Appends an event as one JSON document, without a line end.
pub fn event_to_json(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut document = Object::open(out);
    document.text("eventId", &event.event_id);
    document.time("occurredAt", event.occurred_at);
    document.text("accountId", &event.account);
    document.text("businessPhone", &event.business_phone);
    document.text("userPhone", &event.user);
    document.text("tag", event.tag.as_deref().unwrap_or(""));
    match &event.body {
        EventBody::UserMessage(message) => document.object("userMessage", |body| {
            body.name("kind", message.kind.code(), MESSAGE_KIND_PREFIX, &MESSAGE_KINDS);
            if message.referral {
                body.object("referral", |_| {});
            }
        }),
        EventBody::BusinessMessage(message) => document.object("businessMessage", |body| {
            body.name("kind", message.kind.code(), MESSAGE_KIND_PREFIX, &MESSAGE_KINDS);
            if let Some(template) = &message.template {
                body.object("template", |body| {
                    body.text("name", &template.name);
                    body.name("category", template.category.code(), CATEGORY_PREFIX, &CATEGORIES);
                });
            }
        }),
        EventBody::MessageStatus(status) => document.object("messageStatus", |body| {
            body.text("messageId", &status.message_id);
            body.name("status", status.status.code(), STATUS_KIND_PREFIX, &STATUS_KINDS);
            body.number("errorCode", status.error_code);
            if let Some(said) = &status.provider {
                body.object("provider", |body| verdict(body, said));
            }
        }),
        EventBody::UserCall => document.object("userCall", |_| {}),
        EventBody::Consent(consent) => document.object("consent", |body| {
            body.boolean("granted", consent.granted);
            body.text("source", &consent.source);
        }),
    }
    document.close();
}

fn verdict(body: &mut Object<'_>, said: &ProviderVerdict) {
    body.text("conversationId", &said.conversation_id);
    if let Some(at) = said.expires_at {
        body.time("expiresAt", at);
    }
    body.text("originType", &said.origin_type);
    if let Some(billable) = said.billable {
        body.boolean("billable", billable);
    }
    body.text("pricingModel", &said.pricing_model);
    body.text("pricingType", &said.pricing_type);
    body.text("category", &said.category);
}

/// An object that is being written; members with the default value are left out.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            quoted(self.out, text);
        }
    }

    fn time(&mut self, key: &str, at: UnixMillis) {
        self.key(key);
        self.out.push(b'"');
        rfc3339::put_rfc3339(self.out, at);
        self.out.push(b'"');
    }

    /// The name of an enum value.
    fn name(&mut self, key: &str, code: u8, prefix: &str, names: &[&str]) {
        if code != 0 {
            self.key(key);
            self.out.push(b'"');
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.extend_from_slice(names.get(usize::from(code)).unwrap_or(&"UNSPECIFIED").as_bytes());
            self.out.push(b'"');
        }
    }

    fn number(&mut self, key: &str, number: u32) {
        if number != 0 {
            self.key(key);
            self.out.extend_from_slice(number.to_string().as_bytes());
        }
    }

    /// A boolean with presence: written even if false.
    fn boolean(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn object(&mut self, key: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        let mut inner = Object::open(self.out);
        members(&mut inner);
        inner.close();
    }
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut plain_from = 0;
    let bytes = text.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        if !matches!(byte, b'"' | b'\\' | 0..0x20) {
            continue;
        }
        out.extend_from_slice(&bytes[plain_from..index]);
        plain_from = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[plain_from..]);
    out.push(b'"');
}
