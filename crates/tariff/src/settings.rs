//! `tariff.toml`: the handful of settings that tell one tariff's rules from another's.
//!
//! Knows no rates and no markets; what the settings mean for a thread is the projector's to say.
//! Invariant: a value that this release cannot follow is refused here, so that no thread is billed by half a rule.

use model::{DurationMillis, Text};

use crate::{
    date::{Date, DateRange},
    document::{Section, parse},
    finding::{Finding, Source, did_you_mean},
};

/// What is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A conversation, once.
    Conversation,
}

/// How a conversation's window moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// It ends its length after the user's last message in it.
    Sliding,
    /// It ends its length after it opened.
    Fixed,
}

/// What opens a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The first message, of either side.
    FirstMessage,
    /// The first business message that was delivered.
    BusinessDelivery,
}

/// All of `tariff.toml`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) id: Text,
    pub(crate) title: Text,
    pub(crate) unit: Unit,
    pub(crate) window: Window,
    pub(crate) window_length: DurationMillis,
    pub(crate) anchor: Anchor,
    pub(crate) other_market: Text,
    pub(crate) dates: DateRange,
}

const KEYS: [&str; 10] =
    ["id", "title", "unit", "anchor", "window", "window_hours", "rates_by", "other_market", "from", "to"];

/// Longest window: 30 days. A longer one would outlast what a thread remembers.
const WINDOW_HOURS_MAX: u32 = 720;

/// Reads the file; absent if anything in it is wrong.
pub(crate) fn read(source: Source<'_>, findings: &mut Vec<Finding>) -> Option<Settings> {
    let table = parse(source, findings)?;
    let section = Section::root(source, &table);
    section.only(&KEYS, findings);
    let id = id(section, findings);
    let title = section.need_text("title", findings).map(|title| Text::from(title.value));
    let unit = choice(section, "unit", &[("conversation", Unit::Conversation)], findings);
    let window =
        choice(section, "window", &[("sliding", Window::Sliding), ("fixed", Window::Fixed)], findings);
    let anchors = [("first_message", Anchor::FirstMessage), ("business_delivery", Anchor::BusinessDelivery)];
    let anchor = choice(section, "anchor", &anchors, findings);
    let rates_by = choice(section, "rates_by", &[("initiator", ())], findings);
    let window_length = window_length(section, findings);
    let other_market = other_market(section, findings);
    let dates = dates(section, findings);
    rates_by?;
    Some(Settings {
        id: id?,
        title: title?,
        unit: unit?,
        window: window?,
        window_length: window_length?,
        anchor: anchor?,
        other_market: other_market?,
        dates: dates?,
    })
}

/// An id goes into every entry and onto command lines: short, and of letters that need no quoting.
fn id(section: Section<'_>, findings: &mut Vec<Finding>) -> Option<Text> {
    let id = section.need_text("id", findings)?;
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if id.value.is_empty() || id.value.len() > 64 || !id.value.bytes().all(letters) {
        let problem = format!("`{}` is no id of a tariff", id.value);
        let advice = "use 1 to 64 small letters, digits and hyphens, such as `whatsapp-2022`";
        findings.push(section.source().finding_at(id.at, problem, advice));
        return None;
    }
    Some(id.value.into())
}

fn other_market(section: Section<'_>, findings: &mut Vec<Finding>) -> Option<Text> {
    let name = section.need_text("other_market", findings)?;
    if name.value.trim().is_empty() {
        let advice = "name the market of numbers without a row, such as `Other`";
        findings.push(section.source().finding_at(name.at, "`other_market` is empty", advice));
        return None;
    }
    Some(name.value.into())
}

fn window_length(section: Section<'_>, findings: &mut Vec<Finding>) -> Option<DurationMillis> {
    let hours = section.need_number("window_hours", findings)?;
    if (1..=WINDOW_HOURS_MAX).contains(&hours.value) {
        return Some(DurationMillis::from_hours(i64::from(hours.value)));
    }
    let problem = format!("a window of {} hours", hours.value);
    let advice = format!("write a number from 1 to {WINDOW_HOURS_MAX}");
    findings.push(section.source().finding_at(hours.at, problem, advice));
    None
}

