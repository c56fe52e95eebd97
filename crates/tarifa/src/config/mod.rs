//! The settings: defaults, then the file, then `TARIFA_…` variables, then options.
//!
//! Knows no command. Invariant: a key that is not known is an error that names the nearest known one; paths in the file
//! are meant from the folder in which the file is.

mod kafka;
mod keys;
mod service;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use self::keys::{Key, Kind, Reader};
pub(crate) use self::{
    kafka::KafkaConfig,
    keys::nearest,
    service::{CHECKPOINT_RECORDS, INTERVAL_MS, SESSION_TIMEOUT_MS, ServiceConfig},
};
use crate::failure::Failure;

/// Read from the current folder where no other file is named.
const FILE_DEFAULT: &str = "tarifa.toml";

/// The tariff where nobody names one: the first of those that come with the program.
pub(crate) const TARIFF_DEFAULT: &str = "whatsapp-2022";

const KEYS: &[Key] = &[
    Key("accounts", Kind::Path),
    Key("currency", Kind::Text),
    Key("data", Kind::Path),
    Key("kafka", Kind::Table),
    Key("service", Kind::Table),
    Key("tariff", Kind::Text),
    Key("zone", Kind::Text),
];

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
    /// How to reach Kafka.
    pub(crate) kafka: KafkaConfig,
    /// How the service is run.
    pub(crate) service: ServiceConfig,
}

impl Config {
    /// Reads the named file, or the one in the current folder if there is one.
    ///
    /// # Errors
    /// A named file that is not there, text that is no TOML, unknown keys, values of another type.
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

    /// Whether the file says what an account is billed by.
    pub(crate) fn adopts_something(&self) -> bool {
        self.tariff.is_some() || self.currency.is_some() || self.zone.is_some() || self.accounts.is_some()
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let reader = Reader::new(path, text);
        let table = DeTable::parse(text).map_err(|error| {
            let place = reader.place(error.span().map_or(0, |span| span.start));
            Failure::usage(format!("{place}: not valid TOML: {}", error.message().replace('\n', ", ")))
                .hint("mend the line")
        })?;
        let mut top = reader.read(table.get_ref(), "", KEYS)?;
        // A folder is told from an id by its slash, as on the command line.
        let tariff = top.text("tariff").map(|id| match id.contains('/') {
            true => reader.folder().join(id).display().to_string(),
            false => id,
        });
        Ok(Self {
            data: top.path("data"),
            tariff,
            currency: top.text("currency"),
            zone: top.text("zone"),
            accounts: top.path("accounts"),
            kafka: top
                .table("kafka")
                .map_or(Ok(KafkaConfig::default()), |kafka| KafkaConfig::read(&reader, kafka))?,
            service: top
                .table("service")
                .map_or(Ok(ServiceConfig::default()), |service| ServiceConfig::read(&reader, service))?,
        })
    }
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
    fn kafka_has_a_table_of_its_own() {
        let text = "[kafka]\nbrokers = 'a:1'\ntls = true\nca = 'ca.pem'\nsasl = 'plain'\n";
        let kafka = read(text).unwrap().kafka;
        assert_eq!(kafka.brokers.as_deref(), Some("a:1"));
        assert_eq!(kafka.tls, Some(true));
        assert_eq!(kafka.ca, Some(PathBuf::from("conf/ca.pem")));
        assert_eq!(kafka.sasl.as_deref(), Some("plain"));
        assert!(!read(text).unwrap().adopts_something());
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
                "conf/tarifa.toml:1:1: unknown key `colour`; known keys: accounts, currency, data, kafka, service, tariff, zone",
            ),
            ("zone = 3\n", "conf/tarifa.toml:1:8: `zone` is of type integer; write a text in quotes"),
            (
                "[kafka]\nbroker = 'a:1'\n",
                "conf/tarifa.toml:2:1: unknown key `kafka.broker`; did you mean `kafka.brokers`?",
            ),
            (
                "[kafka]\ntls = 'yes'\n",
                "conf/tarifa.toml:2:7: `kafka.tls` is of type string; write true or false",
            ),
            (
                "[service]\ncheckpoint_records = 0\n",
                "conf/tarifa.toml:2:22: `service.checkpoint_records` is 0; write a whole number from 1 to 1000000000000",
            ),
            (
                "[service]\ntick_interval_ms = -5\n",
                "conf/tarifa.toml:2:20: `service.tick_interval_ms` is -5; write a whole number from 1 to 86400000",
            ),
            (
                "[service]\ntick_interval_ms = '60 s'\n",
                "conf/tarifa.toml:2:20: `service.tick_interval_ms` is of type string; write a whole number from 1 to 86400000",
            ),
            ("kafka = 1\n", "conf/tarifa.toml:1:9: `kafka` is of type integer; write a table: [kafka]"),
        ] {
            assert_eq!(read(text), Err(complaint.to_owned()));
        }
        assert!(read("zone = \n").unwrap_err().starts_with("conf/tarifa.toml:1:"));
    }

    #[test]
    fn a_password_does_not_belong_into_the_file() {
        let complaint = read("[kafka]\npassword = 'wolf'\n").unwrap_err();
        assert!(complaint.contains("`kafka.password_file`"), "{complaint}");
        assert!(!complaint.contains("wolf"), "{complaint}");
    }
}
