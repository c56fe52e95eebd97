//! Opening a data directory for a command: where it is, what a new one adopts, and how its failures end.
//!
//! Invariant: the clock is read here, once, at the start of an import; nothing that decides a charge reads it.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ledger::{
    DirError, FrameError, LedgerError,
    log::LogError,
    store::{SledStore, StoreError},
};
use model::{Currency, UnixMillis};
use pipeline::{Installation, PipelineError, Progress, ResubmitError, Stage};
use tariff::{AccountSettings, AccountsFile, Configuration};

use crate::{
    commands::tariff::source,
    config::{Config, TARIFF_DEFAULT},
    failure::Failure,
    output::Out,
    progress::{Bar, Look},
};

/// The option of every command that reads or writes a ledger.
#[derive(Debug, clap::Args)]
pub(crate) struct DataArgs {
    /// Directory of log and ledger
    #[arg(long, env = "TARIFA_DATA", hide_env_values = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What a new directory adopts first.
#[derive(Debug, clap::Args)]
pub(crate) struct AdoptArgs {
    /// Tariff that a new directory adopts: an id, or a folder with a `/` in its name
    #[arg(long, env = "TARIFA_TARIFF", hide_env_values = true, value_name = "ID|DIR")]
    tariff: Option<String>,
    /// Currency of accounts that are not listed: an ISO 4217 code [default: USD]
    #[arg(long, env = "TARIFA_CURRENCY", hide_env_values = true, value_name = "CODE")]
    currency: Option<String>,
    /// Time zone of accounts that are not listed: an IANA name [default: UTC]
    #[arg(long, env = "TARIFA_ZONE", hide_env_values = true, value_name = "ZONE")]
    zone: Option<String>,
    /// File that lists accounts with their currency and zone
    #[arg(long, env = "TARIFA_ACCOUNTS", hide_env_values = true, value_name = "FILE")]
    accounts: Option<PathBuf>,
}

/// An open directory.
pub(crate) type Opened = Installation<SledStore>;

impl DataArgs {
    /// Where the directory is.
    ///
    /// # Errors
    /// Nobody said so.
    pub(crate) fn path(&self, config: &Config) -> Result<PathBuf, Failure> {
        self.data.clone().or_else(|| config.data.clone()).ok_or_else(|| {
            Failure::usage("no data directory was named")
                .hint("name it with --data DIR, with TARIFA_DATA, or as `data` in tarifa.toml")
        })
    }

    /// Opens a directory that exists and has something in it.
    ///
    /// # Errors
    /// It is not there, empty, in use or damaged.
    pub(crate) fn open(&self, config: &Config, out: &Out) -> Result<Opened, Failure> {
        let mut bar = out.bar();
        let path = self.path(config)?;
        let opened =
            Installation::open(&path, false, &mut |progress| show(&mut bar, &progress)).map_err(failure)?;
        opened.configuration().map_err(failure)?;
        Ok(opened)
    }

    /// Opens a directory, or makes it.
    ///
    /// # Errors
    /// It cannot be made, is in use or damaged.
    pub(crate) fn open_or_create(&self, config: &Config, bar: &mut Bar) -> Result<Opened, Failure> {
        let path = self.path(config)?;
        Installation::open(&path, true, &mut |progress| show(bar, &progress)).map_err(failure)
    }
}

impl AdoptArgs {
    /// Whether anything was asked for that an existing directory must agree with.
    pub(crate) fn is_explicit(&self, config: &Config) -> bool {
        self.tariff.is_some()
            || self.currency.is_some()
            || self.zone.is_some()
            || self.accounts.is_some()
            || config.adopts_something()
    }

