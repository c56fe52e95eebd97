//! Events as the bodies of the provider's webhooks, one body a line.
//!
//! Does not know templates' names, tags or consents, as webhooks do not carry them. Invariant: every body is whole and
//! closed, whatever mixture of accounts, phones and users comes.

use model::{Event, EventBody, MessageKind, MessageStatus, ProviderVerdict, StatusKind, UserMessage};

use super::{
    json::push_bool,
    text::{push_number, push_seconds, push_string},
};
use crate::random::Dice;

/// Most bodies carry one event, as most real ones do; some up to this many.
const EVENTS_A_BODY_MAX: u64 = 5;

/// Writes all the events into one body, and a line break. Tells how many of them a webhook can carry.
///
/// Times are cut to whole seconds. A business message becomes its `sent` status, since webhooks do not echo what the
/// business sends by the interface. Consents are left out; with nothing to carry, no line is written.
pub fn write_webhook_line(events: &[Event<'_>], out: &mut Vec<u8>) -> usize {
    let mut body = Body::default();
    let written = events.iter().filter(|event| body.add(event, out)).count();
    body.close(out);
    written
}

/// Writes a stream of events as bodies of one to five, where each body ends being a matter of the seed.
#[derive(Debug, Clone)]
pub struct WebhookLines {
    dice: Dice,
    body: Body,
    /// Events that still fit into the body under way.
    left: u64,
}

impl WebhookLines {
    /// Starts with no body under way.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::of(seed, 0x626f_6479), body: Body::default(), left: 0 }
    }

    /// Appends one event, and ends its line if its body is full. False if a webhook cannot carry it.
    ///
    /// A caller that hands the buffer on must first append what comes, or call [`Self::finish`]: between calls the last
    /// line may be unfinished.
    pub fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> bool {
        if !self.body.add(event, out) {
            return false;
        }
        if self.left == 0 {
            let chance = self.dice.below(10);
            self.left = if chance < 7 { 1 } else { 1 + self.dice.below(EVENTS_A_BODY_MAX) };
        }
        self.left -= 1;
        if self.left == 0 {
            self.body.close(out);
        }
        true
    }

    /// Ends the line under way, if there is one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.body.close(out);
        self.left = 0;
    }
}

/// What is open in the body under way. The texts are those of the last event, kept for their room.
#[derive(Debug, Clone, Default)]
struct Body {
    is_open: bool,
    account: String,
    business_phone: String,
    user: String,
    /// The list of the open `changes[]` member, which takes more of its sort.
    list: Option<List>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Messages,
    Statuses,
    Calls,
}

