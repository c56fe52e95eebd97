//! A stop between any two writes of a run over inputs with garbage in them: how far each input was read agrees with the
//! records of it that were logged, so that what cannot be read is refused once.
//!
//! What broke once: marks were committed with the ledger alone. After a kill between the sync of the log and that commit
//! the lines came again; events were known as duplicates, but malformed lines went into quarantine a second time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{Place, TEXT_OF_USER, assert_sound, files_below, head, line, options, traffic};
use ledger::{
    Head, LedgerReader,
    store::{FaultyStore, MemoryStore, Store},
};
use model::{DispositionCounts, EntryHash, Offset, Sequence};
use pipeline::{EMBEDDED_PARTITION, Installation, PipelineError, ProjectOptions, Stage};

#[test]
fn a_run_that_stops_at_any_write_of_the_ledger_ends_as_if_it_had_not() {
    let undisturbed = Outcome::undisturbed();
    let mut writes = 0;
    loop {
        let (place, files) = inputs();
        let memory = MemoryStore::new();
        let faulty = FaultyStore::new(memory.clone(), writes);
        let stopped = place.open_with(faulty).and_then(|mut opened| run(&mut opened, &files));
        carries_on_to(&undisturbed, &place, memory, &files, &format!("stopped at write {writes}"));
        if stopped.is_ok() {
            break;
        }
        writes += 1;
    }
    assert!(
        writes > 2 * FILES as u64,
        "each file was a commit of its own, but only {writes} writes were tried"
    );
}

#[test]
fn a_stop_has_no_more_folded_again_than_came_after_the_last_checkpoint_of_its_run() {
    let undisturbed = Outcome::undisturbed();
    let mut in_the_middle = 0;
    for writes in 0.. {
        let (place, files) = inputs();
        let memory = MemoryStore::new();
        let faulty = FaultyStore::new(memory.clone(), writes);
        let options = ProjectOptions { checkpoint_records: Some(1), ..one_file_a_commit() };
        let stopped = place
            .open_with(faulty)
            .and_then(|mut opened| opened.project(&files, &options, &mut |_| {}).map(|_| ()));
        let written = LedgerReader::new(memory.clone()).head(EMBEDDED_PARTITION).unwrap().checkpoint_offset;
        let mut folded = 0;
        let opened = Installation::with_store(place.dir(), memory.clone(), &mut |progress| {
            if progress.stage == Stage::Recovering {
                folded = progress.work_total.unwrap();
            }
        });
        let reached = head(&opened.unwrap()).next_offset;
        assert_eq!(folded, reached.0 - written.0, "stopped at write {writes}");
        in_the_middle += u32::from(0 < written.0 && written < reached);
        carries_on_to(&undisturbed, &place, memory, &files, &format!("stopped at write {writes}"));
        if stopped.is_ok() {
            break;
        }
    }
    assert!(in_the_middle > 0, "no stop fell between two checkpoints of one run");
}

