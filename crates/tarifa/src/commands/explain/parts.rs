//! The parts of an explanation as they are printed.
//!
//! Knows no reasons, which `why` has. Invariant: every figure that people read in a sentence has a member of its own
//! in JSON.

use ledger::QuarantinedOriginal;
use model::Entry;
use projector::{EvidenceReport, NetConversation, StepEffect, ThreadHistory, WithdrawnConversation};
use tariff::AccountRules;

use super::{
    find::{Found, Named},
    inside_of, why,
};
use crate::{
    commands::entries::{amount_of, in_words},
    failure::Failure,
    output::{Column, Document, InCsv, Value},
};

/// What was asked for, and what of it a glance should tell.
pub(super) fn named(
    found: &Found,
    gone: Option<&WithdrawnConversation>,
    document: &mut Document<'_>,
) -> Result<(), Failure> {
    let history = &found.history;
    let (kind, id, does) = match found.named {
        Named::Message(message) => {
            let report = history.messages.iter().find(|report| report.message.message == message);
            let kind = match report.map(|report| report.side) {
                Some(side @ ("call" | "consent")) => side,
                Some("user") => "message of the user",
                Some(_) | None => "message of the business",
            };
            (kind, Value::shown(&message), report.map(why::does))
        }
        Named::Conversation(conversation) => ("conversation", Value::shown(&conversation), None),
        Named::Charge(charge, _) => ("charge", Value::shown(&charge), None),
    };
    let mut fields =
        vec![(Column::text("kind").titled("explained"), Value::text(kind)), (Column::text("id"), id)];
    fields.extend(does.map(|does| (Column::text("does"), Value::text(does))));
    fields.extend(gone.map(|gone| (Column::text("withdrawn"), Value::text(withdrawn_words(history, gone)))));
    document.record("explained", &fields)
}

fn withdrawn_words(history: &ThreadHistory, gone: &WithdrawnConversation) -> String {
    let covers = |net: &&NetConversation| (net.opened_at..net.expires_at).contains(&gone.opened_at);
    let holds = history.conversations.iter().find(covers);
    let instead = holds.map_or_else(String::new, |net| format!("; {} holds in its place", net.conversation));
    format!("conversation {}: what came later shows that it never was{instead}", gone.conversation)
}

/// The id is that of a message that was never billed.
pub(super) fn only_quarantined(id: &str, document: &mut Document<'_>) -> Result<(), Failure> {
    document.record(
        "explained",
        &[
            (Column::text("kind").titled("explained"), Value::text("message")),
            (Column::text("id"), Value::text(id)),
            (Column::text("outcome"), Value::text("not billed: it is in quarantine only")),
        ],
    )
}

/// The conversation as it stands.
pub(super) fn conversation(
    net: &NetConversation,
    history: &ThreadHistory,
    number: Option<String>,
    document: &mut Document<'_>,
) -> Result<(), Failure> {
    let charge = net.charge.as_ref();
    let amount = charge.and_then(|charge| charge.price.amount);
    let user = number.map_or_else(|| Value::shown(&history.user), Value::text);
    let mut fields = vec![
        (Column::text("conversationId").titled("conversation"), Value::shown(&net.conversation)),
        (Column::text("accountId").titled("account"), Value::text(&*net.account)),
        (Column::text("businessPhone").titled("business phone"), Value::text(&*net.business_phone)),
        (Column::text("user"), user),
        (
            Column::text("leadingDigits").titled("number begins with"),
            Value::text(history.leading_digits.as_str().to_owned()),
        ),
        (Column::text("initiator"), Value::text(net.initiator.as_str())),
        (Column::text("openedAt").titled("opened"), Value::Time(net.opened_at)),
        (Column::text("expiresAt").titled("ends"), Value::Time(net.expires_at)),
        (Column::text("closed"), Value::Flag(net.closed)),
        (
            Column::number("userMessages").titled("messages of the user"),
            Value::Count(u64::from(net.user_messages)),
        ),
        (
            Column::number("businessMessages").titled("of the business"),
            Value::Count(u64::from(net.business_messages)),
        ),
        (Column::text("withoutConsent").titled("without consent"), Value::Flag(net.without_consent)),
        (Column::text("chargeId").titled("charge"), Value::shown_if(charge.map(|charge| &charge.charge))),
        (Column::number("amountMicros").titled("amount"), amount.map_or(Value::Absent, Value::Money)),
        (Column::text("currency"), Value::shown_if(charge.map(|charge| &charge.price.currency))),
    ];
    if document.is_for_people() {
        fields.retain(|(_, value)| *value != Value::Absent);
    }
    document.record("conversation", &fields)
}

