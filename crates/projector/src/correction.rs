//! A message that arrives out of order, changes or vanishes: fold again from before it, book the difference.
//!
//! Two folds walk side by side, one over the messages as they were, one over those that hold now, until they meet.
//! Invariant: what is booked afterwards is what an in-order arrival of the same messages would have left.

use model::{Initiator, UnixMillis};

use crate::{
    block::Blocks,
    booking::{Book, Booked, ThreadId, Withdrawn},
    fold::{Effect, FoldState, Rules, fold_on, step},
    message::{Message, Side},
    thread::Thread,
    timeline::{Place, Timeline, TimelineMut},
};

/// A conversation as one of the two folds sees it.
#[derive(Debug, Clone, Copy)]
struct Draft {
    opener: Message,
    earner: Option<Message>,
    initiator: Initiator,
    without_consent: bool,
    ends_at: UnixMillis,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    user: u32,
    business: u32,
}

impl Counts {
    fn of(booked: &Booked) -> Self {
        Self { user: booked.user_messages, business: booked.business_messages }
    }

    fn count(&mut self, message: &Message) {
        match message.side() {
            Side::User => self.user += 1,
            Side::Business => self.business += 1,
            Side::Call | Side::Consent => {}
        }
    }

    fn plus(self, other: Self) -> Self {
        Self { user: self.user + other.user, business: self.business + other.business }
    }

    fn minus(self, other: Self) -> Self {
        Self { user: self.user - other.user, business: self.business - other.business }
    }
}

/// One of the two folds.
#[derive(Debug, Clone)]
struct Walk {
    state: FoldState,
    drafts: Vec<Draft>,
}

impl Walk {
    /// Begins behind the messages of `base`, the conversation of the last message before the change.
    fn from(state: FoldState, base: Option<&Booked>) -> Self {
        let drafts = base.map(|booked| Draft {
            opener: booked.opener,
            earner: booked.earner.filter(|_| state.open().is_some_and(|open| open.charged)),
            initiator: booked.initiator,
            without_consent: booked.without_consent,
            ends_at: state.open().map_or(booked.ends_at, |open| open.ends_at),
            counts: Counts::default(),
        });
        Self { state, drafts: drafts.into_iter().collect() }
    }

    fn take(&mut self, rules: &Rules, book: &Book<'_>, message: &Message) {
        if !message.flags.counts() {
            return;
        }
        match step(rules, &mut self.state, message) {
            Effect::None => {}
            Effect::Opens { initiator, ends_at, charges, without_consent } => {
                let mut counts = Counts::default();
                counts.count(message);
                self.drafts.push(Draft {
                    opener: *message,
                    earner: charges.then_some(*message),
                    initiator,
                    without_consent: without_consent && book.tracks_consent(message),
                    ends_at,
                    counts,
                });
            }
            Effect::Joins { ends_at, charges } => {
                if let Some(draft) = self.drafts.last_mut() {
                    draft.counts.count(message);
                    draft.ends_at = ends_at;
                    if charges {
                        draft.earner = Some(*message);
                    }
                }
            }
        }
    }
}

/// The two folds where they met, or at the end.
struct Outcome {
    old: Walk,
    new: Walk,
    met: bool,
}

impl Thread {
    /// Puts `new` in the place of `old` (either may be absent) and books what that changes.
    pub(crate) fn correct(
        &mut self,
        blocks: &mut Blocks,
        rules: &Rules,
        book: &mut Book<'_>,
        old: Option<Message>,
        new: Option<Message>,
    ) {
        let Some(from) = old.iter().chain(&new).map(Message::key).min() else { return };
        let place = self.timeline(blocks).place_of(from);
        let first_open = self.opened_before(from);
        let start = first_open.saturating_sub(1);
        let base = if first_open > 0 { self.conversations().nth(start).copied() } else { None };

        let outcome =
            walk_both(&mut self.timeline_mut(blocks), rules, book, place, base.as_ref(), (old, new));
        if !outcome.met {
            self.state = outcome.new.state;
        }
        let mut known = self.take_conversations(start);
        let behind = known.split_off(outcome.old.drafts.len().min(known.len()));
        let pre_scan = || count_before(self.timeline(blocks), base.as_ref(), place);
        let drafts = complete(outcome, &known, base.is_some(), pre_scan);
        rearrange(&mut self.timeline_mut(blocks), rules, old, new);
        self.book_difference(book, &known, &drafts, behind.is_empty());
        behind.into_iter().for_each(|booked| self.add_conversation(booked));
    }

