//! One record of a scenario: `d0 10:05  biz  reply  id=m1`.
//!
//! Knows no expectations. Invariant: a word that is not understood is refused.

use std::collections::BTreeMap;

use model::{
    BusinessMessage, Category, Consent, Event, EventBody, IgnoredReason, MalformedReason, MessageKind,
    MessageStatus, ProviderVerdict, StatusKind, Template, UnixMillis, UserMessage,
};

use super::{settings::Settings, time};

/// A record as a scenario tells it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: UnixMillis,
    /// Where the line gives another record time than the scenario's own clock.
    pub(super) recorded: Option<UnixMillis>,
    pub(super) content: Content,
    /// A name under which it can be resubmitted.
    pub(super) name: Option<String>,
}

#[derive(Debug)]
pub(super) enum Content {
    Event(Event<'static>),
    Resubmission(String, Event<'static>),
    Tick,
    Malformed(MalformedReason),
    Misrouted,
    Ignored(IgnoredReason),
}

/// Options and their values, each to be used once.
struct Options<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Options<'a> {
    fn take(&mut self, key: &str) -> Option<&'a str> {
        self.0.remove(key)
    }
}

/// Reads a line; `number` makes the message id where the line gives none.
pub(super) fn read(settings: &Settings, number: usize, text: &str) -> Result<Line, String> {
    let mut words = text.split_whitespace();
    let (Some(day), Some(clock), Some(who)) = (words.next(), words.next(), words.next()) else {
        return Err("a line begins with a day, a time and who: d0 10:00 user message".to_owned());
    };
    let at = time::read(settings.zero, day, clock)?;
    let (plain, options): (Vec<&str>, Vec<&str>) = words.partition(|word| !word.contains('='));
    let mut options = Options(options.iter().filter_map(|option| option.split_once('=')).collect());
    let recorded = match options.take("recorded") {
        None => None,
        Some(text) => {
            let (day, clock) = text.split_once('/').ok_or("write recorded=d0/10:00")?;
            Some(time::read(settings.zero, day, clock)?)
        }
    };
    let name = options.take("as").map(str::to_owned);
    let (side, user) = who.split_once(':').unwrap_or((who, "user"));
    let content = match (side, &plain[..]) {
        ("tick", []) => Content::Tick,
        ("log", ["misrouted"]) => Content::Misrouted,
        ("log", ["malformed", reason]) => {
            let found = MalformedReason::ALL.iter().find(|known| known.as_str() == *reason);
            Content::Malformed(*found.ok_or_else(|| format!("`{reason}` is no reason"))?)
        }
        ("log", ["ignored", reason]) => {
            let found = IgnoredReason::ALL.iter().find(|known| known.as_str() == *reason);
            Content::Ignored(*found.ok_or_else(|| format!("`{reason}` is no reason"))?)
        }
        (side @ ("user" | "biz"), plain) => {
            let (id, body) = body(side, plain, &mut options)?;
            let phone = options.take("on").unwrap_or("main");
            let event = Event {
                event_id: options
                    .take("id")
                    .map_or_else(|| id.unwrap_or(format!("line{number}")), str::to_owned)
                    .into(),
                occurred_at: at,
                account: options.take("for").unwrap_or("acme").to_owned().into(),
                business_phone: named(&settings.phones, phone, "phone")?.into(),
                user: named(&settings.users, user, "user")?.into(),
                tag: options.take("tag").map(|tag| tag.to_owned().into()),
                body,
            };
            match options.take("resubmits") {
                Some(original) => Content::Resubmission(original.to_owned(), event),
                None => Content::Event(event),
            }
        }
        _ => return Err(format!("`{who} {}` is nothing that can happen", plain.join(" "))),
    };
    match options.0.into_keys().next() {
        Some(key) => Err(format!("`{key}=` means nothing here")),
        None => Ok(Line { at, recorded, content, name }),
    }
}

fn named(names: &BTreeMap<String, String>, name: &str, what: &str) -> Result<String, String> {
    names
        .get(name)
        .cloned()
        .ok_or_else(|| format!("there is no {what} {name}: write `{what} {name} is NUMBER`"))
}

/// What happened, and the id that a status has of its own.
fn body(
    side: &str,
    plain: &[&str],
    options: &mut Options<'_>,
) -> Result<(Option<String>, EventBody<'static>), String> {
    let of_user = |referral| EventBody::UserMessage(UserMessage { kind: MessageKind::Text, referral });
    let consent = |granted, options: &mut Options<'_>| {
        let source = options.take("source").unwrap_or("web_form").to_owned().into();
        EventBody::Consent(Consent { granted, source })
    };
    let body = match (side, plain) {
        ("user", ["message"]) => of_user(false),
        ("user", ["ad-message"]) => of_user(true),
        ("user", ["call"]) => EventBody::UserCall,
        ("user", ["opts-in"]) => consent(true, options),
        ("user", ["opts-out"]) => consent(false, options),
        ("biz", ["reply"]) => {
            EventBody::BusinessMessage(BusinessMessage { kind: MessageKind::Text, template: None })
        }
        ("biz", ["template"]) => {
            let category = options.take("category").unwrap_or("utility");
            let found = Category::ALL.iter().find(|known| known.as_str() == category);
            let category = *found.ok_or_else(|| format!("`{category}` is no category"))?;
            let name = options.take("name").unwrap_or("order_update").to_owned().into();
            let template = Some(Template { name, category });
            EventBody::BusinessMessage(BusinessMessage { kind: MessageKind::Template, template })
        }
        ("biz", [word, message]) => {
            let found = StatusKind::ALL.iter().find(|known| known.as_str() == *word);
            let status = *found.ok_or_else(|| format!("`{word}` is no status"))?;
            let provider = options.take("says").map(verdict).transpose()?;
            let error_code = if status == StatusKind::Failed { 131_026 } else { 0 };
            let message_id = (*message).to_owned().into();
            let body = EventBody::MessageStatus(MessageStatus {
                message_id,
                status,
                error_code,
                provider: provider.map(Box::new),
            });
            return Ok((Some(format!("{word}-{message}")), body));
        }
        _ => return Err(format!("`{side} {}` is nothing that can happen", plain.join(" "))),
    };
    Ok((None, body))
}

/// `CBP/regular/service/billable`.
fn verdict(text: &str) -> Result<ProviderVerdict, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let [model, kind, category, billable] = parts[..] else {
        return Err("write says=CBP/regular/service/billable, or …/free".to_owned());
    };
    Ok(ProviderVerdict {
        pricing_model: model.to_owned(),
        pricing_type: kind.to_owned(),
        category: category.to_owned(),
        billable: Some(billable == "billable"),
        ..ProviderVerdict::default()
    })
}