/// Why it is so.
pub(super) fn why(
    net: &NetConversation,
    history: &ThreadHistory,
    rules: &AccountRules,
    document: &mut Document<'_>,
) -> Result<(), Failure> {
    let inside = inside_of(net, history);
    let mut sentences = vec![
        (Column::text("opened"), Value::text(why::opened(net, history))),
        (Column::text("window"), Value::text(why::window(net, &inside))),
        (Column::text("charge"), Value::text(why::charge(net, &inside))),
        (Column::text("market"), Value::text(why::market(net, history, rules))),
    ];
    sentences.extend(why::rate(net, rules).map(|rate| (Column::text("rate"), Value::text(rate))));
    sentences.push((Column::text("month"), Value::text(why::month(net, rules))));
    document.record("why", &sentences)?;
    if document.is_for_people() {
        return Ok(());
    }
    let row = rules.market_row(history.leading_digits, net.opened_at);
    document.record(
        "marketRow",
        &[
            (Column::text("market"), Value::text(&*net.market)),
            (Column::text("prefix"), row.map_or(Value::Absent, |row| Value::text(&*row.prefix))),
            (Column::number("line"), row.map_or(Value::Absent, |row| Value::Count(u64::from(row.line)))),
            (Column::text("status"), row.map_or(Value::Absent, |row| Value::text(row.status.as_str()))),
            (Column::text("source"), row.map_or(Value::Absent, |row| Value::text(&*row.source))),
        ],
    )?;
    if let Some(charge) = &net.charge {
        let row = rules.rate_row(&net.market, net.initiator, net.opened_at);
        document.record(
            "rateRow",
            &[
                (Column::text("tariff"), Value::text(&*charge.price.tariff)),
                (Column::text("card"), row.map_or(Value::Absent, |row| Value::text(&*row.card))),
                (Column::number("line"), row.map_or(Value::Absent, |row| Value::Count(u64::from(row.line)))),
                (Column::number("rateMicros"), row.map_or(Value::Absent, |row| Value::Money(row.rate))),
                (Column::text("from"), Value::shown_if(row.map(|row| &row.dates.from))),
                (Column::text("to"), Value::shown_if(row.and_then(|row| row.dates.to.as_ref()))),
                (Column::text("status"), row.map_or(Value::Absent, |row| Value::text(row.status.as_str()))),
                (Column::text("source"), row.map_or(Value::Absent, |row| Value::text(&*row.source))),
                (Column::text("reason"), Value::text(&*charge.price.reason)),
            ],
        )?;
    }
    let (begins_at, ends_at) = rules.period_bounds(net.period);
    document.record(
        "period",
        &[
            (Column::text("period"), Value::shown(&net.period)),
            (Column::text("zone"), Value::text(rules.zone().name())),
            (Column::text("beginsAt"), Value::Time(begins_at)),
            (Column::text("endsAt"), Value::Time(ends_at)),
        ],
    )
}

