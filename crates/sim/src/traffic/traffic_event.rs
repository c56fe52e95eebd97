//! One event of the traffic, whole in itself, and how it is made from a few numbers.
//!
//! Does not know when it is its turn. Invariant: what an event says depends on the seed, its message's number, its
//! thread and its time alone, so it can be made again at any moment.

use std::borrow::Cow;

use model::{
    BusinessMessage, Category, Consent, Event, EventBody, MessageKind, MessageStatus, StatusKind, Template,
    UnixMillis, UserMessage,
};

use super::{
    people::{BusinessId, People, UserNumber},
    plan::TrafficPlan,
    short_text::{ShortText, digit},
};
use crate::random::{Dice, scatter};

/// Names that templates have; beyond the list they are numbered.
const TEMPLATES: [(&str, Category); 12] = [
    ("order_update", Category::Utility),
    ("delivery_notice", Category::Utility),
    ("spring_sale", Category::Marketing),
    ("payment_reminder", Category::Utility),
    ("login_code", Category::Authentication),
    ("new_arrivals", Category::Marketing),
    ("appointment_reminder", Category::Utility),
    ("win_back", Category::Marketing),
    ("booking_confirmed", Category::Utility),
    ("abandoned_cart", Category::Marketing),
    ("sign_up_code", Category::Authentication),
    ("survey", Category::Utility),
];

/// What an event of the traffic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficKind {
    /// A message of the user.
    UserMessage,
    /// A free-form message of the business.
    Reply,
    /// A template message of the business.
    Template,
    /// A status of the business message of the same number.
    Sent,
    /// As before.
    Delivered,
    /// As before.
    Read,
    /// As before.
    Failed,
    /// The user called.
    UserCall,
    /// The user opted in or out.
    Consent,
}

/// One event of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficEvent {
    /// When it reaches the log; never goes back from one event to the next.
    pub arrived_at: UnixMillis,
    /// When it happened.
    pub occurred_at: UnixMillis,
    /// What it is.
    pub kind: TrafficKind,
    /// Number of its thread, from 0.
    pub thread: u32,
    /// Whether it is an exact repeat of one that came before.
    pub repeat: bool,
    message_id: ShortText<64>,
    account: BusinessId,
    business_phone: BusinessId,
    user: UserNumber,
    template: ShortText<28>,
    category: Category,
    tag: ShortText<16>,
    form: MessageKind,
    flag: bool,
}

/// What an event is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seedling {
    /// First, so that seedlings sort by arrival.
    pub arrived_at: UnixMillis,
    /// Of the message, from 0; a status has that of its message.
    pub number: u64,
    pub kind: TrafficKind,
    pub occurred_at: UnixMillis,
    pub thread: u32,
    pub repeat: bool,
}

impl TrafficEvent {
    pub(super) fn grow(seedling: &Seedling, plan: &TrafficPlan, people: &People) -> Self {
        let Seedling { arrived_at, number, kind, occurred_at, thread, repeat } = *seedling;
        let mut dice = Dice::of(plan.seed ^ 0x7465_7874, number);
        let (account, business_phone) = people.business(thread);
        let mut event = Self {
            arrived_at,
            occurred_at,
            kind,
            thread,
            repeat,
            message_id: message_id(plan.seed, number),
            account,
            business_phone,
            user: people.user(thread),
            template: ShortText::EMPTY,
            category: Category::Unspecified,
            tag: ShortText::EMPTY,
            form: MessageKind::Text,
            flag: false,
        };
        match kind {
            TrafficKind::UserMessage => {
                event.form = user_form(dice.below(100));
                event.flag = dice.per_mille(15);
            }
            TrafficKind::Reply => {
                event.form = reply_form(dice.below(100));
                event.tag = tag(dice.below(2 * u64::from(plan.tags)), plan.tags);
            }
            TrafficKind::Template => {
                event.form = MessageKind::Template;
                (event.template, event.category) = template(dice.below(plan.templates.into()));
                event.tag = tag(dice.below(2 * u64::from(plan.tags)), plan.tags);
            }
            TrafficKind::Consent => event.flag = dice.below(8) > 0,
            TrafficKind::Sent
            | TrafficKind::Delivered
            | TrafficKind::Read
            | TrafficKind::Failed
            | TrafficKind::UserCall => {}
        }
        event
    }

