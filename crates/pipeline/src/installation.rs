//! An open data directory: the projector's state and everything it is kept in.

use std::{collections::HashMap, path::Path, sync::Arc};

use ledger::{
    ConfigStore, DataDir, Ledger, LedgerReader, Quarantine, Secret, SecretError, SymbolTable, UserDirectory,
    checkpoint::StateStore,
    log::LogWriter,
    store::{SledStore, Store},
};
use model::{ContentHash, Offset, Sequence, UserRef};
use projector::{NetConversation, Projector, ThreadHistory};
use tariff::Configuration;

use crate::{EMBEDDED_PARTITION, error::PipelineError, load::load_bucket, progress::OnProgress};

/// An open data directory. Opening it has brought the ledger up to what the log holds.
#[derive(Debug)]
pub struct Installation<S> {
    pub(crate) dir: DataDir,
    pub(crate) secret: Secret,
    pub(crate) configs: ConfigStore,
    pub(crate) ledger: Ledger<S>,
    pub(crate) log: LogWriter,
    pub(crate) state: StateStore,
    pub(crate) users: UserDirectory,
    pub(crate) quarantine: Quarantine,
    pub(crate) symbols: SymbolTable,
    pub(crate) projector: Projector,
    /// Behind the last record, and the last entry, that the stored state knows of; the beginning where there is none.
    pub(crate) saved: (Offset, Sequence),
}

impl Installation<SledStore> {
    /// Opens a directory; makes it if `create` says so. After a crash the tail of the log is folded again; a ledger that
    /// cannot be opened is set aside and built again from the log.
    ///
    /// # Errors
    /// In use by another process, not a data directory, damaged in what cannot be made again, or the system's.
    pub fn open(path: &Path, create: bool, on_progress: &mut OnProgress<'_>) -> Result<Self, PipelineError> {
        // Before anything in it is touched.
        if crate::service::is_service_directory(path) {
            return Err(PipelineError::ServiceDirectory { path: path.to_owned() });
        }
        if crate::book::is_book(path) {
            return Err(PipelineError::BookDirectory { path: path.to_owned() });
        }
        let dir = DataDir::open(path, create)?;
        let store = match SledStore::open(&dir.ledger()) {
            Ok(store) => store,
            Err(error) if error.is_damage() => {
                let aside = dir.set_ledger_aside()?;
                tracing::warn!(aside = %aside.display(), %error, "ledger damaged: set aside, built again from the log");
                SledStore::open(&dir.ledger())?
            }
            Err(error) => return Err(error.into()),
        };
        Self::with_store(dir, store, on_progress)
    }
}

impl<S: Store> Installation<S> {
    /// Opens a directory with a store of the caller's own.
    ///
    /// # Errors
    /// As [`Installation::open`].
    pub fn with_store(
        dir: DataDir,
        store: S,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Self, PipelineError> {
        let users = UserDirectory::new(&dir.users());
        let secret = if dir.has_begun()? {
            // A new secret beside an old log would seal every user anew.
            let secret = Secret::open(&dir.secret())?;
            if LedgerReader::new(store.clone()).secret_fingerprint()?.is_none() {
                check_secret(&secret, &users, &dir)?;
            }
            secret
        } else {
            Secret::open_or_create(&dir.secret())?
        };
        let ledger = Ledger::open(store, secret.fingerprint())?;
        if ledger.removed_ahead() > 0 {
            tracing::warn!(blocks = ledger.removed_ahead(), "beginning of a commit that never came removed");
        }
        let head = ledger.head(EMBEDDED_PARTITION)?;
        let opened = LogWriter::open(&dir.log(), head.next_offset)?;
        if opened.cut_bytes > 0 {
            tracing::warn!(bytes = opened.cut_bytes, "half-written end of the log cut off");
        }
        let state = match StateStore::open(&dir.state(), head.checkpoint) {
            Ok(state) => state,
            Err(error) if error.is_beyond_use() => {
                tracing::warn!(%error, "stored state cannot be used: it is made again from the log");
                StateStore::open(&dir.state(), None)?
            }
            Err(error) => return Err(error.into()),
        };
        let mut quarantine = Quarantine::open(&dir.quarantine())?;
        // They were kept before their records were logged, and those never were.
        quarantine.forget_from(EMBEDDED_PARTITION, opened.writer.next_offset())?;
        let mut installation = Self {
            secret,
            configs: ConfigStore::new(dir.config()),
            ledger,
            log: opened.writer,
            state,
            users,
            quarantine,
            symbols: SymbolTable::new(),
            projector: Projector::new(EMBEDDED_PARTITION),
            saved: (Offset(0), Sequence(0)),
            dir,
        };
        installation.recover(on_progress)?;
        Ok(installation)
    }

    /// Closes the directory where the process is about to end. The memory of its threads is left to the system: giving
    /// that of millions back piece by piece takes seconds.
    pub fn leave(self) {
        std::mem::forget(self.projector);
    }

    /// The state.
    #[must_use]
    pub fn projector(&self) -> &Projector {
        &self.projector
    }

    /// The ledger, for reading.
    #[must_use]
    pub fn ledger(&self) -> &LedgerReader<S> {
        self.ledger.reader()
    }

    /// Originals of quarantined records.
    #[must_use]
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// The secret with which ids are sealed.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// The configuration that was adopted.
    ///
    /// # Errors
    /// None was: the directory is empty.
    pub fn configuration(&self) -> Result<&Arc<Configuration>, PipelineError> {
        self.projector.configuration().ok_or(PipelineError::Empty)
    }

    /// Numbers behind user references, but for those that were erased.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub fn users(&self) -> Result<HashMap<UserRef, String>, PipelineError> {
        Ok(self.users.load()?)
    }

