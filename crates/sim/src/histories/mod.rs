//! Short histories of one or a few threads, for tests that try every order or many seeds.
//!
//! Does not know what a history comes to. Invariant: without conflicts asked for, no two events of a history contradict
//! each other, so every order of them must have the same net result.

mod alphabet;
mod enumerate;
mod random;

pub use alphabet::{
    ACCOUNT, BUSINESS_PHONE, DAY_0, Letter, USER, boundary_letters, conflict_letters, evidence_letters, spell,
};
pub use enumerate::{Multisets, Orders, multisets, orders};
pub use random::HistoryPlan;
