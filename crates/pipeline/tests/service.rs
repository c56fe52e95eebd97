//! The service against a cluster in memory: every crash row of the design by a stop placed exactly there, and every
//! place that does not belong together refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod cluster;

use std::{cell::Cell, fs, path::PathBuf, time::Duration};

use cluster::{Cluster, End, Late, Run, configuration};
use model::{EntryKind, Offset, PartitionId, UnixMillis};
use pipeline::{
    ResubmitOptions,
    service::{
        MetricsSnapshot, Phase, header,
        ports::{Broker as _, Change},
        resubmission,
    },
};

/// A folder with room for directories.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn data(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// What an undisturbed run publishes of twenty exchanges.
fn undisturbed() -> Vec<Vec<u8>> {
    undisturbed_after(20)
}

/// The same, where the configuration stands behind the first exchanges.
fn undisturbed_after(first: i64) -> Vec<Vec<u8>> {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, first);
    Run::new(&cluster, folder.data("data")).to_the_end();
    if first < 20 {
        cluster.talk(first, 20);
        Run::new(&cluster, folder.data("data")).to_the_end();
    }
    let ledger = cluster.ledger();
    assert!(ledger.len() > 40, "there is something to compare");
    ledger
}

/// Why the one partition stopped.
fn reason(now: &MetricsSnapshot) -> Option<String> {
    match &now.partitions.get(&0)?.phase {
        Phase::Stopped(reason) => Some(reason.clone()),
        Phase::Opening | Phase::Replaying | Phase::Running => None,
    }
}

fn refused(cluster: &Cluster, folder: &Folder) -> String {
    let before = cluster.ledger();
    let last = Run::new(cluster, folder.data("data")).until(|now| reason(now).is_some());
    assert_eq!(cluster.ledger(), before, "nothing is published");
    reason(&last).unwrap()
}

#[test]
fn entries_do_not_depend_on_how_records_are_cut_into_batches() {
    let expected = undisturbed();
    for records_max in [1, 7] {
        let (cluster, folder) = (Cluster::new(), Folder::new());
        cluster.talk(0, 20);
        Run { records_max, ..Run::new(&cluster, folder.data("data")) }.to_the_end();
        assert_eq!(cluster.ledger(), expected);
    }
}

#[test]
fn the_configuration_behind_events_holds_for_them_as_well() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 20);
    Run::new(&cluster, folder.data("data")).to_the_end();
    let configured = wire::decode_entry(&cluster.ledger()[0], &mut wire::Words::new()).unwrap();
    assert!(matches!(configured.body, model::EntryBody::Configured { .. }), "it is the first entry");
    assert_eq!(configured.offset, Offset(40), "and names the record behind forty events");
}

#[test]
fn a_transaction_whose_answer_was_lost_is_not_published_again() {
    let expected = undisturbed_after(10);
    for fault in [(2, End::LostAnswer), (2, End::Lost), (3, End::LostAnswer)] {
        let (cluster, folder) = (Cluster::new(), Folder::new());
        cluster.topic().faults = vec![fault];
        cluster.talk(0, 10);
        let run = Run::new(&cluster, folder.data("data"));
        run.until(|now| {
            now.transactions_lost > 0 || now.partitions.get(&0).is_some_and(|one| one.published.0 > 20)
        });
        cluster.talk(10, 20);
        run.to_the_end();
        assert_eq!(cluster.ledger(), expected, "{fault:?}");
    }
}

#[test]
fn a_lost_answer_is_made_good_without_a_restart() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.topic().faults = vec![(2, End::LostAnswer), (4, End::Lost)];
    cluster.talk(0, 20);
    let last = Run::new(&cluster, folder.data("data")).to_the_end();
    assert!(last.transactions_lost > 0);
    assert_eq!(cluster.ledger(), undisturbed());
}

/// A partition is given away while it is opened, comes back, and is opened again: the older opening ends last.
#[test]
fn an_opening_that_ends_after_a_newer_one_changes_nothing() {
    let expected = undisturbed_after(10);
    for late in [Late::Answer, Late::Producer] {
        let (cluster, folder) = (Cluster::new(), Folder::new());
        cluster.topic().late = Some(late);
        cluster.talk(0, 10);
        let partition = PartitionId(0);
        let changes =
            vec![Change::Assigned(partition), Change::Revoked(partition), Change::Assigned(partition)];
        let run = Run { changes, ..Run::new(&cluster, folder.data("data")) };
        let all_is_said = Cell::new(false);
        run.until(|now| {
            let published = now.partitions.get(&0).map_or(0, |one| one.published.0);
            let came = cluster.topic().late_came;
            // By then the service has heard of it, and has adopted its configuration.
            let heard = came.is_some_and(|at| at.elapsed() > Duration::from_millis(300)) && published > 0;
            if heard && !all_is_said.replace(true) {
                cluster.talk(10, 20);
            }
            published >= expected.len() as u64
        });
        assert!(all_is_said.get());
        assert_eq!(cluster.ledger(), expected, "{late:?}");
    }
}

