//! Checkpoints through commits, crashes and damage.

use std::{fs, path::Path};

use model::ContentHash;

use super::*;

#[test]
fn a_committed_checkpoint_reads_back_whole() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    assert_eq!((state.read_meta().unwrap(), state.read_bucket(3).unwrap()), (vec![], None));
    let first = state.write(b"one", &[(3, vec![3; 100]), (4, vec![4; 100])], ids([(7, 3)])).unwrap();
    state.retire(&first).unwrap();
    let second = state.write(b"two", &[(4, vec![44; 10]), (3, vec![])], ids([(9, 4)])).unwrap();
    state.retire(&second).unwrap();
    drop(state);

    let state = StateStore::open(place.path(), Some(second)).unwrap();
    assert_eq!(state.read_meta().unwrap(), b"two");
    assert_eq!(state.read_bucket(3).unwrap(), None);
    assert_eq!(state.read_bucket(4).unwrap(), Some(vec![44; 10]));
    assert_eq!((find(&state, 7), find(&state, 9), find(&state, 8)), (vec![3], vec![4], vec![]));
}

#[test]
fn a_checkpoint_that_was_never_committed_is_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    let committed = state.write(b"one", &[(3, vec![3; 1000])], NewIds::default()).unwrap();
    state.retire(&committed).unwrap();
    state.write(b"two", &[(3, vec![4; 1000])], NewIds::default()).unwrap();
    drop(state);
    let mut state = StateStore::open(place.path(), Some(committed)).unwrap();
    assert_eq!(state.read_bucket(3).unwrap(), Some(vec![3; 1000]));
    assert_eq!(names(place.path()).len(), 2, "one state file, one manifest");
    let again = state.write(b"two", &[(3, vec![5; 1000])], NewIds::default()).unwrap();
    assert!(matches!(state.retire(&committed), Err(CheckpointError::NotNewest { told: 1, newest: 2 })));
    state.retire(&again).unwrap();
    assert_eq!(state.read_bucket(3).unwrap(), Some(vec![5; 1000]));
}

/// What is added stands behind what was there, through checkpoints and however often; damage of any piece is told.
#[test]
fn what_is_added_to_a_bucket_stands_behind_it() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    let mut expected = vec![0; 5_000];
    let mut reference = state.write(b"", &[(3, expected.clone())], NewIds::default()).unwrap();
    for round in 1..=20 {
        expected.extend([round; 10]);
        let mut writer = state.begin(b"").unwrap();
        writer.add_to_bucket(3, &[round; 10]).unwrap();
        writer.add_to_bucket(4, &[round]).unwrap();
        writer.add_to_bucket(5, &[]).unwrap();
        reference = writer.finish(NewIds::default()).unwrap();
        state.retire(&reference).unwrap();
        assert!(names(place.path()).len() <= 12, "old pieces are put together: {:?}", names(place.path()));
    }
    let mut state = StateStore::open(place.path(), Some(reference)).unwrap();
    assert_eq!(state.read_bucket(3).unwrap(), Some(expected));
    assert_eq!(state.read_bucket(4).unwrap(), Some((1..=20).collect()));
    assert_eq!(state.read_bucket(5).unwrap(), None);
    let whole = state.write(b"", &[(3, vec![9])], NewIds::default()).unwrap();
    state.retire(&whole).unwrap();
    assert_eq!(state.read_bucket(3).unwrap(), Some(vec![9]), "a whole bucket stands for all pieces");

    let mut writer = state.begin(b"").unwrap();
    writer.add_to_bucket(3, &[8; 100]).unwrap();
    writer.finish(NewIds::default()).unwrap();
    let newest = state.files().pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    bytes[50] ^= 1;
    fs::write(&newest, bytes).unwrap();
    assert!(matches!(state.read_bucket(3), Err(CheckpointError::Damaged { path }) if path == newest));
}

