//! What earlier entries said of a conversation: whether it was closed when it was withdrawn.
//!
//! Knows nothing of sums. Invariant: the answer is in the entries alone, so that a commit and a verification agree.

use std::collections::HashMap;

use model::{Entry, EntryBody, PartitionId, Sequence};
use wire::Words;

use super::{
    LedgerError, LedgerReader, keys,
    packed::{OpenBlock, Opener},
    read::{damaged, decode, not_opened, opener},
};
use crate::store::{Batch, Store};

/// Opened blocks kept for the next question: corrections name entries that lie near each other.
const BLOCKS_KEPT: usize = 128;

/// Looks entries up in a batch that is not yet written, and in the store.
#[derive(Debug)]
pub(super) struct History<'a, S> {
    reader: &'a LedgerReader<S>,
    batch: &'a Batch,
    partition: PartitionId,
    opener: Opener,
    /// By key; asked for one at a time, never gone through.
    opened: HashMap<Vec<u8>, OpenBlock>,
    words: Words,
}

impl<'a, S: Store> History<'a, S> {
    pub(super) fn new(
        reader: &'a LedgerReader<S>,
        batch: &'a Batch,
        partition: PartitionId,
    ) -> Result<Self, LedgerError> {
        let opener = opener(partition, Sequence(0))?;
        Ok(Self { reader, batch, partition, opener, opened: HashMap::new(), words: Words::new() })
    }

    /// Whether the conversation was closed after the entry `last_about` it, which says so itself, or leaves it as the
    /// entry before did.
    pub(super) fn was_closed(&mut self, last_about: Sequence) -> Result<bool, LedgerError> {
        let mut sequence = last_about;
        while sequence != Sequence(0) {
            let entry = self.entry(sequence)?;
            let before = match &entry.body {
                EntryBody::ConversationClosed(_) => return Ok(true),
                EntryBody::ConversationOpened(_) | EntryBody::ConversationWithdrawn(_) => return Ok(false),
                EntryBody::ConversationRevised(revised) if revised.open_again => return Ok(false),
                EntryBody::ConversationRevised(revised) => revised.holds.conversation.previous_about,
                EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => {
                    charge.conversation.previous_about
                }
                EntryBody::ChargeReversed(reversal) => reversal.charge.conversation.previous_about,
                EntryBody::ProviderVerdict(_)
                | EntryBody::ConsentChanged { .. }
                | EntryBody::Configured { .. }
                | EntryBody::RecordQuarantined(_) => {
                    return Err(damaged("a link to an entry about a conversation", self.partition, sequence));
                }
            };
            if before >= sequence {
                return Err(damaged("a link to an earlier entry", self.partition, sequence));
            }
            sequence = before;
        }
        Ok(false)
    }

    fn entry(&mut self, sequence: Sequence) -> Result<Entry, LedgerError> {
        let missing = || damaged("an entry that a later one names", self.partition, sequence);
        let key = self.block_key(sequence)?.ok_or_else(missing)?;
        if !self.opened.contains_key(&key) {
            let in_batch = self.batch.changes.iter().find(|(changed, _)| *changed == key);
            let value = match in_batch {
                Some((_, value)) => value.clone(),
                None => self.reader.store.get(&key)?,
            };
            let mut block = OpenBlock::default();
            self.opener
                .open(&value.ok_or_else(missing)?, &mut block)
                .map_err(not_opened(self.partition, sequence))?;
            if self.opened.len() >= BLOCKS_KEPT {
                self.opened.clear();
            }
            self.opened.insert(key.clone(), block);
        }
        let found = self.opened.get(&key).and_then(|block| block.find(sequence)).ok_or_else(missing)?;
        decode(self.partition, found, &mut self.words)
    }

    /// Key of the block that holds an entry.
    fn block_key(&self, sequence: Sequence) -> Result<Option<Vec<u8>>, LedgerError> {
        let prefix = keys::blocks(self.partition);
        let wanted = keys::block(self.partition, sequence);
        let in_batch = self.batch.changes.iter().map(|(key, _)| key);
        let in_batch = in_batch.filter(|key| key.starts_with(&prefix) && **key <= wanted).max();
        if let Some(key) = in_batch {
            return Ok(Some(key.clone()));
        }
        Ok(self.reader.store.at_or_before(&prefix, &wanted)?.map(|(key, _)| key))
    }
}
