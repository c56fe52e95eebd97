//! The rules of a tariff as one pure function: state of a thread + next message in order → new state + its effect.
//!
//! Live, replay, correction, what-if and explanation are uses of [`step`]; no other place knows what a window is.
//! Invariant: equal states have equal futures, so a refold may stop where it meets the states of before.

use model::{DurationMillis, Initiator, UnixMillis};
use tariff::{Anchor, Tariff, Window};

use crate::{
    message::{Message, Side},
    packed::Packed48,
};

/// What of a tariff decides where conversations begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether a user's message moves the end.
    pub window: Window,
    /// How long a window is.
    pub window_length: DurationMillis,
    /// Which message a window starts with.
    pub anchor: Anchor,
}

impl Rules {
    /// Takes them from a tariff.
    #[must_use]
    pub fn of(tariff: &Tariff) -> Self {
        Self { window: tariff.window, window_length: tariff.window_length, anchor: tariff.anchor }
    }
}

/// A conversation that is open, or over without a later message having said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWindow {
    /// Its end; a message at exactly the end is outside.
    pub ends_at: UnixMillis,
    /// Whether it has been charged.
    pub charged: bool,
}

/// What the messages so far mean for the next one. In 14 bytes, alignment 1: every thread has one, and one more for
/// each chunk of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldState {
    /// End of the last conversation; 0, which lies before all times, if there was none.
    ends_at: Packed48,
    /// One more than the time of the user's last message or call, where the anchor needs it; else 0.
    user_last_at: Packed48,
    /// Whether the last conversation has been charged.
    charged: bool,
    /// The user's last word on being written to.
    pub consent: Option<bool>,
}

impl Default for FoldState {
    fn default() -> Self {
        Self::new(None, None, None)
    }
}

impl FoldState {
    /// Puts a state together.
    #[must_use]
    pub fn new(open: Option<OpenWindow>, consent: Option<bool>, user_last_at: Option<UnixMillis>) -> Self {
        Self {
            ends_at: open.map_or(Packed48::ZERO, |open| Packed48::of_time(open.ends_at)),
            user_last_at: user_last_at.map_or(Packed48::ZERO, just_behind),
            charged: open.is_some_and(|open| open.charged),
            consent,
        }
    }

    /// The last conversation.
    #[must_use]
    pub fn open(&self) -> Option<OpenWindow> {
        (self.ends_at != Packed48::ZERO)
            .then(|| OpenWindow { ends_at: self.ends_at.time(), charged: self.charged })
    }

    /// Time of the user's last message or call, where the anchor needs it.
    #[must_use]
    pub fn user_last_at(&self) -> Option<UnixMillis> {
        (self.user_last_at != Packed48::ZERO).then(|| UnixMillis(self.user_last_at.time().0 - 1))
    }
}

/// What a message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing that is booked or counted.
    None,
    /// It opens a conversation; the one before, if any, is over.
    Opens { initiator: Initiator, ends_at: UnixMillis, charges: bool, without_consent: bool },
    /// It is inside the open conversation.
    Joins { ends_at: UnixMillis, charges: bool },
}

/// One step of the fold. Messages that do not count are not to be given to it.
pub(crate) fn step(rules: &Rules, state: &mut FoldState, message: &Message) -> Effect {
    let at = message.at();
    let initiator = match message.side() {
        Side::Consent => {
            state.consent = Some(message.flags.is_granted());
            return Effect::None;
        }
        Side::Call => {
            remember_user(rules, state, at);
            return Effect::None;
        }
        Side::User => Initiator::User,
        Side::Business => Initiator::Business,
    };
    // Without a conversation the end lies before all times.
    if at >= state.ends_at.time() {
        return open_with(rules, state, initiator, at);
    }
    let charges = !state.charged && initiator == Initiator::Business;
    state.charged |= charges;
    if initiator == Initiator::User {
        if rules.window == Window::Sliding {
            state.ends_at = Packed48::of_time(at + rules.window_length);
        }
        remember_user(rules, state, at);
    }
    Effect::Joins { ends_at: state.ends_at.time(), charges }
}

/// The state behind some messages, of which those count that do.
pub(crate) fn fold_on(rules: &Rules, mut state: FoldState, messages: &[Message]) -> FoldState {
    for message in messages.iter().filter(|message| message.flags.counts()) {
        step(rules, &mut state, message);
    }
    state
}

/// A message outside every window.
fn open_with(rules: &Rules, state: &mut FoldState, side: Initiator, at: UnixMillis) -> Effect {
    let (initiator, charges) = match (rules.anchor, side) {
        (Anchor::FirstMessage, side) => (side, side == Initiator::Business),
        (Anchor::BusinessDelivery, Initiator::User) => {
            remember_user(rules, state, at);
            return Effect::None;
        }
        (Anchor::BusinessDelivery, Initiator::Business) => {
            let answers_user = state.user_last_at().is_some_and(|user| at < user + rules.window_length);
            (if answers_user { Initiator::User } else { Initiator::Business }, true)
        }
    };
    if side == Initiator::User {
        remember_user(rules, state, at);
    }
    let ends_at = at + rules.window_length;
    (state.ends_at, state.charged) = (Packed48::of_time(ends_at), charges);
    let without_consent = initiator == Initiator::Business && state.consent != Some(true);
    Effect::Opens { initiator, ends_at, charges, without_consent }
}

/// The state holds the user's last time only where a rule asks for it, so that refolds meet early elsewhere.
fn remember_user(rules: &Rules, state: &mut FoldState, at: UnixMillis) {
    match rules.anchor {
        Anchor::FirstMessage => {}
        Anchor::BusinessDelivery => state.user_last_at = just_behind(at),
    }
}

fn just_behind(at: UnixMillis) -> Packed48 {
    Packed48::of_time(UnixMillis(at.0.saturating_add(1)))
}
