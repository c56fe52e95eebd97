//! The commands, one file each: its arguments, its help, and `run`.
//!
//! Invariant: a command prints through [`crate::output::Out`] and ends through [`crate::failure::Failure`], nothing else.

pub(crate) mod books;
pub(crate) mod broker;
pub(crate) mod charges;
pub(crate) mod collect;
pub(crate) mod conversations;
pub(crate) mod demo;
pub(crate) mod directory;
pub(crate) mod entries;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod input;
pub(crate) mod invoice;
pub(crate) mod project;
pub(crate) mod publish;
pub(crate) mod quarantine;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod tariff;
pub(crate) mod topics;
pub(crate) mod verify;
