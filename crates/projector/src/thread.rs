//! One thread: its messages, the state of the fold behind them, and its conversations as the ledger has them.

use std::collections::BTreeMap;

use model::{
    Disposition, Initiator, LeadingDigits, Record, SealedBody, SealedEvent, Symbol, UnixMillis, UserRef,
};

use crate::{
    block::Blocks,
    booking::{Book, Booked, ThreadId, Withdrawn},
    evidence::{Evidence, EvidenceLog, Novelty, bit_of, compare, together, verdict_hash},
    fold::{Effect, FoldState, Rules, step},
    labels::{Label, Labels},
    message::{Flags, Message, OrderKey, Side, seen},
    minute::Minute,
    timeline::{Earlier, Recent, Timeline, TimelineMut},
};

/// All that is kept of a thread but for the blocks of its messages. In four lines of the cache, of which a message in
/// order reads the first two; what few need lies elsewhere.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Thread {
    recent: Recent,
    pub(crate) user: UserRef,
    pub(crate) business_phone: Symbol,
    /// A number that no other thread in this process has.
    pub(crate) hint: u32,
    /// The fold over all messages.
    pub(crate) state: FoldState,
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

    /// Reads the lines of memory that every message needs.
    pub(crate) fn touch(&self) -> u8 {
        let [low, ..] = self.hint.to_le_bytes();
        low.wrapping_add(u8::from(self.recent.has_messages()))
    }

    /// Reads the lines of memory into which the next message will be written.
    pub(crate) fn touch_room(&self, blocks: &Blocks) -> u8 {
        self.recent.touch(blocks)
    }

    /// Its messages; `blocks` are those of its bucket.
    pub(crate) fn timeline<'a>(&'a self, blocks: &'a Blocks) -> Timeline<'a> {
        Timeline { recent: &self.recent, earlier: &self.earlier, blocks }
    }

    /// See [`Self::timeline`].
    pub(crate) fn timeline_mut<'a>(&'a mut self, blocks: &'a mut Blocks) -> TimelineMut<'a> {
        TimelineMut { recent: &mut self.recent, earlier: &mut self.earlier, blocks }
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

    /// Takes an event: tells what became of it, and whether its provider's verdict is news.
    pub(crate) fn take(
        &mut self,
        blocks: &Blocks,
        labels: &mut Labels,
        record: &Record,
        event: &SealedEvent,
        late: bool,
    ) -> Taken {
        let known = self.timeline(blocks).find(event.message);
        match &event.body {
            SealedBody::Status(status) => {
                let report = Evidence {
                    message: event.message,
                    at: event.occurred_at,
                    offset: record.offset,
                    account: event.account,
                    what: bit_of(status.status),
                    verdict_hash: verdict_hash(status),
                };
                self.weigh_status(labels, known, report, late)
            }
            SealedBody::UserMessage { .. }
            | SealedBody::BusinessMessage { .. }
            | SealedBody::UserCall
            | SealedBody::Consent(_) => self.weigh_message(labels, known, record, event, late),
        }
    }

    /// A message's own report.
    fn weigh_message(
        &mut self,
        labels: &mut Labels,
        known: Option<Message>,
        record: &Record,
        event: &SealedEvent,
        late: bool,
    ) -> Taken {
        let (flags, label) = describe(event);
        let label = labels.intern(label);
        let reported = || Message::new(event.message, event.occurred_at, record.offset, label, flags);
        let Some(known) = known else {
            return match late {
                true => Taken::Is(Disposition::Late),
                // Made in its place: a copy would wait for the parts to be written.
                false => Taken::Changes {
                    change: Change { old: None, new: reported() },
                    fate: Disposition::Applied,
                    verdict_is_new: false,
                },
            };
        };
        let reported = reported();
        if known.side() != reported.side() {
            return Taken::Is(Disposition::Conflict);
        }
        let mut fate = Disposition::Applied;
        if known.flags.has(seen::REPORTED) {
            let content =
                |m: &Message| (m.flags.is_template(), m.flags.is_granted(), m.flags.is_referral(), m.label());
            let own = self.own_report(&known, labels);
            if content(&known) != content(&reported) || own.at.second() != event.occurred_at.second() {
                return Taken::Is(Disposition::Conflict);
            }
            if event.occurred_at >= own.at {
                return Taken::Is(Disposition::Duplicate);
            }
            // The same second: a duplicate, however old. Of two reports that agree to the second the earlier stands.
            fate = Disposition::Duplicate;
            if self.evidence_of(&known).next().is_none() {
                let new = known.moved_to(event.occurred_at, record.offset);
                let change = Change { old: Some(known), new };
                return Taken::Changes { change, fate, verdict_is_new: false };
            }
        } else if late {
            return Taken::Is(Disposition::Late);
        }
        let report = Evidence {
            message: event.message,
            at: event.occurred_at,
            offset: record.offset,
            account: event.account,
            what: seen::REPORTED,
            verdict_hash: 0,
        };
        let described = reported.flags.with_evidence(known.flags.evidence());
        let changed = known.with_label(label).with_flags(described);
        let new = self.with_report(labels, &known, changed, report);
        Taken::Changes { change: Change { old: Some(known), new }, fate, verdict_is_new: false }
    }

    /// A status.
    fn weigh_status(
        &mut self,
        labels: &mut Labels,
        known: Option<Message>,
        report: Evidence,
        late: bool,
    ) -> Taken {
        let says_something = report.verdict_hash != 0;
        let Some(known) = known else {
            if late {
                return Taken::Is(Disposition::Late);
            }
            let label = labels.intern(Label::of_account(report.account));
            let flags = Flags::new(Side::Business, report.what);
            let new = Message::new(report.message, report.at, report.offset, label, flags);
            if says_something {
                self.keep_report(report);
            }
            return Taken::Changes {
                change: Change { old: None, new },
                fate: Disposition::Applied,
                verdict_is_new: says_something,
            };
        };
        if known.side() != Side::Business {
            return Taken::Is(Disposition::Conflict);
        }
        let novelty = match &self.past {
            Some(past) if past.evidence.of(known.id).next().is_some() => past.evidence.novelty(&report),
            Some(_) | None => {
                let only = inline_report(&known, labels);
                if only.what == report.what && only.at.second() == report.at.second() {
                    compare(&only, &report)
                } else {
                    Novelty::New
                }
            }
        };
        let fate = match novelty {
            Novelty::Contradicts => return Taken::Is(Disposition::Conflict),
            Novelty::Repeat => return Taken::Is(Disposition::Duplicate),
            Novelty::Earlier => Disposition::Duplicate,
            Novelty::New if late => return Taken::Is(Disposition::Late),
            Novelty::New => Disposition::Applied,
        };
        let verdict_is_new = novelty == Novelty::New
            && says_something
            && self.evidence_of(&known).all(|known| known.verdict_hash != report.verdict_hash);
        let changed = known.with_flags(known.flags.with_evidence(report.what));
        let new = self.with_report(labels, &known, changed, report);
        Taken::Changes { change: Change { old: Some(known), new }, fate, verdict_is_new }
    }

    /// Keeps one more report of a known message, and gives the message as all its reports make it.
    fn with_report(
        &mut self,
        labels: &mut Labels,
        known: &Message,
        changed: Message,
        report: Evidence,
    ) -> Message {
        let only = inline_report(known, labels);
        let log = &mut self.past_mut().evidence;
        if log.of(known.id).next().is_none() {
            log.put(only);
        }
        log.put(report);
        let Some((at, offset, account)) = together(log.of(known.id)) else { return changed };
        let moved = changed.moved_to(at, offset);
        let label = *labels.get(moved.label());
        if label.account == account {
            moved
        } else {
            moved.with_label(labels.intern(Label { account, ..label }))
        }
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

    /// The report that the message itself made.
    fn own_report(&self, known: &Message, labels: &Labels) -> Evidence {
        let kept = self.evidence_of(known).find(|report| report.what == seen::REPORTED);
        kept.copied().unwrap_or_else(|| inline_report(known, labels))
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
        } else if old.is_some_and(|old| same_to_the_fold(&old, new)) {
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

/// What a thread makes of an event.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Nothing changes.
    Is(Disposition),
    /// A message is new, or another than it was. `fate` is applied; or duplicate, where a repeat told an earlier instant of the
    /// same second.
    Changes { change: Change, fate: Disposition, verdict_is_new: bool },
}

/// A message in the place of another, or of none.
#[derive(Debug)]
pub(crate) struct Change {
    old: Option<Message>,
    new: Message,
}

/// The one report of a message that has no others.
fn inline_report(message: &Message, labels: &Labels) -> Evidence {
    Evidence {
        message: message.id,
        at: message.at(),
        offset: message.offset(),
        account: labels.get(message.label()).account,
        what: message.flags.evidence(),
        verdict_hash: 0,
    }
}

/// Flags and label of a message's own report.
fn describe(event: &SealedEvent) -> (Flags, Label) {
    let plain = Label { tag: event.tag, ..Label::of_account(event.account) };
    match &event.body {
        SealedBody::UserMessage { kind, referral } => {
            let flags = Flags::new(Side::User, seen::REPORTED).with_referral(*referral);
            (flags, Label { kind: *kind, ..plain })
        }
        SealedBody::BusinessMessage { kind, template: None } => {
            (Flags::new(Side::Business, seen::REPORTED), Label { kind: *kind, ..plain })
        }
        SealedBody::BusinessMessage { kind, template: Some(template) } => (
            Flags::new(Side::Business, seen::REPORTED).with_template(true),
            Label { kind: *kind, template: template.name, category: template.category, ..plain },
        ),
        SealedBody::UserCall => (Flags::new(Side::Call, seen::REPORTED), plain),
        SealedBody::Consent(consent) => {
            let flags = Flags::new(Side::Consent, seen::REPORTED).with_granted(consent.granted);
            (flags, Label { template: consent.source, ..plain })
        }
        SealedBody::Status(status) => (Flags::new(Side::Business, bit_of(status.status)), plain),
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
fn same_to_the_fold(old: &Message, new: &Message) -> bool {
    old.key() == new.key()
        && old.flags.counts() == new.flags.counts()
        && (!new.flags.counts() || old.label() == new.label())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_takes_four_lines_of_the_cache() {
        assert_eq!(size_of::<Thread>(), 256);
    }
}
