//! What many messages have in common (account, tag, form, template), kept once and numbered.
//!
//! Invariant: nothing that is booked depends on the numbers. Two numbers may stand for one label, where two lanes met it
//! at once; so labels are compared by what they say.

use hashbrown::HashTable;
use model::{Category, MessageKind, Symbol};

/// Number of a [`Label`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LabelId(pub(crate) u32);

/// What a message is, besides its time and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) account: Symbol,
    pub(crate) tag: Symbol,
    pub(crate) template: Symbol,
    pub(crate) category: Category,
    pub(crate) kind: MessageKind,
}

impl Label {
    /// All that is known of a message of which there are only statuses.
    pub(crate) fn of_account(account: Symbol) -> Self {
        Self {
            account,
            tag: Symbol::EMPTY,
            template: Symbol::EMPTY,
            category: Category::Unspecified,
            kind: MessageKind::Unspecified,
        }
    }

    #[inline]
    fn hash(&self) -> u64 {
        let mut hash = u64::from(self.account.0);
        let small = u32::from(self.category.code()) << 8 | u32::from(self.kind.code());
        for word in [self.tag.0, self.template.0, small] {
            hash = (hash ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// All labels met.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    labels: Vec<Label>,
    by_content: HashTable<u32>,
}

impl Labels {
    fn find(&self, label: &Label, hash: u64) -> Option<u32> {
        self.by_content.find(hash, |number| self.labels[*number as usize] == *label).copied()
    }

    /// Adds a label under the next number, also one that has a number already.
    pub(crate) fn add(&mut self, label: Label) {
        let (hash, number) = (label.hash(), u32::try_from(self.labels.len()).unwrap_or(u32::MAX));
        self.labels.push(label);
        if self.find(&label, hash).is_none() {
            let labels = &self.labels;
            self.by_content.insert_unique(hash, number, |number| labels[*number as usize].hash());
        }
    }

    pub(crate) fn get(&self, id: LabelId) -> &Label {
        &self.labels[id.0 as usize]
    }

    pub(crate) fn all(&self) -> &[Label] {
        &self.labels
    }

    /// Takes over what the lanes met first, each under the number that its lane gave it.
    pub(crate) fn settle<'a>(&mut self, met: impl Iterator<Item = &'a mut LabelsMet>) {
        let met: Vec<Self> = met.map(|met| std::mem::take(&mut met.fresh)).collect();
        for round in 0..met.iter().map(|fresh| fresh.labels.len()).max().unwrap_or(0) {
            for fresh in &met {
                // A lane that met fewer leaves numbers unused: it does not matter what stands there.
                let filler = Label::of_account(Symbol::EMPTY);
                self.add(fresh.labels.get(round).copied().unwrap_or(filler));
            }
        }
    }
}

/// A few dozen labels make up most traffic.
const RECENT: usize = 128;

/// What a lane met that nobody had met before, and what it asked for last.
#[derive(Debug)]
pub(crate) struct LabelsMet {
    fresh: Labels,
    /// The last labels asked for, by their hash.
    recent: [Option<(Label, LabelId)>; RECENT],
}

impl Default for LabelsMet {
    fn default() -> Self {
        Self { fresh: Labels::default(), recent: [None; RECENT] }
    }
}

/// The labels as a lane sees them: those known before, and those it met itself.
#[derive(Debug)]
pub(crate) struct LaneLabels<'a> {
    pub(crate) known: &'a Labels,
    pub(crate) met: &'a mut LabelsMet,
    /// The lane's number, and how many lanes there are: between them they give every new number once.
    pub(crate) lane: u32,
    pub(crate) lanes: u32,
}

impl LaneLabels<'_> {
    /// The number of a label, a new one at first mention.
    #[inline]
    pub(crate) fn intern(&mut self, label: Label) -> LabelId {
        let hash = label.hash();
        let place = usize::from(hash.to_le_bytes()[7]) % RECENT;
        if let Some((_, id)) = self.met.recent[place].filter(|(recent, _)| *recent == label) {
            return id;
        }
        let id = self.intern_slowly(label, hash);
        self.met.recent[place] = Some((label, id));
        id
    }

    fn intern_slowly(&mut self, label: Label, hash: u64) -> LabelId {
        if let Some(number) = self.known.find(&label, hash) {
            return LabelId(number);
        }
        let met = self.met.fresh.find(&label, hash).unwrap_or_else(|| {
            self.met.fresh.add(label);
            u32::try_from(self.met.fresh.labels.len() - 1).unwrap_or(u32::MAX)
        });
        LabelId(self.first() + met * self.lanes + self.lane)
    }

    fn first(&self) -> u32 {
        u32::try_from(self.known.labels.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn get(&self, id: LabelId) -> &Label {
        match id.0.checked_sub(self.first()) {
            None => self.known.get(id),
            Some(own) => self.met.fresh.get(LabelId(own / self.lanes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_label_has_the_same_number() {
        let (known, mut met) = (Labels::default(), LabelsMet::default());
        let mut labels = LaneLabels { known: &known, met: &mut met, lane: 0, lanes: 1 };
        let plain = Label::of_account(Symbol(1));
        let tagged = Label { tag: Symbol(2), ..plain };
        assert_eq!(labels.intern(plain), LabelId(0));
        assert_eq!(labels.intern(tagged), LabelId(1));
        assert_eq!(labels.intern(plain), LabelId(0));
        assert_eq!(labels.get(LabelId(1)), &tagged);
    }

    /// Each number means what it meant to the lane that gave it, also where both lanes met one label.
    #[test]
    fn numbers_that_lanes_gave_side_by_side_hold_when_they_are_put_together() {
        let mut known = Labels::default();
        known.add(Label::of_account(Symbol(9)));
        let mut met = [LabelsMet::default(), LabelsMet::default()];
        let mut given = Vec::new();
        for round in 0..2 {
            for (lane, met) in (0..).zip(&mut met) {
                let mut labels = LaneLabels { known: &known, met, lane, lanes: 2 };
                for account in [9, 5, 6 + lane, 20 + lane + round][lane as usize..].iter().copied() {
                    let label = Label::of_account(Symbol(account));
                    given.push((labels.intern(label), label));
                    given.push((labels.intern(label), label));
                }
            }
            known.settle(met.iter_mut());
        }
        for (id, label) in given {
            assert_eq!(known.get(id), &label);
        }
    }
}
