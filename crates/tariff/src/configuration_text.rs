//! The bytes of a configuration: a TOML document that a person can read and a hash can name.
//!
//! Knows no look-ups.
//! Invariant: the same settings, zones and files always give the same bytes; accounts, zones and files stand sorted.

use std::{collections::BTreeMap, sync::Arc};

use model::Currency;

use crate::{
    accounts::{AccountSettings, AccountsFile, read_accounts},
    document::{Section, parse},
    finding::{Finding, Findings, Source},
    zone::{OffsetChange, Zone},
    zone_text::{change_text, offset_text, parse_change, parse_offset},
};

/// What a configuration consists of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) rules: u32,
    pub(crate) accounts: AccountsFile,
    pub(crate) zones: BTreeMap<String, Arc<Zone>>,
    pub(crate) files: BTreeMap<String, String>,
}

/// Number of the document's form, raised when its bytes would mean something else.
const FORMAT: u32 = 1;

/// The name under which complaints speak of the document.
const NAME: &str = "configuration";

/// Writes the document.
pub(crate) fn write(parts: &Parts) -> String {
    let mut text = String::from(
        "# A configuration as it was adopted. It is known by the BLAKE3 hash of these bytes: an edited one is another.\n",
    );
    let mut line = |written: std::fmt::Arguments<'_>| {
        text.push_str(&written.to_string());
        text.push('\n');
    };
    line(format_args!("format = {FORMAT}\nrules = {}", parts.rules));
    line(format_args!("\n[defaults]\n{}", settings_text(&parts.accounts.defaults)));
    for (account, settings) in &parts.accounts.accounts {
        line(format_args!("\n[accounts.{}]\n{}", quoted(account), settings_text(settings)));
    }
    for (name, zone) in &parts.zones {
        let base = offset_text(zone.base_seconds());
        line(format_args!("\n[zones.{}]\nbase = {}\nchanges = [", quoted(name), quoted(&base)));
        for change in zone.changes() {
            line(format_args!("    {},", quoted(&change_text(*change))));
        }
        line(format_args!("]"));
    }
    line(format_args!("\n[files]"));
    for (name, content) in &parts.files {
        line(format_args!("{} = {}", quoted(name), multi_line(content)));
    }
    text
}

fn settings_text(settings: &AccountSettings) -> String {
    format!(
        "currency = {}\nzone = {}\ntracks_consent = {}",
        quoted(settings.currency.as_str()),
        quoted(&settings.zone),
        settings.tracks_consent
    )
}

/// A TOML string on one line.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text, |_, _| true).replace('\n', "\\n"))
}

/// A TOML string whose lines stand as they are.
fn multi_line(text: &str) -> String {
    // A quote needs an escape only where it could be taken for a part of the closing three.
    format!("\"\"\"\n{}\"\"\"", escaped(text, |_, next| matches!(next, Some('"') | None)))
}

fn escaped(text: &str, escape_quote: impl Fn(char, Option<char>) -> bool) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => written.push_str("\\\\"),
            '"' if escape_quote(letter, rest.peek().copied()) => written.push_str("\\\""),
            '\n' | '\t' => written.push(letter),
            control if control.is_control() => {
                written.push_str(&format!("\\u{:04X}", u32::from(control)));
            }
            other => written.push(other),
        }
    }
    written
}

/// Reads the document.
pub(crate) fn read(text: &str) -> Result<Parts, Findings> {
    let mut findings = Vec::new();
    let source = Source { file: NAME, text };
    let parts = parse(source, &mut findings)
        .and_then(|table| read_parts(Section::root(source, &table), &mut findings));
    match parts {
        Some(parts) if findings.is_empty() => Ok(parts),
        Some(_) | None => Err(Findings::sorted(findings)),
    }
}

fn read_parts(root: Section<'_>, findings: &mut Vec<Finding>) -> Option<Parts> {
    let format = root.need_number("format", findings)?;
    if format.value != FORMAT {
        let problem =
            format!("form {} of a configuration, of which this release knows {FORMAT}", format.value);
        findings.push(root.source().finding_at(
            format.at,
            problem,
            "use the release that adopted it, or a newer one",
        ));
        return None;
    }
    root.only(&["format", "rules", "defaults", "accounts", "zones", "files"], findings);
    let rules = root.need_number("rules", findings)?.value;
    let zones = read_zones(root, findings);
    let known = |name: &str| {
        (!zones.contains_key(name))
            .then(|| "the table `zones` must have each zone that an account names".to_owned())
    };
    // Every configuration writes all its settings, so what stands here holds only for a damaged one.
    let base = AccountSettings {
        currency: Currency::parse("XXX").ok()?,
        zone: String::new(),
        tracks_consent: false,
    };
    let accounts = read_accounts(root, &base, &known, findings);
    if accounts.defaults.currency == base.currency || accounts.defaults.zone.is_empty() {
        let problem = "the table `defaults` lacks currency or zone";
        findings.push(root.source().finding_at(format.at, problem, "restore the configuration from a copy"));
    }
    let mut files = BTreeMap::new();
    if let Some(section) = root.table("files", findings) {
        for file in section.keys() {
            if let Some(content) = section.text(file.value, findings) {
                files.insert(file.value.to_owned(), content.value.to_owned());
            }
        }
    }
    Some(Parts { rules, accounts, zones, files })
}

fn read_zones(root: Section<'_>, findings: &mut Vec<Finding>) -> BTreeMap<String, Arc<Zone>> {
    let mut zones = BTreeMap::new();
    if let Some(section) = root.table("zones", findings) {
        for name in section.keys() {
            let Some(table) = section.table(name.value, findings) else { continue };
            if let Some(zone) = read_zone(name.value, table, findings) {
                zones.insert(name.value.to_owned(), Arc::new(zone));
            }
        }
    }
    zones
}

