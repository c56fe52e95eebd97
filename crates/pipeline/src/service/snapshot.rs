//! Snapshots in a folder that all instances share: the state of a partition at one entry, so that an empty machine folds
//! a short tail and not the whole input.
//!
//! The ledger's entries are not in it: the ledger topic has them, and is what the snapshot is checked against.
//! Invariant: a snapshot is whole or is not there; two are kept, and one that does not fit the topic is passed over.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::mpsc::Receiver,
    time::Instant,
};

use ledger::checkpoint::CheckpointRef;
use model::{ContentHash, EntryHash, Offset, PartitionId, Sequence, UnixMillis};

/// How many are kept of a partition.
const KEPT: usize = 2;
const HEAD: &str = "head";
/// First line of the file that says what the others belong to.
const TITLE: &str = "tarifa snapshot 1";

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotHead {
    pub(crate) partition: PartitionId,
    /// Secret that the ids in it are sealed with.
    pub(crate) secret: ContentHash,
    pub(crate) sequence: Sequence,
    pub(crate) hash: EntryHash,
    pub(crate) first_offset: Offset,
    pub(crate) next_offset: Offset,
    pub(crate) partition_time: UnixMillis,
    /// The configuration that was adopted; its content is in the snapshot.
    pub(crate) config: ContentHash,
    pub(crate) checkpoint: CheckpointRef,
    /// The last record, and what the broker must give again in its place.
    pub(crate) last: Option<(Offset, ContentHash)>,
}

/// A snapshot that can be restored.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) head: SnapshotHead,
    folder: PathBuf,
}

/// The snapshots of one installation.
#[derive(Debug, Clone)]
pub(crate) struct Snapshots {
    folder: PathBuf,
}

/// Files of a checkpoint, set aside so that the next checkpoint cannot take them away.
#[derive(Debug)]
pub(crate) struct SetAside {
    pub(crate) head: SnapshotHead,
    /// Folder that holds links to them; removed when they are copied.
    pub(crate) folder: PathBuf,
}

impl SnapshotHead {
    fn to_text(&self) -> String {
        let Self {
            partition,
            secret,
            sequence,
            hash,
            first_offset,
            next_offset,
            partition_time,
            config,
            checkpoint,
            last,
        } = self;
        let (at, fingerprint) = last.unwrap_or((Offset(u64::MAX), ContentHash([0; 32])));
        format!(
            "{TITLE}\n{}\n{secret}\n{}\n{hash}\n{}\n{}\n{}\n{config}\n{}\n{}\n{}\n{fingerprint}\n",
            partition.0,
            sequence.0,
            first_offset.0,
            next_offset.0,
            partition_time.0,
            checkpoint.number,
            checkpoint.manifest,
            at.0
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let mut line = || lines.next();
        let head = Self {
            partition: PartitionId(line()?.parse().ok()?),
            secret: ContentHash::parse(line()?).ok()?,
            sequence: Sequence(line()?.parse().ok()?),
            hash: EntryHash::parse(line()?).ok()?,
            first_offset: Offset(line()?.parse().ok()?),
            next_offset: Offset(line()?.parse().ok()?),
            partition_time: UnixMillis(line()?.parse().ok()?),
            config: ContentHash::parse(line()?).ok()?,
            checkpoint: CheckpointRef {
                number: line()?.parse().ok()?,
                manifest: ContentHash::parse(line()?).ok()?,
            },
            last: None,
        };
        let (at, fingerprint) = (line()?.parse().ok()?, ContentHash::parse(line()?).ok()?);
        Some(Self { last: (at != u64::MAX).then_some((Offset(at), fingerprint)), ..head })
    }
}

impl Snapshots {
    /// The snapshots of an installation below a shared folder.
    pub(crate) fn new(shared: &Path, app: &str) -> Self {
        Self { folder: shared.join(app) }
    }

    fn of(&self, partition: PartitionId) -> PathBuf {
        self.folder.join(format!("p{}", partition.0))
    }

