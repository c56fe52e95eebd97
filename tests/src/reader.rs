//! A consumer of the ledger that has nothing but the entries: what they add up to, and whether they make sense.
//!
//! Knows nothing of messages and rules. Invariant: an entry that does not fit those before it is refused, with its
//! number and the reason.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Charge, Closed, ConversationFacts, ConversationId, Currency, Entry, EntryBody, EntryKind, MessageRef,
    Micros, Sequence, Text, UserRef,
};
use projector::{NetCharge, NetConversation};

/// A conversation as its entries tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// As the last entry about it has them.
    pub facts: ConversationFacts,
    /// The charge that stands, and its entry.
    pub charge: Option<(Charge, Sequence)>,
    /// What its close or the last revision said; none before the close.
    pub close: Option<Closed>,
    /// Whether it is closed: it may be open again after a revision.
    pub closed: bool,
    bookings: u32,
    last_entry: Sequence,
    withdrawn: bool,
}

type ThreadKey = (Text, UserRef);

/// Reads entries in order.
#[derive(Debug, Default)]
pub struct LedgerReader {
    next: u64,
    held: BTreeMap<ConversationId, Held>,
    /// The conversations of each thread, in order of opening once settled.
    threads: BTreeMap<ThreadKey, Vec<ConversationId>>,
    /// Threads with entries since the last record.
    touched: BTreeSet<ThreadKey>,
    sums: BTreeMap<(Text, Currency), i128>,
}

impl LedgerReader {
    /// Reads a whole ledger.
    ///
    /// # Errors
    /// See [`Self::read`] and [`Self::settle`].
    pub fn over(entries: &[Entry]) -> Result<Self, String> {
        let mut reader = Self::default();
        let mut position = None;
        for entry in entries {
            if position.is_some_and(|position| position != entry.offset) {
                reader.settle()?;
            }
            position = Some(entry.offset);
            reader.read(entry).map_err(|what| format!("entry {} {what}: {entry:?}", entry.sequence.0))?;
        }
        reader.settle()?;
        reader.add_up()?;
        closes_of_ticks_are_in_order(entries)?;
        Ok(reader)
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// The entry does not fit those before it.
    pub fn read(&mut self, entry: &Entry) -> Result<(), String> {
        self.next += 1;
        ensure(entry.sequence.0 == self.next, "is not the next one")?;
        if let Some(facts) = entry.body.conversation() {
            self.touched.insert((facts.subject.business_phone.clone(), facts.subject.user));
        }
        match &entry.body {
            EntryBody::ConversationOpened(facts) => self.opened(entry, facts),
            EntryBody::ConversationCharged(charge) => self.charged(entry, charge),
            EntryBody::ChargeReversed(reversal) => {
                self.add(&reversal.charge);
                let held = self.about(entry, &reversal.charge.conversation)?;
                let (standing, sequence) = held.charge.take().ok_or("reverses where no charge stands")?;
                ensure(reversal.reverses == sequence, "reverses another entry than the one that stands")?;
                let mut undone = reversal.charge.clone();
                undone.price.amount = undone.price.amount.map(Micros::negated);
                ensure(undone.price == standing.price, "does not take back the amount that was booked")?;
                ensure(undone.booking == standing.booking, "names another booking")?;
                ensure(undone.earned_by == standing.earned_by, "names another message as earning")?;
                ensure(entry.event_time == standing.earned_by.at, "has another time than the charge")
            }
            EntryBody::ConversationRevised(revised) => {
                let facts = &revised.holds.conversation;
                let held = self.about(entry, facts)?;
                ensure(!revised.open_again || held.closed, "opens again what is open")?;
                ensure(revised.holds.charged == held.charge.is_some(), "is wrong about the charge")?;
                let same_close =
                    held.close.as_ref().is_some_and(|close| says_the_same(close, &revised.holds));
                let same_opening = held.facts.opened_by == facts.opened_by
                    && held.facts.without_consent == facts.without_consent;
                ensure(!(same_close && same_opening && !revised.open_again), "revises nothing")?;
                held.facts = facts.clone();
                held.closed &= !revised.open_again;
                held.close = held.closed.then(|| revised.holds.clone());
                Ok(())
            }
            EntryBody::ConversationWithdrawn(facts) => {
                let held = self.about(entry, facts)?;
                ensure(held.charge.is_none(), "withdraws what is still charged")?;
                held.withdrawn = true;
                held.closed = false;
                held.close = None;
                self.thread_of(facts).retain(|id| *id != facts.conversation);
                Ok(())
            }
            EntryBody::ConversationClosed(closed) => {
                let held = self.about(entry, &closed.conversation)?;
                ensure(!held.closed, "closes what is closed")?;
                ensure(closed.charged == held.charge.is_some(), "is wrong about the charge")?;
                ensure(closed.user_messages + closed.business_messages > 0, "closes with no message in it")?;
                ensure(
                    entry.event_time == closed.conversation.expires_at,
                    "is not at the end of the window",
                )?;
                held.closed = true;
                held.facts = closed.conversation.clone();
                held.close = Some((**closed).clone());
                Ok(())
            }
            EntryBody::MessageCharged(_) => {
                Err("charges a message under a tariff of conversations".to_owned())
            }
            EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. }
            | EntryBody::RecordQuarantined(_) => Ok(()),
        }
    }

