//! The loop: read, decode, project, commit; recovery and replay, which are the same loop over the log.
//!
//! Knows nothing of rdkafka, of sled's types or of HTTP.
//! Invariant: what a record led to is committed in one piece, after the record is safe in the log.

mod agreement;
pub mod book;
mod books;
mod checkpoints;
mod commit;
mod digest;
mod documents;
mod encoding;
mod error;
mod expand;
mod findings;
mod group;
mod installation;
mod intake;
mod load;
mod places;
mod progress;
mod project;
mod reader;
mod recover;
mod replay;
mod resubmit;
mod save;
mod seal;
pub mod service;
mod source;
mod threads;
mod verify;

pub use books::PeriodDigest;
pub use digest::{Digester, NetDigest};
pub use documents::{Part, Place, ReadOptions, read_parts};
pub use error::PipelineError;
pub use installation::Installation;
pub use progress::{OnProgress, Progress, Stage};
pub use project::{ProjectOptions, ProjectSummary};
pub use replay::{Difference, ReplayOutcome};
pub use resubmit::{ResubmitError, ResubmitOptions, Resubmitted};
pub use source::OpenInputError;
pub use verify::{Check, Outcome, Verification};

use model::PartitionId;

/// The one partition of an embedded log.
pub const EMBEDDED_PARTITION: PartitionId = PartitionId(0);
