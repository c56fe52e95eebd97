//! Tidiness of everything that git keeps: headings, left-overs, sizes, paths of one machine, data with its sources.
//!
//! Does not know what files mean. Invariant: looks at what git would commit, tracked or not yet.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::{Finding, data};
use crate::shell;

/// Larger files do not belong into git.
const FILE_BYTES_MAX: usize = 100 * 1024;
/// The one file that is long by nature.
const LONG_BY_NATURE: &str = "Cargo.lock";
/// Longer sources are named.
const SOURCE_LINES_USUAL: usize = 500;
/// Longer sources fail.
const SOURCE_LINES_MAX: usize = 700;

/// Work that was put off. Written in two parts, so that this file may be checked too.
const LEFT_OVERS: [&str; 3] = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("dbg", "!(")];
/// Folders of one machine.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("C:", "\\")];

/// Looks at all files.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut list = Command::new("git");
    list.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names =
        String::from_utf8(shell::output_of(&mut list)?).context("git lists a file whose name is no UTF-8")?;
    let mut findings = Vec::new();
    let (mut rate_cards, mut scenarios) = (0, 0);
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let path = root.join(name);
        // Listed, but removed or a link: git will say so itself.
        let Ok(bytes) = fs::read(&path) else { continue };
        findings.extend(size(name, bytes.len()));
        let Ok(text) = String::from_utf8(bytes) else { continue };
        findings.extend(machine_paths(name, &text));
        if name.ends_with(".rs") {
            let (failures, notes) = source(name, &text);
            findings.extend(failures);
            for note in notes {
                eprintln!("note: {note}");
            }
        }
        if name.starts_with("crates/tariff/data/") && name.contains("/rates/") && name.ends_with(".csv") {
            rate_cards += 1;
            findings.extend(data::rate_card(name, &text));
        }
        if name.starts_with("tests/scenarios/") && name.ends_with(".txt") {
            scenarios += 1;
            findings.extend(data::scenario(name, &text));
        }
    }
    // A folder that was moved would otherwise pass by not being looked at.
    for (count, what) in
        [(rate_cards, "crates/tariff/data/**/rates/*.csv"), (scenarios, "tests/scenarios/*.txt")]
    {
        if count == 0 {
            findings.push(Finding::new(
                what,
                "there is no such file; if the folder moved, tell crates/xtask/src/checks/tidy.rs",
            ));
        }
    }
    Ok(findings)
}

fn size(name: &str, bytes: usize) -> Option<Finding> {
    let too_large = bytes > FILE_BYTES_MAX && name != LONG_BY_NATURE;
    let what =
        || format!("has {bytes} bytes; git keeps files up to {FILE_BYTES_MAX}: generate it, or split it");
    too_large.then(|| Finding::new(name, what()))
}

fn machine_paths(name: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for path in MACHINE_PATHS {
            if line.contains(path) {
                let what = format!("`{path}` is a folder of one machine; name it relative to the checkout");
                findings.push(Finding::new(format!("{name}:{number}"), what));
            }
        }
    }
    findings
}

/// What fails, and what is only named.
fn source(name: &str, text: &str) -> (Vec<Finding>, Vec<Finding>) {
    let (mut failures, mut notes) = (Vec::new(), Vec::new());
    let heading = text.lines().next().and_then(|line| line.strip_prefix("//!"));
    if heading.is_none_or(|words| words.trim().is_empty()) {
        let what = "does not begin with `//!`; say what it owns, what it does not know, and its invariant";
        failures.push(Finding::new(format!("{name}:1"), what));
    }
    for (number, line) in (1..).zip(text.lines()) {
        for left_over in LEFT_OVERS {
            if has_word(line, left_over) {
                let what = format!("`{left_over}` is work put off; do it, or open an issue");
                failures.push(Finding::new(format!("{name}:{number}"), what));
            }
        }
    }
    let lines = text.lines().count();
    if lines > SOURCE_LINES_USUAL {
        let list = if lines > SOURCE_LINES_MAX { &mut failures } else { &mut notes };
        let what = format!(
            "has {lines} lines; up to {SOURCE_LINES_USUAL} is usual, {SOURCE_LINES_MAX} the most: split it by subject"
        );
        list.push(Finding::new(name, what));
    }
    (failures, notes)
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let goes_on = |next: Option<char>| {
            next.is_some_and(|character| character.is_alphanumeric() || character == '_')
        };
        !goes_on(before) && (word.ends_with('(') || !goes_on(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(text: &str) -> Vec<String> {
        source("a.rs", text).0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_source_begins_by_saying_what_it_owns() {
        assert_eq!(failures("//! Money.\nstruct Micros;\n"), Vec::<String>::new());
        for text in ["struct Micros;\n", "//!\nstruct Micros;\n", "", "\n//! Money.\n", "/// Money.\n"] {
            assert!(failures(text)[0].starts_with("a.rs:1: does not begin"), "{text:?}");
        }
    }

    #[test]
    fn work_put_off_is_found_but_not_within_other_words() {
        for word in LEFT_OVERS {
            let found = failures(&format!("//! Money.\n// {word}: round\n"));
            assert!(found[0].starts_with("a.rs:2: "), "{found:?}");
        }
        assert_eq!(failures("//! Money.\n// MASTODON, TODOS\n"), Vec::<String>::new());
    }

    #[test]
    fn a_long_source_is_named_and_a_very_long_one_fails() {
        let of = |lines: usize| source("a.rs", &format!("//! Money.\n{}", "\n".repeat(lines - 1)));
        assert_eq!(of(500), (vec![], vec![]));
        assert_eq!(of(501).1.len(), 1);
        assert_eq!(of(700).0, []);
        assert_eq!(of(701).0.len(), 1);
    }

    #[test]
    fn a_large_file_fails_but_for_the_lock_file() {
        assert_eq!(size("data.bin", FILE_BYTES_MAX), None);
        assert!(size("data.bin", FILE_BYTES_MAX + 1).is_some());
        assert_eq!(size("Cargo.lock", FILE_BYTES_MAX + 1), None);
    }

    #[test]
    fn a_path_of_one_machine_is_found_on_its_line() {
        let found = machine_paths("README.md", &format!("# Tarifa\ncd {}tarifa\n", MACHINE_PATHS[0]));
        assert!(found[0].to_string().starts_with("README.md:2: "), "{found:?}");
        assert_eq!(machine_paths("README.md", "cd crates/tarifa\n"), []);
    }
}
