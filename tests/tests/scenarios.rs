//! Every file in `scenarios/` books what it says, straight through, in batches, and with stops and restores.
//!
//! With `UPDATE_SCENARIOS=1` the files are written anew instead: read the difference before it is committed.

use std::{fs, path::Path};

use tests::scenario::check_file;

#[test]
fn every_scenario_books_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let updates = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no scenarios", folder.display());
    let mut problems = String::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let shown = Path::new("tests/scenarios").join(path.file_name().unwrap());
        match check_file(&shown, &text) {
            Err(what) => problems += &format!("{what}\n"),
            Ok(outcome) if outcome.rewritten == text => {}
            Ok(outcome) if updates => fs::write(&path, outcome.rewritten).unwrap(),
            Ok(outcome) if outcome.differences.is_empty() => {
                problems += &format!("{}: the columns are not as they would be written\n", shown.display());
            }
            Ok(outcome) => problems += &outcome.differences,
        }
    }
    let advice = "if this is what should be booked: UPDATE_SCENARIOS=1 cargo test -p tests --test scenarios";
    assert!(problems.is_empty(), "\n{problems}\n{advice}");
}
