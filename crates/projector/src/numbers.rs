//! Numbers of entries that lanes book side by side: each counts for itself until they are put together.
//!
//! Invariant: no number of a lane's own is left where one record after the other would have put the final one.

use model::{EntryBody, Sequence};

/// Behind all numbers that a ledger gets to: a lane's own numbers count on from here.
const OWN: u64 = 1 << 47;

/// The final numbers of what a lane booked, in its order.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Vec<Sequence>);

impl Numbers {
    /// The number before a lane's first own one.
    pub(crate) const START: Sequence = Sequence(OWN);

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Says which number the lane's next entry got.
    pub(crate) fn push(&mut self, given: Sequence) {
        self.0.push(given);
    }

    /// The final number of an entry; one that is final already stays.
    pub(crate) fn of(&self, number: Sequence) -> Sequence {
        let own = number.0.checked_sub(OWN + 1).and_then(|own| usize::try_from(own).ok());
        own.and_then(|own| self.0.get(own)).copied().unwrap_or(number)
    }

    /// Puts final numbers where an entry names others.
    pub(crate) fn mend(&self, body: &mut EntryBody) {
        let facts = match body {
            EntryBody::ConversationOpened(facts) | EntryBody::ConversationWithdrawn(facts) => facts,
            EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => {
                &mut charge.conversation
            }
            EntryBody::ChargeReversed(reversal) => {
                reversal.reverses = self.of(reversal.reverses);
                &mut reversal.charge.conversation
            }
            EntryBody::ConversationRevised(revised) => &mut revised.holds.conversation,
            EntryBody::ConversationClosed(closed) => &mut closed.conversation,
            EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. }
            | EntryBody::RecordQuarantined(_) => return,
        };
        facts.previous_about = self.of(facts.previous_about);
    }
}
