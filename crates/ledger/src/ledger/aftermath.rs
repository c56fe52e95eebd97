//! What each entry leaves its conversation as, in two bits an entry, so that a verification need not look back.
//!
//! Knows nothing of sums. Invariant: what it knows is what [`super::history`] would find out; what it does not know it
//! says so.

use model::{Entry, EntryBody, Sequence};

use crate::num::index;

/// Entries of a page; one is a kilobyte.
const PAGE: u64 = 4_096;
const UNKNOWN: u64 = 0;
const OPEN: u64 = 1;
const CLOSED: u64 = 2;
/// Entries of a word.
const WORD: u64 = 32;

/// Whether conversations were open or closed after entries that were met.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    pages: Vec<Option<Box<[u64; (PAGE / WORD) as usize]>>>,
}

impl Aftermath {
    /// Notes an entry. Entries about one conversation have to come in their order, or what they say is not known.
    pub(super) fn note(&mut self, entry: &Entry) {
        let after = match &entry.body {
            EntryBody::ConversationClosed(_) => CLOSED,
            EntryBody::ConversationOpened(_) | EntryBody::ConversationWithdrawn(_) => OPEN,
            EntryBody::ConversationRevised(revised) if revised.open_again => OPEN,
            EntryBody::ConversationRevised(_)
            | EntryBody::ConversationCharged(_)
            | EntryBody::MessageCharged(_)
            | EntryBody::ChargeReversed(_) => {
                // These leave it as the entry before did.
                let before = entry.body.conversation().map_or(Sequence(0), |facts| facts.previous_about);
                if before < entry.sequence { self.bits(before) } else { UNKNOWN }
            }
            EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. }
            | EntryBody::RecordQuarantined(_) => UNKNOWN,
        };
        if after != UNKNOWN {
            let page = index(entry.sequence.0 / PAGE);
            if page >= self.pages.len() {
                self.pages.resize(page + 1, None);
            }
            let words = self.pages[page].get_or_insert_with(|| Box::new([0; (PAGE / WORD) as usize]));
            let (word, shift) = place(entry.sequence);
            words[word] |= after << shift;
        }
    }

    /// Whether the conversation was closed after an entry about it, if that is known.
    pub(super) fn was_closed(&self, last_about: Sequence) -> Option<bool> {
        match self.bits(last_about) {
            OPEN => Some(false),
            CLOSED => Some(true),
            _ => None,
        }
    }

    /// Adds what was noted of other entries.
    pub(super) fn absorb(&mut self, other: Self) {
        if other.pages.len() > self.pages.len() {
            self.pages.resize(other.pages.len(), None);
        }
        for (mine, theirs) in self.pages.iter_mut().zip(other.pages) {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => {
                    mine.iter_mut().zip(*theirs).for_each(|(mine, theirs)| *mine |= theirs);
                }
                (mine @ None, theirs) => *mine = theirs,
                (Some(_), None) => {}
            }
        }
    }

    fn bits(&self, sequence: Sequence) -> u64 {
        let page = self.pages.get(index(sequence.0 / PAGE)).and_then(Option::as_ref);
        let (word, shift) = place(sequence);
        page.map_or(UNKNOWN, |page| page[word] >> shift & 3)
    }
}

fn place(sequence: Sequence) -> (usize, u64) {
    let within = sequence.0 % PAGE;
    (index(within / WORD), within % WORD * 2)
}
