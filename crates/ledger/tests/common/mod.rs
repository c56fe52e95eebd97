//! Made-up entries of made-up conversations, and the sums that a naive count over the conversations gives.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "made-up numbers are in range")]

use std::{collections::BTreeMap, sync::Arc};

use ledger::rollup::{AccountPeriod, LineKey, LinePrice, LineTotals, PeriodSummary};
use model::{
    Category, Charge, ChargeId, Closed, ContentHash, ConversationFacts, ConversationId, Currency,
    Disposition, DispositionCounts, Entry, EntryBody, EntryHash, Initiator, LeadingDigits, MessageEvidence,
    MessageRef, Micros, Offset, PartitionId, Period, PriceOutcome, ProviderVerdict, QuarantineReason,
    Quarantined, Reversal, Revised, Sequence, Subject, Text, UnixMillis, UserRef, VerdictFacts,
};

const DAY: i64 = 86_400_000;
const START: i64 = 1_643_673_600_000;

/// Makes entries of one partition, always the same ones.
pub(crate) struct Traffic {
    partition: PartitionId,
    seed: u64,
    next: u64,
    words: Words,
    conversations: Vec<Conversation>,
    /// Counted beside the entries, from what happens to each conversation.
    pub(crate) lines: BTreeMap<(AccountPeriod, LineKey), LineTotals>,
    pub(crate) summaries: BTreeMap<AccountPeriod, PeriodSummary>,
    pub(crate) quarantined: u64,
}

struct Words {
    accounts: Vec<Text>,
    phones: Vec<Text>,
    markets: Vec<Text>,
    templates: Vec<Text>,
    tags: Vec<Text>,
    tariff: Text,
    card: Text,
    unpriced: Text,
    empty: Text,
}

struct Conversation {
    facts: ConversationFacts,
    open: bool,
    charge: Option<Charge>,
    charge_sequence: Sequence,
}

impl Traffic {
    pub(crate) fn new(partition: u32, seed: u64) -> Self {
        let many = |name: &str, count: usize| (0..count).map(|n| Arc::from(format!("{name}{n}"))).collect();
        Self {
            partition: PartitionId(partition),
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            next: 1,
            words: Words {
                accounts: many("10229012934039", 5),
                phones: many("10654035224292", 12),
                markets: vec![Arc::from("Brazil"), Arc::from("India"), Arc::from("Rest of Latin America")],
                templates: many("order_update_", 8),
                tags: many("campaign-", 6),
                tariff: Arc::from("whatsapp-2022"),
                card: Arc::from("2022-02-01_CBP_v1_USD.csv"),
                unpriced: Arc::from("no card for INR"),
                empty: Arc::from(""),
            },
            conversations: Vec::new(),
            lines: BTreeMap::new(),
            summaries: BTreeMap::new(),
            quarantined: 0,
        }
    }

    /// The next entries. `correcting` mixes in reversals, revisions and withdrawals.
    pub(crate) fn entries(&mut self, count: usize, correcting: bool) -> Vec<Entry> {
        (0..count).map(|_| self.entry(correcting)).collect()
    }

    fn entry(&mut self, correcting: bool) -> Entry {
        let sequence = Sequence(self.next);
        self.next += 1;
        let at = UnixMillis(START + i64::try_from(sequence.0).unwrap() * 400);
        let dice = self.random(100);
        let body = match dice {
            0 => self.other(),
            1..40 => self.advance_some(sequence, correcting && dice < 20),
            _ => None,
        };
        let body = body.unwrap_or_else(|| self.open(sequence, at));
        let (record_time, offset) = (at, Offset(sequence.0 * 5));
        let previous_hash = EntryHash::ZERO;
        Entry {
            sequence,
            event_time: at,
            record_time,
            partition: self.partition,
            offset,
            previous_hash,
            body,
        }
    }

