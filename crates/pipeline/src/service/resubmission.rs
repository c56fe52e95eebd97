//! A record of the input topic on its way back out of quarantine: found again, and made into what is sent.
//!
//! Knows nothing of who sends it, and decides nothing: the owner of the partition does, as with every record. Invariant:
//! what is sent lies on the partition of its thread.

use std::ops::ControlFlow;

use ledger::{Quarantine, QuarantinedOriginal};
use model::{Entry, EntryBody, Offset, PartitionId, UnixMillis};
use wire::{Control, decode_control};

use super::{
    error::ServiceError,
    intake::thread_key,
    partitioner::partition_of,
    ports::{Broker, LedgerRecord, Place},
};
use crate::{
    error::PipelineError,
    resubmit::{ResubmitError, ResubmitOptions, with_event},
};

/// Between two places in the ledger topic, so near that what lies between is read through.
const NEAR: u64 = 256;

/// What is to be sent into the input topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// Onto which partition.
    pub partition: PartitionId,
    /// Absent for control records.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Vec<u8>,
}

impl Again {
    /// Whether it goes as a resubmission, which waives lateness. One whose original lay on the partition of another thread
    /// goes as an event of its own: a partition knows only its own quarantine.
    #[must_use]
    pub fn is_resubmission(&self) -> bool {
        self.key.is_none()
    }
}

/// Finds a record that is in quarantine, and makes of it, or of what is given in its place, what is to be sent.
///
/// # Errors
/// It is not in quarantine, or cannot be read; or the broker's.
pub fn prepare(
    broker: &dyn Broker,
    place: &Place,
    (partition, offset): (PartitionId, Offset),
    options: &ResubmitOptions,
) -> Result<Again, ServiceError> {
    let entry = if partition.0 < place.partitions { quarantined(broker, partition, offset)? } else { None };
    let Some(entry) = entry else { return Err(of(ResubmitError::NotQuarantined(offset))) };
    let EntryBody::RecordQuarantined(refused) = &entry.body else {
        return Err(of(ResubmitError::NotQuarantined(offset)));
    };
    let mut bytes = None;
    broker.read_input(partition, offset, &mut |record| {
        bytes = Some(record)
            .filter(|record| record.offset == offset)
            .map(|record| record.value.unwrap_or_default());
        ControlFlow::Break(())
    })?;
    // One that came again before and was refused again: what it brought is meant.
    let bytes = bytes.map(|bytes| match decode_control(&bytes) {
        Some(Control::Resubmission { value, .. }) => value,
        Some(Control::Tick | Control::Configuration { .. } | Control::PeriodClosed | Control::UserErased)
        | None => bytes,
    });
    let kept = QuarantinedOriginal {
        partition,
        offset,
        record_time: entry.record_time,
        reason: refused.reason,
        detail: String::new(),
        source: place.input.clone(),
        line: 0,
        piece: 0,
        original: Quarantine::hash(bytes.as_deref().unwrap_or_default()),
        bytes,
    };
    with_event(&kept, options, |_, event| {
        let mut value = Vec::new();
        wire::event_to_protobuf(event, &mut value);
        let key = thread_key(event).into_bytes();
        let home = PartitionId(partition_of(&key, place.partitions));
        if home != partition {
            return Again { partition: home, key: Some(key), value };
        }
        let original = (partition.0, offset.0);
        let at: UnixMillis = options.imported_at;
        Again {
            partition,
            key: None,
            value: wire::resubmission_to_protobuf(at, &place.input, original, &value),
        }
    })
    .map_err(of)
}

fn of(error: ResubmitError) -> ServiceError {
    ServiceError::Pipeline(PipelineError::Resubmit(error))
}

/// The entry that says that a record was quarantined. Entries stand in the order of their records, so that it is looked for
/// by halves.
fn quarantined(
    broker: &dyn Broker,
    partition: PartitionId,
    offset: Offset,
) -> Result<Option<Entry>, ServiceError> {
    let Some(last) = broker.ledger_last(partition)? else { return Ok(None) };
    let (mut low, mut high) = (0, last.offset.0 + 1);
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        let mut is_before = false;
        walk(broker, partition, Offset(middle), &mut |entry| {
            is_before = entry.offset < offset;
            ControlFlow::Break(())
        })?;
        if is_before { low = middle } else { high = middle }
    }
    let mut found = None;
    walk(broker, partition, Offset(low), &mut |entry| {
        if entry.offset < offset {
            return ControlFlow::Continue(());
        }
        found = Some(entry)
            .filter(|entry| entry.offset == offset && matches!(entry.body, EntryBody::RecordQuarantined(_)));
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// Shows entries from a place in the ledger topic on, but for adoptions: the first of those stands before all others,
/// wherever its record lies.
fn walk(
    broker: &dyn Broker,
    partition: PartitionId,
    from: Offset,
    each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), ServiceError> {
    let mut words = wire::Words::new();
    let mut foreign = None;
    broker.read_ledger(partition, from, &mut |record: LedgerRecord| match wire::decode_entry(
        &record.value,
        &mut words,
    ) {
        Ok(entry) if matches!(entry.body, EntryBody::Configured { .. }) => ControlFlow::Continue(()),
        Ok(entry) => each(entry),
        Err(error) => {
            foreign = Some((record.offset, error.to_string()));
            ControlFlow::Break(())
        }
    })?;
    match foreign {
        None => Ok(()),
        Some((offset, what)) => Err(ServiceError::ForeignLedger { partition, offset, what }),
    }
}
