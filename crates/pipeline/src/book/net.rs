//! What stands, told from the entries alone.
//!
//! Has no rules: it follows what each entry says. Invariant: for a closed conversation the same as the state says.

use std::collections::BTreeMap;

use ledger::{LedgerError, LedgerReader, store::Store};
use model::{Charge, Closed, ConversationFacts, ConversationId, Entry, EntryBody, PartitionId, Sequence};
use projector::{NetCharge, NetConversation};

/// The conversations of a partition that stand, by opening and id.
pub(super) fn of_partition<S: Store>(
    reader: &LedgerReader<S>,
    partition: PartitionId,
) -> Result<Vec<NetConversation>, LedgerError> {
    let mut standing = Standing::default();
    for entry in reader.entries(partition, Sequence(1))? {
        standing.add(&entry?);
    }
    let mut net: Vec<NetConversation> = standing.0.into_values().collect();
    net.sort_unstable_by_key(|conversation| (conversation.opened_at, conversation.conversation));
    Ok(net)
}

#[derive(Debug, Default)]
struct Standing(BTreeMap<ConversationId, NetConversation>);

impl Standing {
    fn add(&mut self, entry: &Entry) {
        let sequence = entry.sequence;
        match &entry.body {
            EntryBody::ConversationOpened(facts) => {
                self.0.insert(facts.conversation, opened(facts, sequence));
            }
            EntryBody::ConversationWithdrawn(facts) => {
                self.0.remove(&facts.conversation);
            }
            EntryBody::ConversationClosed(closed) => self.holds(closed, true, sequence),
            EntryBody::ConversationRevised(revised) => {
                let was_closed =
                    self.0.get(&revised.holds.conversation.conversation).is_some_and(|net| net.closed);
                self.holds(&revised.holds, was_closed && !revised.open_again, sequence);
            }
            EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => {
                self.charged(charge, sequence);
            }
            EntryBody::ChargeReversed(reversal) => {
                if let Some(net) = self.0.get_mut(&reversal.charge.conversation.conversation) {
                    net.charge = None;
                    net.last_entry = sequence;
                }
            }
            EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. }
            | EntryBody::RecordQuarantined(_) => {}
        }
    }

    fn holds(&mut self, holds: &Closed, closed: bool, sequence: Sequence) {
        let facts = &holds.conversation;
        let Some(net) = self.0.get_mut(&facts.conversation) else { return };
        net.expires_at = facts.expires_at;
        net.without_consent = facts.without_consent;
        net.user_messages = holds.user_messages;
        net.business_messages = holds.business_messages;
        net.closed = closed;
        net.last_entry = sequence;
    }

    fn charged(&mut self, charge: &Charge, sequence: Sequence) {
        let Some(net) = self.0.get_mut(&charge.conversation.conversation) else { return };
        net.last_entry = sequence;
        net.charge = Some(NetCharge {
            charge: charge.charge,
            at: charge.earned_by.at,
            booking: charge.booking,
            category: charge.earned_by.category,
            price: charge.price.clone(),
            entry: sequence,
        });
    }
}

fn opened(facts: &ConversationFacts, sequence: Sequence) -> NetConversation {
    NetConversation {
        conversation: facts.conversation,
        account: facts.subject.account.clone(),
        business_phone: facts.subject.business_phone.clone(),
        user: facts.subject.user,
        initiator: facts.initiator,
        opened_at: facts.opened_at,
        expires_at: facts.expires_at,
        closed: false,
        without_consent: facts.without_consent,
        market: facts.subject.market.clone(),
        period: facts.subject.period,
        user_messages: 0,
        business_messages: 0,
        charge: None,
        last_entry: sequence,
    }
}