    /// The configuration that these options and the settings describe.
    ///
    /// # Errors
    /// An unknown tariff, currency or zone, or an accounts file with findings.
    pub(crate) fn configuration(&self, config: &Config) -> Result<Arc<Configuration>, Failure> {
        let id = self.tariff.as_deref().or(config.tariff.as_deref()).unwrap_or(TARIFF_DEFAULT);
        let tariff = source::load(id)?;
        let code = self.currency.as_deref().or(config.currency.as_deref()).unwrap_or("USD");
        let currency = Currency::parse(code).map_err(|error| {
            Failure::usage(format!("`{code}` is no currency"))
                .caused_by(error)
                .hint("give an ISO 4217 code, such as EUR")
        })?;
        let zone = self.zone.as_deref().or(config.zone.as_deref()).unwrap_or("UTC").to_owned();
        let mut defaults = AccountSettings { currency, zone, tracks_consent: false };
        let mut accounts = Vec::new();
        if let Some(path) = self.accounts.as_ref().or(config.accounts.as_ref()) {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!("cannot read the accounts in {}", path.display()))
                    .caused_by(error)
                    .hint("check that the file exists and may be read")
            })?;
            let read = AccountsFile::parse(&path.display().to_string(), &text, &defaults);
            let read =
                read.map_err(|findings| Failure::usage("the accounts cannot be used").caused_by(findings))?;
            defaults = read.defaults;
            accounts = read.accounts;
        }
        let made = Configuration::new(defaults, accounts, tariff);
        made.map(Arc::new)
            .map_err(|error| Failure::usage("these settings cannot be adopted").caused_by(error))
    }
}

/// The clock.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Shows progress of the pipeline.
pub(crate) fn show(bar: &mut Bar, progress: &Progress) {
    bar.show(&Look {
        stage: match progress.stage {
            Stage::Recovering => "recovering",
            Stage::Projecting => "projecting",
            Stage::Saving => "saving",
            Stage::Replaying => "replaying",
            Stage::Verifying => "verifying",
        },
        records: progress.records,
        entries: progress.entries,
        work_done: progress.work_done,
        work_total: progress.work_total,
        bytes: (progress.stage == Stage::Projecting).then_some(progress.work_done),
    });
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        failure(error)
    }
}

/// The exit code of what went wrong in the pipeline.
pub(crate) fn failure(error: PipelineError) -> Failure {
    let message = error.to_string();
    let base = match &error {
        PipelineError::Dir(DirError::InUse { .. }) | PipelineError::Store(StoreError::InUse { .. }) => {
            Failure::unavailable(message)
        }
        PipelineError::Empty
        | PipelineError::ServiceDirectory { .. }
        | PipelineError::BookDirectory { .. }
        | PipelineError::OtherConfiguration
        | PipelineError::Resubmit(ResubmitError::NotQuarantined(_))
        | PipelineError::OpenInput(_)
        | PipelineError::Dir(_) => Failure::usage(message),
        PipelineError::Diverged { .. } | PipelineError::Project(_) | PipelineError::Snapshot(_) => {
            Failure::bad_data(message)
        }
        PipelineError::Ledger(LedgerError::OtherSecret { .. } | LedgerError::Newer { .. }) => {
            Failure::usage(message)
        }
        PipelineError::Secret(_)
        | PipelineError::Configuration { .. }
        | PipelineError::Config(_)
        | PipelineError::Resubmit(_)
        | PipelineError::Ledger(LedgerError::Chain { .. } | LedgerError::Damaged { .. })
        | PipelineError::Log(LogError::Damaged { .. } | LogError::Gap { .. } | LogError::Short { .. })
        | PipelineError::Frame(FrameError::Damaged { .. }) => Failure::bad_data(message),
        PipelineError::Store(_)
        | PipelineError::Ledger(_)
        | PipelineError::Log(_)
        | PipelineError::Checkpoint(_)
        | PipelineError::Frame(_)
        | PipelineError::Read { .. }
        | PipelineError::ThreadEnded(_) => Failure::unavailable(message),
    };
    match std::error::Error::source(&error) {
        Some(source) => base.caused_by(source.to_string()),
        None => base,
    }
}