/// `from` must be there; `to` may be left out.
fn dates(section: Section<'_>, findings: &mut Vec<Finding>) -> Option<DateRange> {
    let from_text = section.need_text("from", findings)?;
    let to_text = section.text("to", findings);
    let mut date = |text: crate::document::Value<'_, &str>| match Date::parse(text.value) {
        Ok(date) => Some(date),
        Err(error) => {
            let problem = format!("`{}` is `{}`, {error}", text.key, text.value);
            findings.push(section.source().finding_at(
                text.at,
                problem,
                "write a date such as \"2022-02-01\"",
            ));
            None
        }
    };
    let from = date(from_text)?;
    let to = match to_text {
        Some(text) => Some(date(text)?),
        None => None,
    };
    if let (Some(end), Some(text)) = (to, to_text)
        && end <= from
    {
        let problem = format!("the tariff ends on {end}, not after it begins on {from}");
        findings.push(section.source().finding_at(text.at, problem, "write a later date, or leave `to` out"));
        return None;
    }
    Some(DateRange { from, to })
}

/// One of a few words.
fn choice<T: Copy>(
    section: Section<'_>,
    key: &'static str,
    words: &[(&str, T)],
    findings: &mut Vec<Finding>,
) -> Option<T> {
    let word = section.need_text(key, findings)?;
    if let Some((_, meaning)) = words.iter().find(|(known, _)| *known == word.value) {
        return Some(*meaning);
    }
    let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
    let problem = format!("`{key}` is `{}`, which this release does not know", word.value);
    findings.push(section.source().finding_at(word.at, problem, did_you_mean(word.value, &known)));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "id = 'x-1'\ntitle = 'X'\nunit = 'conversation'\nanchor = 'first_message'\nwindow = 'sliding'\n\
                        window_hours = 24\nrates_by = 'initiator'\nother_market = 'Other'\nfrom = '2022-02-01'\n";

    fn with(old: &str, new: &str) -> Vec<String> {
        let text = GOOD.replace(old, new);
        let mut findings = Vec::new();
        let settings = read(Source { file: "tariff.toml", text: &text }, &mut findings);
        assert_eq!(settings.is_none(), findings.iter().any(|f| !f.problem.starts_with("unknown key")));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_settings_of_every_variant_are_read() {
        for (old, new) in [
            ("", ""),
            ("'sliding'", "'fixed'"),
            ("'first_message'", "'business_delivery'"),
            ("24", "72"),
            ("from", "to = '2023-06-01'\nfrom"),
        ] {
            assert_eq!(with(old, new), Vec::<String>::new(), "{new}");
        }
    }

    #[test]
    fn settings_that_cannot_be_followed_are_refused_with_their_place() {
        for (old, new, complaint) in [
            (
                "'conversation'",
                "'message'",
                "tariff.toml:3:8: `unit` is `message`, which this release does not know; known: conversation",
            ),
            (
                "'sliding'",
                "'slidin'",
                "tariff.toml:5:10: `window` is `slidin`, which this release does not know; did you mean `sliding`?",
            ),
            ("24", "0", "tariff.toml:6:16: a window of 0 hours; write a number from 1 to 720"),
            ("window_hours", "window_hour", "tariff.toml:1:1: no key `window_hours`; add it"),
            (
                "'2022-02-01'",
                "'1.2.2022'",
                "tariff.toml:9:8: `from` is `1.2.2022`, not a date of the form 2022-02-01 in the years 1970 to 9999; \
                 write a date such as \"2022-02-01\"",
            ),
            (
                "from",
                "to = '2022-02-01'\nfrom",
                "tariff.toml:9:6: the tariff ends on 2022-02-01, not after it begins on 2022-02-01; \
                 write a later date, or leave `to` out",
            ),
            ("'Other'", "''", "`other_market` is empty"),
            ("x-1", "X 1", "`X 1` is no id of a tariff"),
        ] {
            let found = with(old, new);
            assert!(found.iter().any(|found| found.contains(complaint)), "{new}: {found:?}");
        }
        assert_eq!(
            with("title", "window_days = 3\ntitle"),
            ["tariff.toml:2:1: unknown key `window_days`; did you mean `window_hours`?"]
        );
    }
}
