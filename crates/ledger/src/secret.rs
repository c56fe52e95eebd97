//! The installation's secret, and the sealing of user and message ids with it.
//!
//! Knows nothing of events. The secret is made once, never rotated, and never leaves its file.
//! Invariant: the same id seals to the same reference for ever; without the secret a reference says nothing.

use std::path::Path;

use model::{ContentHash, MessageRef, UserRef};

use crate::{
    files::{self, FileError},
    many::{Block, Key, LANES},
};

const USER_CONTEXT: &str = "tarifa sealed user v1";
const MESSAGE_CONTEXT: &str = "tarifa sealed message v1";
const FINGERPRINT_CONTEXT: &str = "tarifa secret fingerprint v1";

/// Seals ids. Cheap to clone.
#[derive(Clone)]
pub struct Secret {
    user_key: Key,
    message_key: Key,
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
            user_key: Key::new(blake3::derive_key(USER_CONTEXT, bytes)),
            message_key: Key::new(blake3::derive_key(MESSAGE_CONTEXT, bytes)),
            fingerprint: ContentHash(blake3::derive_key(FINGERPRINT_CONTEXT, bytes)),
        }
    }

    /// Seals a user's number or provider id.
    #[must_use]
    pub fn seal_user(&self, user: &str) -> UserRef {
        UserRef(self.user_key.hash(user))
    }

    /// Seals a message or event id. Ids of up to 64 bytes, padded with zeros to one block, cost one compression.
    #[must_use]
    pub fn seal_message(&self, id: &str) -> MessageRef {
        MessageRef(self.message_key.hash(id))
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

/// Ids that are sealed together, which costs a fifth of sealing each alone. Each has a place of the caller's.
#[derive(Debug, Default)]
pub struct SealLater {
    users: Vec<Block>,
    user_places: Vec<usize>,
    messages: Vec<Block>,
    message_places: Vec<usize>,
}

impl SealLater {
    /// Puts an event's ids in. Gives what is sealed at once, which is what is too long to wait.
    pub fn add(&mut self, secret: &Secret, place: usize, user: &str, message: &str) -> (UserRef, MessageRef) {
        let mut sealed = (UserRef([0; 16]), MessageRef([0; 16]));
        match Block::of(user) {
            Some(block) => {
                self.users.push(block);
                self.user_places.push(place);
            }
            None => sealed.0 = secret.seal_user(user),
        }
        match Block::of(message) {
            Some(block) => {
                self.messages.push(block);
                self.message_places.push(place);
            }
            None => sealed.1 = secret.seal_message(message),
        }
        sealed
    }

    /// Whether as many wait as are sealed at once.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.users.len() >= LANES || self.messages.len() >= LANES
    }

    /// Seals all that wait.
    pub fn seal(&mut self, secret: &Secret, each: &mut dyn FnMut(usize, SealedId)) {
        let places = &self.user_places;
        let user = &mut |index: usize, hash| each(places[index], SealedId::User(UserRef(hash)));
        secret.user_key.hash_blocks(&self.users, user);
        let places = &self.message_places;
        let message = &mut |index: usize, hash| each(places[index], SealedId::Message(MessageRef(hash)));
        secret.message_key.hash_blocks(&self.messages, message);
        self.users.clear();
        self.user_places.clear();
        self.messages.clear();
        self.message_places.clear();
    }
}

/// An id of an event, sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedId {
    /// Its user's.
    User(UserRef),
    /// Its message's.
    Message(MessageRef),
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
            "347fd09ba0ac68c0d59bd185d1e16381 81ba0ec662bbf9f041f07f0690c26201 \
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
