//! Whether state and ledger say the same: sums over the entries beside sums over the net conversations.
//!
//! Knows nothing of rules. Invariant: both sides add the same numbers for the same conversation, so that one that is
//! missing, surplus or charged differently shows; the chain, not these sums, guards against forgery.

use std::collections::{BTreeMap, HashMap};

use ledger::rollup::AccountPeriod;
use model::{Charge, ConversationFacts, ConversationId, Entry, EntryBody, Micros, Sequence};
use projector::NetConversation;

use crate::places::Places;

/// Sums of an account and period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Of each conversation that stands, with the last entry about it.
    last_entries: u128,
    /// Of each charge that stands, with its booking, amount and entry.
    charges: u128,
}

/// Sums by account and period.
#[derive(Debug, Default)]
pub(crate) struct Standings(Places<Standing>);

impl Standings {
    /// Adds an entry.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let Some(facts) = entry.body.conversation() else { return };
        let sum = self.0.at(&facts.subject.account, facts.subject.period);
        let this = last_entry(facts.conversation, entry.sequence);
        let before = match facts.previous_about {
            Sequence(0) => 0,
            before => last_entry(facts.conversation, before),
        };
        // Each entry about a conversation takes the place of the one before; one that was withdrawn has none.
        let (this, before) = match entry.body {
            EntryBody::ConversationOpened(_) => (this, 0),
            EntryBody::ConversationWithdrawn(_) => (0, before),
            EntryBody::ConversationCharged(_)
            | EntryBody::MessageCharged(_)
            | EntryBody::ChargeReversed(_)
            | EntryBody::ConversationRevised(_)
            | EntryBody::ConversationClosed(_)
            | EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. }
            | EntryBody::RecordQuarantined(_) => (this, before),
        };
        sum.last_entries = sum.last_entries.wrapping_add(this).wrapping_sub(before);
        match &entry.body {
            EntryBody::ConversationCharged(booked) | EntryBody::MessageCharged(booked) => {
                sum.charges = sum.charges.wrapping_add(charge(booked, booked.price.amount, entry.sequence));
            }
            EntryBody::ChargeReversed(reversal) => {
                let amount = reversal.charge.price.amount.map(Micros::negated);
                sum.charges = sum.charges.wrapping_sub(charge(&reversal.charge, amount, reversal.reverses));
            }
            EntryBody::ConversationOpened(_)
            | EntryBody::ConversationWithdrawn(_)
            | EntryBody::ConversationRevised(_)
            | EntryBody::ConversationClosed(_)
            | EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. }
            | EntryBody::RecordQuarantined(_) => {}
        }
    }

    /// Adds the sums over other entries.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (place, sum) in other.0.into_sums() {
            self.0.at(&place.account, place.period).add(&sum);
        }
    }

    /// The sums of an account and period; nothing if no entry is about it.
    pub(crate) fn of(&self, place: &AccountPeriod) -> Standing {
        self.0.get(place).copied().unwrap_or_default()
    }
}

impl Standing {
    /// Adds a net conversation.
    pub(crate) fn add_net(&mut self, net: &NetConversation) {
        self.last_entries = self.last_entries.wrapping_add(last_entry(net.conversation, net.last_entry));
        if let Some(charge) = &net.charge {
            let sum =
                mix(charge.charge.0, [u64::from(charge.booking), bits(charge.price.amount), charge.entry.0]);
            self.charges = self.charges.wrapping_add(sum);
        }
    }

    /// Adds other sums.
    pub(crate) fn add(&mut self, other: &Self) {
        self.last_entries = self.last_entries.wrapping_add(other.last_entries);
        self.charges = self.charges.wrapping_add(other.charges);
    }
}

fn last_entry(conversation: ConversationId, sequence: Sequence) -> u128 {
    mix(conversation.0, [sequence.0, 0, 0])
}

fn charge(charge: &Charge, amount: Option<Micros>, entry: Sequence) -> u128 {
    mix(charge.charge.0, [u64::from(charge.booking), bits(amount), entry.0])
}

fn bits(amount: Option<Micros>) -> u64 {
    amount.map_or(u64::MAX, |Micros(amount)| amount.cast_unsigned())
}

/// Mixed so that two swapped amounts or entries do not cancel out.
fn mix(id: [u8; 16], facts: [u64; 3]) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let mut mixed = u128::from_le_bytes(id);
    for fact in facts {
        mixed = (mixed ^ u128::from(fact)).wrapping_mul(ODD);
        mixed ^= mixed >> 61;
    }
    mixed
}

