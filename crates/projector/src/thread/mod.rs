//! One thread: its messages, the state of the fold behind them, and its conversations as the ledger has them.

mod weigh;

use std::collections::BTreeMap;

use model::{Initiator, LeadingDigits, Symbol, UnixMillis, UserRef};

use crate::{
    block::{Block, Blocks},
    booking::{Book, Booked, ThreadId, Withdrawn},
    evidence::{Evidence, EvidenceLog},
    fold::{Effect, FoldState, Rules, step},
    message::{Message, OrderKey, Side},
    minute::Minute,
    numbers::Numbers,
    prefetch::ask_for,
    timeline::{Earlier, Recent, Timeline, TimelineMut},
};

pub(crate) use weigh::{Change, Taken};

/// All that is kept of a thread but for its earlier messages. What a message in order reads and writes comes first and
/// lies together, mostly in one page: looking up where a page is takes as long as reading it. What few need lies elsewhere.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Thread {
    recent: Recent,
    pub(crate) user: UserRef,
    pub(crate) business_phone: Symbol,
    /// A number that no other thread in this process has.
    pub(crate) hint: u32,
    /// The fold over all messages.
    pub(crate) state: FoldState,
    newest: Block,
    /// The last conversation; all before it are closed.
    last: Option<Booked>,
    earlier: Earlier,
    past: Option<Box<Past>>,
    leading_digits: LeadingDigits,
    waits_for: Minute,
}

/// What few threads have.
#[derive(Debug, Default)]
struct Past {
    /// All conversations but the last, in order of their opening.
    conversations: Vec<Booked>,
    /// By opening and initiator: a message may withdraw thousands, one after the other.
    withdrawn: BTreeMap<(UnixMillis, Initiator), Withdrawn>,
    evidence: EvidenceLog,
}

impl Thread {
    pub(crate) fn new(id: ThreadId, hint: u32) -> Self {
        Self {
            user: id.user,
            business_phone: id.business_phone,
            hint,
            state: FoldState::default(),
            recent: Recent::default(),
            newest: Block::default(),
            earlier: Earlier::default(),
            last: None,
            past: None,
            leading_digits: id.leading_digits,
            waits_for: Minute::NEVER,
        }
    }

    pub(crate) fn id(&self) -> ThreadId {
        ThreadId { user: self.user, business_phone: self.business_phone, leading_digits: self.leading_digits }
    }

    /// Asks for the lines of memory that every message needs.
    pub(crate) fn ask_for(&self) {
        ask_for(&self.recent);
        ask_for(&self.hint);
        ask_for(&self.state);
        ask_for(&self.last);
        ask_for(&self.earlier);
    }

    /// Asks for the lines of memory into which the next message will be written.
    pub(crate) fn ask_for_room(&self, blocks: &Blocks) {
        self.recent.ask_for_room(&self.newest, blocks);
    }

    /// Asks for the lines of memory that closing its last conversation needs.
    pub(crate) fn ask_for_last(&self) {
        ask_for(&self.user);
        ask_for(&self.last);
    }

    /// Its messages; `blocks` are those of its bucket.
    pub(crate) fn timeline<'a>(&'a self, blocks: &'a Blocks) -> Timeline<'a> {
        Timeline { recent: &self.recent, newest: &self.newest, earlier: &self.earlier, blocks }
    }

    /// See [`Self::timeline`].
    pub(crate) fn timeline_mut<'a>(&'a mut self, blocks: &'a mut Blocks) -> TimelineMut<'a> {
        TimelineMut { recent: &mut self.recent, newest: &mut self.newest, earlier: &mut self.earlier, blocks }
    }

    fn past_mut(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }

    /// In order of their opening.
    pub(crate) fn conversations(&self) -> impl DoubleEndedIterator<Item = &Booked> {
        self.past.iter().flat_map(|past| &past.conversations).chain(&self.last)
    }

    pub(crate) fn last_conversation_mut(&mut self) -> Option<&mut Booked> {
        self.last.as_mut()
    }

    /// How many were opened before `key`.
    pub(crate) fn opened_before(&self, key: OrderKey) -> usize {
        let earlier = self.past.as_ref().map_or(&[][..], |past| &past.conversations);
        match &self.last {
            Some(last) if last.opener.key() < key => earlier.len() + 1,
            Some(_) | None => earlier.partition_point(|booked| booked.opener.key() < key),
        }
    }

    pub(crate) fn add_conversation(&mut self, booked: Booked) {
        if let Some(before) = self.last.replace(booked) {
            self.past_mut().conversations.push(before);
        }
    }

    /// Takes all conversations from `start` on out.
    pub(crate) fn take_conversations(&mut self, start: usize) -> Vec<Booked> {
        let last = self.last.take();
        let Some(past) = &mut self.past else { return last.into_iter().skip(start).collect() };
        let mut taken = past.conversations.split_off(start.min(past.conversations.len()));
        taken.extend(last);
        self.last = past.conversations.pop();
        taken
    }

    /// What is left of conversations that were withdrawn.
    pub(crate) fn withdrawn(&self) -> impl Iterator<Item = &Withdrawn> {
        self.past.iter().flat_map(|past| past.withdrawn.values())
    }

