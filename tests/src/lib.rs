//! What the tests of the whole share: a log that is projected in several ways, a reader that trusts entries alone, and
//! scenarios as text; and what has to hold for bytes that nobody vouches for.
//!
//! Knows nothing of sled, Kafka, HTTP or the binary. Invariant: nothing here decides what is billed; it only feeds,
//! reads and compares.

mod log;
mod orders;
mod plain;
mod reader;
mod seal;
mod shrink;

pub mod scenario;
pub mod untrusted;

pub use log::{Handling, Log, Run, configuration, configured};
pub use orders::{END, Ticks, project_orders, user_at};
pub use plain::{Plain, plain_of_ledger, plain_of_reference};
pub use reader::{Held, LedgerReader};
pub use seal::{Sealer, message_ref, user_ref};
pub use shrink::{describe, shrink};
