//! The table `[kafka]` of the settings.
//!
//! Knows nothing of a client. Invariant: there is no key for a secret, only for the file that holds it.

use std::path::PathBuf;

use toml::de::DeTable;

use super::keys::{Key, Kind, Reader};
use crate::failure::Failure;

const KEYS: &[Key] = &[
    Key("brokers", Kind::Text),
    Key("ca", Kind::Path),
    Key("certificate", Kind::Path),
    Key("key", Kind::Path),
    Key("key_password_file", Kind::Path),
    Key("password_file", Kind::Path),
    Key("sasl", Kind::Text),
    Key("tls", Kind::Flag),
    Key("token_file", Kind::Path),
    Key("topic_prefix", Kind::Text),
    Key("username", Kind::Text),
];

/// How to reach Kafka, as far as the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KafkaConfig {
    /// `host:port`, several with commas between.
    pub(crate) brokers: Option<String>,
    /// What stands before the name of each topic.
    pub(crate) topic_prefix: Option<String>,
    /// Whether connections are encrypted.
    pub(crate) tls: Option<bool>,
    /// Certificates of those who may vouch for a broker.
    pub(crate) ca: Option<PathBuf>,
    /// Our own certificate.
    pub(crate) certificate: Option<PathBuf>,
    /// The key of our certificate.
    pub(crate) key: Option<PathBuf>,
    /// File with what opens that key.
    pub(crate) key_password_file: Option<PathBuf>,
    /// How to sign in.
    pub(crate) sasl: Option<String>,
    /// The name to sign in with.
    pub(crate) username: Option<String>,
    /// File with the password.
    pub(crate) password_file: Option<PathBuf>,
    /// File in which something else keeps a token fresh.
    pub(crate) token_file: Option<PathBuf>,
}

impl KafkaConfig {
    /// Reads the table.
    ///
    /// # Errors
    /// Unknown keys, values of another type.
    pub(super) fn read(reader: &Reader<'_>, table: &DeTable<'_>) -> Result<Self, Failure> {
        let mut values = reader.read(table, "kafka.", KEYS)?;
        Ok(Self {
            brokers: values.text("brokers"),
            topic_prefix: values.text("topic_prefix"),
            tls: values.flag("tls"),
            ca: values.path("ca"),
            certificate: values.path("certificate"),
            key: values.path("key"),
            key_password_file: values.path("key_password_file"),
            sasl: values.text("sasl"),
            username: values.text("username"),
            password_file: values.path("password_file"),
            token_file: values.path("token_file"),
        })
    }
}