    /// Puts `drafts` in the place of the conversations `known`, and books what differs.
    fn book_difference(
        &mut self,
        book: &mut Book<'_>,
        known: &[Booked],
        drafts: &[Draft],
        is_last_of_thread: bool,
    ) {
        let thread = self.id();
        let same = |booked: &Booked, draft: &Draft| {
            booked.opener.at() == draft.opener.at()
                && booked.initiator == draft.initiator
                && book.account_symbol(&booked.opener) == book.account_symbol(&draft.opener)
        };
        let partner = |draft: &Draft| known.iter().position(|booked| same(booked, draft));
        let partners: Vec<Option<usize>> = drafts.iter().map(partner).collect();

        let mut remaining = known.to_vec();
        for (index, booked) in remaining.iter_mut().enumerate() {
            let draft = partners.iter().position(|partner| *partner == Some(index)).map(|at| &drafts[at]);
            match draft {
                None => {
                    book.reverse(thread, booked);
                    book.withdraw(thread, booked);
                    let gone = Withdrawn {
                        opened_at: booked.opener.at(),
                        initiator: booked.initiator,
                        bookings: booked.bookings,
                        last_sequence: booked.last_sequence(),
                    };
                    self.note_withdrawn(gone);
                }
                Some(draft) if charge_differs(book, booked, draft) => book.reverse(thread, booked),
                Some(_) => {}
            }
        }

        for (index, (draft, partner)) in drafts.iter().zip(&partners).enumerate() {
            let over =
                !(is_last_of_thread && index + 1 == drafts.len()) || draft.ends_at <= book.partition_time;
            let booked = match partner {
                Some(at) => hold(thread, book, &known[*at], remaining[*at], draft, over),
                None => self.open_from(book, draft, over),
            };
            self.add_conversation(booked);
        }
    }

    /// Books a conversation that was not there before.
    fn open_from(&mut self, book: &mut Book<'_>, draft: &Draft, over: bool) -> Booked {
        let mut booked = self.booked_for(&draft.opener, draft.initiator, draft.without_consent);
        booked.ends_at = draft.ends_at;
        booked.user_messages = draft.counts.user;
        booked.business_messages = draft.counts.business;
        let thread = self.id();
        book.open(thread, &mut booked);
        if let Some(earner) = draft.earner {
            book.charge_for(thread, &mut booked, earner);
        }
        if over {
            book.close(thread, &mut booked);
        }
        booked
    }
}

/// Books what is no longer so of a conversation that stays.
fn hold(
    thread: ThreadId,
    book: &mut Book<'_>,
    was: &Booked,
    booked: Booked,
    draft: &Draft,
    over: bool,
) -> Booked {
    let mut booked = Booked {
        opener: draft.opener,
        without_consent: draft.without_consent,
        ends_at: draft.ends_at,
        user_messages: draft.counts.user,
        business_messages: draft.counts.business,
        ..booked
    };
    if let Some(earner) = draft.earner.filter(|_| booked.earner.is_none()) {
        book.charge_for(thread, &mut booked, earner);
    }
    let close_differs = was.ends_at != booked.ends_at
        || Counts::of(was) != Counts::of(&booked)
        || was.earner.is_some() != booked.earner.is_some();
    let opening_differs =
        book.differs(&was.opener, &booked.opener) || was.without_consent != booked.without_consent;
    if opening_differs || (booked.closed && (close_differs || !over)) {
        let open_again = booked.closed && !over;
        book.revise(thread, &mut booked, open_again);
    }
    if over && !booked.closed {
        book.close(thread, &mut booked);
    }
    booked
}

fn charge_differs(book: &Book<'_>, booked: &Booked, draft: &Draft) -> bool {
    match (&booked.earner, &draft.earner) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(was), Some(is)) => book.differs(was, is) || book.differs(&booked.opener, &draft.opener),
    }
}