impl Body {
    fn add(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> bool {
        let list = match &event.body {
            EventBody::UserMessage(_) => List::Messages,
            EventBody::BusinessMessage(_) | EventBody::MessageStatus(_) => List::Statuses,
            EventBody::UserCall => List::Calls,
            EventBody::Consent(_) => return false,
        };
        self.enter_entry(event, out);
        self.enter_change(event, list, out);
        match &event.body {
            EventBody::UserMessage(message) => user_message(event, message, out),
            EventBody::BusinessMessage(_) => status(event, &event.event_id, StatusKind::Sent, out),
            EventBody::MessageStatus(told) => message_status(event, told, out),
            EventBody::UserCall => call(event, out),
            EventBody::Consent(_) => {}
        }
        true
    }

    fn enter_entry(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if !self.is_open {
            out.extend_from_slice(b"{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":");
        } else if self.account == *event.account {
            return;
        } else {
            self.close_change(out);
            out.extend_from_slice(b"]},{\"id\":");
        }
        push_string(out, &event.account);
        out.extend_from_slice(b",\"changes\":[");
        self.is_open = true;
        keep(&mut self.account, &event.account);
    }

    fn enter_change(&mut self, event: &Event<'_>, list: List, out: &mut Vec<u8>) {
        if let Some(open) = self.list {
            let fits = open == list
                && self.business_phone == *event.business_phone
                && (list == List::Statuses || self.user == *event.user);
            if fits {
                out.push(b',');
                return;
            }
            self.close_change(out);
            out.push(b',');
        }
        out.extend_from_slice(
            b"{\"value\":{\"messaging_product\":\"whatsapp\",\"metadata\":{\"phone_number_id\":",
        );
        push_string(out, &event.business_phone);
        out.push(b'}');
        match list {
            List::Messages => {
                out.extend_from_slice(b",\"contacts\":[{\"wa_id\":");
                push_string(out, &event.user);
                out.extend_from_slice(b"}],\"messages\":[");
            }
            List::Statuses => out.extend_from_slice(b",\"statuses\":["),
            List::Calls => out.extend_from_slice(b",\"calls\":["),
        }
        keep(&mut self.business_phone, &event.business_phone);
        keep(&mut self.user, &event.user);
        self.list = Some(list);
    }

    fn close_change(&mut self, out: &mut Vec<u8>) {
        match self.list.take() {
            Some(List::Messages | List::Statuses) => out.extend_from_slice(b"]},\"field\":\"messages\"}"),
            Some(List::Calls) => out.extend_from_slice(b"]},\"field\":\"calls\"}"),
            None => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.close_change(out);
        if self.is_open {
            out.extend_from_slice(b"]}]}\n");
            self.is_open = false;
        }
    }
}

fn keep(kept: &mut String, text: &str) {
    kept.clear();
    kept.push_str(text);
}

fn user_message(event: &Event<'_>, message: &UserMessage, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"from\":");
    push_string(out, &event.user);
    out.extend_from_slice(b",\"id\":");
    push_string(out, &event.event_id);
    out.extend_from_slice(b",\"timestamp\":");
    push_seconds(out, event.occurred_at);
    if message.referral {
        out.extend_from_slice(b",\"referral\":{\"source_type\":\"ad\"}");
    }
    out.extend_from_slice(b",\"type\":");
    let form = match message.kind {
        MessageKind::Unspecified | MessageKind::Other | MessageKind::Template | MessageKind::Unsupported => {
            "unsupported"
        }
        MessageKind::Text
        | MessageKind::Image
        | MessageKind::Audio
        | MessageKind::Video
        | MessageKind::Document
        | MessageKind::Sticker
        | MessageKind::Location
        | MessageKind::Contacts
        | MessageKind::Interactive
        | MessageKind::Button
        | MessageKind::Reaction
        | MessageKind::Order => message.kind.as_str(),
    };
    push_string(out, form);
    if message.kind == MessageKind::Text {
        out.extend_from_slice(b",\"text\":{\"body\":\"Hello\"}");
    } else {
        out.push(b',');
        push_string(out, form);
        // The one form whose content is a list.
        out.extend_from_slice(if message.kind == MessageKind::Contacts { b":[]" } else { b":{}" });
    }
    out.push(b'}');
}

/// Appends a status with neither error nor price.
fn status(event: &Event<'_>, message_id: &str, kind: StatusKind, out: &mut Vec<u8>) {
    status_head(event, message_id, kind, out);
    out.push(b'}');
}

fn message_status(event: &Event<'_>, told: &MessageStatus<'_>, out: &mut Vec<u8>) {
    status_head(event, &told.message_id, told.status, out);
    if told.error_code != 0 {
        out.extend_from_slice(b",\"errors\":[{\"code\":");
        push_number(out, told.error_code.into());
        out.extend_from_slice(b"}]");
    }
    if let Some(verdict) = &told.provider {
        provider(verdict, out);
    }
    out.push(b'}');
}

fn status_head(event: &Event<'_>, message_id: &str, kind: StatusKind, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    push_string(out, message_id);
    out.extend_from_slice(b",\"status\":");
    push_string(out, kind.as_str());
    out.extend_from_slice(b",\"timestamp\":");
    push_seconds(out, event.occurred_at);
    out.extend_from_slice(b",\"recipient_id\":");
    push_string(out, &event.user);
}

fn provider(verdict: &ProviderVerdict, out: &mut Vec<u8>) {
    if !verdict.conversation_id.is_empty() {
        out.extend_from_slice(b",\"conversation\":{\"id\":");
        push_string(out, &verdict.conversation_id);
        if let Some(at) = verdict.expires_at {
            out.extend_from_slice(b",\"expiration_timestamp\":");
            push_seconds(out, at);
        }
        if !verdict.origin_type.is_empty() {
            out.extend_from_slice(b",\"origin\":{\"type\":");
            push_string(out, &verdict.origin_type);
            out.push(b'}');
        }
        out.push(b'}');
    }
    if verdict.billable.is_none() && verdict.pricing_model.is_empty() && verdict.category.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"pricing\":{\"pricing_model\":");
    push_string(out, &verdict.pricing_model);
    if let Some(billable) = verdict.billable {
        out.extend_from_slice(b",\"billable\":");
        push_bool(out, billable);
    }
    for (name, value) in [("type", &verdict.pricing_type), ("category", &verdict.category)] {
        if !value.is_empty() {
            out.push(b',');
            push_string(out, name);
            out.push(b':');
            push_string(out, value);
        }
    }
    out.push(b'}');
}

fn call(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    push_string(out, &event.event_id);
    out.extend_from_slice(b",\"from\":");
    push_string(out, &event.user);
    out.extend_from_slice(b",\"event\":\"connect\",\"direction\":\"USER_INITIATED\",\"timestamp\":");
    push_seconds(out, event.occurred_at);
    out.push(b'}');
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
