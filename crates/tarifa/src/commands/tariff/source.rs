//! Where a tariff comes from: one of the program's own by its id, or a folder of plain files.
//!
//! Knows no rule of tariffs. Invariant: a folder is read whole or not at all; names of files have `/` between folders on
//! every system.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tariff::{Anchor, Tariff, Unit, Window};

use crate::{
    config::{Config, TARIFF_DEFAULT, nearest},
    failure::Failure,
};

/// No file of a tariff is near this size; a larger one is a mistake in the name of the folder.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Folders in folders: `rates/` is one.
const DEPTH_MAX: usize = 4;
/// A tariff has a handful of files.
const FILES_MAX: usize = 1_000;

/// Which tariff a command is about.
#[derive(Debug, clap::Args)]
pub(crate) struct TariffArg {
    /// Id of a tariff that comes with the program, or the folder of another; by default whatsapp-2022
    #[arg(value_name = "ID|DIR", env = "TARIFA_TARIFF", hide_env_values = true)]
    tariff: Option<String>,
}

/// The files of a tariff, and how a person would call it.
#[derive(Debug)]
pub(super) struct Source {
    /// The id, or the folder as the user named it.
    pub(super) name: String,
    /// In front of a file's name in messages: empty, or the folder with a slash.
    pub(super) prefix: String,
    pub(super) files: BTreeMap<String, String>,
}

impl TariffArg {
    /// The files of the tariff that is meant.
    pub(super) fn source(&self, config: &Config) -> Result<Source, Failure> {
        named(self.tariff.as_deref().or(config.tariff.as_deref()).unwrap_or(TARIFF_DEFAULT))
    }
}

/// The tariff of this id, or in this folder, ready for use.
///
/// # Errors
/// There is none, or it has findings.
pub(crate) fn load(name: &str) -> Result<Arc<Tariff>, Failure> {
    let source = named(name)?;
    let read = Tariff::from_files(&source.files);
    read.map(Arc::new).map_err(|error| {
        Failure::bad_data(format!("the tariff `{}` cannot be used", source.name))
            .caused_by(error)
            .hint(format!("see what is wrong with: tarifa tariff check {name}"))
    })
}

fn named(name: &str) -> Result<Source, Failure> {
    if let Some(tariff) = Tariff::builtin(name) {
        let files = tariff.files().clone();
        return Ok(Source { name: name.to_owned(), prefix: String::new(), files });
    }
    let folder = Path::new(name);
    if folder.is_dir() {
        let prefix = format!("{}/", name.trim_end_matches('/'));
        return Ok(Source { name: name.to_owned(), prefix, files: read_folder(folder)? });
    }
    let ids = Tariff::builtin_ids();
    let hint = match nearest(name, ids) {
        _ if name.contains('/') => "name the folder that has tariff.toml in it".to_owned(),
        Some(id) => format!("did you mean `{id}`?"),
        None => format!("known: {}; or name the folder of a tariff", ids.join(", ")),
    };
    Err(Failure::usage(format!("no tariff and no folder `{name}`")).hint(hint))
}

fn read_folder(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut files = BTreeMap::new();
    read_into(folder, "", 0, &mut files)?;
    Ok(files)
}

fn read_into(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    let cannot_list = |error| {
        Failure::usage(format!("cannot list the folder {}", folder.display()))
            .caused_by(error)
            .hint("check that it may be read")
    };
    let items: io::Result<Vec<PathBuf>> =
        fs::read_dir(folder).map_err(cannot_list)?.map(|item| item.map(|item| item.path())).collect();
    let mut paths = items.map_err(cannot_list)?;
    // The system lists them in any order; of two files that cannot be read the same one is to be named each time.
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(Failure::bad_data(format!("{}: the name is no UTF-8", path.display()))
                .hint("rename the file, or move it elsewhere"));
        };
        // What editors, version control and systems leave behind.
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth == DEPTH_MAX {
                return Err(Failure::usage(format!("{}: too many folders in folders", path.display()))
                    .hint("name the folder that has tariff.toml in it"));
            }
            read_into(&path, &format!("{prefix}{name}/"), depth + 1, files)?;
        } else {
            if files.len() == FILES_MAX {
                return Err(Failure::usage(format!("{} has more than {FILES_MAX} files", folder.display()))
                    .hint("name the folder that has tariff.toml in it"));
            }
            files.insert(format!("{prefix}{name}"), read_file(&path)?);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let cannot_read = |error: io::Error| {
        Failure::usage(format!("cannot read {shown}")).caused_by(error).hint("check that it may be read")
    };
    let size_bytes = fs::metadata(path).map_err(cannot_read)?.len();
    if size_bytes > FILE_BYTES_MAX {
        return Err(Failure::bad_data(format!("{shown} has {size_bytes} bytes, more than 16 MiB"))
            .hint("a tariff is a folder with tariff.toml, markets.csv, countries.csv and rates/"));
    }
    let bytes = fs::read(path).map_err(cannot_read)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        Failure::bad_data(format!("{shown}:{line}: not UTF-8")).hint("save the file as UTF-8")
    })
}

/// The currencies of the cards, sorted.
pub(super) fn currencies(tariff: &Tariff) -> Vec<String> {
    let mut codes: Vec<String> = tariff.rates().iter().map(|row| row.currency.to_string()).collect();
    codes.sort();
    codes.dedup();
    codes
}

/// The word of `tariff.toml`.
pub(super) const fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Conversation => "conversation",
    }
}

/// The word of `tariff.toml`.
pub(super) const fn window_word(window: Window) -> &'static str {
    match window {
        Window::Sliding => "sliding",
        Window::Fixed => "fixed",
    }
}

/// The word of `tariff.toml`.
pub(super) const fn anchor_word(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::FirstMessage => "first_message",
        Anchor::BusinessDelivery => "business_delivery",
    }
}