    /// Gives every net conversation to `each`, in the same order each time; one bucket of threads is in memory at once.
    ///
    /// # Errors
    /// Stored state cannot be read, or the caller's.
    pub fn net_conversations<E: From<PipelineError>>(
        &mut self,
        each: &mut dyn FnMut(NetConversation) -> Result<(), E>,
    ) -> Result<(), E> {
        self.configuration().map_err(E::from)?;
        for bucket in 0..projector::BUCKETS {
            let was_away = self.load(bucket).map_err(E::from)?;
            let mut net = Vec::new();
            let read = self.projector.net_conversations(bucket, &mut |conversation| net.push(conversation));
            read.map_err(|error| E::from(error.into()))?;
            net.sort_unstable_by_key(|conversation| (conversation.opened_at, conversation.conversation));
            net.into_iter().try_for_each(&mut *each)?;
            if was_away {
                self.projector.unload_bucket(bucket);
            }
        }
        Ok(())
    }

    /// The thread that has this message, conversation or charge.
    ///
    /// # Errors
    /// Stored state cannot be read.
    pub fn history_of(&mut self, id: [u8; 16]) -> Result<Option<ThreadHistory>, PipelineError> {
        self.configuration()?;
        let mut buckets = Vec::new();
        self.state.lookup_once(&id, &mut buckets)?;
        for bucket in buckets {
            self.load(bucket)?;
            if let Some(history) = self.projector.history_of(bucket, id)? {
                return Ok(Some(history));
            }
        }
        // Looking up one id checks no more than what it reads, so damage may have hidden it.
        self.state.check_index()?;
        Ok(None)
    }

    /// Loads a bucket that is away. Gives whether it was.
    pub(crate) fn load(&mut self, bucket: u16) -> Result<bool, PipelineError> {
        load_bucket(&mut self.projector, &self.state, bucket)
    }

    /// Gives the projector the content of a configuration that the log adopts.
    pub(crate) fn provide(&mut self, content: ContentHash) -> Result<(), PipelineError> {
        provide(&mut self.projector, &self.configs, content)
    }
}

/// A ledger that is made again has no fingerprint to compare the secret with, but the users tell.
fn check_secret(secret: &Secret, users: &UserDirectory, dir: &DataDir) -> Result<(), PipelineError> {
    match users.load()?.into_iter().min() {
        Some((user, number)) if secret.seal_user(&number) != user => {
            Err(SecretError::Other { path: dir.secret() }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// See [`Installation::provide`].
pub(crate) fn provide(
    projector: &mut Projector,
    configs: &ConfigStore,
    hash: ContentHash,
) -> Result<(), PipelineError> {
    let content = configs.load(&hash)?;
    let read = Configuration::from_bytes(&content);
    let configuration = read.map_err(|source| PipelineError::Configuration { hash, source })?;
    projector.provide(Arc::new(configuration));
    Ok(())
}
