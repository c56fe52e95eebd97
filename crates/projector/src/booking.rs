//! From what changed on a thread to entries: the one place that makes them.
//!
//! Invariant: entries of one record come as SPEC §4 fixes it; their numbers run on without gaps.

use model::{
    Charge, Closed, ConversationFacts, Entry, EntryBody, EntryHash, Initiator, LeadingDigits, Offset,
    PartitionId, PriceOutcome, Reversal, Revised, Sequence, Subject, Symbol, Text, UnixMillis, UserRef,
};
use model::{MessageEvidence, Micros};
use tariff::{AccountRules, Configuration};

use crate::{
    identity::{charge_id, conversation_id},
    labels::LaneLabels,
    message::Message,
    numbers::Numbers,
    packed::Packed48,
};

/// A conversation as the ledger has it, in 104 bytes. What a message changes comes first, so that it lies together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Booked {
    pub(crate) ends_at: UnixMillis,
    pub(crate) user_messages: u32,
    pub(crate) business_messages: u32,
    /// How often it was charged; the charge stands if `earner` is there.
    pub(crate) bookings: u32,
    /// Its close has been announced.
    pub(crate) closed: bool,
    pub(crate) initiator: Initiator,
    pub(crate) without_consent: bool,
    /// The message that earned its charge.
    pub(crate) earner: Option<Message>,
    /// The message that opened it.
    pub(crate) opener: Message,
    pub(crate) charge_sequence: Packed48,
    pub(crate) last_sequence: Packed48,
}

impl Booked {
    /// One of which nothing is booked yet; `before` is left of it from an earlier time.
    pub(crate) fn new(opener: Message, initiator: Initiator, before: Option<Withdrawn>) -> Self {
        Self {
            ends_at: opener.at(),
            user_messages: 0,
            business_messages: 0,
            bookings: before.map_or(0, |gone| gone.bookings),
            closed: false,
            initiator,
            without_consent: false,
            earner: None,
            opener,
            charge_sequence: Packed48::new(0),
            last_sequence: Packed48::new(before.map_or(0, |gone| gone.last_sequence.0)),
        }
    }

    /// The entry that booked its charge.
    pub(crate) fn charge_sequence(&self) -> Sequence {
        Sequence(self.charge_sequence.get())
    }

    /// The last entry about it.
    pub(crate) fn last_sequence(&self) -> Sequence {
        Sequence(self.last_sequence.get())
    }

    /// The same with other entries to its name.
    pub(crate) fn with_sequences(self, charge: Sequence, last: Sequence) -> Self {
        Self { charge_sequence: Packed48::new(charge.0), last_sequence: Packed48::new(last.0), ..self }
    }

    /// The same with the numbers that its entries got.
    pub(crate) fn renumber(&mut self, numbers: &Numbers) {
        *self = self.with_sequences(numbers.of(self.charge_sequence()), numbers.of(self.last_sequence()));
    }

    fn told_in(&mut self, entry: Sequence) {
        self.last_sequence = Packed48::new(entry.0);
    }
}

/// What is left of a conversation that was withdrawn, should it come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Withdrawn {
    pub(crate) opened_at: UnixMillis,
    pub(crate) initiator: Initiator,
    pub(crate) bookings: u32,
    pub(crate) last_sequence: Sequence,
}

/// The words behind symbols, by number.
#[derive(Debug)]
pub(crate) struct Words(Vec<Text>);

impl Default for Words {
    fn default() -> Self {
        Self(vec![Text::from("")])
    }
}

impl Words {
    /// A log may mention words in another order than that of their numbers; one that is known is left as it is.
    pub(crate) fn define(&mut self, symbol: Symbol, word: &str) {
        let number = symbol.0 as usize;
        if number >= self.0.len() {
            self.0.resize(number + 1, self.0[0].clone());
        }
        if self.0[number].is_empty() && number > 0 {
            self.0[number] = Text::from(word);
        }
    }

    pub(crate) fn get(&self, symbol: Symbol) -> &Text {
        self.0.get(symbol.0 as usize).unwrap_or(&self.0[0])
    }

    pub(crate) fn all(&self) -> &[Text] {
        &self.0
    }
}

/// Which thread is being booked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadId {
    pub(crate) user: UserRef,
    pub(crate) business_phone: Symbol,
    pub(crate) leading_digits: LeadingDigits,
}

/// What stays the same for all that one record books.
#[derive(Debug)]
pub(crate) struct Book<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) words: &'a Words,
    pub(crate) labels: &'a LaneLabels<'a>,
    pub(crate) partition: PartitionId,
    pub(crate) offset: Offset,
    pub(crate) record_time: UnixMillis,
    pub(crate) partition_time: UnixMillis,
    pub(crate) sequence: &'a mut Sequence,
    pub(crate) entries: &'a mut Vec<Entry>,
}

