//! Scenarios: what happens and what is booked, as text that a person from finance can read.
//!
//! A scenario file has comments, a few settings, and a line for each record, in order of arrival:
//!
//! ```text
//! # A reply inside the window is charged once; a second reply is not.
//! every account: currency USD, zone UTC
//! d0 10:00  user   message    -> opened user-initiated, ends d1 10:00
//! d0 10:05  biz    reply      -> charged 0.0300 USD Brazil, user-initiated
//! d0 11:00  biz    reply      -> -
//! ```
//!
//! Expectations are compared as text, each entry on a line of its own. Knows nothing of what the right expectations
//! are. Invariant: a file that is written again with the same outcome is the same to the byte.

mod line;
mod render;
mod run;
mod settings;
mod time;

pub use run::{Outcome, check_file};
