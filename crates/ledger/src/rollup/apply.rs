//! From entries to sums.
//!
//! Knows nothing of storage. Invariant: the sums do not depend on how the entries are divided into commits.

use hashbrown::HashTable;
use model::{Charge, ConversationFacts, Entry, EntryBody, MessageEvidence, Sequence, Subject};

use super::{AccountPeriod, LineKey, LinePrice, LineTotals, PeriodSummary, QuarantineCounts};

/// Sums over some entries of one partition.
#[derive(Debug, Default)]
pub struct Rollups {
    periods: Vec<(AccountPeriod, PeriodSummary)>,
    /// Found by hash, read in the order of the keys only.
    lines: HashTable<Line>,
    /// Withdrawn conversations, each with the entry before about it, which tells whether it was open.
    withdrawn: Vec<(usize, Sequence)>,
    quarantined: QuarantineCounts,
}

#[derive(Debug)]
struct Line {
    /// Index among the periods.
    period: usize,
    key: LineKey,
    totals: LineTotals,
}

/// A key that borrows from an entry, so that only the first entry of a line copies anything.
#[derive(Clone, Copy)]
struct KeyRef<'a> {
    period: usize,
    facts: &'a ConversationFacts,
    /// The message that opened or earned.
    evidence: &'a MessageEvidence,
    /// The charge, and whether it is taken back.
    charge: Option<(&'a Charge, bool)>,
}

impl Rollups {
    /// Adds one entry.
    pub fn apply(&mut self, entry: &Entry) {
        let once = LineTotals::default();
        match &entry.body {
            EntryBody::ConversationOpened(facts) => {
                let period = self.summary(&facts.subject, |summary| summary.open_conversations += 1);
                self.line(period, facts, LineTotals { opened: 1, ..once });
            }
            EntryBody::ConversationWithdrawn(facts) => {
                let period = self.summary(&facts.subject, |summary| summary.open_conversations -= 1);
                self.withdrawn.push((period, facts.previous_about));
                self.line(period, facts, LineTotals { withdrawn: 1, ..once });
            }
            EntryBody::ConversationClosed(closed) => {
                let facts = &closed.conversation;
                let period = self.summary(&facts.subject, |summary| summary.open_conversations -= 1);
                self.line(period, facts, LineTotals { closed: 1, ..once });
            }
            EntryBody::ConversationRevised(revised) => {
                let again = i64::from(revised.open_again);
                let subject = &revised.holds.conversation.subject;
                self.summary(subject, |summary| summary.open_conversations += again);
            }
            EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => {
                self.charge(charge, false);
            }
            EntryBody::ChargeReversed(reversal) => self.charge(&reversal.charge, true),
            EntryBody::RecordQuarantined(quarantined) => {
                self.quarantined.0[usize::from(quarantined.reason.code()) - 1] += 1;
            }
            EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. } => {}
        }
    }

    /// Adds the sums over other entries.
    pub fn absorb(&mut self, other: Self) {
        let mut places = Vec::with_capacity(other.periods.len());
        for (place, summary) in other.periods {
            let known = self.periods.iter().position(|(mine, _)| *mine == place);
            let index = known.unwrap_or_else(|| {
                self.periods.push((place, PeriodSummary::default()));
                self.periods.len() - 1
            });
            self.periods[index].1.add(&summary);
            places.push(index);
        }
        // The order in which lines are added changes no sum.
        for line in other.lines {
            let period = places[line.period];
            let hash = line.key.hash_in(period);
            match self.lines.find_mut(hash, |mine| mine.period == period && mine.key == line.key) {
                Some(mine) => mine.totals.add(&line.totals),
                None => {
                    self.lines
                        .insert_unique(hash, Line { period, ..line }, |line| line.key.hash_in(line.period));
                }
            }
        }
        self.withdrawn.extend(other.withdrawn.into_iter().map(|(period, before)| (places[period], before)));
        for (mine, theirs) in self.quarantined.0.iter_mut().zip(other.quarantined.0) {
            *mine += theirs;
        }
    }

    /// Settles the withdrawals among the entries: one of a conversation that was closed before leaves the number of
    /// open ones as it is. `was_closed` is given the last entry about the conversation before its withdrawal.
    ///
    /// # Errors
    /// Those of `was_closed`.
    pub fn settle<E>(&mut self, mut was_closed: impl FnMut(Sequence) -> Result<bool, E>) -> Result<(), E> {
        for (period, before) in std::mem::take(&mut self.withdrawn) {
            if was_closed(before)? {
                self.periods[period].1.open_conversations += 1;
            }
        }
        Ok(())
    }

    /// Settles those withdrawals of which `was_closed` knows.
    pub(crate) fn settle_known(&mut self, was_closed: impl Fn(Sequence) -> Option<bool>) {
        let Self { periods, withdrawn, .. } = self;
        withdrawn.retain(|(period, before)| match was_closed(*before) {
            Some(closed) => {
                periods[*period].1.open_conversations += i64::from(closed);
                false
            }
            None => true,
        });
    }

    /// Whether every withdrawal among the entries is settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.withdrawn.is_empty()
    }

    /// Accounts and periods, each once, with what a close asks of them.
    pub(super) fn periods(&self) -> &[(AccountPeriod, PeriodSummary)] {
        &self.periods
    }

    /// Lines in no order, each with the index of its account and period.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &LineKey, &LineTotals)> {
        self.lines.iter().map(|line| (line.period, &line.key, &line.totals))
    }

    pub(super) const fn quarantined(&self) -> &QuarantineCounts {
        &self.quarantined
    }

    fn charge(&mut self, charge: &Charge, taken_back: bool) {
        let sign = if taken_back { -1 } else { 1 };
        let unpriced = if charge.price.amount.is_none() { sign } else { 0 };
        let facts = &charge.conversation;
        let period = self.summary(&facts.subject, |summary| summary.unpriced += unpriced);
        let totals = LineTotals {
            charges: sign,
            amount_micros: charge.price.amount.map_or(0, |amount| i128::from(amount.0)),
            ..LineTotals::default()
        };
        let key = KeyRef { period, facts, evidence: &charge.earned_by, charge: Some((charge, taken_back)) };
        self.add(key, &totals);
    }

    fn line(&mut self, period: usize, facts: &ConversationFacts, totals: LineTotals) {
        self.add(KeyRef { period, facts, evidence: &facts.opened_by, charge: None }, &totals);
    }

    fn summary(&mut self, subject: &Subject, change: impl FnOnce(&mut PeriodSummary)) -> usize {
        // A handful of accounts and periods pass in one commit, and the newest ones most of the time.
        let known = self
            .periods
            .iter()
            .rposition(|(place, _)| place.period == subject.period && place.account == subject.account);
        let index = known.unwrap_or_else(|| {
            let place = AccountPeriod { account: subject.account.clone(), period: subject.period };
            self.periods.push((place, PeriodSummary::default()));
            self.periods.len() - 1
        });
        change(&mut self.periods[index].1);
        index
    }

    fn add(&mut self, key: KeyRef<'_>, totals: &LineTotals) {
        let hash = key.hash();
        match self.lines.find_mut(hash, |line| key.is(line)) {
            Some(line) => line.totals.add(totals),
            None => {
                let line = Line { period: key.period, key: key.to_key(), totals: *totals };
                self.lines.insert_unique(hash, line, |line| line.key.hash_in(line.period));
            }
        }
    }
}

