//! Webhook bodies of the provider: the Cloud API's with `object` and `entry`, and the older bare ones.
//!
//! Knows nothing of events in our own schema. Invariant: every element of every list yields one piece, so that one that
//! is wrong takes none of the others with it.

mod body;
mod call;
mod message;
mod place;
mod status;

pub(crate) use body::read;
