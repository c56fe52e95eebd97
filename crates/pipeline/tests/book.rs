//! A book that was collected from entries says the same as the directory in which they were booked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use common::{Place, project, traffic};
use ledger::RawEntry;
use model::{Offset, PartitionId, Sequence};
use pipeline::{
    EMBEDDED_PARTITION, Installation, PipelineError,
    book::{Book, BookError, BookPartition, Collector, Origin, is_book},
};

/// Entries of two weeks of traffic with late messages and failures, so that much was taken back.
fn booked() -> (Place, Vec<RawEntry>) {
    let place = Place::new();
    let mut opened = place.open();
    project(&mut opened, &[place.file("all.jsonl", traffic(1_500).concat())]);
    let raw = opened.ledger().raw_entries(EMBEDDED_PARTITION, Sequence(1)).unwrap();
    let entries = raw.map(Result::unwrap).collect();
    drop(opened);
    (place, entries)
}

fn origin() -> Origin {
    Origin { cluster: "c1".to_owned(), topic: "billing.ledger.v1".to_owned(), partitions: 2 }
}

/// As a topic gives them: with an offset for the marker of a transaction after every seven.
fn offset_of(sequence: Sequence) -> Offset {
    Offset(sequence.0 - 1 + (sequence.0 - 1) / 7)
}

fn add(collector: &mut Collector, entries: &[RawEntry]) -> Result<(), BookError> {
    entries.iter().try_for_each(|raw| collector.add(EMBEDDED_PARTITION, offset_of(raw.sequence), &raw.bytes))
}

/// Gives the book the configuration that its entries adopt.
fn configure(collector: &mut Collector, place: &Place) {
    for wanted in collector.take_wanted() {
        let file = place.dir().config().join(format!("{}.toml", wanted.content));
        assert!(!collector.keep(&wanted, b"currency = 'XXX'").unwrap(), "another content has another hash");
        assert!(collector.keep(&wanted, &std::fs::read(file).unwrap()).unwrap());
    }
}

fn collected(entries: &[RawEntry], place: &Place, runs: usize) -> Book {
    let path = place.folder.path().join(format!("book-{runs}"));
    for part in entries.chunks(entries.len().div_ceil(runs)) {
        let mut collector = Collector::open(&path, &origin()).unwrap();
        let (_, next) = collector.next_offsets()[0];
        assert!(next <= offset_of(part[0].sequence), "it goes on where it ended");
        add(&mut collector, part).unwrap();
        configure(&mut collector, place);
        if part.last().unwrap().sequence == entries.last().unwrap().sequence {
            collector.complete().unwrap();
        } else {
            collector.commit().unwrap();
        }
    }
    assert!(is_book(&path));
    Book::open(&path).unwrap()
}

#[test]
fn a_book_is_not_opened_as_the_directory_of_a_log() {
    let (place, entries) = booked();
    drop(collected(&entries, &place, 1));
    let path = place.folder.path().join("book-1");
    let refused = Installation::open(&path, true, &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("is a book, collected from the ledger topic"), "{refused}");
    assert!(!path.join("secret").exists(), "a book has none, and is given none");
}

#[test]
fn a_book_says_the_same_as_the_directory_in_however_many_runs_it_was_collected() {
    let (place, entries) = booked();
    let mut opened = place.open();
    let mut expected = Vec::new();
    opened
        .net_conversations(&mut |net| {
            expected.push(net);
            Ok::<_, PipelineError>(())
        })
        .unwrap();
    expected.sort_by_key(|net| (net.opened_at, net.conversation));
    assert!(expected.len() > 100 && expected.iter().all(|net| net.closed));
    let digests = opened.digests().unwrap();
    let sums = opened.ledger().accounts_and_periods().unwrap();
    let lines: Vec<_> = sums.iter().map(|(place, _)| opened.ledger().rollup_lines(place).unwrap()).collect();
    let configuration = opened.configuration().unwrap().clone();
    drop(opened);

    for runs in [1, 5] {
        let book = collected(&entries, &place, runs);
        let mut net = Vec::new();
        book.net_conversations(&mut |one| {
            net.push(one);
            Ok::<_, BookError>(())
        })
        .unwrap();
        assert_eq!(net, expected);
        assert_eq!(book.digests().unwrap(), digests);
        assert_eq!(book.ledger().accounts_and_periods().unwrap(), sums);
        let book_lines: Vec<_> =
            sums.iter().map(|(place, _)| book.ledger().rollup_lines(place).unwrap()).collect();
        assert_eq!(book_lines, lines);
        assert_eq!(book.configuration().unwrap().content_hash(), configuration.content_hash());
        let last = entries.last().unwrap();
        let head = BookPartition {
            partition: EMBEDDED_PARTITION,
            head: (last.sequence, last.hash),
            sums_agree: true,
        };
        let verified = book.verify().unwrap();
        assert_eq!(verified[0], head);
        assert_eq!(verified[1].head.0, Sequence(0), "the other partition is there, and empty");
    }
}

