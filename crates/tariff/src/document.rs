//! TOML tables read key by key, every complaint with its line and column.
//!
//! Knows no meaning of any key.
//! Invariant: a key that nobody asked for is a finding, never skipped.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::finding::{Finding, Source, did_you_mean};

/// A table of a document, with the name under which complaints speak of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section<'t> {
    source: Source<'t>,
    table: &'t DeTable<'t>,
    /// Byte at which it begins. Lines are counted only for a finding, since counting reads all the text before.
    at: usize,
}

/// A value with the byte at which it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'t, T> {
    pub(crate) value: T,
    pub(crate) at: usize,
    pub(crate) key: &'t str,
}

/// Parses a document; text that is no TOML is a finding.
pub(crate) fn parse<'t>(source: Source<'t>, findings: &mut Vec<Finding>) -> Option<Spanned<DeTable<'t>>> {
    match DeTable::parse(source.text) {
        Ok(table) => Some(table),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let problem = format!("not valid TOML: {}", error.message().replace('\n', ", "));
            findings.push(source.finding_at(at, problem, "mend the line"));
            None
        }
    }
}

impl<'t> Section<'t> {
    /// The document itself.
    pub(crate) fn root(source: Source<'t>, table: &'t Spanned<DeTable<'t>>) -> Self {
        Self { source, table: table.get_ref(), at: 0 }
    }

    pub(crate) fn source(&self) -> Source<'t> {
        self.source
    }

    /// Complains of every key outside `known`.
    pub(crate) fn only(&self, known: &[&str], findings: &mut Vec<Finding>) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let problem = format!("unknown key `{name}`");
                let advice = did_you_mean(name, known);
                findings.push(self.source.finding_at(key.span().start, problem, advice));
            }
        }
    }

    fn get(&self, key: &'t str) -> Option<(&'t DeValue<'t>, usize)> {
        let value = self.table.get(key)?;
        Some((value.get_ref(), value.span().start))
    }

    /// Text under a key, if the key is there.
    pub(crate) fn text(&self, key: &'t str, findings: &mut Vec<Finding>) -> Option<Value<'t, &'t str>> {
        let (value, at) = self.get(key)?;
        let text = value.as_str();
        if text.is_none() {
            self.wrong_type(key, value, "a text in quotes", at, findings);
        }
        text.map(|value| Value { value, at, key })
    }

    /// Text under a key that must be there.
    pub(crate) fn need_text(&self, key: &'t str, findings: &mut Vec<Finding>) -> Option<Value<'t, &'t str>> {
        self.need(key, findings);
        self.text(key, findings)
    }

    /// True or false under a key, if the key is there.
    pub(crate) fn flag(&self, key: &'t str, findings: &mut Vec<Finding>) -> Option<bool> {
        let (value, at) = self.get(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false", at, findings);
        }
        flag
    }

    /// A whole number from 0 under a key that must be there.
    pub(crate) fn need_number(&self, key: &'t str, findings: &mut Vec<Finding>) -> Option<Value<'t, u32>> {
        self.need(key, findings);
        let (value, at) = self.get(key)?;
        let number = value.as_integer().filter(|number| number.radix() == 10);
        let number = number.and_then(|number| number.as_str().parse().ok());
        if number.is_none() {
            self.wrong_type(key, value, "a whole number", at, findings);
        }
        number.map(|value| Value { value, at, key })
    }

    /// A list of texts under a key that must be there.
    pub(crate) fn need_texts(
        &self,
        key: &'t str,
        findings: &mut Vec<Finding>,
    ) -> Option<Vec<Value<'t, &'t str>>> {
        self.need(key, findings);
        let (value, at) = self.get(key)?;
        let texts = value.as_array().and_then(|array| {
            let item = |item: &'t Spanned<DeValue<'t>>| {
                let at = item.span().start;
                item.get_ref().as_str().map(|value| Value { value, at, key })
            };
            array.iter().map(item).collect()
        });
        if texts.is_none() {
            self.wrong_type(key, value, "a list of texts", at, findings);
        }
        texts
    }

    /// The table under a key, if the key is there.
    pub(crate) fn table(&self, key: &'t str, findings: &mut Vec<Finding>) -> Option<Section<'t>> {
        let (value, at) = self.get(key)?;
        let table = value.as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table", at, findings);
        }
        table.map(|table| Self { source: self.source, table, at })
    }

    /// The keys of this table, with their places.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Value<'t, &'t str>> {
        self.table.keys().map(|key| {
            let name: &'t str = key.get_ref();
            Value { value: name, at: key.span().start, key: name }
        })
    }

    fn need(&self, key: &str, findings: &mut Vec<Finding>) {
        if !self.table.contains_key(key) {
            findings.push(self.source.finding_at(self.at, format!("no key `{key}`"), "add it"));
        }
    }

    fn wrong_type(
        &self,
        key: &str,
        value: &DeValue<'_>,
        wanted: &str,
        at: usize,
        findings: &mut Vec<Finding>,
    ) {
        let problem = format!("`{key}` is of type {}", value.type_str());
        findings.push(self.source.finding_at(at, problem, format!("write {wanted}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        let source = Source { file: "t.toml", text };
        if let Some(table) = parse(source, &mut findings) {
            let root = Section::root(source, &table);
            root.only(&["id", "hours", "on", "list", "inner"], &mut findings);
            root.need_text("id", &mut findings);
            root.need_number("hours", &mut findings);
            root.flag("on", &mut findings);
            root.need_texts("list", &mut findings);
            root.table("inner", &mut findings);
        }
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_whole_document_has_nothing_against_it() {
        let text = "id = 'a'\nhours = 24\non = true\nlist = ['x', 'y']\n[inner]\nz = 1\n";
        assert_eq!(complaints(text), Vec::<String>::new());
    }

    #[test]
    fn wrong_types_missing_and_unknown_keys_are_found_where_they_stand() {
        assert_eq!(
            complaints("hours = -1\nlist = ['x', 2]\n  houres = 24\non = 'yes'\ninner = 3\n"),
            [
                "t.toml:3:3: unknown key `houres`; did you mean `hours`?",
                "t.toml:1:1: no key `id`; add it",
                "t.toml:1:9: `hours` is of type integer; write a whole number",
                "t.toml:4:6: `on` is of type string; write true or false",
                "t.toml:2:8: `list` is of type array; write a list of texts",
                "t.toml:5:9: `inner` is of type integer; write a table",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_found_where_it_breaks() {
        let found = complaints("id = 'a'\nhours = = 3\n");
        assert!(found[0].starts_with("t.toml:2:"), "{found:?}");
        assert_eq!(found.len(), 1);
    }
}