impl KeyRef<'_> {
    fn hash(&self) -> u64 {
        let subject = &self.facts.subject;
        mix(
            self.period,
            [&subject.business_phone, &subject.market, &self.evidence.template, &self.evidence.tag],
        )
    }

    fn is(&self, line: &Line) -> bool {
        let (subject, key) = (&self.facts.subject, &line.key);
        line.period == self.period
            && key.business_phone == subject.business_phone
            && key.market == subject.market
            && key.initiator == self.facts.initiator
            && key.category == self.evidence.category
            && key.template == self.evidence.template
            && key.tag == self.evidence.tag
            && key.booked_in == subject.booked_in
            && self.is_price(key.price.as_ref())
    }

    fn is_price(&self, price: Option<&LinePrice>) -> bool {
        match (self.charge, price) {
            (None, None) => true,
            (Some((charge, _)), Some(price)) => {
                price.unit == self.unit()
                    && price.currency == charge.price.currency
                    && price.tariff == charge.price.tariff
                    && price.reason == charge.price.reason
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// The rate of one charge: a reversal carries its negative.
    fn unit(&self) -> Option<model::Micros> {
        let (charge, taken_back) = self.charge?;
        charge.price.amount.map(|amount| if taken_back { amount.negated() } else { amount })
    }

    fn to_key(self) -> LineKey {
        let subject = &self.facts.subject;
        LineKey {
            business_phone: subject.business_phone.clone(),
            market: subject.market.clone(),
            initiator: self.facts.initiator,
            category: self.evidence.category,
            template: self.evidence.template.clone(),
            tag: self.evidence.tag.clone(),
            booked_in: subject.booked_in,
            price: self.charge.map(|(charge, _)| LinePrice {
                currency: charge.price.currency,
                unit: self.unit(),
                tariff: charge.price.tariff.clone(),
                reason: charge.price.reason.clone(),
            }),
        }
    }
}

impl LineKey {
    pub(super) fn hash_in(&self, period: usize) -> u64 {
        mix(period, [&self.business_phone, &self.market, &self.template, &self.tag])
    }
}

/// Decides only where a line stands in a table that is read in another order.
fn mix(period: usize, texts: [&str; 4]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (period as u64).wrapping_mul(ODD);
    for text in texts {
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        for word in words {
            hash = (hash.rotate_left(29) ^ u64::from_le_bytes(*word)).wrapping_mul(ODD);
        }
        let last = rest.iter().fold(text.len() as u64, |last, byte| last << 8 | u64::from(*byte));
        hash = (hash.rotate_left(29) ^ last).wrapping_mul(ODD);
    }
    hash ^ hash >> 32
}
