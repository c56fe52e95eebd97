//! The settings: defaults, then the file, then `TARIFA_…` variables, then options.
//!
//! Knows no command. Invariant: a key that is not known is an error that names the nearest known one; paths in the file
//! are meant from the folder in which the file is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use crate::failure::Failure;

/// Read from the current folder where no other file is named.
const FILE_DEFAULT: &str = "tarifa.toml";

/// The tariff where nobody names one: the first of those that come with the program.
pub(crate) const TARIFF_DEFAULT: &str = "whatsapp-2022";

const KEYS: [&str; 5] = ["accounts", "currency", "data", "tariff", "zone"];

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// Directory of log and ledger.
    pub(crate) data: Option<PathBuf>,
    /// Id of a tariff, or its folder, that a new directory adopts.
    pub(crate) tariff: Option<String>,
    /// Currency of accounts that are not listed.
    pub(crate) currency: Option<String>,
    /// Time zone of accounts that are not listed.
    pub(crate) zone: Option<String>,
    /// File that lists the accounts.
    pub(crate) accounts: Option<PathBuf>,
}

impl Config {
    /// Reads the named file, or the one in the current folder if there is one.
    ///
    /// # Errors
    /// A named file that is not there, text that is no TOML, unknown keys, values that are no texts.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, Failure> {
        let path = named.unwrap_or(Path::new(FILE_DEFAULT));
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::usage(format!("cannot read the settings in {}", path.display()))
                .caused_by(error)
                .hint("check that the file exists and may be read")),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let at = |byte: usize| {
            let before = text.get(..byte).unwrap_or(text);
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let line = 1 + before.matches('\n').count();
            format!("{}:{line}:{}", path.display(), 1 + before[line_start..].chars().count())
        };
        let table = DeTable::parse(text).map_err(|error| {
            let place = at(error.span().map_or(0, |span| span.start));
            Failure::usage(format!("{place}: not valid TOML: {}", error.message().replace('\n', ", ")))
                .hint("mend the line")
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut config = Self::default();
        for (key, value) in table.get_ref() {
            let name: &str = key.get_ref();
            let target = match name {
                "data" | "accounts" | "tariff" | "currency" | "zone" => text_of(name, value.get_ref())
                    .map_err(|problem| {
                        Failure::usage(format!("{}: {problem}", at(value.span().start)))
                            .hint("write a text in quotes")
                    })?,
                unknown => {
                    let place = at(key.span().start);
                    return Err(
                        Failure::usage(format!("{place}: unknown key `{unknown}`")).hint(advice(unknown))
                    );
                }
            };
            match name {
                "data" => config.data = Some(folder.join(target)),
                "accounts" => config.accounts = Some(folder.join(target)),
                "currency" => config.currency = Some(target.to_owned()),
                "zone" => config.zone = Some(target.to_owned()),
                // A folder is told from an id by its slash, as on the command line.
                _ if target.contains('/') => {
                    config.tariff = Some(folder.join(target).display().to_string());
                }
                _ => config.tariff = Some(target.to_owned()),
            }
        }
        Ok(config)
    }
}

fn text_of<'t>(name: &str, value: &'t DeValue<'_>) -> Result<&'t str, String> {
    value.as_str().ok_or_else(|| format!("`{name}` is of type {}", value.type_str()))
}

/// Names the nearest known key, or all of them if none is near.
fn advice(wrong: &str) -> String {
    match nearest(wrong, &KEYS) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("known keys: {}", KEYS.join(", ")),
    }
}

/// The known word that a wrong one was most likely meant to be.
#[must_use]
pub(crate) fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong.to_lowercase(), word);
    let (distance, word) = known.iter().map(|word| (distance(word), *word)).min()?;
    (distance <= 1 + wrong.chars().count() / 3).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("conf/tarifa.toml"), text)
            .map_err(|failure| format!("{failure}; {}", failure.hint.clone().unwrap_or_default()))
    }

    #[test]
    fn paths_are_meant_from_the_folder_of_the_file() {
        let config = read("data = 'd'\naccounts = '/etc/a.toml'\ntariff = './mine'\nzone = 'UTC'\n").unwrap();
        assert_eq!(config.data, Some(PathBuf::from("conf/d")));
        assert_eq!(config.accounts, Some(PathBuf::from("/etc/a.toml")));
        assert_eq!(config.tariff.as_deref(), Some("conf/./mine"));
        assert_eq!((config.zone.as_deref(), config.currency), (Some("UTC"), None));
        assert_eq!(read("tariff = 'whatsapp-2022'").unwrap().tariff.as_deref(), Some(TARIFF_DEFAULT));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest() {
        for (text, complaint) in [
            (
                "data = 'd'\n  curency = 'EUR'\n",
                "conf/tarifa.toml:2:3: unknown key `curency`; did you mean `currency`?",
            ),
            (
                "colour = 'red'\n",
                "conf/tarifa.toml:1:1: unknown key `colour`; known keys: accounts, currency, data, tariff, zone",
            ),
            ("zone = 3\n", "conf/tarifa.toml:1:8: `zone` is of type integer; write a text in quotes"),
        ] {
            assert_eq!(read(text), Err(complaint.to_owned()));
        }
        assert!(read("zone = \n").unwrap_err().starts_with("conf/tarifa.toml:1:"));
    }
}
