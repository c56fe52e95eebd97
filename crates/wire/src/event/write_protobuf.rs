//! Writes events in protobuf.
//!
//! Does not know how to read. Invariant: the bytes that the generated type writes for the same event.

use model::{Event, EventBody, ProviderVerdict, UnixMillis};

use crate::pb::{put_int, put_message, put_sized, put_text, put_uint, put_uint_always};

/// Appends an event as one message of `tarifa.event.v1.Event`.
pub fn event_to_protobuf(event: &Event<'_>, out: &mut Vec<u8>) {
    put_text(out, 1, &event.event_id);
    put_timestamp(out, 2, event.occurred_at);
    put_text(out, 3, &event.account);
    put_text(out, 4, &event.business_phone);
    put_text(out, 5, &event.user);
    put_text(out, 6, event.tag.as_deref().unwrap_or(""));
    match &event.body {
        EventBody::UserMessage(message) => put_message(out, 7, |out| {
            put_uint(out, 1, u64::from(message.kind.code()));
            if message.referral {
                put_message(out, 2, |_| {});
            }
        }),
        EventBody::BusinessMessage(message) => put_message(out, 8, |out| {
            put_uint(out, 1, u64::from(message.kind.code()));
            if let Some(template) = &message.template {
                put_message(out, 2, |out| {
                    put_text(out, 1, &template.name);
                    put_uint(out, 2, u64::from(template.category.code()));
                });
            }
        }),
        EventBody::MessageStatus(status) => put_message(out, 9, |out| {
            put_text(out, 1, &status.message_id);
            put_uint(out, 2, u64::from(status.status.code()));
            put_uint(out, 3, u64::from(status.error_code));
            if let Some(said) = &status.provider {
                put_message(out, 4, |out| put_verdict(out, said));
            }
        }),
        EventBody::UserCall => put_message(out, 10, |_| {}),
        EventBody::Consent(consent) => put_message(out, 11, |out| {
            put_uint_always(out, 1, u64::from(consent.granted));
            put_text(out, 2, &consent.source);
        }),
    }
}

/// Appends an event as length-delimited files hold it: its length as a varint, then the message.
pub fn event_to_delimited(event: &Event<'_>, out: &mut Vec<u8>) {
    put_sized(out, |out| event_to_protobuf(event, out));
}

fn put_timestamp(out: &mut Vec<u8>, field: u32, at: UnixMillis) {
    put_message(out, field, |out| {
        put_int(out, 1, at.second());
        put_int(out, 2, at.0.rem_euclid(1_000) * 1_000_000);
    });
}

fn put_verdict(out: &mut Vec<u8>, said: &ProviderVerdict) {
    put_text(out, 1, &said.conversation_id);
    if let Some(at) = said.expires_at {
        put_timestamp(out, 2, at);
    }
    put_text(out, 3, &said.origin_type);
    if let Some(billable) = said.billable {
        put_uint_always(out, 4, u64::from(billable));
    }
    put_text(out, 5, &said.pricing_model);
    put_text(out, 6, &said.pricing_type);
    put_text(out, 7, &said.category);
}