    fn opened(&mut self, entry: &Entry, facts: &ConversationFacts) -> Result<(), String> {
        let id = facts.conversation;
        let before = self.held.get(&id);
        ensure(before.is_none_or(|held| held.withdrawn), "opens what is there")?;
        ensure(
            before.map_or(Sequence(0), |held| held.last_entry) == facts.previous_about,
            "names another entry before it",
        )?;
        ensure(
            entry.event_time == facts.opened_at && facts.opened_by.at == facts.opened_at,
            "opens at another time",
        )?;
        let bookings = before.map_or(0, |held| held.bookings);
        let held = Held {
            facts: facts.clone(),
            charge: None,
            close: None,
            closed: false,
            bookings,
            last_entry: entry.sequence,
            withdrawn: false,
        };
        self.held.insert(id, held);
        self.thread_of(facts).push(id);
        Ok(())
    }

    fn charged(&mut self, entry: &Entry, charge: &Charge) -> Result<(), String> {
        self.add(charge);
        let held = self.about(entry, &charge.conversation)?;
        ensure(held.charge.is_none(), "charges twice")?;
        held.bookings += 1;
        ensure(charge.booking == held.bookings, "is numbered wrongly as a booking")?;
        ensure(entry.event_time == charge.earned_by.at, "has another time than the message that earned it")?;
        let facts = &charge.conversation;
        let inside = facts.opened_at <= charge.earned_by.at && charge.earned_by.at < facts.expires_at;
        ensure(inside, "was earned outside the window")?;
        held.charge = Some((charge.clone(), entry.sequence));
        Ok(())
    }

    /// The conversation that an entry is about, which must be there, and must have been told of last where it says.
    fn about(&mut self, entry: &Entry, facts: &ConversationFacts) -> Result<&mut Held, String> {
        let held =
            self.held.get_mut(&facts.conversation).ok_or("is about a conversation that never opened")?;
        ensure(!held.withdrawn, "is about a conversation that was withdrawn")?;
        ensure(held.last_entry == facts.previous_about, "names another entry before it")?;
        ensure(held.facts.opened_at == facts.opened_at, "has another opening")?;
        ensure(held.facts.subject == facts.subject, "has another subject")?;
        held.last_entry = entry.sequence;
        Ok(held)
    }

    fn thread_of(&mut self, facts: &ConversationFacts) -> &mut Vec<ConversationId> {
        self.threads.entry((facts.subject.business_phone.clone(), facts.subject.user)).or_default()
    }

    fn add(&mut self, charge: &Charge) {
        let key = (charge.conversation.subject.account.clone(), charge.price.currency);
        *self.sums.entry(key).or_default() += charge.price.amount.map_or(0, |amount| i128::from(amount.0));
    }

    /// What must hold between records: of each thread all conversations but the last are closed, and none overlap.
    ///
    /// # Errors
    /// It does not hold.
    pub fn settle(&mut self) -> Result<(), String> {
        let held = &self.held;
        for thread in std::mem::take(&mut self.touched) {
            let Some(conversations) = self.threads.get_mut(&thread) else { continue };
            conversations.sort_by_key(|id| held.get(id).map(|held| held.facts.opened_at));
            for pair in conversations.windows(2) {
                let (Some(first), Some(second)) = (held.get(&pair[0]), held.get(&pair[1])) else { continue };
                let end = first.close.as_ref().map(|close| close.conversation.expires_at);
                let Some(end) = end.filter(|_| first.closed) else {
                    return Err(format!("{} is open beside a later one", first.facts.conversation));
                };
                if second.facts.opened_at < end {
                    return Err(format!("{} opened before the one before ended", second.facts.conversation));
                }
            }
        }
        Ok(())
    }