    /// Puts the numbers that entries got in the place of those that a lane gave them, in what is kept of the conversation
    /// that opened then.
    pub(crate) fn renumber(&mut self, opened_at: UnixMillis, initiator: Initiator, numbers: &Numbers) {
        let is_it = |booked: &&mut Booked| booked.opener.at() == opened_at && booked.initiator == initiator;
        if let Some(last) = self.last.as_mut().filter(is_it) {
            last.renumber(numbers);
            return;
        }
        let Some(past) = &mut self.past else { return };
        let start = past.conversations.partition_point(|booked| booked.opener.at() < opened_at);
        let then =
            past.conversations[start..].iter_mut().take_while(|booked| booked.opener.at() == opened_at);
        then.filter(is_it).for_each(|booked| booked.renumber(numbers));
        if let Some(gone) = past.withdrawn.get_mut(&(opened_at, initiator)) {
            gone.last_sequence = numbers.of(gone.last_sequence);
        }
    }

    pub(crate) fn note_withdrawn(&mut self, gone: Withdrawn) {
        self.past_mut().withdrawn.insert((gone.opened_at, gone.initiator), gone);
    }

    /// The minute under which it waits for a tick.
    pub(crate) fn waits_for(&self) -> Minute {
        self.waits_for
    }

    pub(crate) fn wait_for(&mut self, minute: Minute) {
        self.waits_for = minute;
    }

    /// Keeps a report beside the one that its message carries.
    pub(crate) fn keep_report(&mut self, report: Evidence) {
        self.past_mut().evidence.put(report);
    }

    /// All reports kept beside those that messages carry.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &Evidence> {
        self.past.iter().flat_map(|past| past.evidence.iter())
    }

    /// The reports of a message beside the one that it carries itself; none if that is the only one.
    pub(crate) fn evidence_of(&self, message: &Message) -> impl Iterator<Item = &Evidence> {
        self.past.iter().flat_map(|past| past.evidence.of(message.id))
    }

    /// Books what a taken event changes. Tells whether it came behind all others.
    pub(crate) fn change(
        &mut self,
        blocks: &mut Blocks,
        rules: &Rules,
        book: &mut Book<'_>,
        change: &Change,
    ) -> bool {
        let Change { old, new } = change;
        let in_order = old.is_none() && self.is_behind(blocks, new);
        if in_order {
            self.append(blocks, rules, book, new);
        } else if old.is_some_and(|old| same_to_the_fold(book, &old, new)) {
            self.timeline_mut(blocks).replace(*new);
        } else {
            self.correct(blocks, rules, book, *old, Some(*new));
        }
        in_order
    }

    /// Whether a message comes behind all others: mostly the time alone decides.
    #[inline]
    fn is_behind(&self, blocks: &Blocks, message: &Message) -> bool {
        let (at, last) = (message.at(), self.recent.last_at());
        at > last
            || (at == last && self.timeline(blocks).last().is_none_or(|last| last.key() < message.key()))
    }

    /// A message behind all others.
    fn append(&mut self, blocks: &mut Blocks, rules: &Rules, book: &mut Book<'_>, message: &Message) {
        let before = self.state;
        if message.flags.counts() {
            match step(rules, &mut self.state, message) {
                Effect::None => {}
                Effect::Opens { initiator, ends_at, charges, without_consent } => {
                    let without_consent = without_consent && book.tracks_consent(message);
                    self.open(book, message, initiator, ends_at, charges, without_consent);
                }
                Effect::Joins { ends_at, charges } => self.join(book, message, ends_at, charges),
            }
        }
        self.timeline_mut(blocks).push(before, *message);
    }

    fn open(
        &mut self,
        book: &mut Book<'_>,
        message: &Message,
        initiator: Initiator,
        ends_at: UnixMillis,
        charges: bool,
        without_consent: bool,
    ) {
        let id = self.id();
        if let Some(last) = self.last.as_mut().filter(|last| !last.closed) {
            book.close(id, last);
        }
        let mut booked = self.booked_for(message, initiator, without_consent);
        booked.ends_at = ends_at;
        count(&mut booked, message);
        book.open(id, &mut booked);
        if charges {
            book.charge_for(id, &mut booked, *message);
        }
        if ends_at <= book.partition_time {
            book.close(id, &mut booked);
        }
        self.add_conversation(booked);
    }

    fn join(&mut self, book: &mut Book<'_>, message: &Message, ends_at: UnixMillis, charges: bool) {
        let Some(last) = &mut self.last else { return };
        count(last, message);
        last.ends_at = ends_at;
        if !charges && !last.closed {
            return;
        }
        let id = self.id();
        let Some(last) = &mut self.last else { return };
        if charges {
            book.charge_for(id, last, *message);
        }
        if last.closed {
            book.revise(id, last, ends_at > book.partition_time);
        }
    }

    /// A conversation about to be booked; one that was withdrawn before goes on counting its bookings.
    pub(crate) fn booked_for(
        &mut self,
        opener: &Message,
        initiator: Initiator,
        without_consent: bool,
    ) -> Booked {
        let before = self.past.as_mut().and_then(|past| past.withdrawn.remove(&(opener.at(), initiator)));
        Booked { without_consent, ..Booked::new(*opener, initiator, before) }
    }

    /// The end of the conversation whose close has not been announced.
    pub(crate) fn open_end(&self) -> Option<UnixMillis> {
        self.last.as_ref().filter(|last| !last.closed).map(|last| last.ends_at)
    }
}

fn count(booked: &mut Booked, message: &Message) {
    match message.side() {
        Side::User => booked.user_messages += 1,
        Side::Business => booked.business_messages += 1,
        Side::Call | Side::Consent => {}
    }
}

/// Whether the fold and the entries would see no difference.
fn same_to_the_fold(book: &Book<'_>, old: &Message, new: &Message) -> bool {
    old.key() == new.key()
        && old.flags.counts() == new.flags.counts()
        && (!new.flags.counts() || book.labels.get(old.label()) == book.labels.get(new.label()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_takes_four_hundred_bytes() {
        assert_eq!(size_of::<Thread>(), 400);
    }
}
