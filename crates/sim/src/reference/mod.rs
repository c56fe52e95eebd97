//! The naive model: the net result of a history, computed in the most obvious way, to compare the real one with.
//!
//! Does not know the projector, and keeps no state from one call to the next: it collects all that was accepted, sorts,
//! and folds from the start. Slow on purpose. Invariant: beside which of two conflicting reports came first, and how
//! record times stand to event times, the order of the steps does not matter.

mod accept;
mod fold;

use std::collections::BTreeSet;

use model::{Disposition, DurationMillis, Event, Initiator, UnixMillis};

/// One record of a history, in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// An event reaches the log.
    Event {
        /// What it says.
        event: Event<'a>,
        /// When it reached the log.
        record_time: UnixMillis,
    },
    /// Time has passed. It announces closes and changes no net result.
    Tick(UnixMillis),
}

/// How the 2022 rules are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What moves the end of a window.
    pub window: Window,
    /// Accounts that track consent; in the others nobody is without it.
    pub consent_accounts: BTreeSet<String>,
    /// How much older than its record time an event may be; `None` for an embedded log.
    pub horizon: Option<DurationMillis>,
}

/// What moves the end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// 24 hours after the user's last message in it, or after opening where the user has said nothing.
    Sliding,
    /// 24 hours after opening.
    Fixed,
}

impl Default for Settings {
    /// Sliding window, no account that tracks consent, no horizon.
    fn default() -> Self {
        Self { window: Window::Sliding, consent_accounts: BTreeSet::new(), horizon: None }
    }
}

/// A conversation as it holds after the whole history.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetConversation {
    /// Of the business side of the thread.
    pub business_phone: String,
    /// Of the user's side.
    pub user: String,
    /// When its window starts.
    pub opened_at: UnixMillis,
    /// When its window ends; exclusive.
    pub expires_at: UnixMillis,
    /// Who is billed: the account of the message that opened it.
    pub account: String,
    /// Who opened it.
    pub initiator: Initiator,
    /// Id of the message that opened it.
    pub opened_by: String,
    /// When the charge was earned, if it was.
    pub charged_at: Option<UnixMillis>,
    /// Id of the message that earned it.
    pub earned_by: Option<String>,
    /// Messages of the user in it.
    pub user_messages: u32,
    /// Messages of the business in it.
    pub business_messages: u32,
    /// The business opened it towards a user who had not opted in, and the account tracks consent.
    pub without_consent: bool,
}

/// What a history comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetResult {
    /// By business phone, user and opening.
    pub conversations: Vec<NetConversation>,
    /// The fate of each step, in the order of the steps.
    pub dispositions: Vec<Disposition>,
}

/// Reads a history. `seal` is the keyed hash of an id: the last word on the order of messages of the same time and sort.
pub fn net_result(steps: &[Step<'_>], settings: &Settings, seal: &dyn Fn(&str) -> [u8; 16]) -> NetResult {
    let mut accepted = accept::Accepted::default();
    let dispositions = steps
        .iter()
        .map(|step| match step {
            Step::Event { event, record_time } => accepted.take(event, *record_time, settings),
            Step::Tick(_) => Disposition::Control,
        })
        .collect();
    let mut conversations: Vec<NetConversation> = accepted
        .threads()
        .flat_map(|thread| fold::fold(&thread.messages(seal), &thread.consents(seal), thread.id(), settings))
        .collect();
    conversations.sort();
    NetResult { conversations, dispositions }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
