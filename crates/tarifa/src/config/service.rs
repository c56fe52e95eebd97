//! The table `[service]` of the settings.
//!
//! Knows nothing of the service. Invariant: lengths of time have their unit in the key's name.

use std::{ops::RangeInclusive, path::PathBuf};

use toml::de::DeTable;

use super::keys::{Key, Kind, Reader};
use crate::failure::Failure;

/// How often something is done, in ms: up to once a day.
pub(crate) const INTERVAL_MS: RangeInclusive<u64> = 1..=86_400_000;
/// A second to what the client library takes at most, in ms; a broker narrows it down.
pub(crate) const SESSION_TIMEOUT_MS: RangeInclusive<u64> = 1_000..=3_600_000;
/// Records between two checkpoints: with less than one there would be no end of writing.
pub(crate) const CHECKPOINT_RECORDS: RangeInclusive<u64> = 1..=1_000_000_000_000;

const fn number(range: &RangeInclusive<u64>) -> Kind {
    Kind::Number(*range.start(), *range.end())
}

const KEYS: &[Key] = &[
    Key("app", Kind::Text),
    Key("checkpoint_records", number(&CHECKPOINT_RECORDS)),
    Key("commit_interval_ms", number(&INTERVAL_MS)),
    Key("instance", Kind::Text),
    Key("listen", Kind::Text),
    Key("publish_interval_ms", number(&INTERVAL_MS)),
    Key("secret", Kind::Path),
    Key("session_timeout_ms", number(&SESSION_TIMEOUT_MS)),
    Key("snapshot_interval_ms", number(&INTERVAL_MS)),
    Key("snapshots", Kind::Path),
    Key("tick_interval_ms", number(&INTERVAL_MS)),
];

/// How the service is run, as far as the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceConfig {
    /// The installation's name: group and transactional ids.
    pub(crate) app: Option<String>,
    /// This instance's own name, the same after a restart.
    pub(crate) instance: Option<String>,
    /// Address for health and metrics.
    pub(crate) listen: Option<String>,
    /// File with the installation's secret.
    pub(crate) secret: Option<PathBuf>,
    /// Folder that all instances share, for snapshots.
    pub(crate) snapshots: Option<PathBuf>,
    /// How often a snapshot is written.
    pub(crate) snapshot_interval_ms: Option<u64>,
    /// How often what came is committed.
    pub(crate) commit_interval_ms: Option<u64>,
    /// How often what was committed is published.
    pub(crate) publish_interval_ms: Option<u64>,
    /// How often each partition gets a tick.
    pub(crate) tick_interval_ms: Option<u64>,
    /// Without a sign of life for this long, partitions go to others.
    pub(crate) session_timeout_ms: Option<u64>,
    /// Records of all partitions together that a restart may have to fold again.
    pub(crate) checkpoint_records: Option<u64>,
}

impl ServiceConfig {
    /// Reads the table.
    ///
    /// # Errors
    /// Unknown keys, values of another type, numbers out of range.
    pub(super) fn read(reader: &Reader<'_>, table: &DeTable<'_>) -> Result<Self, Failure> {
        let mut values = reader.read(table, "service.", KEYS)?;
        Ok(Self {
            app: values.text("app"),
            instance: values.text("instance"),
            listen: values.text("listen"),
            secret: values.path("secret"),
            snapshots: values.path("snapshots"),
            snapshot_interval_ms: values.number("snapshot_interval_ms"),
            commit_interval_ms: values.number("commit_interval_ms"),
            publish_interval_ms: values.number("publish_interval_ms"),
            tick_interval_ms: values.number("tick_interval_ms"),
            session_timeout_ms: values.number("session_timeout_ms"),
            checkpoint_records: values.number("checkpoint_records"),
        })
    }
}
