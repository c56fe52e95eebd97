//! The reasons of a conversation in sentences: opening, window, charge, market, rate, month.
//!
//! Has no rules: which message opened, slid and charged is what the fold said when it walked the thread again; which
//! row prices it is what the adopted tariff says.

use chrono::{DateTime, FixedOffset};
use model::{DurationMillis, Initiator, UnixMillis};
use projector::{EvidenceReport, NetConversation, StepEffect, ThreadHistory};
use tariff::{AccountRules, DateRange, WhyUnpriced};

use crate::output::Value;

/// An instant in UTC.
pub(super) fn utc(at: UnixMillis) -> String {
    Value::Time(at).plain().into_owned()
}

/// An instant as the account's clocks show it.
fn local(at: UnixMillis, rules: &AccountRules) -> String {
    let zone = FixedOffset::east_opt(rules.zone().offset_seconds(at));
    let time = DateTime::from_timestamp_millis(at.0).zip(zone).map(|(time, zone)| time.with_timezone(&zone));
    time.map_or_else(|| utc(at), |time| time.format("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// A length of time: whole hours where it is.
pub(super) fn length(length: DurationMillis) -> String {
    const HOUR: i64 = 3_600_000;
    if length.0 % HOUR == 0 { format!("{} h", length.0 / HOUR) } else { format!("{} ms", length.0) }
}

/// The end that a message set, and how far behind the message it is.
pub(super) fn end_set(report: &EvidenceReport) -> Option<(UnixMillis, DurationMillis)> {
    match report.effect {
        StepEffect::Opens { ends_at, .. } => Some((ends_at, ends_at - report.message.at)),
        StepEffect::Joins { ended_at, ends_at, .. } if ended_at != ends_at => {
            Some((ends_at, ends_at - report.message.at))
        }
        StepEffect::Joins { .. } | StepEffect::None => None,
    }
}

/// What a message does.
pub(super) fn does(report: &EvidenceReport) -> String {
    let earns = if report.effect.charges() { " and earns the charge" } else { "" };
    match report.effect {
        StepEffect::Opens { initiator, .. } => format!("opens it, {}-initiated{earns}", initiator.as_str()),
        StepEffect::Joins { .. } if end_set(report).is_some() => format!("slides the end{earns}"),
        StepEffect::Joins { .. } if report.side == "business" => format!("replies{earns}"),
        StepEffect::Joins { .. } => format!("is inside{earns}"),
        StepEffect::None => nothing(report).to_owned(),
    }
}

/// Why a message does nothing.
fn nothing(report: &EvidenceReport) -> &'static str {
    let failed = report.reports.iter().any(|(what, ..)| *what == "failed");
    match report.side {
        "call" => "nothing: a call is no message",
        "consent" => "nothing: consent is no message",
        _ if report.counts => "nothing: it opens no conversation under this tariff",
        _ if failed => "nothing: its last word is failed",
        _ => "nothing: only a read is known of it, which makes no message until it is sent or delivered",
    }
}

/// Who opened it, and why it was not part of the one before.
pub(super) fn opened(net: &NetConversation, history: &ThreadHistory) -> String {
    let opener = history.messages.iter().find(|report| {
        matches!(report.effect, StepEffect::Opens { conversation, .. } if conversation == net.conversation)
    });
    let whose = opener.map_or(net.initiator.as_str(), |opener| opener.side);
    let before = history.conversations.iter().rev().find(|other| other.opened_at < net.opened_at);
    let outside = match before {
        Some(before) => format!("outside the window before, which ended {}", utc(before.expires_at)),
        None => "the first of its thread".to_owned(),
    };
    format!("by the {whose}'s message of {}, {outside}", utc(net.opened_at))
}

/// When it ends and which message says so.
pub(super) fn window(net: &NetConversation, inside: &[&EvidenceReport]) -> String {
    let end = utc(net.expires_at);
    let state = if net.closed { "ended" } else { "open, ends" };
    match inside.iter().rev().find_map(|report| Some((report, end_set(report)?.1))) {
        Some((report, behind)) => {
            let (side, at) = (report.side, utc(report.message.at));
            format!(
                "{state} {end}, {} after the {side}'s message of {at}; the end itself is outside",
                length(behind)
            )
        }
        None => format!("{state} {end}"),
    }
}

/// What charged it, or why nothing did.
pub(super) fn charge(net: &NetConversation, inside: &[&EvidenceReport]) -> String {
    let earner = inside.iter().find(|report| report.effect.charges());
    let rule = match (earner.map(|earner| (earner, earner.effect)), net.initiator) {
        (Some((earner, StepEffect::Joins { .. })), _) => {
            format!("charged once: the business replied inside the window, {}", utc(earner.message.at))
        }
        (Some(_), Initiator::Business) => "charged at its opening: the business spoke first".to_owned(),
        (Some(_), Initiator::User) => {
            "charged at its opening: the business answered a user's message not long before".to_owned()
        }
        (None, _) if net.closed => "never charged: the business did not reply inside the window".to_owned(),
        (None, _) => "not charged so far: the business has not replied".to_owned(),
    };
    match &net.charge {
        Some(charge) if charge.booking > 1 => {
            format!("{rule}; booked {} times, as the entries tell", charge.booking)
        }
        Some(_) | None => rule,
    }
}

/// Which prefix gave the market.
pub(super) fn market(net: &NetConversation, history: &ThreadHistory, rules: &AccountRules) -> String {
    let digits = history.leading_digits.as_str();
    let market = &net.market;
    match rules.market_row(history.leading_digits, net.opened_at) {
        Some(row) => {
            let (prefix, line, status, source) = (&row.prefix, row.line, row.status.as_str(), &row.source);
            let whose = match digits.starts_with(|letter: char| letter.is_ascii_digit()) {
                true => format!("of {digits}… the longest prefix in the map is {prefix}"),
                false => format!("ids of {digits} go by prefix {prefix}"),
            };
            format!("{market}: {whose} (markets.csv line {line}, {status}: {source})")
        }
        None => format!("{market}: no prefix of {digits}… is in markets.csv"),
    }
}

/// Which row gave the rate; absent if nothing was charged.
pub(super) fn rate(net: &NetConversation, rules: &AccountRules) -> Option<String> {
    let price = &net.charge.as_ref()?.price;
    let Some(row) = rules.rate_row(&net.market, net.initiator, net.opened_at) else {
        let missing = rules.why_unpriced(&net.market, net.initiator, net.opened_at);
        return Some(format!(
            "unpriced: {}",
            missing.map_or_else(|| price.reason.to_string(), |why| missing_words(net, &why))
        ));
    };
    let (rate, currency, kind, card, line) = (row.rate, row.currency, row.kind.as_str(), &row.card, row.line);
    let (dates, status, source) = (range(&row.dates), row.status.as_str(), &row.source);
    Some(format!("{rate} {currency}, {kind}: {card} line {line}, {dates} ({status}: {source})"))
}

fn missing_words(net: &NetConversation, why: &WhyUnpriced) -> String {
    match why {
        WhyUnpriced::UnknownMarket => format!("the market map has no {}", net.market),
        WhyUnpriced::NoCard(currency) => format!("no card is in {currency}"),
        WhyUnpriced::NoRow(currency, kind) => {
            format!("the cards in {currency} have no row for {}, {}", net.market, kind.as_str())
        }
        WhyUnpriced::OtherDates(date, ranges) => {
            let ranges: Vec<String> = ranges.iter().map(range).collect();
            format!("no row holds on {date}; those there are hold {}", ranges.join(", "))
        }
    }
}

fn range(dates: &DateRange) -> String {
    match dates.to {
        Some(to) => format!("from {} before {to}", dates.from),
        None => format!("from {}", dates.from),
    }
}

/// Why it belongs to its month.
pub(super) fn month(net: &NetConversation, rules: &AccountRules) -> String {
    let (begins, ends) = rules.period_bounds(net.period);
    format!(
        "{}: opened {} in {}, where the month runs from {} before {}",
        net.period,
        local(net.opened_at, rules),
        rules.zone().name(),
        local(begins, rules),
        local(ends, rules)
    )
}