/// What the entries say of one conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct View {
    last: Sequence,
    charge: Option<(Sequence, u32, Option<Micros>)>,
}

/// Finds the first conversation of an account and period of which state and entries say different things.
#[derive(Debug)]
pub(crate) struct FirstDifference {
    place: AccountPeriod,
    /// Looked up by id; gone through only to find a minimum.
    views: HashMap<ConversationId, View>,
    found: BTreeMap<(Sequence, ConversationId), String>,
}

impl FirstDifference {
    /// In one account and period.
    pub(crate) fn new(place: AccountPeriod) -> Self {
        Self { place, views: HashMap::new(), found: BTreeMap::new() }
    }

    /// Takes in all entries, in order.
    pub(crate) fn entry(&mut self, entry: &Entry) {
        let Some(facts) = entry.body.conversation().filter(|facts| self.is_here(facts)) else { return };
        if matches!(entry.body, EntryBody::ConversationWithdrawn(_)) {
            self.views.remove(&facts.conversation);
            return;
        }
        let view = self.views.entry(facts.conversation).or_default();
        view.last = entry.sequence;
        match &entry.body {
            EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => {
                view.charge = Some((entry.sequence, charge.booking, charge.price.amount));
            }
            EntryBody::ChargeReversed(_) => view.charge = None,
            EntryBody::ConversationOpened(_)
            | EntryBody::ConversationWithdrawn(_)
            | EntryBody::ConversationRevised(_)
            | EntryBody::ConversationClosed(_)
            | EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. }
            | EntryBody::RecordQuarantined(_) => {}
        }
    }

    /// Takes in all net conversations, in any order, after the entries.
    pub(crate) fn net(&mut self, net: &NetConversation) {
        if (&net.account, net.period) != (&self.place.account, self.place.period) {
            return;
        }
        let charge = net.charge.as_ref();
        let stands = View {
            last: net.last_entry,
            charge: charge.map(|charge| (charge.entry, charge.booking, charge.price.amount)),
        };
        match self.views.remove(&net.conversation) {
            Some(view) if view == stands => {}
            Some(view) => {
                let what = format!("the state has {}, the ledger {}", stands.in_words(), view.in_words());
                self.found.insert((stands.last.min(view.last), net.conversation), what);
            }
            None => {
                let what = format!("the state has {}, the ledger does not have it", stands.in_words());
                self.found.insert((stands.last, net.conversation), what);
            }
        }
    }

    /// The first difference, in words.
    pub(crate) fn in_words(mut self) -> Option<String> {
        let missing = self.views.iter().map(|(id, view)| (view.last, *id)).min();
        if let Some((last, id)) = missing {
            let view = self.views.remove(&id).unwrap_or_default();
            let what = format!("the ledger has {}, the state does not have it", view.in_words());
            self.found.insert((last, id), what);
        }
        let ((_, conversation), what) = self.found.pop_first()?;
        Some(format!("conversation {conversation}: {what}"))
    }

    fn is_here(&self, facts: &ConversationFacts) -> bool {
        facts.subject.account == self.place.account && facts.subject.period == self.place.period
    }
}