/// A tick closes so many conversations that most of their entries are stored ahead of its commit.
#[test]
fn a_tick_of_many_closes_that_stops_at_any_write_ends_as_if_it_had_not() {
    const USERS: usize = 2_500;
    const SOME: usize = 900;
    let inputs = || {
        let place = Place::new();
        let users: Vec<_> = (5_511_900_000_000..).take(USERS).map(|user: u64| user.to_string()).collect();
        let (some, others) = users.split_at(SOME);
        let file = |name, users: &[String]| {
            let lines = users.iter().map(|user| line(user, "2022-03-01T10:00:00Z", user, TEXT_OF_USER));
            place.file(name, lines.collect::<String>())
        };
        let files = [file("some.jsonl", some), file("others.jsonl", others)];
        (place, files)
    };
    // Each file is a commit of its own, and so is the tick behind them.
    let run = |store, place: &Place, files: &[String], ahead_bytes| {
        let options = ProjectOptions { ahead_bytes: Some(ahead_bytes), ..one_file_a_commit() };
        place.open_with(store).and_then(|mut opened| opened.project(files, &options, &mut |_| {}).map(|_| ()))
    };
    let (place, files) = inputs();
    let memory = MemoryStore::new();
    run(FaultyStore::new(memory.clone(), u64::MAX), &place, &files, usize::MAX).unwrap();
    let undisturbed = Outcome::of(&place.open_with(memory).unwrap());
    let mut with_blocks_behind_the_head = 0;
    for writes in 0.. {
        let (place, files) = inputs();
        let (memory, case) = (MemoryStore::new(), format!("stopped at write {writes}"));
        let stopped = run(FaultyStore::new(memory.clone(), writes), &place, &files, 1);
        let reader = LedgerReader::new(memory.clone());
        let reached = reader.head(EMBEDDED_PARTITION).unwrap().sequence;
        let told = reader.entries(EMBEDDED_PARTITION, Sequence(1)).unwrap().map(Result::unwrap).count();
        assert_eq!(told as u64, reached.0, "{case}");
        assert!(told <= 1 + USERS || told == 1 + 2 * USERS, "{case}: all closes or none, not {told}");
        let is_behind = last_block(&memory) > Some(reached);
        with_blocks_behind_the_head += u32::from(is_behind && reached.0 > 1);
        carries_on_to(&undisturbed, &place, memory, &files, &case);
        if stopped.is_ok() {
            break;
        }
    }
    assert!(with_blocks_behind_the_head > 2, "too few stops fell between blocks and their commit");
}

/// The first entry of the last block in the store, committed or not.
fn last_block(store: &MemoryStore) -> Option<Sequence> {
    let (key, _) = store.scan(b"e", b"e").last()?.unwrap();
    Some(Sequence(u64::from_be_bytes(*key.last_chunk().unwrap())))
}

#[test]
fn a_log_torn_anywhere_between_two_commits_ends_as_if_it_had_not_been() {
    let undisturbed = Outcome::undisturbed();
    for writes in [2, 4, 6] {
        let (place, files) = inputs();
        let memory = MemoryStore::new();
        let faulty = FaultyStore::new(memory.clone(), writes);
        place.open_with(faulty).and_then(|mut opened| run(&mut opened, &files)).unwrap_err();
        // The log has a group that the ledger has not: what a kill in the middle of writing it leaves is any part of it.
        let segment = files_below(&place.data().join("log")).pop().unwrap();
        let whole = fs::metadata(&segment).unwrap().len();
        let committed = committed_bytes(&place, &memory);
        assert!(whole > committed + 1_000, "the group is there");
        let near_the_ends = (committed..committed + 3).chain(whole - 2..=whole);
        for length in near_the_ends.chain((committed..whole).step_by(911)) {
            let copy = Place::new();
            copy_folder(&place.data(), &copy.data());
            let segment = copy.data().join("log").join(segment.file_name().unwrap());
            fs::OpenOptions::new().write(true).open(segment).unwrap().set_len(length).unwrap();
            let case = format!("after write {writes}, log of {length} bytes of {whole}");
            carries_on_to(&undisturbed, &copy, memory.snapshot(), &files, &case);
        }
    }
}

#[test]
fn a_ledger_that_is_made_again_knows_how_far_inputs_were_read() {
    let (place, files) = inputs();
    let mut opened = place.open();
    run(&mut opened, &files).unwrap();
    let before = Outcome::of(&opened);
    drop(opened);
    fs::remove_dir_all(place.data().join("ledger")).unwrap();
    let mut opened = place.open();
    let summary = opened.project(&files, &one_file_a_commit(), &mut |_| {}).unwrap();
    assert_eq!(summary.unchanged_inputs, files);
    assert_eq!(Outcome::of(&opened), before);
}

