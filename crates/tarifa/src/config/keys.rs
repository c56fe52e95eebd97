//! Reading a table of the settings' file by the keys that it may have.
//!
//! Knows no key. Invariant: what is wrong is told with file, line and column.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::failure::Failure;

/// A key and what may stand behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(pub(super) &'static str, pub(super) Kind);

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A text that names a file, meant from the folder of the settings' file.
    Path,
    Flag,
    /// A whole number, of those from the first to the second.
    Number(u64, u64),
    Table,
}

/// The values of one table, each taken once.
#[derive(Debug, Default)]
pub(super) struct Values<'t>(BTreeMap<&'static str, &'t DeValue<'t>>, PathBuf);

/// A file of settings, for naming places in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text }
    }

    /// The folder from which paths are meant.
    pub(super) fn folder(&self) -> &'a Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// File, line and column of a byte.
    pub(super) fn place(&self, byte: usize) -> String {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.matches('\n').count();
        format!("{}:{line}:{}", self.path.display(), 1 + before[line_start..].chars().count())
    }

    /// Takes the values of a table. `name` is that of the table with a dot after it, or nothing for the top.
    ///
    /// # Errors
    /// A key that is not listed, or a value of another kind.
    pub(super) fn read<'t>(
        &self,
        table: &'t DeTable<'t>,
        name: &str,
        keys: &[Key],
    ) -> Result<Values<'t>, Failure> {
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let word: &str = key.get_ref();
            let Some(Key(known, kind)) = keys.iter().find(|known| known.0 == word) else {
                let place = self.place(key.span().start);
                return Err(Failure::usage(format!("{place}: unknown key `{name}{word}`"))
                    .hint(advice(name, word, keys)));
            };
            self.check(&format!("{name}{word}"), *kind, value)?;
            values.insert(*known, value.get_ref());
        }
        Ok(Values(values, self.folder().to_owned()))
    }

    fn check(&self, name: &str, kind: Kind, value: &Spanned<DeValue<'_>>) -> Result<(), Failure> {
        let number = whole(value.get_ref());
        let (fits, hint) = match kind {
            Kind::Text | Kind::Path => (value.get_ref().is_str(), "write a text in quotes".to_owned()),
            Kind::Number(least, most) => (
                number.is_some_and(|number| (least..=most).contains(&number)),
                format!("write a whole number from {least} to {most}"),
            ),
            Kind::Flag => (value.get_ref().is_bool(), "write true or false".to_owned()),
            Kind::Table => (value.get_ref().is_table(), format!("write a table: [{name}]")),
        };
        if fits {
            return Ok(());
        }
        let place = self.place(value.span().start);
        let what = match (kind, value.get_ref().as_integer()) {
            (Kind::Number(..), Some(number)) => number.to_string(),
            _ => format!("of type {}", value.get_ref().type_str()),
        };
        Err(Failure::usage(format!("{place}: `{name}` is {what}")).hint(hint))
    }
}

impl<'t> Values<'t> {
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)?.as_str().map(str::to_owned)
    }

    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.0.remove(key)?.as_str().map(|path| self.1.join(path))
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.0.remove(key)?.as_bool()
    }

    pub(super) fn number(&mut self, key: &str) -> Option<u64> {
        whole(self.0.remove(key)?)
    }

    pub(super) fn table(&mut self, key: &str) -> Option<&'t DeTable<'t>> {
        self.0.remove(key)?.as_table()
    }
}

/// A number as it stands in the file, if it is whole and not negative.
fn whole(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Names the nearest known key, or all of them if none is near.
fn advice(table: &str, wrong: &str, keys: &[Key]) -> String {
    let known: Vec<&str> = keys.iter().map(|key| key.0).collect();
    // Whoever writes `password` means the one that goes on from there.
    let begun = known.iter().find(|key| wrong.len() > 3 && key.starts_with(wrong)).copied();
    match begun.or_else(|| nearest(wrong, &known)) {
        Some(key) => format!("did you mean `{table}{key}`?"),
        None => format!("known keys: {}", known.join(", ")),
    }
}

/// The known word that a wrong one was most likely meant to be.
#[must_use]
pub(crate) fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong.to_lowercase(), word);
    let (distance, word) = known.iter().map(|word| (distance(word), *word)).min()?;
    (distance <= 1 + wrong.chars().count() / 3).then_some(word)
}