#[test]
fn stopped_anywhere_it_carries_on() {
    let expected = undisturbed_after(2);
    let (cluster, folder) = (Cluster::new(), Folder::new());
    for round in 0..10 {
        cluster.talk(round * 2, round * 2 + 2);
        let run = Run { checkpoint_records: 5, ..Run::new(&cluster, folder.data("data")) };
        let wanted = u64::try_from(round * 4).unwrap();
        run.until(|now| now.partitions.get(&0).is_some_and(|one| one.next_offset.0 > wanted));
    }
    Run::new(&cluster, folder.data("data")).to_the_end();
    assert_eq!(cluster.ledger(), expected);
}

#[test]
fn a_lost_directory_is_rebuilt_and_publishes_nothing_twice() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 10);
    Run::new(&cluster, folder.data("data")).to_the_end();
    cluster.talk(10, 20);
    Run::new(&cluster, folder.data("other")).to_the_end();
    assert_eq!(cluster.ledger().len(), undisturbed().len());
    assert_eq!(numbers(&cluster), (1..=cluster.ledger().len() as u64).collect::<Vec<_>>());
}

#[test]
fn an_empty_machine_takes_over_from_a_snapshot_even_if_the_input_before_it_is_gone() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    let shared = folder.data("shared");
    cluster.talk(0, 10);
    let first =
        Run { snapshots: Some(&shared), checkpoint_records: 5, ..Run::new(&cluster, folder.data("data")) };
    first.to_the_end();
    let until = newest_snapshot(&shared);
    cluster.topic().begin = until;
    cluster.talk(10, 20);
    let data = folder.data("other");
    Run { snapshots: Some(&shared), ..Run::new(&cluster, &*data) }.to_the_end();
    assert_eq!(numbers(&cluster), (1..=cluster.ledger().len() as u64).collect::<Vec<_>>());
    assert_eq!(cluster.ledger().len(), undisturbed().len());
    let books = pipeline::service::ServiceBooks::read(&data).unwrap();
    assert!(books.holds(), "{books:?}");
}

#[test]
fn a_damaged_snapshot_is_passed_over() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    let shared = folder.data("shared");
    cluster.talk(0, 10);
    Run { snapshots: Some(&shared), checkpoint_records: 5, ..Run::new(&cluster, folder.data("data")) }
        .to_the_end();
    for file in files_below(&shared) {
        if file.extension().is_some_and(|extension| extension == "state") {
            fs::write(&file, "not a state").unwrap();
        }
    }
    cluster.talk(10, 20);
    Run { snapshots: Some(&shared), ..Run::new(&cluster, folder.data("other")) }.to_the_end();
    assert_eq!(cluster.ledger().len(), undisturbed().len());
}

#[test]
fn a_ledger_topic_that_lost_its_end_is_not_written_to() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 10);
    Run::new(&cluster, folder.data("data")).to_the_end();
    // What is known to be published is written down with the next commit.
    cluster.talk(10, 12);
    Run::new(&cluster, folder.data("data")).to_the_end();
    cluster.topic().ledger.truncate(5);
    let reason = refused(&cluster, &folder);
    assert!(reason.contains("it has lost its end"), "{reason}");
    cluster.topic().ledger.clear();
    assert!(refused(&cluster, &folder).contains("it has lost its end"));
}

#[test]
fn a_lost_ledger_topic_is_written_again_with_the_same_numbers_if_that_is_asked_for() {
    for left in [0, 5] {
        let (cluster, folder) = (Cluster::new(), Folder::new());
        cluster.talk(0, 10);
        Run::new(&cluster, folder.data("data")).to_the_end();
        cluster.talk(10, 12);
        Run::new(&cluster, folder.data("data")).to_the_end();
        let before = cluster.ledger();
        cluster.topic().ledger.truncate(left);
        refused(&cluster, &folder);
        Run { republish_ledger: true, ..Run::new(&cluster, folder.data("data")) }.to_the_end();
        assert_eq!(cluster.ledger(), before);
        assert_eq!(numbers(&cluster), (1..=before.len() as u64).collect::<Vec<_>>());
        // What the charges topic still has comes again under the numbers that it had.
        let (all, still) = (charges_of(&before).len(), charges_of(&before[..left]).len());
        let expected: Vec<String> =
            (1..=all).chain(still + 1..=all).map(|number| number.to_string()).collect();
        assert_eq!(cluster.topic().charges, expected);
    }
}

