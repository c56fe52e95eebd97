//! Whether a partition's topics are those that this directory knows: the last record that was read, the first and the last
//! entry that were published.
//!
//! Knows nothing of what is done about it. Invariant: it reads a few records, and changes nothing.

use std::ops::ControlFlow;

use ledger::{LedgerReader, store::Store};
use model::{Entry, Offset, PartitionId, Sequence};

use super::{
    error::ServiceError,
    outgoing::{ChargesHead, PublishedHead},
    pins,
    ports::{Broker, LedgerRecord},
};

/// What is compared with what.
pub(crate) struct Belonging<'a, S> {
    pub(crate) reader: &'a LedgerReader<S>,
    pub(crate) broker: &'a dyn Broker,
}

impl<S: Store> Belonging<'_, S> {
    /// Where publishing stands by the ledger topic, which has to begin with entry 1 and to have come as far as this
    /// directory knows. With `lost_is_known`, a topic that has lost all or its end is taken as it is.
    ///
    /// # Errors
    /// The topic has lost entries, or holds what is none.
    pub(crate) fn published(
        &self,
        partition: PartitionId,
        lost_is_known: bool,
    ) -> Result<(PublishedHead, Option<Entry>), ServiceError> {
        let (published, entry) = match self.broker.ledger_last(partition)? {
            None => (PublishedHead::default(), None),
            Some(record) => {
                let entry = decode(partition, &record)?;
                if entry.partition != partition {
                    let what = format!("it is of partition {}", entry.partition.0);
                    return Err(ServiceError::ForeignLedger { partition, offset: record.offset, what });
                }
                let charges = match ChargesHead::told_by(&record) {
                    Some(charges) => charges,
                    None => self.counted_charges(partition)?,
                };
                let hash = wire::chain_hash(&entry.previous_hash, &record.value);
                (PublishedHead::behind(&entry, hash, charges), Some(entry))
            }
        };
        if entry.is_some() {
            self.check_beginning(partition)?;
        }
        let known = pins::published(self.reader, partition)?;
        if published.sequence < known && !lost_is_known {
            return Err(ServiceError::LedgerLost { partition, published: known, found: published.sequence });
        }
        if published.sequence < known {
            tracing::warn!(
                partition = partition.0,
                published = known.0,
                found = published.sequence.0,
                "the ledger topic has lost its end: published again from this directory"
            );
        }
        Ok((published, entry))
    }

    /// How many entries of a ledger topic are in the charges topic, where its last record does not say so: a copy or a
    /// backup may end within a transaction.
    fn counted_charges(&self, partition: PartitionId) -> Result<ChargesHead, ServiceError> {
        let (mut charges, mut failed) = (ChargesHead::default(), None);
        self.broker.read_ledger(partition, Offset(0), &mut |record| match decode(partition, &record) {
            Ok(entry) => {
                let hash = wire::chain_hash(&entry.previous_hash, &record.value);
                charges = charges.after(&entry, hash);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(charges), Err)
    }

    /// Entries are removed from the front of a topic, by its retention or by hand.
    fn check_beginning(&self, partition: PartitionId) -> Result<(), ServiceError> {
        let Some(record) = self.broker.ledger_first(partition)? else { return Ok(()) };
        match decode(partition, &record)?.sequence {
            Sequence(1) => Ok(()),
            first => Err(ServiceError::LedgerCut { partition, first }),
        }
    }

    /// The record before the next one must be the one that was read: a topic that was made anew must not be billed.
    ///
    /// # Errors
    /// It is another, or is not there.
    pub(crate) fn check_last_record(
        &self,
        partition: PartitionId,
        (begin, end): (Offset, Offset),
    ) -> Result<(), ServiceError> {
        let Some((offset, fingerprint)) = pins::record(self.reader, partition)? else { return Ok(()) };
        if offset < begin {
            tracing::warn!(
                partition = partition.0,
                offset = offset.0,
                begin = begin.0,
                "the last record read was removed: not compared"
            );
            return Ok(());
        }
        let mut same = false;
        if offset < end {
            self.broker.read_input(partition, offset, &mut |record| {
                same = record.offset == offset && record.fingerprint() == fingerprint;
                ControlFlow::Break(())
            })?;
        }
        if same { Ok(()) } else { Err(ServiceError::OtherInput { partition, offset }) }
    }

    /// A machine that has nothing of the partition needs the records that the published entries came from.
    ///
    /// # Errors
    /// The input has lost some of them, or never had them.
    pub(crate) fn check_input_of(
        &self,
        partition: PartitionId,
        last: &Entry,
        is_empty: bool,
    ) -> Result<(), ServiceError> {
        let (begin, end) = self.broker.input_range(partition)?;
        if last.offset >= end {
            return Err(ServiceError::OtherInput { partition, offset: last.offset });
        }
        if !is_empty || begin == Offset(0) {
            return Ok(());
        }
        let Some(record) = self.broker.ledger_first(partition)? else { return Ok(()) };
        let needed = decode(partition, &record)?.offset;
        if needed < begin { Err(ServiceError::InputCut { partition, first: begin, needed }) } else { Ok(()) }
    }

    /// The same questions for a partition that runs: whatever is read or published next has to follow what was.
    ///
    /// # Errors
    /// As when it is opened.
    pub(crate) fn check_while_running(
        &self,
        partition: PartitionId,
        lost_is_known: bool,
    ) -> Result<(), ServiceError> {
        let next = self.reader.head(partition)?.next_offset;
        let (begin, end) = self.broker.input_range(partition)?;
        if next < begin {
            return Err(ServiceError::InputCut { partition, first: begin, needed: next });
        }
        self.check_last_record(partition, (begin, end))?;
        self.published(partition, lost_is_known).map(|_| ())
    }
}

fn decode(partition: PartitionId, record: &LedgerRecord) -> Result<Entry, ServiceError> {
    wire::decode_entry(&record.value, &mut wire::Words::new()).map_err(|error| ServiceError::ForeignLedger {
        partition,
        offset: record.offset,
        what: error.to_string(),
    })
}