/// Little is added to other buckets each time, so that there is hardly any garbage.
#[test]
fn files_stay_few_however_many_checkpoints_are_written() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    let mut expected: Vec<Vec<u8>> = vec![vec![0; 1_000]; usize::from(BUCKETS)];
    let all: Vec<_> = (0..).zip(expected.iter().cloned()).collect();
    let mut reference = state.write(b"", &all, NewIds::default()).unwrap();
    let (mut files, mut written) = (0, 0);
    for round in 0..300_u16 {
        let mut writer = state.begin(b"").unwrap();
        for bucket in [round, round + 300, round + 600].map(|bucket| bucket * 5 % BUCKETS) {
            let piece = round.to_le_bytes().repeat(10);
            writer.add_to_bucket(bucket, &piece).unwrap();
            expected[usize::from(bucket)].extend(piece);
        }
        reference = writer.finish(NewIds::default()).unwrap();
        state.retire(&reference).unwrap();
        let paths = state.files();
        files = files.max(paths.len());
        written += fs::metadata(paths.last().unwrap()).unwrap().len();
    }
    assert!((20..40).contains(&files), "{files}");
    assert!(written < 300 * 10_000, "what is moved is a little of the whole, not {written}");
    drop(state);
    let state = StateStore::open(place.path(), Some(reference)).unwrap();
    for (bucket, bytes) in (0..).zip(&expected) {
        assert_eq!(state.read_bucket(bucket).unwrap().as_ref(), Some(bytes));
    }
}

#[test]
fn a_checkpoint_of_another_version_is_told_from_damage() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    let reference = state.write(b"", &[(3, vec![1])], NewIds::default()).unwrap();
    let manifest = state.files().remove(0);
    let mut bytes = fs::read(&manifest).unwrap();
    bytes[4] -= 1;
    fs::write(&manifest, &bytes).unwrap();
    let opened = StateStore::open(place.path(), Some(reference));
    assert!(
        matches!(opened, Err(CheckpointError::Damaged { path }) if path == manifest),
        "not what was committed"
    );
    let older = CheckpointRef { manifest: ContentHash(*blake3::hash(&bytes).as_bytes()), ..reference };
    let opened = StateStore::open(place.path(), Some(older));
    assert!(matches!(opened, Err(CheckpointError::OtherVersion { path }) if path == manifest));
    // What only fails to be opened is no damage.
    let mut state = StateStore::open(place.path(), None).unwrap();
    let reference = state.write(b"", &[(3, vec![1])], NewIds::default()).unwrap();
    let file = state.files().remove(1);
    drop(state);
    fs::remove_file(&file).unwrap();
    assert!(StateStore::open(place.path(), Some(reference)).unwrap_err().is_beyond_use(), "it is missing");
    std::os::unix::fs::symlink(&file, &file).unwrap();
    assert!(!StateStore::open(place.path(), Some(reference)).unwrap_err().is_beyond_use(), "it may be there");
}

#[test]
fn disk_stays_within_a_small_multiple_of_the_state() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    let mut expected = vec![vec![0_u8; 1000]; usize::from(BUCKETS)];
    let all: Vec<_> = (0..BUCKETS).map(|bucket| (bucket, vec![0; 1000])).collect();
    let mut reference = state.write(b"", &all, NewIds::default()).unwrap();
    for round in 1..60_u16 {
        let changed: Vec<_> = (0..BUCKETS)
            .filter(|bucket| (bucket * 7 + round) % 5 == 0)
            .map(|bucket| (bucket, vec![u8::try_from(round).unwrap(); 1000]))
            .collect();
        for (bucket, bytes) in &changed {
            expected[usize::from(*bucket)].clone_from(bytes);
        }
        reference = state.write(b"", &changed, ids([(u32::from(round), round)])).unwrap();
        state.retire(&reference).unwrap();
        assert!(state.bytes_on_disk() < 3 * 1000 * u64::from(BUCKETS), "{}", state.bytes_on_disk());
    }
    drop(state);
    let state = StateStore::open(place.path(), Some(reference)).unwrap();
    for (bucket, bytes) in (0..).zip(&expected) {
        assert_eq!(state.read_bucket(bucket).unwrap().as_ref(), Some(bytes));
    }
    for round in 1..60 {
        assert_eq!(find(&state, u32::from(round)), [round]);
    }
}