#[test]
fn the_last_entry_of_a_transaction_says_how_many_charges_there_are() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    for day in 0..3 {
        cluster.talk(day * 10, day * 10 + 10);
        Run::new(&cluster, folder.data("data")).to_the_end();
    }
    let values = cluster.ledger();
    let topic = cluster.topic();
    for (index, record) in topic.ledger.iter().enumerate() {
        let told = record.headers.iter().find(|(name, _)| name == "tarifa_charges");
        let told = told.map(|(_, value)| String::from_utf8(value.clone()).unwrap());
        let is_last = topic.transactions.contains(&(index + 1));
        let charges = charges_of(&values[..=index]).len();
        assert_eq!(told, is_last.then(|| charges.to_string()), "entry {}", index + 1);
    }
    assert_eq!(topic.charges.len(), charges_of(&values).len());
    assert!(topic.transactions.len() > 2 && topic.transactions.len() < values.len());
}

#[test]
fn another_entry_at_the_end_of_the_ledger_topic_is_not_built_upon() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 10);
    Run::new(&cluster, folder.data("data")).to_the_end();
    let other = Cluster::new();
    other.talk(5, 20);
    Run::new(&other, folder.data("other")).to_the_end();
    let length = cluster.ledger().len();
    cluster.topic().ledger = other.topic().ledger.drain(..length).collect();
    let reason = refused(&cluster, &folder);
    assert!(reason.contains("the ledger topic has entry"), "{reason}");
}

#[test]
fn an_input_topic_that_was_made_anew_is_not_billed() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 10);
    Run::new(&cluster, folder.data("data")).to_the_end();
    let other = Cluster::new();
    other.talk(100, 130);
    cluster.topic().input = std::mem::take(&mut other.topic().input);
    let reason = refused(&cluster, &folder);
    assert!(reason.contains("is not the one that was read before"), "{reason}");
}

#[test]
fn records_that_were_removed_before_they_were_read_are_missed() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 10);
    Run::new(&cluster, folder.data("data")).to_the_end();
    cluster.talk(10, 20);
    cluster.topic().begin = 30;
    let reason = refused(&cluster, &folder);
    assert!(reason.contains("begins at record 30, but record 21 is needed next"), "{reason}");
}

#[test]
fn a_ledger_topic_that_lost_its_beginning_is_not_written_to() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 10);
    Run::new(&cluster, folder.data("data")).to_the_end();
    cluster.topic().ledger.drain(..3);
    let reason = refused(&cluster, &folder);
    assert!(reason.contains("the ledger topic begins with entry 4"), "{reason}");
}

#[test]
fn an_empty_machine_does_not_wait_for_records_that_the_input_never_had() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 10);
    Run::new(&cluster, folder.data("data")).to_the_end();
    cluster.topic().input.truncate(8);
    cluster.topic().end = 8;
    let last = Run::new(&cluster, folder.data("other")).until(|now| reason(now).is_some());
    let reason = reason(&last).unwrap();
    assert!(reason.contains("is not the one that was read before"), "{reason}");
}

#[test]
fn an_empty_machine_does_not_wait_for_entries_that_another_input_never_books() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 10);
    Run::new(&cluster, folder.data("data")).to_the_end();
    let before = cluster.ledger();
    // Longer than the input that was, but one exchange repeated.
    let other = Cluster::new();
    (0..20).for_each(|_| other.talk(0, 1));
    cluster.topic().input = std::mem::take(&mut other.topic().input);
    cluster.topic().end = 40;
    let last = Run::new(&cluster, folder.data("other")).until(|now| reason(now).is_some());
    let reason = reason(&last).unwrap();
    assert!(reason.contains("is not the one that was read before"), "{reason}");
    assert_eq!(cluster.ledger(), before, "nothing is published");
}

#[test]
fn an_empty_machine_without_a_snapshot_needs_the_input_from_its_beginning() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    for exchange in 0..10 {
        cluster.talk(exchange, exchange + 1);
        Run::new(&cluster, folder.data("data")).to_the_end();
    }
    cluster.topic().begin = 5;
    let last = Run::new(&cluster, folder.data("other")).until(|now| reason(now).is_some());
    let reason = reason(&last).unwrap();
    assert!(reason.contains("begins at record 5, but record 2 is needed next"), "{reason}");
}