fn read_zone(name: &str, section: Section<'_>, findings: &mut Vec<Finding>) -> Option<Zone> {
    section.only(&["base", "changes"], findings);
    let base = section.need_text("base", findings)?;
    let mut wrong = |at, text: &str, what: &str| {
        let problem = format!("`{text}` is {what}");
        findings.push(section.source().finding_at(at, problem, "restore the configuration from a copy"));
    };
    let Some(base_seconds) = parse_offset(base.value) else {
        wrong(base.at, base.value, "no offset such as -03:00");
        return None;
    };
    let mut changes: Vec<OffsetChange> = Vec::new();
    let listed = section.need_texts("changes", findings)?;
    for text in listed {
        let mut wrong = |what: &str| {
            let problem = format!("`{}` is {what}", text.value);
            findings.push(section.source().finding_at(
                text.at,
                problem,
                "restore the configuration from a copy",
            ));
        };
        match parse_change(text.value) {
            None => wrong("no change such as 2019-02-17T02:00:00Z -03:00"),
            Some(change) if !Zone::may_change_at(change.at) => wrong("outside the years 1970 to 2099"),
            Some(change) if changes.last().is_some_and(|last| last.at >= change.at) => {
                wrong("not after the change before it");
            }
            Some(change) => changes.push(change),
        }
    }
    Some(Zone::from_table(name.to_owned(), base_seconds, changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        let settings = |currency, zone: &str| AccountSettings {
            currency: Currency::parse(currency).unwrap(),
            zone: zone.to_owned(),
            tracks_consent: false,
        };
        let change = parse_change("1972-01-07T00:44:30Z +00:00").unwrap();
        let zone = Zone::from_table("Africa/Monrovia".to_owned(), -2_670, vec![change]);
        let utc = Zone::from_table("UTC".to_owned(), 0, Vec::new());
        let files = [("a.csv", "x,\"y\"\nz\n"), ("b.toml", "\"\"\"\r\n\\ \u{1}é\"")];
        Parts {
            rules: 1,
            accounts: AccountsFile {
                defaults: settings("USD", "UTC"),
                accounts: vec![("a \"1\"\n".to_owned(), settings("EUR", "Africa/Monrovia"))],
            },
            zones: [zone, utc].map(|zone| (zone.name().to_owned(), Arc::new(zone))).into(),
            files: files.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        }
    }

    const TEXT: &str = r##"# A configuration as it was adopted. It is known by the BLAKE3 hash of these bytes: an edited one is another.
format = 1
rules = 1

[defaults]
currency = "USD"
zone = "UTC"
tracks_consent = false

[accounts."a \"1\"\n"]
currency = "EUR"
zone = "Africa/Monrovia"
tracks_consent = false

[zones."Africa/Monrovia"]
base = "-00:44:30"
changes = [
    "1972-01-07T00:44:30Z +00:00",
]

[zones."UTC"]
base = "+00:00"
changes = [
]

[files]
"a.csv" = """
x,"y"
z
"""
"b.toml" = """
\"\""\u000D
\\ \u0001é\""""
"##;

    #[test]
    fn the_bytes_are_pinned_because_their_hash_is_in_the_log() {
        assert_eq!(write(&parts()), TEXT);
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let read = read(TEXT).unwrap();
        let written = parts();
        assert_eq!(read.rules, written.rules);
        assert_eq!(read.accounts, written.accounts);
        assert_eq!(read.zones, written.zones);
        assert_eq!(read.files, written.files);
    }

    #[test]
    fn every_text_of_awkward_characters_survives() {
        let mut texts = vec![String::new()];
        for length in 0..5 {
            for at in 0..texts.len() {
                if texts[at].chars().count() == length {
                    let longer =
                        ['"', '\\', '\n', '\r', 'n', '\''].map(|next| format!("{}{next}", texts[at]));
                    texts.extend(longer);
                }
            }
        }
        let named = |text: &String| (format!("f {text}"), text.clone());
        let parts = Parts { files: texts.iter().map(named).collect(), ..parts() };
        assert_eq!(parts.files.len(), 9_331);
        assert_eq!(read(&write(&parts)).unwrap().files, parts.files);
    }

    #[test]
    fn a_damaged_document_is_refused_where_it_is_damaged() {
        for (old, new, complaint) in [
            ("format = 1", "format = 2", "configuration:2:10: form 2 of a configuration"),
            ("rules = 1", "rule = 1", "configuration:3:1: unknown key `rule`; did you mean `rules`?"),
            ("zone = \"UTC\"", "zone = \"UTD\"", "configuration:7:8: unknown time zone `UTD`"),
            ("currency = \"USD\"\n", "", "the table `defaults` lacks currency or zone"),
            ("-00:44:30", "44:30", "configuration:16:8: `44:30` is no offset"),
            ("1972-01-07T", "2172-01-07T", "is outside the years 1970 to 2099"),
            ("1972-01-07T", "1972-01-07 ", "is no change such as"),
            (
                "1972-01-07T00:44:30Z +00:00",
                "1972-01-07T00:44:30Z +00:00\", \"1972-01-07T00:44:30Z +01:00",
                "configuration:18:36: `1972-01-07T00:44:30Z +01:00` is not after the change before it",
            ),
        ] {
            let found = read(&TEXT.replacen(old, new, 1)).unwrap_err();
            let shown = || found.0.iter().map(ToString::to_string);
            assert!(
                shown().any(|found| found.contains(complaint)),
                "{new}: {:?}",
                shown().collect::<Vec<_>>()
            );
        }
    }
}