impl View {
    fn in_words(&self) -> String {
        let charge = match &self.charge {
            None => "no charge".to_owned(),
            Some((at, _, None)) => format!("an unpriced charge by entry {}", at.0),
            Some((at, _, Some(amount))) => format!("a charge of {amount} by entry {}", at.0),
        };
        format!("{charge} and entry {} as its last", self.last.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{
        Configured, ContentHash, Currency, LeadingDigits, MessageKind, MessageRef, Offset, PartitionId,
        Record, RecordContent, SealedBody, SealedEvent, Symbol, UnixMillis, UserRef,
    };
    use projector::{BUCKETS, Projected, Projector};
    use tariff::{AccountSettings, Configuration, Tariff};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const MORNING_MS: i64 = 1_643_709_600_000;

    #[test]
    fn state_and_entries_agree_through_corrections() {
        let (entries, nets) = worked_example();
        assert!(entries.iter().any(|entry| matches!(entry.body, EntryBody::ConversationWithdrawn(_))));
        assert!(entries.iter().any(|entry| matches!(entry.body, EntryBody::ChargeReversed(_))));
        assert_eq!(of_entries(&entries), of_state(&nets));
        assert_eq!(first_difference(&entries, &nets), None);
        let (left, right) = entries.split_at(4);
        let mut parts = standings(right);
        parts.absorb(standings(left));
        assert_eq!(parts.of(&place()), of_state(&nets), "in shares, in any order");
    }

    #[test]
    fn a_charge_of_another_amount_is_found_and_named() {
        let (entries, mut nets) = worked_example();
        let charged = nets.iter_mut().find(|net| net.charge.is_some()).unwrap();
        charged.charge.as_mut().unwrap().price.amount = Some(Micros(1));
        let id = charged.conversation;
        assert_ne!(of_entries(&entries), of_state(&nets));
        let words = first_difference(&entries, &nets).unwrap();
        assert!(
            words.starts_with(&format!("conversation {id}: the state has a charge of 0.000001")),
            "{words}"
        );
        assert!(words.contains("the ledger a charge of 0.0300 by entry"), "{words}");
    }

    #[test]
    fn a_conversation_on_one_side_only_is_found_and_named() {
        let (entries, nets) = worked_example();
        let missing = &nets[1..];
        assert_ne!(of_entries(&entries), of_state(missing));
        let words = first_difference(&entries, missing).unwrap();
        assert!(words.ends_with("the state does not have it"), "{words}");
        let (fewer, nets) = (&entries[..1], &nets[..1]);
        assert_ne!(of_entries(fewer), of_state(nets));
        let words = first_difference(fewer, nets).unwrap();
        assert!(words.ends_with("the ledger does not have it"), "{words}");
    }

    fn place() -> AccountPeriod {
        AccountPeriod::of("acc", model::Period { year: 2022, month: 2 })
    }

    fn standings(entries: &[Entry]) -> Standings {
        let mut standings = Standings::default();
        entries.iter().for_each(|entry| standings.apply(entry));
        standings
    }

    fn of_entries(entries: &[Entry]) -> Standing {
        standings(entries).of(&place())
    }

    fn of_state(nets: &[NetConversation]) -> Standing {
        let mut sum = Standing::default();
        nets.iter().for_each(|net| sum.add_net(net));
        sum
    }

    fn first_difference(entries: &[Entry], nets: &[NetConversation]) -> Option<String> {
        let mut first = FirstDifference::new(place());
        entries.iter().for_each(|entry| first.entry(entry));
        nets.iter().for_each(|net| first.net(net));
        first.in_words()
    }

    /// Two users; of the second a template arrives before the message of the user that came an hour earlier, so that
    /// what it opened is withdrawn.
    fn worked_example() -> (Vec<Entry>, Vec<NetConversation>) {
        let events = [(1, 0, false), (1, 1, true), (1, 30, true), (2, 5, true), (2, 4, false)];
        let defaults = AccountSettings {
            currency: Currency::parse("USD").unwrap(),
            zone: "UTC".to_owned(),
            tracks_consent: false,
        };
        let tariff = Tariff::builtin("whatsapp-2022").unwrap();
        let configuration = Arc::new(Configuration::new(defaults, Vec::new(), tariff).unwrap());
        let content = RecordContent::Configuration(Configured {
            content: configuration.content_hash(),
            effective_from: UnixMillis(0),
        });
        let mut records = vec![record(0, MORNING_MS, content)];
        for (number, (user, hour, from_business)) in (1_u8..).zip(events) {
            let at = MORNING_MS + hour * HOUR_MS;
            let body = if from_business {
                SealedBody::BusinessMessage { kind: MessageKind::Text, template: None }
            } else {
                SealedBody::UserMessage { kind: MessageKind::Text, referral: false }
            };
            let event = SealedEvent {
                occurred_at: UnixMillis(at),
                message: MessageRef([number; 16]),
                user: UserRef([user; 16]),
                leading_digits: LeadingDigits::of("5511987654321"),
                business_phone: Symbol(1),
                account: Symbol(2),
                tag: Symbol::EMPTY,
                body,
            };
            records.push(record(u64::from(number), at, RecordContent::Event(event)));
        }
        let mut projector = Projector::new(PartitionId(0));
        projector.define(Symbol(1), "100");
        projector.define(Symbol(2), "acc");
        projector.provide(configuration);
        let mut out = Projected::default();
        projector.apply(&records, &mut |_| ContentHash([0; 32]), &mut |_| {}, &mut out).unwrap();
        let mut nets = Vec::new();
        for bucket in 0..BUCKETS {
            projector.net_conversations(bucket, &mut |net| nets.push(net)).unwrap();
        }
        (out.entries, nets)
    }

    fn record(offset: u64, at: i64, content: RecordContent) -> Record {
        Record { offset: Offset(offset), record_time: UnixMillis(at), content }
    }
}