#[test]
fn a_record_comes_back_from_quarantine_once() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 20);
    // The reply of the first exchange is torn on its way.
    let whole = cluster.topic().input[1].value.clone().unwrap();
    cluster.topic().input[1].value = Some(whole[..9].to_vec());
    Run::new(&cluster, folder.data("data")).to_the_end();
    let place = cluster.place().unwrap();
    let prepare = |offset: u64, mended: Option<&[u8]>| {
        let mended = mended.map(|mended| ("mended".to_owned(), mended.to_vec()));
        let options = ResubmitOptions { mended, ..ResubmitOptions::default() };
        resubmission::prepare(&cluster, &place, (PartitionId(0), Offset(offset)), &options)
    };
    assert!(prepare(2, None).unwrap_err().to_string().contains("record 2 is not in quarantine"));
    assert!(prepare(1, None).unwrap_err().to_string().contains("cannot be resubmitted as it was"));
    let again = prepare(1, Some(&whole)).unwrap();
    assert!(again.is_resubmission());
    let newest = cluster.topic().input.iter().map(|record| record.record_time).max().unwrap();
    for _ in 0..2 {
        cluster.append(again.key.clone(), again.value.clone(), newest);
    }
    let before = cluster.ledger().len();
    Run::new(&cluster, folder.data("data")).to_the_end();
    let mut words = wire::Words::new();
    let kinds: Vec<EntryKind> = cluster.ledger()[before..]
        .iter()
        .map(|value| wire::decode_entry(value, &mut words).unwrap().body.kind())
        .collect();
    // It was closed without the reply that is there after all.
    assert_eq!(kinds, [EntryKind::ConversationCharged, EntryKind::ConversationRevised]);
}

#[test]
fn a_directory_of_another_cluster_is_refused_as_a_whole() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 1);
    Run::new(&cluster, folder.data("data")).to_the_end();
    cluster.topic().cluster = "elsewhere".to_owned();
    let error = Run::new(&cluster, folder.data("data")).try_until(|_| false).unwrap_err();
    assert!(error.to_string().starts_with("this data directory belongs to the cluster here"), "{error}");
}

#[test]
fn a_second_configuration_stops_the_partition() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 2);
    Run::new(&cluster, folder.data("data")).to_the_end();
    let other = configuration("EUR");
    let (hash, content) = (other.content_hash(), other.to_bytes());
    cluster.append(
        None,
        wire::configuration_to_protobuf(UnixMillis(0), hash, UnixMillis(0), &content),
        UnixMillis(0),
    );
    assert!(refused(&cluster, &folder).contains("cannot be projected"));
}

#[test]
fn what_cannot_be_billed_goes_to_the_dead_letters_as_it_came() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 1);
    cluster.append(Some(b"a key".to_vec()), b"{\"eventId\"".to_vec(), UnixMillis(0));
    let stray = cluster.topic().input[0].clone();
    cluster.append(Some(b"106:someone else".to_vec()), stray.value.clone().unwrap(), stray.record_time);
    Run::new(&cluster, folder.data("data")).to_the_end();
    let topic = cluster.topic();
    let letters: Vec<_> = topic
        .dead_letters
        .iter()
        .map(|letter| {
            let text = |name: &str| {
                let found = letter.headers.iter().find(|(known, _)| known == name);
                String::from_utf8(found.unwrap().1.clone().unwrap()).unwrap()
            };
            (letter.key.clone().unwrap(), text("trace"), text(header::REASON), text(header::POSITION))
        })
        .collect();
    let expected = [
        (b"a key".to_vec(), "7", "malformed", "events/0/2"),
        (b"106:someone else".to_vec(), "7", "misrouted", "events/0/3"),
    ];
    let expected =
        expected.map(|(key, trace, why, at)| (key, trace.to_owned(), why.to_owned(), at.to_owned()));
    assert_eq!(letters, expected);
    assert_eq!(topic.dead_letters[1].value, stray.value);
}

/// Those of the entries that are about money.
fn charges_of(entries: &[Vec<u8>]) -> Vec<&Vec<u8>> {
    let mut words = wire::Words::new();
    let mut is_charge = |value: &[u8]| wire::decode_entry(value, &mut words).unwrap().body.charge().is_some();
    entries.iter().filter(|value| is_charge(value)).collect()
}

/// The numbers of the entries in the ledger topic.
fn numbers(cluster: &Cluster) -> Vec<u64> {
    let mut words = wire::Words::new();
    cluster.ledger().iter().map(|value| wire::decode_entry(value, &mut words).unwrap().sequence.0).collect()
}

/// Behind the last record that the newest snapshot has used: the last number in its folder's name.
fn newest_snapshot(shared: &std::path::Path) -> u64 {
    let heads = files_below(shared).into_iter().filter(|file| file.ends_with("head"));
    let names = heads.filter_map(|file| Some(file.parent()?.file_name()?.to_str()?.to_owned()));
    names.filter_map(|name| name.split_once('-')?.1.parse().ok()).max().unwrap()
}

fn files_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn the_secret_of_another_installation_is_refused() {
    let (cluster, folder) = (Cluster::new(), Folder::new());
    cluster.talk(0, 1);
    Run::new(&cluster, folder.data("data")).to_the_end();
    fs::write(folder.data("secret"), [8; 32]).unwrap();
    let error = Run::new(&cluster, folder.data("data")).try_until(|_| false).unwrap_err();
    assert!(error.to_string().contains("put back the secret"), "{error}");
}