#[test]
fn what_is_missing_doubled_or_altered_is_named() {
    let (place, entries) = booked();
    let fresh = |name: &str| Collector::open(&place.folder.path().join(name), &origin()).unwrap();

    let mut gap = fresh("gap");
    add(&mut gap, &entries[..10]).unwrap();
    let missing = add(&mut gap, &entries[11..12]).unwrap_err();
    assert!(matches!(missing, BookError::Missing { expected: 11, found: 12, .. }), "{missing}");

    let mut repeated = fresh("repeated");
    add(&mut repeated, &entries[..10]).unwrap();
    add(&mut repeated, &entries[..10]).unwrap();
    add(&mut repeated, &entries[10..12]).unwrap();
    assert_eq!((repeated.collected().entries, repeated.collected().repeated), (12, 10));

    let mut altered = fresh("altered");
    add(&mut altered, &entries[..10]).unwrap();
    let mut other = entries[10].bytes.clone();
    let end = other.len();
    other[end - 1] ^= 1;
    let broken = altered.add(EMBEDDED_PARTITION, Offset(20), &other).unwrap_err();
    assert!(matches!(broken, BookError::Broken { sequence: 11, .. }), "{broken}");

    let mut elsewhere = fresh("elsewhere");
    let strange = elsewhere.add(PartitionId(1), Offset(0), &entries[0].bytes).unwrap_err();
    assert!(matches!(strange, BookError::Missing { partition: 1, of: 0, .. }), "{strange}");

    let garbage = fresh("garbage").add(EMBEDDED_PARTITION, Offset(0), b"hello").unwrap_err();
    assert!(matches!(garbage, BookError::Unreadable { offset: 0, .. }), "{garbage}");
}

#[test]
fn an_entry_altered_in_the_middle_is_found_by_the_next_one() {
    let (place, entries) = booked();
    let mut collector = Collector::open(&place.folder.path().join("book"), &origin()).unwrap();
    // The event time of a conversation's opening, one millisecond later, in bytes that are still an entry.
    let changed = (1..entries.len()).find_map(|at| {
        let mut entry = wire::decode_entry(&entries[at].bytes, &mut wire::Words::new()).unwrap();
        entry.event_time.0 += 1;
        let mut bytes = Vec::new();
        wire::encode_entry(&entry, &mut bytes);
        (bytes != entries[at].bytes).then_some((at, bytes))
    });
    let (at, bytes) = changed.unwrap();
    add(&mut collector, &entries[..at]).unwrap();
    collector.add(EMBEDDED_PARTITION, offset_of(entries[at].sequence), &bytes).unwrap();
    let broken = add(&mut collector, &entries[at + 1..at + 2]).unwrap_err();
    assert!(matches!(broken, BookError::Broken { .. }), "{broken}");
}

#[test]
fn a_book_is_read_only_when_complete_and_added_to_only_from_its_own_topic() {
    let (place, entries) = booked();
    let path = place.folder.path().join("book");
    let mut collector = Collector::open(&path, &origin()).unwrap();
    add(&mut collector, &entries[..10]).unwrap();
    collector.commit().unwrap();
    drop(collector);
    assert!(matches!(Book::open(&path).unwrap_err(), BookError::Incomplete));
    let other = Origin { cluster: "c2".to_owned(), ..origin() };
    assert!(matches!(Collector::open(&path, &other).unwrap_err(), BookError::OtherOrigin { .. }));
    assert!(matches!(Collector::open(&place.data(), &origin()).unwrap_err(), BookError::NoBook { .. }));
}
