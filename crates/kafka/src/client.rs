//! How to reach a cluster, and as whom: brokers, TLS and SASL, as settings of librdkafka.
//!
//! Knows nothing of topics or groups. Invariant: what is printed of it, in errors too, has no secret in it.

use std::path::PathBuf;

use rdkafka::{ClientConfig, error::KafkaError};

use crate::{Secret, sign_in::SignIn};

/// A cluster and how to sign in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// `host:port`, several with commas between.
    pub brokers: String,
    /// Encryption; none means a plain connection.
    pub tls: Option<Tls>,
    /// Signing in; none means as nobody, or by the certificate.
    pub sasl: Option<Sasl>,
}

/// An encrypted connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of those who may vouch for a broker, as PEM; none means those of the system.
    pub ca: Option<PathBuf>,
    /// Our own certificate, as PEM, where the brokers ask for one.
    pub certificate: Option<PathBuf>,
    /// The key of our certificate, as PEM.
    pub key: Option<PathBuf>,
    /// What opens that key.
    pub key_password: Option<Secret>,
}

/// How to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sasl {
    /// Name and password as they are: only over TLS.
    Plain {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// Name and password, of which only a proof is sent.
    Scram {
        /// Which hash the cluster keeps.
        hash: ScramHash,
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that something else keeps fresh in a file, such as a projected service account of Kubernetes.
    OAuthBearer {
        /// The file; it is read again whenever the token in use is about to run out.
        token_file: PathBuf,
    },
}

/// The hash of SCRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramHash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ClientSettings {
    /// A plain connection as nobody, as to a broker on this machine.
    #[must_use]
    pub fn plain(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), tls: None, sasl: None }
    }

    /// The settings of a client that consumes much, and says itself from where and how far: of the service, and of what
    /// its speed is compared with.
    #[must_use]
    pub fn consumer_config(&self, group: &str) -> ClientConfig {
        let mut config = self.client_config(group);
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", "20")
            .set("queued.min.messages", "200000")
            .set("queued.max.messages.kbytes", "32768")
            .set("max.partition.fetch.bytes", "2097152");
        config
    }

    /// The settings as librdkafka takes them, for what else a client needs to be added.
    ///
    /// `client_id` is what the brokers' logs and quotas call this client.
    #[must_use]
    pub fn client_config(&self, client_id: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", client_id);
        // A broker that comes back is found within a second or two; by default a client may look only each ten.
        config.set("reconnect.backoff.max.ms", "2000");
        // Clients measure themselves for the broker by default, with a lock for each record read.
        config.set("enable.metrics.push", "false");
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            tls.add_to(&mut config);
        }
        if let Some(sasl) = &self.sasl {
            sasl.add_to(&mut config);
        }
        config
    }

    /// What the context of every client of this cluster hands its token from.
    #[must_use]
    pub fn sign_in(&self) -> SignIn {
        match &self.sasl {
            Some(Sasl::OAuthBearer { token_file }) => SignIn::with_token(token_file),
            Some(Sasl::Plain { .. } | Sasl::Scram { .. }) | None => SignIn::default(),
        }
    }
}

impl Tls {
    fn add_to(&self, config: &mut ClientConfig) {
        // A name that is not in the certificate is refused: an encrypted line to a stranger is worth nothing.
        config.set("ssl.endpoint.identification.algorithm", "https");
        let files = [
            ("ssl.ca.location", &self.ca),
            ("ssl.certificate.location", &self.certificate),
            ("ssl.key.location", &self.key),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                config.set(name, file.to_string_lossy());
            }
        }
        if let Some(password) = &self.key_password {
            config.set("ssl.key.password", password.reveal());
        }
    }
}

impl Sasl {
    fn add_to(&self, config: &mut ClientConfig) {
        let (mechanism, username, password) = match self {
            Self::Plain { username, password } => ("PLAIN", username, password),
            Self::Scram { hash: ScramHash::Sha256, username, password } => {
                ("SCRAM-SHA-256", username, password)
            }
            Self::Scram { hash: ScramHash::Sha512, username, password } => {
                ("SCRAM-SHA-512", username, password)
            }
            Self::OAuthBearer { .. } => {
                // The token itself is asked of the context of the client, and asked again in time.
                config.set("sasl.mechanisms", "OAUTHBEARER");
                return;
            }
        };
        config.set("sasl.mechanisms", mechanism);
        config.set("sasl.username", username).set("sasl.password", password.reveal());
    }
}

/// The client library puts a value that it refuses into its error, and it could be a password.
pub(crate) fn without_value(error: KafkaError) -> KafkaError {
    if let KafkaError::ClientConfig(code, what, key, _) = error {
        return KafkaError::ClientConfig(code, what, key, String::new());
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(sasl: Sasl) -> ClientSettings {
        ClientSettings { tls: Some(Tls::default()), sasl: Some(sasl), ..ClientSettings::plain("a:1,b:2") }
    }

    fn scram() -> ClientSettings {
        let password = Secret::new("wolf");
        with(Sasl::Scram { hash: ScramHash::Sha512, username: "tarifa".to_owned(), password })
    }

    #[test]
    fn the_protocol_follows_from_encryption_and_signing_in() {
        let plain = ClientSettings::plain("a:1");
        let tls = ClientSettings { tls: Some(Tls::default()), ..plain.clone() };
        let sasl = ClientSettings { tls: None, ..scram() };
        for (settings, protocol) in
            [(plain, "plaintext"), (tls, "ssl"), (sasl, "sasl_plaintext"), (scram(), "sasl_ssl")]
        {
            assert_eq!(settings.client_config("t").get("security.protocol"), Some(protocol));
        }
    }

    #[test]
    fn name_and_password_reach_the_client_and_nobody_else() {
        let config = scram().client_config("t");
        assert_eq!(config.get("sasl.mechanisms"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("sasl.password"), Some("wolf"));
        assert!(!format!("{:?} {config:?}", scram()).contains("wolf"));
    }

    #[test]
    fn librdkafka_knows_every_setting() {
        let tls = Tls {
            ca: Some(PathBuf::from("ca.pem")),
            certificate: Some(PathBuf::from("own.pem")),
            key: Some(PathBuf::from("own.key")),
            key_password: Some(Secret::new("fox")),
        };
        let settings = ClientSettings { tls: Some(tls), ..scram() };
        settings.client_config("t").create_native_config().unwrap();
        let plain = Sasl::Plain { username: "tarifa".to_owned(), password: Secret::new("wolf") };
        with(plain).client_config("t").create_native_config().unwrap();
    }

    #[test]
    fn brokers_are_known_by_the_name_in_their_certificate() {
        let config = scram().client_config("t");
        assert_eq!(config.get("ssl.endpoint.identification.algorithm"), Some("https"));
    }
}
