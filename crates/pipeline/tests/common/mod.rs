//! Data directories for tests: made with one secret, fed with text, looked at as a whole.
//!
//! Knows nothing of rules. Invariant: two directories of the same name never share a file, and every one has the secret
//! that makes its references and digests comparable with the others'.

#![allow(dead_code, reason = "each test file uses its own share of these")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ledger::{
    DataDir, Head,
    store::{SledStore, Store},
};
use model::{Currency, DurationMillis, UnixMillis};
use pipeline::{
    EMBEDDED_PARTITION, Installation, PeriodDigest, PipelineError, ProjectOptions, ProjectSummary,
};
use projector::NetConversation;
use sim::traffic::{TrafficPlan, write_json_line};
use tariff::{AccountSettings, Configuration, Tariff};

/// The clock of every import: 2022-03-15T00:00:00Z, behind all traffic.
pub(crate) const NOW: UnixMillis = UnixMillis(1_647_302_400_000);
/// A time behind the end of every conversation, for the tick at the end.
pub(crate) const END: UnixMillis = UnixMillis(1_646_956_800_000);

/// A directory with a fixed secret in the middle of a temporary folder.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes an input file and gives its name.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub(crate) fn dir(&self) -> DataDir {
        let dir = DataDir::open(&self.data(), true).unwrap();
        if !dir.secret().exists() {
            fs::write(dir.secret(), [7; 32]).unwrap();
        }
        dir
    }

    pub(crate) fn open(&self) -> Installation<SledStore> {
        let dir = self.dir();
        let store = SledStore::open(&dir.ledger()).unwrap();
        Installation::with_store(dir, store, &mut |_| {}).unwrap()
    }

    /// Opens with a store of the test's own.
    pub(crate) fn open_with<S: Store>(&self, store: S) -> Result<Installation<S>, PipelineError> {
        Installation::with_store(self.dir(), store, &mut |_| {})
    }
}

pub(crate) fn options() -> ProjectOptions {
    let defaults = AccountSettings {
        currency: Currency::parse("USD").unwrap(),
        zone: "UTC".to_owned(),
        tracks_consent: false,
    };
    let tariff = Tariff::builtin("whatsapp-2022").unwrap();
    ProjectOptions {
        configuration: Some(Arc::new(Configuration::new(defaults, Vec::new(), tariff).unwrap())),
        until: Some(END),
        imported_at: NOW,
        ..ProjectOptions::default()
    }
}

pub(crate) fn try_project<S: Store>(
    opened: &mut Installation<S>,
    files: &[String],
) -> Result<ProjectSummary, PipelineError> {
    opened.project(files, &options(), &mut |_| {})
}

pub(crate) fn project<S: Store>(opened: &mut Installation<S>, files: &[String]) -> ProjectSummary {
    try_project(opened, files).unwrap()
}

/// What a directory says of its conversations, without what depends on arrival.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NetResult {
    pub(crate) net: Vec<NetConversation>,
    pub(crate) digests: Vec<PeriodDigest>,
}

pub(crate) fn result<S: Store>(opened: &mut Installation<S>) -> NetResult {
    let mut net = Vec::new();
    opened
        .net_conversations(&mut |mut conversation| {
            conversation.last_entry = model::Sequence(0);
            conversation.closed = true;
            if let Some(charge) = &mut conversation.charge {
                charge.entry = model::Sequence(0);
                charge.booking = 1;
            }
            net.push(conversation);
            Ok::<_, PipelineError>(())
        })
        .unwrap();
    NetResult { net, digests: opened.digests().unwrap() }
}

pub(crate) fn head<S: Store>(opened: &Installation<S>) -> Head {
    opened.ledger().head(EMBEDDED_PARTITION).unwrap()
}

/// Every check holds, and replay gives the same bytes.
pub(crate) fn assert_sound<S: Store>(opened: &Installation<S>) {
    let verified = opened.verify(&mut |_| {}).unwrap();
    assert!(verified.holds(), "{:#?}", verified.checks);
    assert_eq!(verified.digests, opened.digests().unwrap());
    let replayed = opened.replay_verify(&mut |_| {}).unwrap();
    assert_eq!(replayed.difference, None);
    assert_eq!((replayed.entries, replayed.hash), (verified.sequence.0, verified.hash));
}

/// Two weeks of traffic with everything that goes wrong in it, as lines of JSON.
pub(crate) fn traffic(events: u64) -> Vec<String> {
    let plan = TrafficPlan {
        events,
        threads: 40,
        days: 14,
        seed: 11,
        tags: 3,
        duplicates_per_mille: 40,
        displaced_percent: 30,
        displaced_max: DurationMillis::from_hours(30),
        conflicts_per_mille: 0,
        failed_per_mille: 80,
        statuses: true,
        consents_per_mille: 20,
        calls_per_mille: 20,
        ..TrafficPlan::default()
    };
    let mut lines = Vec::new();
    for event in plan.stream().unwrap() {
        let mut line = Vec::new();
        write_json_line(&event.event(), &mut line);
        lines.push(String::from_utf8(line).unwrap());
    }
    lines
}

/// An event in one line: `kind` is the JSON of its body.
pub(crate) fn line(id: &str, at: &str, user: &str, kind: &str) -> String {
    format!(
        "{{\"eventId\":\"wamid.{id}\",\"occurredAt\":\"{at}\",\"accountId\":\"acc\",\"businessPhone\":\"100\",\
         \"userPhone\":\"{user}\",{kind}}}\n"
    )
}

pub(crate) const TEXT_OF_USER: &str = "\"userMessage\":{\"kind\":\"TEXT\"}";
pub(crate) const REPLY: &str = "\"businessMessage\":{\"kind\":\"TEXT\"}";

/// All files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
