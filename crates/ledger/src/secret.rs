//! The installation's secret, and the sealing of user and message ids with it.
//!
//! Knows nothing of events. The secret is made once, never rotated, and never leaves its file.
//! Invariant: the same id seals to the same reference for ever; without the secret a reference says nothing.

use std::path::Path;

use model::{ContentHash, MessageRef, UserRef};

use crate::files::{self, FileError};

const USER_CONTEXT: &str = "tarifa sealed user v1";
const MESSAGE_CONTEXT: &str = "tarifa sealed message v1";
const FINGERPRINT_CONTEXT: &str = "tarifa secret fingerprint v1";

/// Seals ids. Cheap to clone.
#[derive(Clone)]
pub struct Secret {
    user_key: [u8; 32],
    message_key: [u8; 32],
    fingerprint: ContentHash,
}

/// Why there is no secret to seal with.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is not what this program wrote.
    #[error("{path} is not a secret of 32 bytes: put back the file from your backup, as a new one would seal every id differently", path = .path.display())]
    Damaged {
        /// The file.
        path: std::path::PathBuf,
    },
    /// No secret where there has to be one.
    #[error("{path} is missing: put back the file from your backup, as a new one would seal every id differently", path = .path.display())]
    Missing {
        /// The file.
        path: std::path::PathBuf,
    },
    /// Another one than the users of the directory were sealed with.
    #[error("{path} is not the secret that the log of this directory was made with: put back the file from your backup", path = .path.display())]
    Other {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers to make a secret from")]
    Random(#[source] getrandom::Error),
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Secret {
    /// Reads the secret at `path`, or makes one there at first use, readable by its owner alone.
    ///
    /// # Errors
    /// A file of another length, no random numbers, or the system's.
    pub fn open_or_create(path: &Path) -> Result<Self, SecretError> {
        match Self::open(path) {
            Err(SecretError::Missing { .. }) => {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).map_err(SecretError::Random)?;
                files::replace(path, &bytes, 0o600)?;
                Ok(Self::from_bytes(&bytes))
            }
            other => other,
        }
    }

    /// Reads the secret at `path`.
    ///
    /// # Errors
    /// No file, a file of another length, or the system's.
    pub fn open(path: &Path) -> Result<Self, SecretError> {
        let content =
            files::read_if_there(path)?.ok_or_else(|| SecretError::Missing { path: path.to_owned() })?;
        let bytes: [u8; 32] =
            content.try_into().map_err(|_| SecretError::Damaged { path: path.to_owned() })?;
        Ok(Self::from_bytes(&bytes))
    }

    /// A secret from its bytes: for tests, and for the demonstration, whose ids are to be the same everywhere.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self {
            user_key: blake3::derive_key(USER_CONTEXT, bytes),
            message_key: blake3::derive_key(MESSAGE_CONTEXT, bytes),
            fingerprint: ContentHash(blake3::derive_key(FINGERPRINT_CONTEXT, bytes)),
        }
    }

    /// Seals a user's number or provider id.
    #[must_use]
    pub fn seal_user(&self, user: &str) -> UserRef {
        UserRef(seal(&self.user_key, user))
    }

    /// Seals a message or event id. Ids of up to 64 bytes cost one compression.
    #[must_use]
    pub fn seal_message(&self, id: &str) -> MessageRef {
        MessageRef(seal(&self.message_key, id))
    }

    /// Names the secret without giving it away; pinned in the ledger.
    #[must_use]
    pub const fn fingerprint(&self) -> ContentHash {
        self.fingerprint
    }
}

/// Shows the fingerprint alone.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

fn seal(key: &[u8; 32], text: &str) -> [u8; 16] {
    let mut sealed = [0; 16];
    sealed.copy_from_slice(&blake3::keyed_hash(key, text.as_bytes()).as_bytes()[..16]);
    sealed
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secret");
        let made = Secret::open_or_create(&path).unwrap();
        let again = Secret::open_or_create(&path).unwrap();
        assert_eq!(made.seal_user("5511987654321"), again.seal_user("5511987654321"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let other = Secret::open_or_create(&place.path().join("other")).unwrap();
        assert_ne!(made.fingerprint(), other.fingerprint());
        assert_ne!(made.seal_user("5511987654321"), other.seal_user("5511987654321"));
    }

    #[test]
    fn a_damaged_secret_is_not_replaced() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secret");
        fs::write(&path, [1; 31]).unwrap();
        assert!(matches!(Secret::open_or_create(&path), Err(SecretError::Damaged { .. })));
        assert_eq!(fs::read(&path).unwrap(), [1; 31]);
    }

    /// Pinned: another way of sealing would tear every installed ledger from its log.
    #[test]
    fn sealing_stays_as_it_is() {
        let secret = Secret::from_bytes(&[7; 32]);
        let sealed = format!(
            "{} {} {}",
            secret.seal_user("5511987654321"),
            secret.seal_message("wamid.HBgL"),
            secret.fingerprint()
        );
        assert_eq!(
            sealed,
            "d36f6f49975db136aaf5be17af03c77e 509c6ff2d803439e1a8808bb70129687 \
             e7253a44550a014756df80c166e77ff4e7cef37c634243242882a7367b738294"
        );
    }

    #[test]
    fn a_user_and_a_message_of_the_same_text_are_not_the_same_reference() {
        let secret = Secret::from_bytes(&[7; 32]);
        assert_ne!(secret.seal_user("x").0, secret.seal_message("x").0);
        assert!(!format!("{secret:?}").contains("07"), "no byte of the key is shown");
    }
}
