//! What the data directory remembers of the place it was made at, committed along with entries.
//!
//! Invariant: a directory is never used with another cluster, topic, number of partitions or name than it was made with.

use ledger::{
    LedgerReader,
    store::{Row, Store},
};
use model::{ContentHash, Offset, PartitionId, Sequence};

use super::{error::ServiceError, ports::Place};

const PLACE: &[u8] = b"run/place";
const RECORD: &[u8] = b"run/record/";
const PUBLISHED: &[u8] = b"run/published/";

fn of_partition(prefix: &[u8], partition: PartitionId) -> Vec<u8> {
    [prefix, &partition.0.to_be_bytes()].concat()
}

/// The row that names the last record used.
pub(crate) fn record_row(partition: PartitionId, offset: Offset, fingerprint: ContentHash) -> Row {
    (of_partition(RECORD, partition), [&offset.0.to_be_bytes()[..], &fingerprint.0].concat())
}

/// The last record used, and what the broker must give again in its place.
///
/// # Errors
/// The store's.
pub(crate) fn record<S: Store>(
    reader: &LedgerReader<S>,
    partition: PartitionId,
) -> Result<Option<(Offset, ContentHash)>, ServiceError> {
    let stored = reader.source(&of_partition(RECORD, partition))?;
    Ok(stored.and_then(|bytes| {
        let (offset, hash) = bytes.split_first_chunk::<8>()?;
        Some((Offset(u64::from_be_bytes(*offset)), ContentHash(hash.try_into().ok()?)))
    }))
}

/// The row that says how far the partition is known to be published.
pub(crate) fn published_row(partition: PartitionId, sequence: Sequence) -> Row {
    (of_partition(PUBLISHED, partition), sequence.0.to_be_bytes().to_vec())
}

/// How far the partition is known to be published; the topic may have more.
///
/// # Errors
/// The store's.
pub(crate) fn published<S: Store>(
    reader: &LedgerReader<S>,
    partition: PartitionId,
) -> Result<Sequence, ServiceError> {
    let stored = reader.source(&of_partition(PUBLISHED, partition))?;
    Ok(Sequence(stored.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)))
}

/// The row that names place and application.
pub(crate) fn place_row(place: &Place, app: &str) -> Row {
    let text = format!("{}\n{}\n{}\n{app}\n", place.cluster, place.input, place.partitions);
    (PLACE.to_vec(), text.into_bytes())
}

/// Compares place and application with what the directory was made with.
///
/// # Errors
/// They differ, or the store's.
pub(crate) fn check_place<S: Store>(
    reader: &LedgerReader<S>,
    place: &Place,
    app: &str,
) -> Result<(), ServiceError> {
    let Some(stored) = reader.source(PLACE)? else { return Ok(()) };
    let stored = String::from_utf8_lossy(&stored).into_owned();
    let partitions = place.partitions.to_string();
    let found = [&place.cluster, &place.input, &partitions, app];
    let known = [
        ("the cluster", "point `brokers` at that cluster, or give a new `data` directory"),
        ("the input topic", "name that topic, or give a new `data` directory"),
        (
            "an input topic with the number of partitions",
            "the number must not change, as it would tear threads apart: make a new topic with the number you want, \
             and copy the events into it",
        ),
        ("the application", "give back the old `app` name, or a new `data` directory"),
    ];
    for ((pinned, found), (what, advice)) in stored.lines().zip(found).zip(known) {
        if pinned != found {
            return Err(ServiceError::Pinned {
                what,
                pinned: pinned.to_owned(),
                found: found.to_owned(),
                advice,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ledger::{Ledger, store::MemoryStore};

    use super::*;

    #[test]
    fn a_directory_belongs_to_one_place() {
        let place = Place { cluster: "c1".to_owned(), input: "events".to_owned(), partitions: 8 };
        let store = MemoryStore::default();
        let mut ledger = Ledger::open(store, ContentHash([1; 32])).unwrap();
        check_place(ledger.reader(), &place, "tarifa").unwrap();
        commit(&mut ledger, place_row(&place, "tarifa"));
        check_place(ledger.reader(), &place, "tarifa").unwrap();
        let complaint =
            |place: Place, app: &str| check_place(ledger.reader(), &place, app).unwrap_err().to_string();
        let other = Place { cluster: "c2".to_owned(), ..place.clone() };
        assert!(
            complaint(other, "tarifa").contains("belongs to the cluster c1, but the service is run with c2")
        );
        let raised = Place { partitions: 9, ..place.clone() };
        assert!(complaint(raised, "tarifa").contains("number of partitions 8"));
        assert!(complaint(place, "billing").contains("the application tarifa"));
    }

    #[test]
    fn rows_read_back() {
        let mut ledger = Ledger::open(MemoryStore::default(), ContentHash([1; 32])).unwrap();
        assert_eq!(record(ledger.reader(), PartitionId(3)).unwrap(), None);
        commit(&mut ledger, record_row(PartitionId(3), Offset(77), ContentHash([9; 32])));
        assert_eq!(
            record(ledger.reader(), PartitionId(3)).unwrap(),
            Some((Offset(77), ContentHash([9; 32])))
        );
        commit(&mut ledger, published_row(PartitionId(3), Sequence(5)));
        assert_eq!(published(ledger.reader(), PartitionId(3)).unwrap(), Sequence(5));
        assert_eq!(published(ledger.reader(), PartitionId(4)).unwrap(), Sequence(0));
    }

    fn commit(ledger: &mut Ledger<MemoryStore>, row: Row) {
        ledger.put_sources(&[row]).unwrap();
    }
}
