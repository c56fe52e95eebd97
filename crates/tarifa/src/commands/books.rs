//! What the reading commands read: a directory with its own log, or a book of all partitions.
//!
//! Invariant: a command asks for what it shows and does not know which of the two it is of.

use std::{collections::HashMap, sync::Arc};

use ledger::{
    DirError, LedgerError, LedgerReader,
    store::{SledStore, StoreError},
};
use model::{PartitionId, UserRef};
use pipeline::book::{Book, BookError, is_book};
use projector::NetConversation;
use tariff::Configuration;

use crate::{
    commands::directory::{DataArgs, Opened, failure},
    config::Config,
    failure::Failure,
    output::Out,
};

/// An open directory that can be read.
#[derive(Debug)]
pub(crate) enum Books {
    /// With a log of its own, of one partition.
    Embedded(Box<Opened>),
    /// Collected from Kafka.
    Collected(Box<Book>),
}

impl DataArgs {
    /// Opens a directory for reading, whichever of the two it is.
    ///
    /// # Errors
    /// It is not there, empty, incomplete, in use or damaged.
    pub(crate) fn books(&self, config: &Config, out: &Out) -> Result<Books, Failure> {
        let path = self.path(config)?;
        if is_book(&path) {
            return Ok(Books::Collected(Box::new(Book::open(&path)?)));
        }
        Ok(Books::Embedded(Box::new(self.open(config, out)?)))
    }
}

impl Books {
    /// Entries and sums.
    pub(crate) fn ledger(&self) -> &LedgerReader<SledStore> {
        match self {
            Self::Embedded(opened) => opened.ledger(),
            Self::Collected(book) => book.ledger(),
        }
    }

    /// The partitions it holds: all there are.
    pub(crate) fn partitions(&self) -> Vec<PartitionId> {
        match self {
            Self::Embedded(_) => vec![pipeline::EMBEDDED_PARTITION],
            Self::Collected(book) => book.heads().iter().map(|(partition, _)| *partition).collect(),
        }
    }

    /// The configuration that was adopted.
    ///
    /// # Errors
    /// None was, or its content is not there.
    pub(crate) fn configuration(&self) -> Result<Arc<Configuration>, Failure> {
        match self {
            Self::Embedded(opened) => opened.configuration().map(Arc::clone).map_err(failure),
            Self::Collected(book) => Ok(book.configuration()?),
        }
    }

    /// Numbers behind user references. A book has none: they are with the service.
    ///
    /// # Errors
    /// Damage, or the system's.
    pub(crate) fn users(&self) -> Result<HashMap<UserRef, String>, Failure> {
        match self {
            Self::Embedded(opened) => opened.users().map_err(failure),
            Self::Collected(_) => Ok(HashMap::new()),
        }
    }

    /// Whether the end and the messages of an open conversation are known.
    pub(crate) fn tells_of_open_conversations(&self) -> bool {
        matches!(self, Self::Embedded(_))
    }

    /// Gives every net conversation to `each`, in the same order each time.
    ///
    /// # Errors
    /// Damage, or the caller's.
    pub(crate) fn net_conversations(
        &mut self,
        each: &mut dyn FnMut(NetConversation) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Embedded(opened) => opened.net_conversations(each),
            Self::Collected(book) => book.net_conversations(each),
        }
    }
}

impl From<BookError> for Failure {
    fn from(error: BookError) -> Self {
        let message = error.to_string();
        let base = match &error {
            BookError::Dir(DirError::InUse { .. }) | BookError::Store(StoreError::InUse { .. }) => {
                Self::unavailable(message)
            }
            BookError::Dir(_)
            | BookError::NoBook { .. }
            | BookError::OtherOrigin { .. }
            | BookError::Incomplete
            | BookError::Empty
            | BookError::Ledger(LedgerError::OtherSecret { .. } | LedgerError::Newer { .. }) => {
                Self::usage(message)
            }
            BookError::Ledger(LedgerError::Chain { .. } | LedgerError::Damaged { .. })
            | BookError::Config(_)
            | BookError::Configuration { .. }
            | BookError::Unreadable { .. }
            | BookError::Missing { .. }
            | BookError::Broken { .. } => Self::bad_data(message),
            BookError::Store(_) | BookError::Ledger(_) => Self::unavailable(message),
        };
        match std::error::Error::source(&error) {
            Some(source) => base.caused_by(source.to_string()),
            None => base,
        }
    }
}
