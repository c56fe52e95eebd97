//! Tokens for OAUTHBEARER: read from the file in which something else keeps them fresh.
//!
//! Does not check a token, which is the brokers' business; it only looks up whose it is and when it runs out.
//! Invariant: neither a token nor a part of one is in an error.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use rdkafka::{ClientContext, client::OAuthToken, config::RDKafkaLogLevel, consumer::ConsumerContext};
use thiserror::Error;

use crate::member::log;

/// Hands a client its token; the context of a client that signs in by nothing else.
///
/// A context with more to do has one of these and passes `generate_oauth_token` on to it.
#[derive(Debug, Clone, Default)]
pub struct SignIn {
    token_file: Option<PathBuf>,
}

/// A token cannot be used.
#[derive(Debug, Error)]
enum TokenError {
    #[error("a token was asked for, but no file with one was named: name it as `kafka.token_file`")]
    None,
    #[error("cannot read the token in {0}: check that the file exists and that this user may read it")]
    Read(String, #[source] std::io::Error),
    #[error("{0} holds no JSON Web Token with `sub` and `exp`: have a fresh one written there")]
    Unreadable(String),
}

impl SignIn {
    pub(crate) fn with_token(file: &Path) -> Self {
        Self { token_file: Some(file.to_owned()) }
    }

    /// The token that is in the file at this moment.
    ///
    /// # Errors
    /// The file cannot be read, or holds no token.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let file = self.token_file.as_deref().ok_or(TokenError::None)?;
        let name = || file.display().to_string();
        let text = fs::read_to_string(file).map_err(|error| TokenError::Read(name(), error))?;
        let token = text.trim();
        let (principal_name, lifetime_ms) = claims(token).ok_or_else(|| TokenError::Unreadable(name()))?;
        Ok(OAuthToken { token: token.to_owned(), principal_name, lifetime_ms })
    }
}

impl ClientContext for SignIn {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }
}

impl ConsumerContext for SignIn {}

/// Whose a token is, and when it runs out, in ms since 1970.
fn claims(token: &str) -> Option<(String, i64)> {
    let payload = base64url(token.split('.').nth(1)?)?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    let expires_s = claims["exp"].as_i64()?;
    Some((claims["sub"].as_str()?.to_owned(), expires_s.checked_mul(1_000)?))
}

/// Base64 as in a token: `-` and `_`, and nothing to fill it up.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(((bits >> count) & 0xff).to_le_bytes()[0]);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"sub":"tarifa","exp":1900000000}` under `{"alg":"none"}`.
    const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0YXJpZmEiLCJleHAiOjE5MDAwMDAwMDB9.";

    fn sign_in(text: &str) -> Result<OAuthToken, String> {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("token");
        fs::write(&file, text).unwrap();
        SignIn::with_token(&file).token().map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_says_whose_it_is_and_when_it_runs_out() {
        let token = sign_in(&format!("{TOKEN}\n")).unwrap();
        assert_eq!(token.token, TOKEN);
        assert_eq!((token.principal_name.as_str(), token.lifetime_ms), ("tarifa", 1_900_000_000_000));
    }

    #[test]
    fn what_is_no_token_is_named_by_its_file_and_not_shown() {
        for text in ["", "wolf", "wolf.wolf.wolf", "a.eyJzdWIiOiJ0YXJpZmEifQ.b"] {
            let complaint = sign_in(text).err().unwrap();
            assert!(complaint.contains("token holds no JSON Web Token"), "{complaint}");
            assert!(!complaint.contains("wolf"), "{complaint}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = SignIn::with_token(Path::new("none/token")).token().err().unwrap();
        assert!(error.to_string().starts_with("cannot read the token in none/token"));
        assert!(SignIn::default().token().is_err());
    }
}
