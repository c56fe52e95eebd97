//! Storage: sled with the ledger in it, and beside sled the event log, checkpoints, users, quarantine and secret.
//!
//! Knows nothing of rules, Kafka or HTTP.
//! Invariant: a commit is all or nothing, and what it used is synced before it; after a failed write nothing is written.

pub mod checkpoint;
mod checksum;
mod config;
mod dir;
mod files;
mod frame;
mod ledger;
pub mod log;
mod many;
mod num;
mod quarantine;
pub mod rollup;
mod secret;
pub mod store;
mod symbols;
mod users;

pub use config::{ConfigError, ConfigStore};
pub use dir::{DataDir, DirError};
pub use files::FileError;
pub use frame::FrameError;
pub use ledger::{
    BlocksAhead, Commit, EncodedEntries, Entries, EntryEncoder, Head, Ledger, LedgerError, LedgerReader,
    RawEntries, RawEntry, RollupDifferences, VerifiedChain, VerifiedShare,
};
pub use quarantine::{Quarantine, QuarantinedOriginal};
pub use secret::{SealLater, SealedId, Secret, SecretError};
pub use symbols::{SymbolError, SymbolTable};
pub use users::UserDirectory;