impl Book<'_> {
    /// Appends an entry and gives its number.
    pub(crate) fn append(&mut self, event_time: UnixMillis, body: EntryBody) -> Sequence {
        self.sequence.0 += 1;
        self.entries.push(Entry {
            sequence: *self.sequence,
            event_time,
            record_time: self.record_time,
            partition: self.partition,
            offset: self.offset,
            previous_hash: EntryHash::ZERO,
            body,
        });
        *self.sequence
    }

    pub(crate) fn account_symbol(&self, message: &Message) -> Symbol {
        self.labels.get(message.label()).account
    }

    /// Whether two states of a message differ in what an entry says of it. Its form is in no entry.
    pub(crate) fn differs(&self, a: &Message, b: &Message) -> bool {
        let told = |message: &Message| {
            let label = self.labels.get(message.label());
            (message.id, message.at(), label.account, label.tag, label.template, label.category)
        };
        told(a) != told(b)
    }

    pub(crate) fn tracks_consent(&self, opener: &Message) -> bool {
        self.rules_of(opener).tracks_consent()
    }

    fn rules_of(&self, opener: &Message) -> &AccountRules {
        self.configuration.account(self.words.get(self.account_symbol(opener)))
    }

    /// Thread, account and months of something that opened or happened at `at`.
    pub(crate) fn subject(&self, thread: ThreadId, account: Symbol, at: UnixMillis) -> Subject {
        let account = self.words.get(account).clone();
        let rules = self.configuration.account(&account);
        let period = rules.period(at);
        Subject {
            account,
            business_phone: self.words.get(thread.business_phone).clone(),
            user: thread.user,
            leading_digits: thread.leading_digits,
            market: rules.market(thread.leading_digits, at).clone(),
            period,
            booked_in: period,
        }
    }

    fn facts(&self, thread: ThreadId, booked: &Booked) -> ConversationFacts {
        let opened_at = booked.opener.at();
        let subject = self.subject(thread, self.account_symbol(&booked.opener), opened_at);
        let conversation = conversation_id(&subject.business_phone, thread.user, opened_at, booked.initiator);
        ConversationFacts {
            subject,
            conversation,
            initiator: booked.initiator,
            opened_at,
            expires_at: booked.ends_at,
            opened_by: self.evidence(&booked.opener),
            without_consent: booked.without_consent,
            previous_about: booked.last_sequence(),
        }
    }

    fn evidence(&self, message: &Message) -> MessageEvidence {
        let label = self.labels.get(message.label());
        MessageEvidence {
            message: message.id,
            at: message.at(),
            offset: message.offset(),
            template: self.words.get(label.template).clone(),
            category: label.category,
            tag: self.words.get(label.tag).clone(),
        }
    }

    /// What a conversation costs: by the card in force when it opened.
    pub(crate) fn price(&self, thread: ThreadId, booked: &Booked) -> PriceOutcome {
        let rules = self.rules_of(&booked.opener);
        let market = rules.market(thread.leading_digits, booked.opener.at());
        rules.conversation_price(market, booked.initiator, booked.opener.at())
    }

    /// The charge of a conversation as it stands in `booked`.
    fn charge(&self, thread: ThreadId, booked: &Booked, earner: &Message) -> Charge {
        let conversation = self.facts(thread, booked);
        Charge {
            charge: charge_id(conversation.conversation),
            conversation,
            booking: booked.bookings,
            earned_by: self.evidence(earner),
            price: self.price(thread, booked),
        }
    }

    fn closed(&self, thread: ThreadId, booked: &Booked) -> Closed {
        Closed {
            conversation: self.facts(thread, booked),
            charged: booked.earner.is_some(),
            user_messages: booked.user_messages,
            business_messages: booked.business_messages,
        }
    }

    pub(crate) fn open(&mut self, thread: ThreadId, booked: &mut Booked) {
        let facts = self.facts(thread, booked);
        let entry = self.append(facts.opened_at, EntryBody::ConversationOpened(facts));
        booked.told_in(entry);
    }

    /// Books the charge that `earner` earned.
    pub(crate) fn charge_for(&mut self, thread: ThreadId, booked: &mut Booked, earner: Message) {
        booked.bookings += 1;
        booked.earner = Some(earner);
        let charge = self.charge(thread, booked, &earner);
        let entry = self.append(earner.at(), EntryBody::ConversationCharged(Box::new(charge)));
        booked.told_in(entry);
        booked.charge_sequence = Packed48::new(entry.0);
    }

    /// Takes the charge back, if there is one.
    pub(crate) fn reverse(&mut self, thread: ThreadId, booked: &mut Booked) {
        let Some(earner) = booked.earner.take() else { return };
        let mut charge = self.charge(thread, booked, &earner);
        charge.price.amount = charge.price.amount.map(Micros::negated);
        let reversal = Reversal { charge, reverses: booked.charge_sequence() };
        let entry = self.append(earner.at(), EntryBody::ChargeReversed(Box::new(reversal)));
        booked.told_in(entry);
    }

    /// Says that the conversation never was.
    pub(crate) fn withdraw(&mut self, thread: ThreadId, booked: &mut Booked) {
        let facts = self.facts(thread, booked);
        let entry = self.append(facts.opened_at, EntryBody::ConversationWithdrawn(facts));
        booked.told_in(entry);
    }

    /// Announces the end.
    pub(crate) fn close(&mut self, thread: ThreadId, booked: &mut Booked) {
        let closed = self.closed(thread, booked);
        let entry = self.append(booked.ends_at, EntryBody::ConversationClosed(Box::new(closed)));
        booked.told_in(entry);
        booked.closed = true;
    }

    /// Says what holds instead of what the opening or the close said.
    pub(crate) fn revise(&mut self, thread: ThreadId, booked: &mut Booked, open_again: bool) {
        let revised = Revised { holds: self.closed(thread, booked), open_again };
        let entry = self.append(booked.ends_at, EntryBody::ConversationRevised(Box::new(revised)));
        booked.told_in(entry);
        booked.closed &= !open_again;
    }
}