    fn open(&mut self, sequence: Sequence, at: UnixMillis) -> EntryBody {
        let user = self.random(5000);
        let account = self.words.accounts[pick(user, 5)].clone();
        let initiator = if user.is_multiple_of(3) { Initiator::Business } else { Initiator::User };
        let period = if at.0 < START + 28 * DAY { 2 } else { 3 };
        let period = Period { year: 2022, month: period };
        let tag = if user.is_multiple_of(2) {
            self.words.tags[pick(user, 6)].clone()
        } else {
            self.words.empty.clone()
        };
        let facts = ConversationFacts {
            subject: Subject {
                account,
                business_phone: self.words.phones[pick(user, 12)].clone(),
                user: UserRef(self.bytes(user)),
                leading_digits: LeadingDigits(*b"5511"),
                market: self.words.markets[pick(user, 3)].clone(),
                period,
                booked_in: period,
            },
            conversation: ConversationId(self.bytes(sequence.0 + 1_000_000)),
            initiator,
            opened_at: at,
            expires_at: UnixMillis(at.0 + DAY),
            opened_by: self.evidence(sequence.0, at, tag),
            without_consent: false,
            previous_about: Sequence(0),
        };
        self.summary(&facts).open_conversations += 1;
        self.line(&facts, &facts.opened_by, None).opened += 1;
        let booked = facts.clone();
        self.conversations.push(Conversation {
            facts: ConversationFacts { previous_about: sequence, ..facts },
            open: true,
            charge: None,
            charge_sequence: Sequence(0),
        });
        EntryBody::ConversationOpened(booked)
    }

    /// Something more about one of the newest conversations: charged, closed, or a correction.
    fn advance_some(&mut self, sequence: Sequence, correct: bool) -> Option<EntryBody> {
        let back = self.random(60);
        let index = self.conversations.len().checked_sub(1 + pick(back, 60))?;
        let mut conversation = self.conversations.swap_remove(index);
        let facts = conversation.facts.clone();
        conversation.facts.previous_about = sequence;
        let dice = self.random(4);
        let closed =
            |facts| Closed { conversation: facts, charged: true, user_messages: 2, business_messages: 1 };
        let body = match (correct, conversation.charge.take(), conversation.open) {
            (false, None, true) => {
                let charge = self.charge(&facts, sequence);
                let unpriced = i64::from(charge.price.amount.is_none());
                let amount = charge.price.amount.map_or(0, |amount| i128::from(amount.0));
                self.summary(&facts).unpriced += unpriced;
                let line = self.line(&facts, &charge.earned_by, Some(&charge.price));
                (line.charges, line.amount_micros) = (line.charges + 1, line.amount_micros + amount);
                (conversation.charge, conversation.charge_sequence) = (Some(charge.clone()), sequence);
                EntryBody::ConversationCharged(Box::new(charge))
            }
            (true, Some(mut charge), _) => {
                let unpriced = i64::from(charge.price.amount.is_none());
                let amount = charge.price.amount.map_or(0, |amount| i128::from(amount.0));
                self.summary(&facts).unpriced -= unpriced;
                let line = self.line(&facts, &charge.earned_by, Some(&charge.price));
                (line.charges, line.amount_micros) = (line.charges - 1, line.amount_micros - amount);
                charge.price.amount = charge.price.amount.map(Micros::negated);
                charge.conversation = facts;
                let reverses = conversation.charge_sequence;
                EntryBody::ChargeReversed(Box::new(Reversal { charge, reverses }))
            }
            (_, charge, true) if !correct || dice == 0 => {
                conversation.charge = charge;
                conversation.open = false;
                self.summary(&facts).open_conversations -= 1;
                self.line(&facts, &facts.opened_by, None).closed += 1;
                EntryBody::ConversationClosed(Box::new(closed(facts)))
            }
            (true, charge, open) if dice < 3 => {
                // A revision that opens a closed one again, or one that changes counts alone.
                conversation.charge = charge;
                let open_again = !open && dice == 1;
                conversation.open |= open_again;
                self.summary(&facts).open_conversations += i64::from(open_again);
                EntryBody::ConversationRevised(Box::new(Revised { holds: closed(facts), open_again }))
            }
            (true, None, open) => {
                self.summary(&facts).open_conversations -= i64::from(open);
                self.line(&facts, &facts.opened_by, None).withdrawn += 1;
                return Some(EntryBody::ConversationWithdrawn(facts));
            }
            (_, charge, _) => {
                conversation.charge = charge;
                conversation.facts.previous_about = facts.previous_about;
                self.conversations.push(conversation);
                return None;
            }
        };
        self.conversations.push(conversation);
        Some(body)
    }