    /// The sum over all entries is that of the charges that stand.
    fn add_up(&self) -> Result<(), String> {
        let mut standing: BTreeMap<(Text, Currency), i128> = BTreeMap::new();
        for (charge, _) in self.held.values().filter_map(|held| held.charge.as_ref()) {
            let key = (charge.conversation.subject.account.clone(), charge.price.currency);
            *standing.entry(key).or_default() += charge.price.amount.map_or(0, |amount| i128::from(amount.0));
        }
        for (key, sum) in &self.sums {
            let stands = standing.get(key).copied().unwrap_or_default();
            ensure(*sum == stands, &format!("{key:?} sums to {sum}, but {stands} stands"))?;
        }
        Ok(())
    }

    /// The conversations that hold, by business phone, user and opening.
    #[must_use]
    pub fn conversations(&self) -> Vec<&Held> {
        let mut held: Vec<&Held> = self.held.values().filter(|held| !held.withdrawn).collect();
        held.sort_by_key(|held| {
            (held.facts.subject.business_phone.clone(), held.facts.subject.user, held.facts.opened_at)
        });
        held
    }

    /// Compares with what the projector's state says. Of an open conversation the entries tell neither the end nor the
    /// counts.
    ///
    /// # Errors
    /// The first difference.
    pub fn agrees_with(&self, net: &[NetConversation]) -> Result<(), String> {
        let held = self.conversations();
        ensure(
            held.len() == net.len(),
            &format!("{} in the ledger, {} in the state", held.len(), net.len()),
        )?;
        for (held, net) in held.into_iter().zip(net) {
            let told = held.net(net);
            ensure(told == *net, &format!("the ledger tells {told:#?}\nthe state has {net:#?}"))?;
        }
        Ok(())
    }
}

impl Held {
    /// The message that opened it.
    #[must_use]
    pub fn opened_by(&self) -> MessageRef {
        self.facts.opened_by.message
    }

    fn net(&self, open: &NetConversation) -> NetConversation {
        let close = self.close.as_ref().filter(|_| self.closed);
        let charge = self.charge.as_ref().map(|(charge, entry)| NetCharge {
            charge: charge.charge,
            at: charge.earned_by.at,
            booking: charge.booking,
            category: charge.earned_by.category,
            price: charge.price.clone(),
            entry: *entry,
        });
        NetConversation {
            conversation: self.facts.conversation,
            account: self.facts.subject.account.clone(),
            business_phone: self.facts.subject.business_phone.clone(),
            user: self.facts.subject.user,
            initiator: self.facts.initiator,
            opened_at: self.facts.opened_at,
            expires_at: close.map_or(open.expires_at, |close| close.conversation.expires_at),
            closed: self.closed,
            without_consent: self.facts.without_consent,
            market: self.facts.subject.market.clone(),
            period: self.facts.subject.period,
            user_messages: close.map_or(open.user_messages, |close| close.user_messages),
            business_messages: close.map_or(open.business_messages, |close| close.business_messages),
            charge,
            last_entry: self.last_entry,
        }
    }
}

fn says_the_same(a: &Closed, b: &Closed) -> bool {
    let said = |closed: &Closed| {
        (closed.conversation.expires_at, closed.charged, closed.user_messages, closed.business_messages)
    };
    said(a) == said(b)
}

/// What one record closes on several threads, a tick closed: by (end, conversation id), as SPEC §4 has it.
fn closes_of_ticks_are_in_order(entries: &[Entry]) -> Result<(), String> {
    let closed = |entry: &Entry| {
        let facts =
            entry.body.conversation().filter(|_| entry.body.kind() == EntryKind::ConversationClosed)?;
        Some((facts.subject.user, (facts.expires_at, facts.conversation)))
    };
    for [first, next] in entries.array_windows().filter(|[first, next]| first.offset == next.offset) {
        let Some(((user, before), (other, after))) = closed(first).zip(closed(next)) else { continue };
        if user != other && before >= after {
            return Err(format!("entry {} closes out of order: {next:?}", next.sequence.0));
        }
    }
    Ok(())
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
