//! Made-up traffic, and the naive reading of the 2022 rules that the real one is compared with.
//!
//! Knows nothing of the projector, the tariffs, the ledger or the pipeline: an oracle that shares their code would share
//! their mistakes. Reads no clock and no randomness of the system.
//! Invariant: the same plan and seed give the same events on every machine.

mod random;

pub mod histories;
pub mod reference;
pub mod traffic;

pub use random::Dice;