#[test]
fn every_id_is_found_through_merges_of_runs() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    let mut reference = None;
    for round in 0..30_u32 {
        let new = ids((0..3000).map(|n| round * 3000 + n).map(|n| (spread(n), bucket(n))));
        reference = Some(state.write(b"", &[], new).unwrap());
        state.retire(&reference.unwrap()).unwrap();
        assert!(state.runs() <= 8);
    }
    let reopened = StateStore::open(place.path(), reference).unwrap();
    let mut needless = 0;
    for n in 0..90_000 {
        assert!(find(&reopened, spread(n)).contains(&bucket(n)), "{n}");
        needless += find(&reopened, spread(n + 90_000)).len();
    }
    assert!(needless < 50, "unknown ids are seldom found: {needless}");
}

#[test]
fn ids_that_share_their_first_bytes_are_all_found() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    let many = (0..5000).map(|n| (n * 3, 1)).chain((0..1024).map(|bucket| (6000, bucket)));
    state.write(b"", &[], ids(many)).unwrap();
    let mut found = find(&state, 6000);
    found.sort_unstable();
    assert_eq!(found, (0..1024).collect::<Vec<_>>());
}

#[test]
fn damage_is_noticed_and_named() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    let reference = state.write(b"meta", &[(3, vec![3; 100])], ids([(1, 3)])).unwrap();
    drop(state);
    for name in names(place.path()) {
        let path = place.path().join(&name);
        let whole = fs::read(&path).unwrap();
        for position in 0..whole.len() {
            let mut changed = whole.clone();
            changed[position] ^= 1;
            fs::write(&path, &changed).unwrap();
            let seen = StateStore::open(place.path(), Some(reference)).and_then(|state| {
                state.read_meta()?;
                state.check_index()?;
                state.read_bucket(3)
            });
            assert!(matches!(seen, Err(CheckpointError::Damaged { .. })), "{name} {position}");
        }
        fs::write(&path, &whole).unwrap();
    }
    fs::remove_file(place.path().join(names(place.path())[1].clone())).unwrap();
    assert!(matches!(StateStore::open(place.path(), Some(reference)), Err(CheckpointError::Damaged { .. })));
}

#[test]
fn a_bucket_out_of_range_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let mut state = StateStore::open(place.path(), None).unwrap();
    assert!(matches!(
        state.write(b"", &[(1024, vec![1])], NewIds::default()),
        Err(CheckpointError::NoBucket { bucket: 1024 })
    ));
}

/// Ids by their first four bytes, with their buckets.
fn ids(pairs: impl IntoIterator<Item = (u32, u16)>) -> NewIds {
    let mut ids = NewIds::default();
    for (tag, bucket) in pairs {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&tag.to_be_bytes());
        ids.add(&id, bucket);
    }
    ids
}

/// Spreads numbers over all tags, each to its own.
fn spread(n: u32) -> u32 {
    n.wrapping_mul(0x9e37_79b1)
}

fn bucket(n: u32) -> u16 {
    u16::try_from(n % 1024).unwrap()
}

fn find(state: &StateStore, tag: u32) -> Vec<u16> {
    let mut id = [9; 16];
    id[..4].copy_from_slice(&tag.to_be_bytes());
    let (mut found, mut found_once) = (Vec::new(), Vec::new());
    state.lookup(&id, &mut found).unwrap();
    state.lookup_once(&id, &mut found_once).unwrap();
    assert!(found.iter().all(|bucket| found_once.contains(bucket)) && found.len() == found_once.len());
    found
}

fn names(folder: &Path) -> Vec<String> {
    crate::files::names(folder).unwrap()
}
