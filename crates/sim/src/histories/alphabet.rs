//! Small alphabets of events whose orders can all be tried.
//!
//! Does not know in which order they come. Invariant: within the boundary letters and within the evidence letters no
//! two contradict each other; each of the conflict letters contradicts another one.

use model::{
    BusinessMessage, Category, Consent, DurationMillis, Event, EventBody, MessageKind, MessageStatus,
    StatusKind, Template, UnixMillis, UserMessage,
};

use crate::reference::Step;

/// Day 0, 00:00: 2022-02-01T00:00:00Z.
pub const DAY_0: UnixMillis = UnixMillis(1_643_673_600_000);
/// The account of all letters but those that differ in it on purpose.
pub const ACCOUNT: &str = "102290129340398";
/// The business phone of all letters.
pub const BUSINESS_PHONE: &str = "106540352242922";
/// The user of all letters.
pub const USER: &str = "5511987654321";

const HOUR: DurationMillis = DurationMillis::from_hours(1);
const DAY: DurationMillis = DurationMillis::from_hours(24);

/// One event that a history may have, with a name for failing tests to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is, such as `user d1 10:00`.
    pub name: &'static str,
    /// The event.
    pub event: Event<'static>,
}

/// Messages around the ends of windows: at the last moment inside, exactly at the end, and beyond.
#[must_use]
pub fn boundary_letters() -> Vec<Letter> {
    let start = DAY_0 + HOUR;
    let moment = DurationMillis(1);
    vec![
        letter("user at start", "u0", start, user()),
        letter("user 1 ms before the end", "u1", start + DAY - moment, user()),
        letter("user at the end", "u2", start + DAY, user()),
        letter("user a day after the last moment", "u3", start + DAY - moment + DAY, user()),
        letter("reply at start", "r0", start, reply()),
        letter("reply 1 h later", "r1", start + HOUR, reply()),
        letter("reply 1 ms before the end", "r2", start + DAY - moment, reply()),
        letter("reply at the end", "r3", start + DAY, reply()),
        letter("template 1 h before start", "t0", DAY_0, template()),
        letter("template at start", "t1", start, template()),
        letter("template a day after the one before", "t2", DAY_0 + DAY, template()),
        letter("template at the end", "t3", start + DAY, template()),
        letter("call before the end", "c0", start + DAY - HOUR, EventBody::UserCall),
    ]
}

/// A user's message and all that can be reported of one reply and one template, in and out of the window.
#[must_use]
pub fn evidence_letters() -> Vec<Letter> {
    let start = DAY_0 + HOUR;
    let replied = start + DAY - HOUR;
    let second = DurationMillis::from_seconds(1);
    vec![
        letter("user at start", "u0", start, user()),
        letter("reply", "r0", replied + DurationMillis(400), reply()),
        letter("reply, told again 300 ms earlier", "r0", replied + DurationMillis(100), reply()),
        letter("reply sent, as it was written", "s0", replied, status("r0", StatusKind::Sent)),
        letter("reply sent, 2 h before", "s1", replied - HOUR - HOUR, status("r0", StatusKind::Sent)),
        letter("reply delivered at the end", "s2", start + DAY, status("r0", StatusKind::Delivered)),
        letter(
            "reply delivered at the end, told again 1 ms later",
            "s3",
            start + DAY + DurationMillis(1),
            status("r0", StatusKind::Delivered),
        ),
        letter("reply read before the start", "s4", start - HOUR, status("r0", StatusKind::Read)),
        letter("reply failed", "s5", replied + second, status("r0", StatusKind::Failed)),
        letter("reply failed before the start", "s6", DAY_0, status("r0", StatusKind::Failed)),
        letter("template sent", "s7", start + HOUR, status("t0", StatusKind::Sent)),
        letter("template failed", "s8", start + HOUR + HOUR, status("t0", StatusKind::Failed)),
        letter("template, after its status", "t0", start + HOUR + second, template()),
    ]
}

/// Events of one message id that cannot all be true; which of them stands is a matter of which came first.
#[must_use]
pub fn conflict_letters() -> Vec<Letter> {
    let start = DAY_0 + HOUR;
    let second = DurationMillis::from_seconds(1);
    let other_account = |mut letter: Letter| {
        letter.event.account = "other account".into();
        letter
    };
    vec![
        letter("user", "x", start, user()),
        letter("user, 1 s later", "x", start + second, user()),
        letter("user, same second", "x", start + DurationMillis(999), user()),
        letter("reply of the same id", "x", start, reply()),
        letter("template of the same id", "x", start, template()),
        letter("sent of the same id", "s0", start + HOUR, status("x", StatusKind::Sent)),
        other_account(letter("sent for another account", "s1", start + HOUR, status("x", StatusKind::Sent))),
        letter("read of the same id", "s2", start + HOUR, status("x", StatusKind::Read)),
        letter("call of the same id", "x", start, EventBody::UserCall),
        letter("opt-in of the same id", "x", start, consent(true)),
        letter("opt-out of the same id", "x", start, consent(false)),
        other_account(letter("reply for another account", "x", start, reply())),
    ]
}

/// Makes a history of letters in the given order, all reaching the log after the last of them happened.
///
/// Numbers beyond the alphabet are left out.
#[must_use]
pub fn spell(letters: &[Letter], order: &[usize]) -> Vec<Step<'static>> {
    let record_time = DAY_0 + DurationMillis::from_days(5);
    order
        .iter()
        .filter_map(|number| letters.get(*number))
        .map(|letter| Step::Event { event: letter.event.clone(), record_time })
        .collect()
}

fn letter(name: &'static str, id: &'static str, at: UnixMillis, body: EventBody<'static>) -> Letter {
    Letter { name, event: event(id.to_owned(), at, body) }
}

/// An event of the one thread that letters have.
pub(super) fn event(id: String, at: UnixMillis, body: EventBody<'static>) -> Event<'static> {
    Event {
        event_id: id.into(),
        occurred_at: at,
        account: ACCOUNT.into(),
        business_phone: BUSINESS_PHONE.into(),
        user: USER.into(),
        tag: None,
        body,
    }
}

pub(super) fn user() -> EventBody<'static> {
    EventBody::UserMessage(UserMessage { kind: MessageKind::Text, referral: false })
}

pub(super) fn reply() -> EventBody<'static> {
    EventBody::BusinessMessage(BusinessMessage { kind: MessageKind::Text, template: None })
}

pub(super) fn template() -> EventBody<'static> {
    let template = Template { name: "order_update".into(), category: Category::Utility };
    EventBody::BusinessMessage(BusinessMessage { kind: MessageKind::Template, template: Some(template) })
}

pub(super) fn status(message: &str, status: StatusKind) -> EventBody<'static> {
    let error_code = if status == StatusKind::Failed { 131_026 } else { 0 };
    EventBody::MessageStatus(MessageStatus {
        message_id: message.to_owned().into(),
        status,
        error_code,
        provider: None,
    })
}

pub(super) fn consent(granted: bool) -> EventBody<'static> {
    EventBody::Consent(Consent { granted, source: "web_form".into() })
}
