//! The options of every command that talks to Kafka.
//!
//! Invariant: a secret comes from a file or from a variable, never from an option, which other users of the machine
//! can see.

use std::path::PathBuf;

use kafka::{ClientSettings, Sasl, ScramHash, Secret, Tls, TopicNames};

use crate::{config::Config, failure::Failure};

/// How to reach Kafka. All but the brokers can be left out where they stand in the settings.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Kafka")]
pub(crate) struct KafkaArgs {
    /// Brokers as `host:port`, several with commas between
    #[arg(long, env = "TARIFA_KAFKA_BROKERS", hide_env_values = true, value_name = "LIST")]
    brokers: Option<String>,
    /// What stands before the name of each topic, such as `staging.`
    #[arg(long, env = "TARIFA_KAFKA_TOPIC_PREFIX", hide_env_values = true, value_name = "TEXT")]
    topic_prefix: Option<String>,
    /// Encrypt connections
    #[arg(long, env = "TARIFA_KAFKA_TLS", hide_env_values = true, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    tls: Option<bool>,
    /// PEM file with those who may vouch for a broker [default: those of the system]
    #[arg(long, env = "TARIFA_KAFKA_CA", hide_env_values = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// PEM file with a certificate of our own
    #[arg(long, env = "TARIFA_KAFKA_CERTIFICATE", hide_env_values = true, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// PEM file with its key; a password for it in TARIFA_KAFKA_KEY_PASSWORD, or in the file `kafka.key_password_file`
    #[arg(long, env = "TARIFA_KAFKA_KEY", hide_env_values = true, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How to sign in: `plain`, `scram-sha-256`, `scram-sha-512` or `oauthbearer`
    #[arg(long, env = "TARIFA_KAFKA_SASL", hide_env_values = true, value_name = "WAY")]
    sasl: Option<String>,
    /// Name to sign in with
    #[arg(long, env = "TARIFA_KAFKA_USERNAME", hide_env_values = true, value_name = "NAME")]
    username: Option<String>,
    /// File with the password; or the password itself in TARIFA_KAFKA_PASSWORD
    #[arg(long, env = "TARIFA_KAFKA_PASSWORD_FILE", hide_env_values = true, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File in which something else keeps a token for `oauthbearer` fresh
    #[arg(long, env = "TARIFA_KAFKA_TOKEN_FILE", hide_env_values = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The ways to sign in, as they are written.
const WAYS: [&str; 4] = ["plain", "scram-sha-256", "scram-sha-512", "oauthbearer"];

impl KafkaArgs {
    /// The names of the topics.
    pub(crate) fn topics(&self, config: &Config) -> TopicNames {
        let prefix = self.topic_prefix.as_deref().or(config.kafka.topic_prefix.as_deref());
        TopicNames::with_prefix(prefix.unwrap_or_default())
    }

    /// How to reach the cluster, by options and settings.
    ///
    /// # Errors
    /// No brokers were named, something that signing in needs is missing, or a secret cannot be read.
    pub(crate) fn client(&self, config: &Config) -> Result<ClientSettings, Failure> {
        let brokers = self.brokers.clone().or_else(|| config.kafka.brokers.clone()).ok_or_else(|| {
            Failure::usage("no Kafka brokers were named").hint(
                "name them with --brokers HOST:PORT, with TARIFA_KAFKA_BROKERS, or as `brokers` in the table \
                 [kafka] of tarifa.toml",
            )
        })?;
        Ok(ClientSettings { brokers, tls: self.tls(config)?, sasl: self.sasl(config)? })
    }

    fn tls(&self, config: &Config) -> Result<Option<Tls>, Failure> {
        let file = &config.kafka;
        let ca = self.ca.clone().or_else(|| file.ca.clone());
        let certificate = self.certificate.clone().or_else(|| file.certificate.clone());
        let key = self.key.clone().or_else(|| file.key.clone());
        if certificate.is_some() != key.is_some() {
            return Err(Failure::usage("of our certificate and its key only one is named")
                .hint("name both with --certificate and --key, or neither"));
        }
        let asked = self.tls.or(file.tls);
        let meant = ca.is_some() || certificate.is_some();
        if asked == Some(false) && meant {
            return Err(Failure::usage("certificates are named, but TLS is switched off")
                .hint("leave out --tls false, or the certificates"));
        }
        if asked != Some(true) && !meant {
            return Ok(None);
        }
        let key_password = secret("TARIFA_KAFKA_KEY_PASSWORD", file.key_password_file.as_ref())?;
        Ok(Some(Tls { ca, certificate, key, key_password }))
    }

