//! HTTP: a window onto a running service, for those who watch it.
//!
//! Knows nothing of a broker's client, of storage or of rules. Invariant: nothing that is asked here changes anything.

mod health;
mod lines;
mod metrics;
mod serve;

pub use self::{
    lines::Kind,
    metrics::METRICS,
    serve::{Server, ServerError, Snapshots},
};