    fn charge(&mut self, facts: &ConversationFacts, sequence: Sequence) -> Charge {
        let priced = self.random(10) > 0;
        let rate = if facts.initiator == Initiator::Business { 50_000 } else { 30_000 };
        let at = UnixMillis(facts.opened_at.0 + 1000);
        let tag = facts.opened_by.tag.clone();
        Charge {
            conversation: facts.clone(),
            charge: ChargeId(self.bytes(sequence.0 + 3_000_000)),
            booking: 1,
            earned_by: self.evidence(sequence.0 + 7_000_000, at, tag),
            price: PriceOutcome {
                amount: priced.then_some(Micros(rate)),
                currency: Currency::parse(if priced { "USD" } else { "INR" }).unwrap(),
                tariff: self.words.tariff.clone(),
                card: if priced { self.words.card.clone() } else { self.words.empty.clone() },
                row: if priced { 14 } else { 0 },
                reason: if priced { self.words.empty.clone() } else { self.words.unpriced.clone() },
            },
        }
    }

    /// An entry that is about no conversation.
    fn other(&mut self) -> Option<EntryBody> {
        let content = ContentHash([7; 32]);
        let subject = self.conversations.last()?.facts.subject.clone();
        Some(match self.random(4) {
            0 => {
                self.quarantined += 1;
                let reason = QuarantineReason::Late;
                EntryBody::RecordQuarantined(Quarantined { reason, detail: 0, original: content })
            }
            1 => EntryBody::Configured { content, effective_from: UnixMillis(START) },
            2 => EntryBody::ConsentChanged { subject, granted: true, source: Arc::from("web form") },
            _ => EntryBody::ProviderVerdict(Box::new(VerdictFacts {
                subject,
                message: MessageRef([3; 16]),
                verdict: ProviderVerdict { billable: Some(true), ..ProviderVerdict::default() },
            })),
        })
    }

    fn evidence(&mut self, id: u64, at: UnixMillis, tag: Text) -> MessageEvidence {
        let template = self.words.templates[pick(id, 8)].clone();
        let (message, offset) = (MessageRef(self.bytes(id + 5_000_000)), Offset(id));
        MessageEvidence { message, at, offset, template, category: Category::Utility, tag }
    }

    fn summary(&mut self, facts: &ConversationFacts) -> &mut PeriodSummary {
        self.summaries.entry(place(facts)).or_default()
    }

    fn line(
        &mut self,
        facts: &ConversationFacts,
        evidence: &MessageEvidence,
        price: Option<&PriceOutcome>,
    ) -> &mut LineTotals {
        let key = LineKey {
            business_phone: facts.subject.business_phone.clone(),
            market: facts.subject.market.clone(),
            initiator: facts.initiator,
            category: evidence.category,
            template: evidence.template.clone(),
            tag: evidence.tag.clone(),
            booked_in: facts.subject.booked_in,
            price: price.map(|price| LinePrice {
                currency: price.currency,
                unit: price.amount,
                tariff: price.tariff.clone(),
                reason: price.reason.clone(),
            }),
        };
        self.lines.entry((place(facts), key)).or_default()
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 20) % below
    }

    /// Bytes that look like a hash.
    fn bytes(&self, of: u64) -> [u8; 16] {
        let low = of.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (of << 7);
        let high = (low ^ low >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_le_bytes());
        bytes[8..].copy_from_slice(&(high ^ high >> 31).wrapping_mul(0x94d0_49bb_1331_11eb).to_le_bytes());
        bytes
    }
}

pub(crate) fn place(facts: &ConversationFacts) -> AccountPeriod {
    AccountPeriod { account: facts.subject.account.clone(), period: facts.subject.period }
}

/// So many applied records.
pub(crate) fn applied(count: u64) -> DispositionCounts {
    let mut counts = DispositionCounts::default();
    (0..count).for_each(|_| counts.count(Disposition::Applied));
    counts
}

fn pick(number: u64, of: u64) -> usize {
    usize::try_from(number % of).unwrap()
}