/// The messages, and what each does to the window.
pub(super) fn messages(messages: &[&EvidenceReport], document: &mut Document<'_>) -> Result<(), Failure> {
    let columns = vec![
        Column::text("at"),
        Column::text("side"),
        Column::text("does"),
        Column::text("endsAt").titled("window ends"),
        Column::text("endsAfter").titled("which is"),
        Column::text("messageId").titled("message"),
        Column::number("record"),
        Column::text("template"),
        Column::text("tag"),
    ];
    let mut list = document.list("messages", "messages, in their order", columns, InCsv::Yes)?;
    for report in messages {
        let message = &report.message;
        let ends_at = match report.effect {
            StepEffect::Opens { ends_at, .. } | StepEffect::Joins { ends_at, .. } => Value::Time(ends_at),
            StepEffect::None => Value::Absent,
        };
        let after = match (why::end_set(report), &report.effect) {
            (Some((_, after)), _) => Value::text(format!("{} after it", why::length(after))),
            (None, StepEffect::None) => Value::Absent,
            (None, StepEffect::Opens { .. } | StepEffect::Joins { .. }) => Value::text("as before"),
        };
        list.row(&[
            Value::Time(message.at),
            Value::text(report.side),
            Value::text(why::does(report)),
            ends_at,
            after,
            Value::shown(&message.message),
            Value::Count(message.offset.0),
            // A consent keeps its source where a template has its name.
            if report.side == "business" { text_if(&message.template) } else { Value::Absent },
            text_if(&message.tag),
        ])?;
    }
    list.finish()
}

/// Every report of the messages; for people only where there is more than the message itself.
pub(super) fn reports(messages: &[&EvidenceReport], document: &mut Document<'_>) -> Result<(), Failure> {
    let for_people = document.is_for_people();
    let tells_more = |report: &&&EvidenceReport| {
        !for_people || report.reports.len() > 1 || report.reports.iter().any(|(what, ..)| *what != "reported")
    };
    let telling: Vec<_> = messages.iter().filter(tells_more).collect();
    if telling.is_empty() && for_people {
        return Ok(());
    }
    let columns = vec![
        Column::text("at"),
        Column::text("report"),
        Column::text("messageId").titled("message"),
        Column::number("record"),
    ];
    let mut list = document.list("reports", "what was reported of them", columns, InCsv::No)?;
    for report in telling {
        for (what, at, offset) in &report.reports {
            list.row(&[
                Value::Time(*at),
                Value::text(*what),
                Value::shown(&report.message.message),
                Value::Count(offset.0),
            ])?;
        }
    }
    list.finish()
}

/// Entries under a title, in the order given.
pub(crate) fn entries(entries: &[Entry], title: &str, document: &mut Document<'_>) -> Result<(), Failure> {
    if entries.is_empty() && document.is_for_people() {
        return Ok(());
    }
    let columns = vec![
        Column::number("sequence").titled("entry"),
        Column::text("kind"),
        Column::text("eventTime").titled("event time"),
        Column::number("record"),
        Column::number("amountMicros").titled("amount"),
        Column::text("what"),
    ];
    let mut list = document.list("entries", title, columns, InCsv::No)?;
    for entry in entries {
        list.row(&[
            Value::Count(entry.sequence.0),
            Value::text(entry.body.kind().as_str()),
            Value::Time(entry.event_time),
            Value::Count(entry.offset.0),
            amount_of(entry).map_or(Value::Absent, Value::Money),
            Value::text(in_words(entry)),
        ])?;
    }
    list.finish()
}

/// Records about its messages that were not billed.
pub(super) fn quarantined(kept: &[QuarantinedOriginal], document: &mut Document<'_>) -> Result<(), Failure> {
    let columns = vec![
        Column::number("record"),
        Column::text("reason"),
        Column::text("detail"),
        Column::text("source"),
        Column::number("line"),
    ];
    let title = "records about it in quarantine, which changed nothing";
    let mut list = document.list("quarantined", title, columns, InCsv::No)?;
    for original in kept {
        list.row(&[
            Value::Count(original.offset.0),
            Value::text(original.reason.as_str()),
            Value::text(&original.detail),
            Value::text(&original.source),
            Value::Count(original.line),
        ])?;
    }
    list.finish()
}

fn text_if(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Absent } else { Value::text(text) }
}
