//! What the crates that decide leave alone: clocks, floats, hash maps, output. And that clippy is told so too.
//!
//! Does not know what they decide. Invariant: a crate named here is looked at whole, or the check fails.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::{
    Finding,
    text::{code_lines, words},
};

/// Crates that decide what is booked.
const PURE: [&str; 3] = ["model", "tariff", "projector"];
/// Crates that count money.
const WITHOUT_FLOATS: [&str; 4] = ["model", "tariff", "projector", "finance"];
const FLOAT_LINT: &str = "#![deny(clippy::float_arithmetic)]";

/// A word that must not stand in the code of a pure crate.
struct Banned {
    word: &'static str,
    /// What to do.
    remedy: &'static str,
}

const BANNED: [Banned; 10] = [
    Banned { word: "f32", remedy: "count in integers" },
    Banned { word: "f64", remedy: "count in integers" },
    Banned { word: "SystemTime", remedy: "take the time as an argument" },
    Banned { word: "Instant", remedy: "take the time as an argument; measure in the callers" },
    Banned { word: "HashMap", remedy: "its order differs from run to run; take a BTreeMap or a HashTable" },
    Banned { word: "HashSet", remedy: "its order differs from run to run; take a BTreeSet or a HashTable" },
    Banned { word: "println", remedy: "return what is to be said" },
    Banned { word: "eprintln", remedy: "return what is to be said" },
    Banned { word: "print", remedy: "return what is to be said" },
    Banned { word: "dbg", remedy: "remove it" },
];

/// Types that the `clippy.toml` of a pure crate has to name.
const DISALLOWED_TYPES: [&str; 4] =
    ["std::time::SystemTime", "std::time::Instant", "std::collections::HashMap", "std::collections::HashSet"];

/// Looks at all of them.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let common = read(&root.join("clippy.toml"))?;
    for name in PURE {
        let folder = root.join("crates").join(name);
        let config = folder.join("clippy.toml");
        let place = format!("crates/{name}/clippy.toml");
        if config.exists() {
            findings.extend(config_findings(&place, &read(&config)?, &common));
        } else {
            let what =
                format!("is missing; give it the root's entries and disallowed-types {DISALLOWED_TYPES:?}");
            findings.push(Finding::new(place, what));
        }
        let mut files = Vec::new();
        rust_files(&folder.join("src"), &mut files)?;
        for file in files {
            let place = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            findings.extend(source_findings(&place, &read(&file)?));
        }
    }
    for name in WITHOUT_FLOATS {
        let place = format!("crates/{name}/src/lib.rs");
        findings.extend(lint_finding(&place, &read(&root.join(&place))?));
    }
    Ok(findings)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn rust_files(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn source_findings(place: &str, source: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(code_lines(source)) {
        for word in words(&line) {
            let suffix = if word.starts_with(|first: char| first.is_ascii_digit()) {
                // `1.0_f64` and `2f32`.
                word.trim_start_matches(|character: char| character.is_ascii_digit() || character == '_')
            } else {
                word
            };
            if let Some(banned) = BANNED.iter().find(|banned| banned.word == suffix) {
                let what = format!("`{}` in a crate that decides; {}", banned.word, banned.remedy);
                findings.push(Finding::new(format!("{place}:{number}"), what));
            }
        }
    }
    findings
}

/// The nearest `clippy.toml` wins and is not merged with the root's, so each has to have the root's lines.
fn config_findings(place: &str, config: &str, common: &str) -> Vec<Finding> {
    let has = |wanted: &str| config.lines().any(|line| line.trim() == wanted);
    let entries = common.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut findings: Vec<_> = entries
        .filter(|entry| !has(entry))
        .map(|entry| {
            Finding::new(
                place,
                format!("lacks `{entry}` of the root's clippy.toml; repeat it, files are not merged"),
            )
        })
        .collect();
    for name in DISALLOWED_TYPES {
        let entry = format!("path = \"{name}\"");
        let is_there =
            config.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(&entry));
        if !is_there || !config.contains("disallowed-types") {
            findings
                .push(Finding::new(place, format!("does not disallow {name}; add it to disallowed-types")));
        }
    }
    findings
}

fn lint_finding(place: &str, source: &str) -> Option<Finding> {
    let is_there = source.lines().any(|line| line.trim() == FLOAT_LINT);
    (!is_there).then(|| {
        Finding::new(place, format!("lacks the line `{FLOAT_LINT}`; add it behind the first comment"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = "# why\nallow-unwrap-in-tests = true\n";

    #[test]
    fn clocks_floats_maps_and_output_are_found_where_they_stand() {
        for (line, word) in [
            ("let share: f64 = 0.5;", "f64"),
            ("let share = 1.0_f32;", "f32"),
            ("let now = std::time::SystemTime::now();", "SystemTime"),
            ("use std::collections::{BTreeMap, HashMap};", "HashMap"),
            ("println!(\"{sum}\");", "println"),
        ] {
            let source = format!("//! Rules.\n\n{line}\n");
            let found = source_findings("crates/projector/src/fold.rs", &source);
            assert_eq!(found.len(), 1, "{line}");
            let start = format!("crates/projector/src/fold.rs:3: `{word}` in a crate that decides; ");
            assert!(found[0].to_string().starts_with(&start), "{}", found[0]);
        }
    }

    #[test]
    fn a_comment_may_speak_of_floats() {
        assert_eq!(
            source_findings("a.rs", "//! No f64 here.\nlet name = \"f64\"; // HashMap\nlet g64 = 1;\n"),
            []
        );
    }

    #[test]
    fn a_clippy_file_needs_the_roots_lines_and_the_banned_types() {
        let types = DISALLOWED_TYPES.map(|name| format!("    {{ path = \"{name}\" }},\n")).concat();
        let whole = format!("{COMMON}disallowed-types = [\n{types}]\n");
        assert_eq!(config_findings("clippy.toml", &whole, COMMON), []);
        let without_root = whole.replace("allow-unwrap-in-tests = true", "");
        assert_eq!(config_findings("clippy.toml", &without_root, COMMON).len(), 1);
        let without_instant = whole.replace("std::time::Instant", "std::time::Elsewhen");
        let found = config_findings("clippy.toml", &without_instant, COMMON);
        assert!(found[0].what.contains("does not disallow std::time::Instant"), "{found:?}");
    }

    #[test]
    fn a_commented_out_lint_is_no_lint() {
        assert_eq!(lint_finding("lib.rs", &format!("//! Money.\n\n{FLOAT_LINT}\n")), None);
        assert!(lint_finding("lib.rs", &format!("//! Money.\n\n// {FLOAT_LINT}\n")).is_some());
    }
}
