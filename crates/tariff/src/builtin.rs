//! The tariffs that come with the program, embedded as the same plain files that a user would write.
//!
//! Knows no figure: those are in the files.
//! Invariant: an embedded tariff passes the check; a test reads each of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use crate::tariff::Tariff;

/// The default first.
pub(crate) const IDS: &[&str] = &["whatsapp-2022"];

macro_rules! embedded {
    ($folder:literal: $($file:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../data/", $folder, "/", $file)))),+]
    };
}

const WHATSAPP_2022: &[(&str, &str)] = embedded!("whatsapp-2022":
    "tariff.toml",
    "markets.csv",
    "countries.csv",
    "rates/2022-02-01-EUR.csv",
    "rates/2022-02-01-USD.csv",
);

/// Read at first use and kept, since several configurations may share it.
pub(crate) fn tariff(id: &str) -> Option<Arc<Tariff>> {
    static CACHED: OnceLock<Option<Arc<Tariff>>> = OnceLock::new();
    match id {
        "whatsapp-2022" => CACHED.get_or_init(|| read(WHATSAPP_2022)).clone(),
        _ => None,
    }
}

fn read(files: &[(&str, &str)]) -> Option<Arc<Tariff>> {
    let files: BTreeMap<String, String> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Tariff::from_files(&files).ok().map(Arc::new)
}