    /// Those of a partition, the newest first. One that cannot be read is left out, with a warning.
    pub(crate) fn list(&self, partition: PartitionId) -> Vec<Snapshot> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.of(partition)).into_iter().flatten().flatten() {
            let folder = entry.path();
            if folder.extension().is_some() {
                continue;
            }
            let head = fs::read_to_string(folder.join(HEAD)).ok().and_then(|text| SnapshotHead::parse(&text));
            match head.filter(|head| head.partition == partition) {
                Some(head) => found.push(Snapshot { head, folder }),
                None => tracing::warn!(folder = %folder.display(), "snapshot cannot be read: passed over"),
            }
        }
        found.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.head.sequence));
        found
    }

    /// Writes a snapshot of files that were set aside, with the content of the configuration, and removes old ones.
    ///
    /// # Errors
    /// The system's. What was there before stays.
    fn write(&self, head: &SnapshotHead, files: &Path, config: &Path) -> io::Result<()> {
        let folder = self.of(head.partition);
        let name = format!("{:020}-{}", head.sequence.0, head.next_offset.0);
        let temporary = folder.join(format!("{name}.tmp"));
        if temporary.exists() {
            fs::remove_dir_all(&temporary)?;
        }
        fs::create_dir_all(&temporary)?;
        for entry in fs::read_dir(files)? {
            copy(&entry?.path(), &temporary)?;
        }
        copy(config, &temporary)?;
        let mut file = File::create(temporary.join(HEAD))?;
        file.write_all(head.to_text().as_bytes())?;
        file.sync_all()?;
        let target = folder.join(name);
        if target.exists() {
            fs::remove_dir_all(&target)?;
        }
        fs::rename(&temporary, &target)?;
        File::open(&folder)?.sync_all()?;
        for old in self.list(head.partition).into_iter().skip(KEPT) {
            fs::remove_dir_all(old.folder)?;
        }
        Ok(())
    }
}

impl Snapshot {
    /// Copies the checkpoint into an empty folder of state, and the configuration into its folder.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn restore(&self, state: &Path, configs: &Path) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("toml") => copy(&path, configs)?,
                Some(_) => copy(&path, state)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// Copies a file into a folder, under its name, and syncs it.
fn copy(file: &Path, folder: &Path) -> io::Result<()> {
    let Some(name) = file.file_name() else { return Ok(()) };
    let target = folder.join(name);
    fs::copy(file, &target)?;
    File::open(&target)?.sync_all()
}

/// Copies what is set aside, until there is no more; beside everything else.
pub(crate) fn run(snapshots: &Snapshots, configs: &Path, told: &Receiver<SetAside>) {
    while let Ok(SetAside { head, folder }) = told.recv() {
        let (began, partition) = (Instant::now(), head.partition.0);
        let config = configs.join(format!("{}.toml", head.config));
        match snapshots.write(&head, &folder, &config) {
            Ok(()) => tracing::info!(
                partition,
                sequence = head.sequence.0,
                took_ms = began.elapsed().as_millis(),
                "snapshot written"
            ),
            Err(error) => tracing::warn!(partition, %error, "snapshot could not be written"),
        }
        if let Err(error) = fs::remove_dir_all(&folder) {
            tracing::debug!(partition, %error, "links to a checkpoint could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sequence: u64) -> SnapshotHead {
        SnapshotHead {
            partition: PartitionId(3),
            secret: ContentHash([1; 32]),
            sequence: Sequence(sequence),
            hash: EntryHash([2; 32]),
            first_offset: Offset(4),
            next_offset: Offset(sequence * 10),
            partition_time: UnixMillis::MIN,
            config: ContentHash([3; 32]),
            checkpoint: CheckpointRef { number: 7, manifest: ContentHash([4; 32]) },
            last: Some((Offset(9), ContentHash([5; 32]))),
        }
    }

    #[test]
    fn a_head_reads_back() {
        for head in [head(5), SnapshotHead { last: None, ..head(6) }] {
            assert_eq!(SnapshotHead::parse(&head.to_text()), Some(head));
        }
        assert_eq!(SnapshotHead::parse("something else\n"), None);
    }

    #[test]
    fn the_newest_two_are_kept_and_restored_with_their_configuration() {
        let place = tempfile::tempdir().unwrap();
        let (files, config) = (place.path().join("files"), place.path().join("c.toml"));
        fs::create_dir_all(&files).unwrap();
        fs::write(files.join("7.state"), "state").unwrap();
        fs::write(&config, "content").unwrap();
        let snapshots = Snapshots::new(&place.path().join("shared"), "tarifa");
        for sequence in [5, 6, 7] {
            snapshots.write(&head(sequence), &files, &config).unwrap();
        }
        let found = snapshots.list(PartitionId(3));
        assert_eq!(found.iter().map(|one| one.head.sequence.0).collect::<Vec<_>>(), [7, 6]);
        let (state, configs) = (place.path().join("state"), place.path().join("configs"));
        fs::create_dir_all(&state).unwrap();
        fs::create_dir_all(&configs).unwrap();
        found[0].restore(&state, &configs).unwrap();
        assert_eq!(fs::read_to_string(state.join("7.state")).unwrap(), "state");
        assert_eq!(fs::read_to_string(configs.join("c.toml")).unwrap(), "content");
        assert!(snapshots.list(PartitionId(4)).is_empty());
    }
}
