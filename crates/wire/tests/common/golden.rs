//! Comparison with golden files. `UPDATE_GOLDEN=1 cargo test -p wire` writes them anew.
//!
//! Invariant: a golden file of entries or of the chain changes only together with a new version of the schema.

use std::{env, fs, path::PathBuf};

/// Compares with a golden file; with `UPDATE_GOLDEN=1` writes it instead.
pub(crate) fn check_golden(path: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).expect("the folder of golden files is in the repository");
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, wanted, "{} differs", path.display());
}
