//! What many messages have in common (account, tag, form, template), kept once and numbered.
//!
//! Invariant: numbers are given in order of first mention in the log, so every replay numbers alike.

use hashbrown::HashTable;
use model::{Category, MessageKind, Symbol};

/// Number of a [`Label`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
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

/// A few dozen labels make up most traffic.
const RECENT: usize = 32;

/// All labels met.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    labels: Vec<Label>,
    by_content: HashTable<u32>,
    /// The last labels asked for, by their hash.
    recent: [Option<(Label, LabelId)>; RECENT],
}

impl Labels {
    /// The number of a label, a new one at first mention.
    #[inline]
    pub(crate) fn intern(&mut self, label: Label) -> LabelId {
        let hash = label.hash();
        let place = usize::from(hash.to_le_bytes()[7]) % RECENT;
        if let Some((_, id)) = self.recent[place].filter(|(recent, _)| *recent == label) {
            return id;
        }
        let id = self.intern_slowly(label, hash);
        self.recent[place] = Some((label, id));
        id
    }

    fn intern_slowly(&mut self, label: Label, hash: u64) -> LabelId {
        let labels = &self.labels;
        if let Some(found) = self.by_content.find(hash, |number| labels[*number as usize] == label) {
            return LabelId(*found);
        }
        let number = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
        self.labels.push(label);
        let labels = &self.labels;
        self.by_content.insert_unique(hash, number, |number| labels[*number as usize].hash());
        LabelId(number)
    }

    pub(crate) fn get(&self, id: LabelId) -> &Label {
        &self.labels[id.0 as usize]
    }

    pub(crate) fn all(&self) -> &[Label] {
        &self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_label_has_the_same_number() {
        let mut labels = Labels::default();
        let plain = Label::of_account(Symbol(1));
        let tagged = Label { tag: Symbol(2), ..plain };
        assert_eq!(labels.intern(plain), LabelId(0));
        assert_eq!(labels.intern(tagged), LabelId(1));
        assert_eq!(labels.intern(plain), LabelId(0));
        assert_eq!(labels.get(LabelId(1)), &tagged);
    }
}
