//! Columns and cells: what a result is made of before it has a form.
//!
//! Knows no form. Invariant: integers stay integers and money stays micro-units until the moment of writing.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Datelike, Timelike};
use finance::MinorUnit;
use model::{Micros, UnixMillis};

/// One column of a list, or one field of a record.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The name in JSON and CSV, in camelCase.
    pub(crate) name: Cow<'static, str>,
    /// The heading in a table.
    pub(crate) title: Cow<'static, str>,
    /// Whether its cells stand at the right of the column, as numbers do.
    pub(crate) right: bool,
}

impl Column {
    /// Words, ids and times.
    #[must_use]
    pub(crate) fn text(name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        Self { title: name.clone(), name, right: false }
    }

    /// Numbers.
    #[must_use]
    pub(crate) fn number(name: impl Into<Cow<'static, str>>) -> Self {
        Self { right: true, ..Self::text(name) }
    }

    /// Another heading in tables: `amount` for `amountMicros`, as tables show units with a decimal point.
    #[must_use]
    pub(crate) fn titled(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.title = title.into();
        self
    }
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Nothing: `null` in JSON, empty elsewhere.
    Absent,
    /// Words.
    Text(Cow<'a, str>),
    /// How many.
    Count(u64),
    /// How many, less what was taken back.
    Net(i64),
    /// True or false.
    Flag(bool),
    /// Money: whole micro-units in JSON and CSV, decimal in tables.
    Money(Micros),
    /// Money that can be paid: the same, but in tables with just the digits that its currency has.
    Payable(Micros, MinorUnit),
    /// An instant, in RFC 3339.
    Time(UnixMillis),
}

impl<'a> Value<'a> {
    /// Words.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// What prints itself, such as a date or an id.
    #[must_use]
    pub(crate) fn shown(thing: &impl fmt::Display) -> Self {
        Self::Text(Cow::Owned(thing.to_string()))
    }

    /// What prints itself, if it is there.
    #[must_use]
    pub(crate) fn shown_if(thing: Option<&impl fmt::Display>) -> Self {
        thing.map_or(Self::Absent, Self::shown)
    }

    /// How many, of what is counted in memory.
    #[must_use]
    pub(crate) fn count(count: usize) -> Self {
        Self::Count(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// As programs read it: CSV, and JSON without the quotes.
    #[must_use]
    pub(crate) fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Absent => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Count(count) => Cow::Owned(count.to_string()),
            Self::Net(count) => Cow::Owned(count.to_string()),
            Self::Flag(true) => Cow::Borrowed("true"),
            Self::Flag(false) => Cow::Borrowed("false"),
            Self::Money(micros) | Self::Payable(micros, _) => Cow::Owned(micros.0.to_string()),
            Self::Time(at) => Cow::Owned(rfc3339(*at)),
        }
    }

    /// As people read it in a table. Control characters are shown, not sent to the terminal.
    #[must_use]
    pub(crate) fn for_people(&self) -> Cow<'_, str> {
        match self {
            Self::Flag(true) => Cow::Borrowed("yes"),
            Self::Flag(false) => Cow::Borrowed("no"),
            Self::Money(micros) => Cow::Owned(micros.to_string()),
            Self::Payable(micros, minor) => Cow::Owned(finance::decimal(*micros, minor.digits())),
            Self::Text(text) if text.contains(char::is_control) => Cow::Owned(harmless(text)),
            Self::Absent | Self::Text(_) | Self::Count(_) | Self::Net(_) | Self::Time(_) => self.plain(),
        }
    }
}

/// Replaces what could move a terminal's cursor or change its colours.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// An instant in UTC, with three digits of a fraction unless it is a whole second.
fn rfc3339(at: UnixMillis) -> String {
    let at = at.0.clamp(0, UnixMillis::MAX.0);
    let time = DateTime::from_timestamp_millis(at).unwrap_or_default();
    let (date, of_day) = (time.date_naive(), time.time());
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        of_day.hour(),
        of_day.minute(),
        of_day.second()
    );
    if at % 1_000 != 0 {
        text.push_str(&format!(".{:03}", at % 1_000));
    }
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_decimal_for_people_and_whole_micros_for_programs() {
        let rate = Value::Money(Micros(30_000));
        assert_eq!((rate.for_people().as_ref(), rate.plain().as_ref()), ("0.0300", "30000"));
    }

    #[test]
    fn times_have_milliseconds_only_where_there_are_any() {
        for (millis, text) in [
            (1_643_882_400_000, "2022-02-03T10:00:00Z"),
            (1_643_882_400_123, "2022-02-03T10:00:00.123Z"),
            (0, "1970-01-01T00:00:00Z"),
            (UnixMillis::MAX.0, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Value::Time(UnixMillis(millis)).plain(), text);
        }
    }

    #[test]
    fn control_characters_reach_programs_and_not_the_terminal() {
        let value = Value::text("a\u{1b}[31m\nb");
        assert_eq!(value.for_people(), "a\\u{1b}[31m\\nb");
        assert_eq!(value.plain(), "a\u{1b}[31m\nb");
    }
}
