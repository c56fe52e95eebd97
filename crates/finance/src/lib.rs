//! What is made from the ledger for people who send and receive invoices.
//!
//! Decides no rates and no windows: it adds up what the entries say. Knows nothing of Kafka, HTTP, files and clocks.
//! Invariant: money is whole micro-units; a line is rounded once, and two currencies are never added together.

#![deny(clippy::float_arithmetic)]

mod grouping;
mod html;
mod invoice;
mod minor;

pub use grouping::Grouping;
pub use invoice::{
    Bill, ConversationCounts, Invoice, InvoiceError, InvoiceLine, LedgerHead, LedgerSums, Unpriced,
};
pub use minor::{MinorUnit, decimal};