    fn sasl(&self, config: &Config) -> Result<Option<Sasl>, Failure> {
        let file = &config.kafka;
        let Some(way) = self.sasl.as_deref().or(file.sasl.as_deref()) else { return Ok(None) };
        if way == "oauthbearer" {
            let token_file = self.token_file.clone().or_else(|| file.token_file.clone());
            let token_file = token_file.ok_or_else(|| missing(way, "--token-file"))?;
            return Ok(Some(Sasl::OAuthBearer { token_file }));
        }
        if !WAYS.contains(&way) {
            return Err(Failure::usage(format!("`{way}` is no way to sign in"))
                .hint(format!("ways are {}", WAYS.join(", "))));
        }
        let username = self.username.clone().or_else(|| file.username.clone());
        let username = username.ok_or_else(|| missing(way, "--username"))?;
        let password_file = self.password_file.as_ref().or(file.password_file.as_ref());
        let password = secret("TARIFA_KAFKA_PASSWORD", password_file)?
            .ok_or_else(|| missing(way, "--password-file, or TARIFA_KAFKA_PASSWORD"))?;
        Ok(Some(match way {
            "plain" => Sasl::Plain { username, password },
            "scram-sha-256" => Sasl::Scram { hash: ScramHash::Sha256, username, password },
            _ => Sasl::Scram { hash: ScramHash::Sha512, username, password },
        }))
    }
}

fn missing(way: &str, option: &str) -> Failure {
    Failure::usage(format!("signing in by {way} needs more")).hint(format!("give {option}"))
}

/// From the variable, or else from the file.
fn secret(variable: &str, file: Option<&PathBuf>) -> Result<Option<Secret>, Failure> {
    if let Some(text) = std::env::var(variable).ok().filter(|text| !text.is_empty()) {
        return Ok(Some(Secret::new(text)));
    }
    file.map(|file| Secret::read(file))
        .transpose()
        .map_err(|error| Failure::usage("a secret cannot be used").caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KafkaConfig;

    fn client(args: KafkaArgs, kafka: KafkaConfig) -> Result<ClientSettings, String> {
        let config = Config { kafka, ..Config::default() };
        args.client(&config)
            .map_err(|failure| format!("{failure}; {}", failure.hint.clone().unwrap_or_default()))
    }

    fn local() -> KafkaArgs {
        KafkaArgs { brokers: Some("localhost:9092".to_owned()), ..KafkaArgs::default() }
    }

    #[test]
    fn options_stand_before_the_file() {
        let file = || KafkaConfig { brokers: Some("far:1".to_owned()), ..KafkaConfig::default() };
        assert_eq!(client(local(), file()).unwrap().brokers, "localhost:9092");
        assert_eq!(client(KafkaArgs::default(), file()).unwrap(), ClientSettings::plain("far:1"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let sasl = |way: &str| KafkaArgs { sasl: Some(way.to_owned()), ..local() };
        let half = KafkaArgs { key: Some(PathBuf::from("own.key")), ..local() };
        let off = KafkaArgs { tls: Some(false), ca: Some(PathBuf::from("ca.pem")), ..local() };
        for (args, complaint) in [
            (KafkaArgs::default(), "no Kafka brokers were named; name them with --brokers"),
            (sasl("kerberos"), "`kerberos` is no way to sign in; ways are plain, "),
            (sasl("plain"), "signing in by plain needs more; give --username"),
            (sasl("oauthbearer"), "signing in by oauthbearer needs more; give --token-file"),
            (half, "of our certificate and its key only one is named"),
            (off, "certificates are named, but TLS is switched off"),
        ] {
            let said = client(args, KafkaConfig::default()).unwrap_err();
            assert!(said.starts_with(complaint), "{said}");
        }
    }

    #[test]
    fn a_password_comes_from_its_file() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("password");
        std::fs::write(&file, "wolf\n").unwrap();
        let args = KafkaArgs {
            sasl: Some("scram-sha-256".to_owned()),
            username: Some("tarifa".to_owned()),
            password_file: Some(file),
            ..local()
        };
        let password = Secret::new("wolf");
        let sasl = Sasl::Scram { hash: ScramHash::Sha256, username: "tarifa".to_owned(), password };
        assert_eq!(client(args, KafkaConfig::default()).unwrap().sasl, Some(sasl));
    }

    #[test]
    fn a_certificate_alone_asks_for_encryption() {
        let args = KafkaArgs { ca: Some(PathBuf::from("ca.pem")), ..local() };
        let tls = client(args, KafkaConfig::default()).unwrap().tls;
        assert_eq!(tls.and_then(|tls| tls.ca), Some(PathBuf::from("ca.pem")));
    }
}
