//! The erasable directory of users: which number stands behind which reference.
//!
//! Knows nothing of ledger or log: erasing here leaves every hash and total as it was.
//! Invariant: after an erasure no file of this folder holds the number.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use model::UserRef;

use crate::{
    frame::{FrameError, FrameFile},
    num::{Cursor, Malformed, put_bytes},
};

/// Payload bytes a frame of a rewritten directory holds at most, so that no frame grows with the directory.
const FRAME_BYTES: usize = 1 << 20;

/// A user directory.
#[derive(Debug)]
pub struct UserDirectory {
    path: PathBuf,
    /// Opened by the first change: opening reads all of it, and most commands need none of it.
    file: Option<FrameFile>,
}

impl UserDirectory {
    /// The directory in the folder that [`crate::DataDir::users`] names. Reads nothing before it is used; what a crash
    /// left half-written is cut off then.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("directory"), file: None }
    }

    /// Checks that every user is there as it was written.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn check(&self) -> Result<(), FrameError> {
        self.visit(|_, _| {})
    }

    /// Adds users and syncs. Adding one twice does no harm; the later number stands.
    ///
    /// # Errors
    /// The system's; after one of those every further call fails.
    pub fn append(&mut self, users: &[(UserRef, &str)]) -> Result<(), FrameError> {
        if users.is_empty() {
            return Ok(());
        }
        let mut payload = Vec::with_capacity(users.len() * 32);
        for (user, number) in users {
            put_user(&mut payload, user, number);
        }
        self.file()?.append(&payload).map(|_| ())
    }

    /// All users with their numbers.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn load(&self) -> Result<HashMap<UserRef, String>, FrameError> {
        let mut users = HashMap::new();
        self.visit(|user, number| {
            users.insert(user, number.to_owned());
        })?;
        Ok(users)
    }

    /// Takes one user out of the directory for good. Says whether it was there.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn erase(&mut self, erased: UserRef) -> Result<bool, FrameError> {
        let mut found = false;
        let mut payloads: Vec<Vec<u8>> = Vec::new();
        self.visit(|user, number| {
            if user == erased {
                found = true;
                return;
            }
            if payloads.last().is_none_or(|payload| payload.len() >= FRAME_BYTES) {
                payloads.push(Vec::new());
            }
            if let Some(payload) = payloads.last_mut() {
                put_user(payload, &user, number);
            }
        })?;
        if found {
            self.file()?.rewrite(&payloads)?;
        }
        Ok(found)
    }

    fn file(&mut self) -> Result<&mut FrameFile, FrameError> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(FrameFile::open(&self.path, |_, _| Ok(()))?.0)),
        }
    }

    fn visit(&self, mut each: impl FnMut(UserRef, &str)) -> Result<(), FrameError> {
        FrameFile::open(&self.path, |_, payload| read_users(payload, &mut each).map_err(|Malformed| ()))
            .map(|_| ())
    }
}

fn put_user(out: &mut Vec<u8>, user: &UserRef, number: &str) {
    out.extend(user.0);
    put_bytes(out, number.as_bytes());
}

fn read_users(payload: &[u8], each: &mut impl FnMut(UserRef, &str)) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(payload);
    while !cursor.is_empty() {
        let user = UserRef(cursor.array()?);
        each(user, cursor.text()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: UserRef = UserRef([1; 16]);
    const BEN: UserRef = UserRef([2; 16]);

    #[test]
    fn users_stay_until_they_are_erased() {
        let place = tempfile::tempdir().unwrap();
        let mut users = UserDirectory::new(place.path());
        users.append(&[(ANA, "5511987654321"), (BEN, "US.1349")]).unwrap();
        users.append(&[(ANA, "5511987654321")]).unwrap();
        drop(users);

        let mut users = UserDirectory::new(place.path());
        assert_eq!(
            users.load().unwrap(),
            HashMap::from([(ANA, "5511987654321".to_owned()), (BEN, "US.1349".to_owned())])
        );
        assert!(users.erase(ANA).unwrap());
        assert!(!users.erase(ANA).unwrap());
        assert_eq!(users.load().unwrap(), HashMap::from([(BEN, "US.1349".to_owned())]));
        for file in std::fs::read_dir(place.path()).unwrap() {
            let content = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!content.windows(13).any(|window| window == b"5511987654321"));
        }
    }

    #[test]
    fn a_damaged_directory_is_noticed_by_whoever_uses_it() {
        let place = tempfile::tempdir().unwrap();
        let mut users = UserDirectory::new(place.path());
        users.append(&[(ANA, "5511987654321")]).unwrap();
        users.append(&[(BEN, "US.1349")]).unwrap();
        users.check().unwrap();
        let path = place.path().join("directory");
        let mut content = std::fs::read(&path).unwrap();
        content[30] ^= 1;
        std::fs::write(&path, content).unwrap();

        let mut users = UserDirectory::new(place.path());
        assert!(matches!(users.check(), Err(FrameError::Damaged { position: 0, .. })));
        assert!(matches!(users.load(), Err(FrameError::Damaged { .. })));
        assert!(matches!(users.append(&[(ANA, "5511987654321")]), Err(FrameError::Damaged { .. })));
    }

    #[test]
    fn an_erased_user_may_write_again() {
        let place = tempfile::tempdir().unwrap();
        let mut users = UserDirectory::new(place.path());
        users.append(&[(ANA, "5511987654321")]).unwrap();
        users.erase(ANA).unwrap();
        users.append(&[(ANA, "5511987654321")]).unwrap();
        assert_eq!(users.load().unwrap().len(), 1);
    }
}