/// Folds the messages as they were and as they are now, from `place` on, and mends the states of the chunks passed.
fn walk_both(
    timeline: &mut TimelineMut<'_>,
    rules: &Rules,
    book: &Book<'_>,
    place: Place,
    base: Option<&Booked>,
    (old, new): (Option<Message>, Option<Message>),
) -> Outcome {
    let chunk = timeline.view().chunk(place.chunk);
    let state = fold_on(rules, chunk.before, &chunk.messages[..place.index]);
    let mut old_walk = Walk::from(state, base);
    let mut new_walk = old_walk.clone();
    let mut to_drop = old.filter(|message| message.flags.counts());
    let mut to_add = new.filter(|message| message.flags.counts());

    for number in place.chunk..timeline.view().chunk_count() {
        let begin = if number == place.chunk { place.index } else { 0 };
        for index in begin..timeline.view().chunk(number).messages.len() {
            let message = timeline.view().chunk(number).messages[index];
            if let Some(added) = to_add.filter(|added| added.key() < message.key()) {
                new_walk.take(rules, book, &added);
                to_add = None;
            }
            if to_add.is_none() && to_drop.is_none() && old_walk.state == new_walk.state {
                return Outcome { old: old_walk, new: new_walk, met: true };
            }
            // What goes in front of the first chunk passed goes into it, behind the state that it begins with.
            if index == 0 && number > place.chunk {
                timeline.set_before(number, new_walk.state);
            }
            old_walk.take(rules, book, &message);
            if old.is_some_and(|dropped| dropped.id == message.id) {
                to_drop = None;
                // The same place, other facts: what holds now is stepped here, before the next message.
                if let Some(added) = to_add.filter(|added| added.key() == message.key()) {
                    new_walk.take(rules, book, &added);
                    to_add = None;
                }
            } else {
                new_walk.take(rules, book, &message);
            }
        }
    }
    if let Some(added) = to_add {
        new_walk.take(rules, book, &added);
    }
    Outcome { old: old_walk, new: new_walk, met: false }
}

/// Adds to the drafts of the new fold what lies before and behind the stretch that was walked.
fn complete(
    outcome: Outcome,
    known: &[Booked],
    has_base: bool,
    pre_scan: impl FnOnce() -> Counts,
) -> Vec<Draft> {
    let Outcome { old, mut new, met } = outcome;
    let old_length = old.drafts.len();
    let (Some(old_first), Some(old_last), Some(known_first), Some(known_last)) =
        (old.drafts.first(), old.drafts.last(), known.first(), known.last())
    else {
        return new.drafts;
    };
    let (mut before, mut behind) = (Counts::default(), Counts::default());
    if has_base && old_length == 1 && met {
        // The conversation goes on at both ends of the stretch. Only if it was split must the parts be told apart.
        if new.drafts.len() > 1 {
            before = pre_scan();
            behind = Counts::of(known_last).minus(before).minus(old_last.counts);
        } else {
            before = Counts::of(known_first).minus(old_first.counts);
        }
    } else {
        if has_base {
            before = Counts::of(known_first).minus(old_first.counts);
        }
        if met {
            behind = Counts::of(known_last).minus(old_last.counts);
        }
    }
    if has_base && let Some(first) = new.drafts.first_mut() {
        first.counts = first.counts.plus(before);
    }
    if met && let Some(last) = new.drafts.last_mut() {
        last.counts = last.counts.plus(behind);
        last.ends_at = known_last.ends_at;
        if last.earner.is_none() {
            last.earner = known_last.earner;
        }
    }
    new.drafts
}

/// Counts the messages of `base` before `place`.
fn count_before(timeline: Timeline<'_>, base: Option<&Booked>, place: Place) -> Counts {
    let mut counts = Counts::default();
    let Some(base) = base else { return counts };
    let start = timeline.place_of(base.opener.key());
    let end = timeline.iter_from(place).next().map(Message::key);
    let inside = timeline.iter_from(start).take_while(|m| end.is_none_or(|end| m.key() < end));
    inside.filter(|m| m.flags.counts()).for_each(|message| counts.count(message));
    counts
}

/// Moves the messages themselves. The new one goes in before the old one leaves: so it lands in the chunk for which
/// the states were mended.
fn rearrange(timeline: &mut TimelineMut<'_>, rules: &Rules, old: Option<Message>, new: Option<Message>) {
    match (old, new) {
        (Some(old), Some(new)) if old.key() == new.key() => timeline.replace(new),
        (old, new) => {
            let cut = new.is_some_and(|new| timeline.insert(new));
            if let Some(old) = &old {
                timeline.remove(rules, old);
            }
            if let Some(new) = new.filter(|_| cut) {
                timeline.mend_cut(rules, new.key());
            }
        }
    }
}