#[test]
fn originals_of_records_that_were_never_logged_leave_no_trace() {
    let in_two_runs = |place: &Place, files: &[String], between: &dyn Fn()| {
        run(&mut place.open(), &files[..1]).unwrap();
        between();
        let mut opened = place.open();
        run(&mut opened, files).unwrap();
        assert_sound(&opened);
        Outcome::of(&opened)
    };
    let (undisturbed, files) = inputs();
    let expected = in_two_runs(&undisturbed, &files, &|| {});
    let (place, files) = inputs();
    // A run over a file of nothing but garbage, killed after its quarantine and before its log.
    let killed = || {
        let copy = Place::new();
        copy_folder(&place.data(), &copy.data());
        let garbage = copy.file("garbage.jsonl", "no event\n".repeat(50));
        run(&mut copy.open(), &[garbage]).unwrap();
        copy_folder(&copy.data().join("quarantine"), &place.data().join("quarantine"));
    };
    assert_eq!(in_two_runs(&place, &files, &killed), expected);
}

const FILES: usize = 6;

/// Two lines in ten are no events.
fn inputs() -> (Place, Vec<String>) {
    let place = Place::new();
    let lines = traffic(240);
    let parts = lines.chunks(lines.len() / FILES);
    let files: Vec<String> = parts
        .enumerate()
        .map(|(number, part)| {
            let tens = part.chunks(8).enumerate();
            let content: String = tens
                .map(|(ten, lines)| {
                    format!("{}broken {number} {ten}\n{{\"eventId\":{ten}}}\n", lines.concat())
                })
                .collect();
            place.file(&format!("{number}.jsonl"), content)
        })
        .collect();
    assert_eq!(files.len(), FILES);
    (place, files)
}

fn one_file_a_commit() -> ProjectOptions {
    ProjectOptions { commit_records: Some(1), ..options() }
}

fn run<S: Store>(opened: &mut Installation<S>, files: &[String]) -> Result<(), PipelineError> {
    opened.project(files, &one_file_a_commit(), &mut |_| {}).map(|_| ())
}

/// What a run comes to, by which the order of records is known too.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    chain: EntryHash,
    records: Offset,
    dispositions: DispositionCounts,
    /// Place, file name and line of every original in quarantine.
    refused: Vec<(Offset, String, u64)>,
}

impl Outcome {
    fn undisturbed() -> Self {
        let (place, files) = inputs();
        let mut opened = place.open_with(MemoryStore::new()).unwrap();
        run(&mut opened, &files).unwrap();
        let outcome = Self::of(&opened);
        assert!(outcome.refused.len() >= 2 * FILES);
        outcome
    }

    fn of<S: Store>(opened: &Installation<S>) -> Self {
        let Head { hash, next_offset, dispositions, .. } = head(opened);
        let name = |source: &str| Path::new(source).file_name().unwrap().display().to_string();
        let refused = opened.quarantine().list().unwrap();
        Self {
            chain: hash,
            records: next_offset,
            dispositions,
            refused: refused.iter().map(|kept| (kept.offset, name(&kept.source), kept.line)).collect(),
        }
    }
}

/// The next run over the same files ends in the same bytes as the one that nobody disturbed.
fn carries_on_to(expected: &Outcome, place: &Place, store: MemoryStore, files: &[String], case: &str) {
    let mut opened = place.open_with(store).unwrap();
    run(&mut opened, files).unwrap();
    assert_eq!(&Outcome::of(&opened), expected, "{case}");
    assert_sound(&opened);
}

/// Bytes of the log's only segment that hold what the ledger has used.
fn committed_bytes(place: &Place, memory: &MemoryStore) -> u64 {
    let reached = LedgerReader::new(memory.clone()).head(EMBEDDED_PARTITION).unwrap();
    let segment = files_below(&place.data().join("log")).pop().unwrap();
    let whole = fs::read(&segment).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let cut = copy.path().join(segment.file_name().unwrap());
    // The shortest log that the ledger does not find too short.
    let holds = |length: usize| {
        fs::write(&cut, &whole[..length]).unwrap();
        let opened = ledger::log::LogWriter::open(copy.path(), reached.next_offset);
        opened.is_ok_and(|opened| opened.writer.next_offset() == reached.next_offset)
    };
    let lengths: Vec<usize> = (0..whole.len()).collect();
    lengths.partition_point(|length| !holds(*length)) as u64
}

fn copy_folder(from: &Path, to: &Path) {
    for file in files_below(from) {
        let copy: PathBuf = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&file, copy).unwrap();
    }
}
