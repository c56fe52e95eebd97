//! An entry in words, for people.
//!
//! Invariant: one line for each entry; ids are shortened to what tells them apart on a screen.

use std::collections::HashMap;

use model::{Closed, Entry, EntryBody, Micros, ProviderVerdict, UnixMillis, UserRef};

use super::user_of;
use crate::output::{Column, Value};

/// Digits of an id that are shown.
const ID_DIGITS: usize = 8;

pub(super) fn columns() -> Vec<Column> {
    vec![
        Column::number("sequence"),
        Column::text("time"),
        Column::text("kind"),
        Column::text("account"),
        Column::text("user"),
        Column::text("conversation"),
        Column::text("what"),
        Column::number("amount"),
    ]
}

pub(super) fn row<'e>(entry: &'e Entry, users: &'e HashMap<UserRef, String>) -> [Value<'e>; 8] {
    let subject = entry.body.subject();
    let conversation = entry.body.conversation().map(|facts| facts.conversation.to_string());
    [
        Value::Count(entry.sequence.0),
        Value::Time(entry.event_time),
        Value::text(entry.body.kind().as_str()),
        subject.map_or(Value::Absent, |subject| Value::text(&*subject.account)),
        subject.map_or(Value::Absent, |subject| user_of(subject.user, users)),
        conversation.map_or(Value::Absent, |id| Value::text(id[..ID_DIGITS].to_owned())),
        Value::text(words(entry)),
        amount_of(entry).map_or(Value::Absent, Value::Money),
    ]
}

/// The signed amount of a money entry that has a price.
pub(crate) fn amount_of(entry: &Entry) -> Option<Micros> {
    entry.body.charge()?.price.amount
}

/// What it says, beside its kind and amount.
pub(crate) fn words(entry: &Entry) -> String {
    match &entry.body {
        EntryBody::ConversationOpened(facts) => {
            let consent = if facts.without_consent { ", without consent" } else { "" };
            format!("by {}, ends {}{consent}", facts.initiator.as_str(), time(facts.expires_at))
        }
        EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => {
            let facts = &charge.conversation;
            let again =
                if charge.booking > 1 { format!(", booking {}", charge.booking) } else { String::new() };
            let price = match charge.price.amount {
                Some(_) => charge.price.currency.to_string(),
                None => format!("unpriced: {}", charge.price.reason),
            };
            format!("{price}, {}, {}-initiated{again}", facts.subject.market, facts.initiator.as_str())
        }
        EntryBody::ChargeReversed(reversal) => format!("takes back entry {}", reversal.reverses.0),
        EntryBody::ConversationRevised(revised) => {
            let again = if revised.open_again { ", open again" } else { "" };
            let ends = time(revised.holds.conversation.expires_at);
            format!("{}, ends {ends}{again}", counts(&revised.holds))
        }
        EntryBody::ConversationWithdrawn(_) => "never was".to_owned(),
        EntryBody::ConversationClosed(closed) => counts(closed),
        EntryBody::ProviderVerdict(facts) => format!("provider: {}", verdict(&facts.verdict)),
        EntryBody::ConsentChanged { granted, source, .. } => {
            let what = if *granted { "opted in" } else { "opted out" };
            if source.is_empty() { what.to_owned() } else { format!("{what}, {source}") }
        }
        EntryBody::Configured { content, effective_from } => {
            format!("configuration {}, from {}", &content.to_string()[..ID_DIGITS], time(*effective_from))
        }
        EntryBody::RecordQuarantined(record) => {
            format!("record {}: {}", entry.offset.0, record.reason.as_str())
        }
    }
}

fn counts(closed: &Closed) -> String {
    let charged = if closed.charged { "charged" } else { "not charged" };
    format!("{charged}, {} user, {} business messages", closed.user_messages, closed.business_messages)
}

fn verdict(said: &ProviderVerdict) -> String {
    let billable = match said.billable {
        None => "",
        Some(true) => "billable",
        Some(false) => "not billable",
    };
    let texts = [
        said.origin_type.as_str(),
        said.pricing_model.as_str(),
        said.pricing_type.as_str(),
        said.category.as_str(),
        billable,
    ];
    let said: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    said.join(", ")
}

fn time(at: UnixMillis) -> String {
    Value::Time(at).plain().into_owned()
}
