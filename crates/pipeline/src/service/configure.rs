//! How an input topic gets its configuration: the first instance that finds none in it writes one to every partition,
//! in one transaction, its content in the record.
//!
//! Invariant: two instances that start at once write it once, as making the producer shuts the other one out.

use std::{
    collections::BTreeMap,
    iter,
    ops::ControlFlow,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use ledger::{ConfigStore, LedgerReader, store::Store};
use model::{Configured, Entry, EntryBody, Offset, PartitionId, Sequence, UnixMillis};
use tariff::Configuration;
use wire::{Control, Words, decode_control};

use super::{
    error::ServiceError,
    folding::FirstConfiguration,
    ports::{Broker, LogRecord, OutRecord, Place, PortError, Publisher, Target},
};

/// How often another instance may get in before this one gives up writing.
const TRIES: usize = 5;

/// How long a configuration that was written may take to be seen in a partition.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// Records from which on a search for a configuration is worth a second connection.
const HALVED_FROM: u64 = 100_000;

/// Up to where partitions are known to have no configuration.
pub(crate) type Without = BTreeMap<PartitionId, Offset>;

/// What a look through a partition of the input gave.
enum Looked {
    Found(FirstConfiguration, Vec<u8>),
    /// There is none up to here.
    Without(Offset),
}

/// Sees to it that the input topic has a configuration, and that it is the one asked for if one is asked for. Gives what
/// was learned on the way, so that a backlog is not read through once more by each partition.
///
/// # Errors
/// Another configuration was adopted, or the broker's.
pub(crate) fn ensure<S: Store>(
    reader: &LedgerReader<S>,
    broker: &dyn Broker,
    place: &Place,
    given: &Arc<Configuration>,
    is_explicit: bool,
) -> Result<Without, ServiceError> {
    let (adopted, without) = match known(reader, broker, place)? {
        Some(adopted) => (adopted, Without::new()),
        // All partitions got theirs at once, so the first one tells.
        None => {
            // A backlog takes a while to look through, and a publisher to be made.
            let (looked, publisher) = thread::scope(|scope| {
                let publisher = scope.spawn(|| broker.publisher(None));
                (in_input(broker, PartitionId(0), Offset(0)), publisher.join())
            });
            match looked? {
                Looked::Found(first, _) => (first.configured, Without::new()),
                Looked::Without(end) => {
                    let publisher =
                        publisher.map_err(|_| ServiceError::ThreadEnded("making of a publisher"))?;
                    write(broker, place, given, (publisher?, end))?
                }
            }
        }
    };
    if is_explicit && adopted.content != given.content_hash() {
        return Err(ServiceError::OtherConfiguration {
            adopted: adopted.content,
            given: given.content_hash(),
        });
    }
    Ok(without)
}

/// The configuration of the topic, from where it is known without looking for it.
fn known<S: Store>(
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
    Ok(None)
}

/// Writes it to all partitions. The first one is known to have none up to `end`.
fn write(
    broker: &dyn Broker,
    place: &Place,
    given: &Arc<Configuration>,
    (made, mut end): (Box<dyn Publisher>, Offset),
) -> Result<(Configured, Without), ServiceError> {
    let content = given.to_bytes();
    let configured = Configured { content: given.content_hash(), effective_from: UnixMillis(0) };
    let value = wire::configuration_to_protobuf(
        UnixMillis(0),
        configured.content,
        configured.effective_from,
        &content,
    );
    let mut last = PortError::Unavailable("no transaction was tried".to_owned());
    let more = iter::repeat_with(|| broker.publisher(None));
    for publisher in iter::once(Ok(made)).chain(more).take(TRIES) {
        let mut publisher = publisher?;
        // Another instance may have written it before it was shut out.
        end = match in_input(broker, PartitionId(0), end)? {
            Looked::Found(first, _) => return Ok((first.configured, Without::new())),
            Looked::Without(end) => end,
        };
        // Nor can it come to any other partition from now on, except from here.
        let mut without = Without::new();
        for partition in (0..place.partitions).map(PartitionId) {
            without.insert(partition, broker.input_range(partition)?.1);
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
                return Ok((configured, without));
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// The first configuration of a partition, with its content if this is the place that has it: from this ledger, the
/// ledger topic or the input. The ledger topic is asked if it has anything of the partition, and the input is looked
/// through from `from` on: [`ensure`] has seen to it that there is one, but a transaction over many partitions is
/// committed before it can be seen in all of them.
///
/// # Errors
/// There is none in time, or the broker's.
pub(crate) fn first_of_partition<S: Store>(
    reader: &LedgerReader<S>,
    broker: &dyn Broker,
    partition: PartitionId,
    is_published: bool,
    mut from: Offset,
) -> Result<(FirstConfiguration, Vec<u8>), ServiceError> {
    if let Some(first) = reader.entry(partition, Sequence(1))?.as_ref().and_then(of_entry) {
        return Ok((first, Vec::new()));
    }
    if is_published && let Some(found) = in_ledger_topic(broker, partition)? {
        return Ok(found);
    }
    let began = Instant::now();
    loop {
        match in_input(broker, partition, from)? {
            Looked::Found(first, content) => return Ok((first, content)),
            Looked::Without(_) if began.elapsed() > SEEN_WITHIN => {
                let what = format!("partition {} of the input topic shows no configuration", partition.0);
                return Err(PortError::Unavailable(what).into());
            }
            Looked::Without(end) => from = end,
        }
        thread::sleep(LOOK_AGAIN_AFTER);
    }
}

fn in_ledger_topic(
    broker: &dyn Broker,
    partition: PartitionId,
) -> Result<Option<(FirstConfiguration, Vec<u8>)>, ServiceError> {
    let Some(record) = broker.ledger_first(partition)? else { return Ok(None) };
    let entry = wire::decode_entry(&record.value, &mut Words::new()).ok();
    let Some(first) = entry.as_ref().and_then(of_entry) else { return Ok(None) };
    let mut content = Vec::new();
    broker.look_through_input(partition, first.offset, &mut |record| {
        if let Some((_, bytes)) = of_record(record).filter(|(found, _)| found.offset == first.offset) {
            content = bytes;
        }
        ControlFlow::Break(())
    })?;
    Ok(Some((first, content)))
}

/// Reads through the input from an offset up to the first configuration. Almost always that is the first record; before a
/// backlog that has none, two connections read a half each.
fn in_input(broker: &dyn Broker, partition: PartitionId, from: Offset) -> Result<Looked, ServiceError> {
    let (begin, end) = broker.input_range(partition)?;
    let from = from.max(begin);
    if from >= end {
        return Ok(Looked::Without(from));
    }
    if end.0 - from.0 < HALVED_FROM {
        return Ok(in_range(broker, partition, from, None)?);
    }
    let middle = Offset(from.0 + (end.0 - from.0) / 2);
    let (first, second) = thread::scope(|scope| {
        let second = scope.spawn(|| in_range(broker, partition, middle, None));
        let first = in_range(broker, partition, from, Some(middle));
        (first, second.join())
    });
    match first? {
        found @ Looked::Found(..) => Ok(found),
        Looked::Without(_) => Ok(second.map_err(|_| ServiceError::ThreadEnded("search"))??),
    }
}

/// Reads through the input from an offset to another, or to its end.
fn in_range(
    broker: &dyn Broker,
    partition: PartitionId,
    from: Offset,
    end: Option<Offset>,
) -> Result<Looked, PortError> {
    let (mut found, mut next) = (None, from);
    broker.look_through_input(partition, from, &mut |record| {
        if end.is_some_and(|end| record.offset >= end) {
            return ControlFlow::Break(());
        }
        next = Offset(record.offset.0 + 1);
        found = of_record(record);
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found.map_or(Looked::Without(next), |(first, content)| Looked::Found(first, content)))
}

fn of_entry(entry: &Entry) -> Option<FirstConfiguration> {
    let EntryBody::Configured { content, effective_from } = entry.body else { return None };
    Some(FirstConfiguration {
        offset: entry.offset,
        record_time: entry.record_time,
        configured: Configured { content, effective_from },
    })
}

fn of_record(record: &LogRecord<'_>) -> Option<(FirstConfiguration, Vec<u8>)> {
    // An event's value begins with its id, a control record's with its time; the cheap half of the question first.
    let value = record.value.filter(|_| record.key.is_none())?;
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
