//! What each entry leaves its conversation as, in two bits an entry, so that nobody need look back for it.
//!
//! Knows nothing of sums. Invariant: what it knows is what [`super::history`] would find out; what it does not know it
//! says so.

use model::{Entry, EntryBody, Sequence};

use crate::num::index;

/// Entries of a page; one is a kilobyte.
const PAGE: u64 = 4_096;
/// Newest pages that [`Aftermath::note_newest`] keeps: 33 million entries in 8 MiB.
const PAGES_KEPT: usize = 8_192;
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

    /// As [`Self::note`], for who goes on without an end: what the oldest entries left behind is forgotten.
    pub(super) fn note_newest(&mut self, entry: &Entry) {
        let before = self.pages.len();
        self.note(entry);
        let old = before.saturating_sub(PAGES_KEPT)..self.pages.len().saturating_sub(PAGES_KEPT);
        self.pages[old].fill(None);
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

#[cfg(test)]
mod tests {
    use model::{
        Category, ConversationFacts, ConversationId, EntryHash, Initiator, LeadingDigits, MessageEvidence,
        MessageRef, Offset, PartitionId, Period, Subject, UnixMillis, UserRef,
    };

    use super::*;

    #[test]
    fn who_goes_on_without_an_end_forgets_the_oldest() {
        let mut aftermath = Aftermath::default();
        let mut entry = opened();
        for page in 0..PAGES_KEPT as u64 + 2 {
            entry.sequence = Sequence(page * PAGE + 1);
            aftermath.note_newest(&entry);
        }
        let known = |page: u64| aftermath.was_closed(Sequence(page * PAGE + 1));
        assert_eq!([known(0), known(1)], [None, None], "forgotten");
        assert_eq!([known(2), known(PAGES_KEPT as u64 + 1)], [Some(false), Some(false)]);
        assert_eq!(aftermath.pages.iter().flatten().count(), PAGES_KEPT);
    }

    fn opened() -> Entry {
        let period = Period::from_number(202_202).unwrap();
        Entry {
            sequence: Sequence(1),
            event_time: UnixMillis(0),
            record_time: UnixMillis(0),
            partition: PartitionId(0),
            offset: Offset(0),
            previous_hash: EntryHash::ZERO,
            body: EntryBody::ConversationOpened(ConversationFacts {
                subject: Subject {
                    account: "a".into(),
                    business_phone: "b".into(),
                    user: UserRef([0; 16]),
                    leading_digits: LeadingDigits::of("5511"),
                    market: "Brazil".into(),
                    period,
                    booked_in: period,
                },
                conversation: ConversationId([0; 16]),
                initiator: Initiator::User,
                opened_at: UnixMillis(0),
                expires_at: UnixMillis(0),
                opened_by: MessageEvidence {
                    message: MessageRef([0; 16]),
                    at: UnixMillis(0),
                    offset: Offset(0),
                    template: "".into(),
                    category: Category::Unspecified,
                    tag: "".into(),
                },
                without_consent: false,
                previous_about: Sequence(0),
            }),
        }
    }
}