    /// The event as a sender would report it.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        let id = self.message_id.as_str();
        let body = match self.kind {
            TrafficKind::UserMessage => {
                EventBody::UserMessage(UserMessage { kind: self.form, referral: self.flag })
            }
            TrafficKind::Reply => {
                EventBody::BusinessMessage(BusinessMessage { kind: self.form, template: None })
            }
            TrafficKind::Template => EventBody::BusinessMessage(BusinessMessage {
                kind: self.form,
                template: Some(Template {
                    name: Cow::Borrowed(self.template.as_str()),
                    category: self.category,
                }),
            }),
            TrafficKind::Sent => status(id, StatusKind::Sent),
            TrafficKind::Delivered => status(id, StatusKind::Delivered),
            TrafficKind::Read => status(id, StatusKind::Read),
            TrafficKind::Failed => status(id, StatusKind::Failed),
            TrafficKind::UserCall => EventBody::UserCall,
            TrafficKind::Consent => {
                EventBody::Consent(Consent { granted: self.flag, source: Cow::Borrowed("web_form") })
            }
        };
        let event_id = match &body {
            EventBody::MessageStatus(status) => {
                // One message has several statuses, and an event id is unique.
                Cow::Owned(format!("{id}:{}:{}", status.status.as_str(), self.occurred_at.second()))
            }
            EventBody::UserMessage(_)
            | EventBody::BusinessMessage(_)
            | EventBody::UserCall
            | EventBody::Consent(_) => Cow::Borrowed(id),
        };
        Event {
            event_id,
            occurred_at: self.occurred_at,
            account: Cow::Borrowed(self.account.as_str()),
            business_phone: Cow::Borrowed(self.business_phone.as_str()),
            user: Cow::Borrowed(self.user.as_str()),
            tag: (!self.tag.is_empty()).then(|| Cow::Borrowed(self.tag.as_str())),
            body,
        }
    }
}

fn status(message_id: &str, status: StatusKind) -> EventBody<'_> {
    // 131026: the message could not be delivered.
    let error_code = if status == StatusKind::Failed { 131_026 } else { 0 };
    EventBody::MessageStatus(MessageStatus {
        message_id: Cow::Borrowed(message_id),
        status,
        error_code,
        provider: None,
    })
}

fn user_form(chance: u64) -> MessageKind {
    match chance {
        0..78 => MessageKind::Text,
        78..85 => MessageKind::Interactive,
        85..90 => MessageKind::Audio,
        90..94 => MessageKind::Image,
        94..96 => MessageKind::Button,
        96..98 => MessageKind::Reaction,
        98 => MessageKind::Document,
        _ => MessageKind::Unsupported,
    }
}

fn reply_form(chance: u64) -> MessageKind {
    match chance {
        0..85 => MessageKind::Text,
        85..95 => MessageKind::Interactive,
        95..98 => MessageKind::Image,
        _ => MessageKind::Document,
    }
}

fn template(number: u64) -> (ShortText<28>, Category) {
    let length = TEMPLATES.len() as u64;
    let (word, category) = TEMPLATES[usize::try_from(number % length).unwrap_or(0)];
    let mut name = ShortText::EMPTY;
    name.push_str(word);
    if number >= length {
        name.push(b'_');
        name.push_digits(number / length, 3);
    }
    (name, category)
}

/// Half of the business's messages have a label.
fn tag(chance: u64, tags: u32) -> ShortText<16> {
    let mut tag = ShortText::EMPTY;
    if chance < u64::from(tags) {
        tag.push_str("campaign-");
        tag.push_digits(chance, 4);
    }
    tag
}

/// `wamid.` and 58 characters of base64 over 43 bytes, laid out as the provider lays out its ids: a number of 13
/// digits, here a made-up one that belongs to nobody in the traffic, and 20 hexadecimal digits.
fn message_id(seed: u64, number: u64) -> ShortText<64> {
    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut bytes = [0_u8; 45];
    bytes[..3].copy_from_slice(&[0x1c, 0x18, 13]);
    bytes[16..22].copy_from_slice(&[0x15, 2, 0, 0x12, 0x18, 0x14]);
    // Scattering is one-to-one, so the first 16 hexadecimal digits alone tell any two messages of a seed apart.
    let unique = scatter(number ^ scatter(seed));
    let mut rest = scatter(unique);
    for place in &mut bytes[3..16] {
        *place = digit(rest);
        rest /= 10;
    }
    for (index, byte) in unique.to_be_bytes().into_iter().chain([rest.to_le_bytes()[0], 0x3e]).enumerate() {
        bytes[22 + 2 * index] = HEX[usize::from(byte >> 4)];
        bytes[23 + 2 * index] = HEX[usize::from(byte & 15)];
    }
    let mut id = ShortText::EMPTY;
    id.push_str("wamid.");
    for three in bytes.chunks_exact(3) {
        let group = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for shift in [18, 12, 6, 0] {
            // The last group stands for one byte: what would be padding finds no room.
            id.push(BASE64[usize::try_from((group >> shift) & 63).unwrap_or(0)]);
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn message_ids_are_all_different_and_64_characters_long() {
        let ids: Vec<ShortText<64>> = (0..50_000).map(|number| message_id(9, number)).collect();
        assert!(ids.iter().all(|id| id.as_str().len() == 64 && id.as_str().starts_with("wamid.HBgN")));
        assert_eq!(ids.iter().map(ShortText::as_str).collect::<BTreeSet<_>>().len(), ids.len());
        assert_ne!(message_id(9, 0), message_id(10, 0));
    }

    #[test]
    fn templates_beyond_the_list_are_numbered() {
        let names: BTreeSet<String> =
            (0..10_000).map(|number| template(number).0.as_str().to_owned()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.contains("appointment_reminder_832"));
        assert_eq!(template(2).1, Category::Marketing);
    }
}
