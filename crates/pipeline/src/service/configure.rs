//! How an input topic gets its configuration: the first instance that finds none in it writes one to every partition,
//! in one transaction, its content in the record.
//!
//! Invariant: two instances that start at once write it once, as making the producer shuts the other one out.

use std::{ops::ControlFlow, sync::Arc};

use ledger::{ConfigStore, LedgerReader, store::Store};
use model::{Configured, Entry, EntryBody, PartitionId, Sequence, UnixMillis};
use tariff::Configuration;
use wire::{Control, Words, decode_control};

use super::{
    error::ServiceError,
    folding::FirstConfiguration,
    ports::{Broker, OutRecord, OwnedRecord, Place, PortError, Target},
};

/// How often another instance may get in before this one gives up writing.
const TRIES: u32 = 5;

/// Sees to it that the input topic has a configuration, and that it is the one asked for if one is asked for.
///
/// # Errors
/// Another configuration was adopted, or the broker's.
pub(crate) fn ensure<S: Store>(
    reader: &LedgerReader<S>,
    broker: &dyn Broker,
    place: &Place,
    given: &Arc<Configuration>,
    is_explicit: bool,
) -> Result<(), ServiceError> {
    let adopted = match find(reader, broker, place)? {
        Some(adopted) => adopted,
        None => write(broker, place, given)?,
    };
    if is_explicit && adopted.content != given.content_hash() {
        return Err(ServiceError::OtherConfiguration {
            adopted: adopted.content,
            given: given.content_hash(),
        });
    }
    Ok(())
}

/// The configuration of the topic, from the cheapest place that knows it.
fn find<S: Store>(
    reader: &LedgerReader<S>,
    broker: &dyn Broker,
    place: &Place,
) -> Result<Option<Configured>, ServiceError> {
    for (partition, _) in reader.heads()? {
        if let Some(first) = reader.entry(partition, Sequence(1))?.as_ref().and_then(of_entry) {
            return Ok(Some(first.configured));
        }
    }
    for partition in (0..place.partitions).map(PartitionId) {
        if let Some((first, _)) = in_ledger_topic(broker, partition)? {
            return Ok(Some(first.configured));
        }
    }
    // All partitions got theirs at once, so the first one tells.
    Ok(in_input(broker, PartitionId(0))?.map(|(first, _)| first.configured))
}

fn write(broker: &dyn Broker, place: &Place, given: &Arc<Configuration>) -> Result<Configured, ServiceError> {
    let content = given.to_bytes();
    let configured = Configured { content: given.content_hash(), effective_from: UnixMillis(0) };
    let value = wire::configuration_to_protobuf(
        UnixMillis(0),
        configured.content,
        configured.effective_from,
        &content,
    );
    let mut last = PortError::Unavailable("no transaction was tried".to_owned());
    for _ in 0..TRIES {
        let mut publisher = broker.publisher(None)?;
        // Another instance may have written it before it was shut out.
        if let Some((first, _)) = in_input(broker, PartitionId(0))? {
            return Ok(first.configured);
        }
        let mut all = || -> Result<(), PortError> {
            publisher.begin()?;
            for partition in (0..place.partitions).map(PartitionId) {
                publisher.send(&OutRecord {
                    target: Target::Input(partition),
                    key: None,
                    value: Some(&value),
                    headers: &[(super::outgoing::header::CONTENT_TYPE, Some(b"application/protobuf"))],
                })?;
            }
            publisher.settle()?;
            publisher.commit()
        };
        match all() {
            Ok(()) => {
                tracing::info!(content = %configured.content, partitions = place.partitions, "configuration written to the input topic");
                return Ok(configured);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// The first configuration of a partition, with its content if this is the place that has it: from this ledger, the
/// ledger topic or the input.
///
/// # Errors
/// There is none, or the broker's.
pub(crate) fn first_of_partition<S: Store>(
    reader: &LedgerReader<S>,
    broker: &dyn Broker,
    configs: &ConfigStore,
    given: &Arc<Configuration>,
    partition: PartitionId,
) -> Result<Option<FirstConfiguration>, ServiceError> {
    let own = reader.entry(partition, Sequence(1))?.as_ref().and_then(of_entry);
    let found = match own {
        Some(first) => Some((first, Vec::new())),
        None => match in_ledger_topic(broker, partition)? {
            Some(found) => Some(found),
            None => in_input(broker, partition)?,
        },
    };
    let Some((first, content)) = found else { return Ok(None) };
    if content.is_empty() {
        // The record that brought the content may have been removed; what was asked for may be just that.
        if first.configured.content == given.content_hash() {
            configs.keep(&given.to_bytes())?;
        }
    } else {
        configs.keep(&content)?;
    }
    Ok(Some(first))
}

fn in_ledger_topic(
    broker: &dyn Broker,
    partition: PartitionId,
) -> Result<Option<(FirstConfiguration, Vec<u8>)>, ServiceError> {
    let Some(record) = broker.ledger_first(partition)? else { return Ok(None) };
    let entry = wire::decode_entry(&record.value, &mut Words::new()).ok();
    let Some(first) = entry.as_ref().and_then(of_entry) else { return Ok(None) };
    let mut content = Vec::new();
    broker.read_input(partition, first.offset, &mut |record| {
        if let Some((_, bytes)) = of_record(&record).filter(|(found, _)| found.offset == first.offset) {
            content = bytes;
        }
        ControlFlow::Break(())
    })?;
    Ok(Some((first, content)))
}

/// Reads through the input up to the first configuration. Almost always that is the first record.
fn in_input(
    broker: &dyn Broker,
    partition: PartitionId,
) -> Result<Option<(FirstConfiguration, Vec<u8>)>, ServiceError> {
    let (begin, end) = broker.input_range(partition)?;
    if begin == end {
        return Ok(None);
    }
    let mut found = None;
    broker.read_input(partition, begin, &mut |record| {
        found = of_record(&record);
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

fn of_entry(entry: &Entry) -> Option<FirstConfiguration> {
    let EntryBody::Configured { content, effective_from } = entry.body else { return None };
    Some(FirstConfiguration {
        offset: entry.offset,
        record_time: entry.record_time,
        configured: Configured { content, effective_from },
    })
}

fn of_record(record: &OwnedRecord) -> Option<(FirstConfiguration, Vec<u8>)> {
    // An event's value begins with its id, a control record's with its time; the cheap half of the question first.
    let value = record.value.as_deref().filter(|_| record.key.is_none())?;
    let Some(Control::Configuration { content_hash, effective_from, content }) = decode_control(value) else {
        return None;
    };
    if ConfigStore::hash(&content) != content_hash {
        return None;
    }
    let configured = Configured { content: content_hash, effective_from };
    let first = FirstConfiguration { offset: record.offset, record_time: record.record_time, configured };
    Some((first, content))
}
