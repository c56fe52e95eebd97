//! How far long work has come. The one that shows it decides how.

/// One look at work under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Records done so far.
    pub records: u64,
    /// Entries booked so far.
    pub entries: u64,
    /// Work done, in the unit of `work_total`: bytes of the inputs, or records of the log.
    pub work_done: u64,
    /// All the work, where it is known.
    pub work_total: Option<u64>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// State is folded again from the log, after a stop in the middle.
    Recovering,
    /// Inputs are projected.
    #[default]
    Projecting,
    /// State is written.
    Saving,
    /// The log is projected again, to compare.
    Replaying,
    /// Ledger, log and state are gone through, to compare.
    Verifying,
}

/// Shows progress; called every few thousand records.
pub type OnProgress<'a> = dyn FnMut(Progress) + 'a;
