//! Which crate may name which in its manifest: one table, and the walls that no row of it may break.
//!
//! Knows nothing of sources. Invariant: a dependency line that is in no row fails, whatever it is for.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Finding;

/// What a crate may name.
struct Row {
    name: &'static str,
    /// Members of the workspace.
    members: &'static [&'static str],
    /// Crates from outside.
    outside: &'static [&'static str],
    /// In `[dev-dependencies]` as well.
    tests: &'static [&'static str],
    /// In `[build-dependencies]`.
    build: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row { name: "model", members: &[], outside: &[], tests: &["proptest"], build: &[] },
    Row {
        name: "tariff",
        members: &["model"],
        outside: &["blake3", "chrono", "chrono-tz", "csv", "serde", "strsim", "thiserror", "toml"],
        tests: &["proptest"],
        build: &[],
    },
    Row {
        name: "projector",
        members: &["model", "tariff"],
        outside: &["blake3", "hashbrown", "prefetch-index", "thiserror"],
        tests: &["proptest"],
        build: &[],
    },
    Row {
        name: "wire",
        members: &["model"],
        outside: &[
            "blake3",
            "memchr",
            "pbjson",
            "pbjson-types",
            "prost",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "thiserror",
        ],
        tests: &["proptest"],
        build: &["pbjson-build", "prost", "prost-build", "protox"],
    },
    Row {
        name: "ledger",
        members: &["model", "wire"],
        outside: &["blake3", "getrandom", "hashbrown", "memchr", "sled", "thiserror", "zstd"],
        tests: &["proptest", "tempfile"],
        build: &[],
    },
    Row {
        name: "pipeline",
        members: &["model", "tariff", "projector", "wire", "ledger"],
        outside: &["blake3", "flate2", "memchr", "pulp", "thiserror", "tracing", "zstd"],
        tests: &["proptest", "sim", "tempfile"],
        build: &[],
    },
    Row {
        name: "kafka",
        members: &["model", "wire", "pipeline"],
        outside: &["rdkafka", "serde_json", "thiserror", "tracing"],
        tests: &["tempfile"],
        build: &[],
    },
    Row {
        name: "server",
        members: &["model", "pipeline"],
        outside: &["axum", "thiserror", "tokio"],
        tests: &[],
        build: &[],
    },
    Row {
        name: "finance",
        members: &["model", "tariff", "ledger"],
        outside: &["askama", "csv", "serde", "serde_json", "thiserror"],
        tests: &["proptest", "tempfile"],
        build: &[],
    },
    Row {
        name: "sim",
        members: &["model"],
        outside: &["thiserror"],
        tests: &["proptest", "serde_json", "wire"],
        build: &[],
    },
    Row {
        name: "tarifa",
        members: &[
            "model",
            "tariff",
            "projector",
            "wire",
            "ledger",
            "pipeline",
            "kafka",
            "finance",
            "sim",
            "server",
        ],
        outside: &[
            "anstream",
            "anstyle",
            "anyhow",
            "chrono",
            "clap",
            "csv",
            "flate2",
            "indicatif",
            "serde",
            "serde_json",
            "signal-hook",
            "strsim",
            "tempfile",
            "thiserror",
            "toml",
            "tikv-jemallocator",
            "tracing",
            "tracing-subscriber",
            "unicode-width",
            "zstd",
        ],
        tests: &["tempfile"],
        build: &[],
    },
    Row {
        name: "tests",
        members: &["model", "tariff", "projector", "wire", "ledger", "pipeline", "finance", "sim"],
        outside: &["blake3", "proptest", "tempfile", "thiserror"],
        tests: &[],
        build: &[],
    },
    Row {
        name: "xtask",
        members: &["model", "tariff", "projector", "wire", "sim"],
        outside: &["anyhow", "blake3", "clap", "csv", "serde", "serde_json", "tempfile"],
        tests: &[],
        build: &[],
    },
];

/// A crate that only some may name, and why the others may not. Stands above the rows.
struct Wall {
    behind: &'static str,
    may: &'static [&'static str],
    why: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        behind: "sled",
        may: &["ledger"],
        why: "another store has to fit behind the ledger's five operations",
    },
    Wall { behind: "rdkafka", may: &["kafka"], why: "everything else runs and is tested without a broker" },
    Wall { behind: "axum", may: &["server"], why: "HTTP is a window onto the house, not a part of it" },
    Wall { behind: "hyper", may: &["server"], why: "HTTP is a window onto the house, not a part of it" },
    Wall { behind: "tokio", may: &["server", "tarifa"], why: "what decides is synchronous" },
    Wall { behind: "clap", may: &["tarifa", "xtask"], why: "only binaries have arguments" },
    Wall { behind: "indicatif", may: &["tarifa"], why: "libraries report progress, the binary shows it" },
    Wall {
        behind: "anyhow",
        may: &["tarifa", "xtask"],
        why: "libraries have errors that callers can tell apart",
    },
    Wall {
        behind: "projector",
        may: &["pipeline", "tarifa", "tests", "xtask"],
        why: "the rules have one home, and the model they are compared with must not share it",
    },
    Wall {
        behind: "tikv-jemallocator",
        may: &["tarifa"],
        why: "whoever makes the program chooses its allocator",
    },
    Wall { behind: "tarifa", may: &[], why: "the binary is the roof: nothing stands on it" },
    Wall { behind: "xtask", may: &[], why: "commands for developers are not part of the product" },
];

/// A line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    name: String,
    section: Section,
    is_member: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Normal,
    Tests,
    Build,
}

/// A member of the workspace with the lines of its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    name: String,
    lines: Vec<Line>,
}

/// Takes them from `cargo metadata --no-deps`.
pub(crate) fn members(metadata: &Value) -> Result<Vec<Member>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    packages.iter().map(member).collect()
}

fn member(package: &Value) -> Result<Member> {
    let name = package["name"].as_str().context("cargo metadata has a package without a name")?;
    let dependencies = package["dependencies"].as_array().context("cargo metadata lists no dependencies")?;
    let lines = dependencies.iter().map(|dependency| {
        let section = match dependency["kind"].as_str() {
            None => Section::Normal,
            Some("dev") => Section::Tests,
            Some("build") => Section::Build,
            Some(other) => {
                anyhow::bail!("cargo metadata knows dependencies of kind `{other}`: teach them to this check")
            }
        };
        // The name of the crate, whatever the manifest calls it by.
        let name = dependency["name"].as_str().context("cargo metadata has a dependency without a name")?;
        Ok(Line { name: name.to_owned(), section, is_member: dependency["path"].is_string() })
    });
    Ok(Member { name: name.to_owned(), lines: lines.collect::<Result<_>>()? })
}

/// Lines that are in no row or break a wall, and members without a row.
pub(crate) fn check(members: &[Member]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let place = format!("crate {}", member.name);
        let Some(row) = ROWS.iter().find(|row| row.name == member.name) else {
            let what = "has no row in crates/xtask/src/checks/boundaries.rs; say there what it may name";
            findings.push(Finding::new(place, what));
            continue;
        };
        for line in &member.lines {
            if let Some(what) = broken_wall(&member.name, line).or_else(|| not_in(row, line)) {
                findings.push(Finding::new(place.clone(), what));
            }
        }
    }
    findings
}

fn broken_wall(member: &str, line: &Line) -> Option<String> {
    let wall = WALLS.iter().find(|wall| wall.behind == line.name && !wall.may.contains(&member))?;
    let may = if wall.may.is_empty() {
        "nobody may".to_owned()
    } else {
        format!("only {} may", wall.may.join(", "))
    };
    Some(format!("depends on {}, which {may}: {}; remove the line", wall.behind, wall.why))
}

fn not_in(row: &Row, line: &Line) -> Option<String> {
    let name = line.name.as_str();
    let normal = if line.is_member { row.members } else { row.outside };
    let allowed = match line.section {
        Section::Normal => normal.contains(&name),
        Section::Tests => normal.contains(&name) || row.tests.contains(&name),
        Section::Build => row.build.contains(&name),
    };
    let section = match line.section {
        Section::Normal => "dependencies",
        Section::Tests => "dev-dependencies",
        Section::Build => "build-dependencies",
    };
    let why = "remove the line, or add it to crates/xtask/src/checks/boundaries.rs in a commit that says why";
    (!allowed).then(|| format!("names {name} in [{section}], which its row does not allow; {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Findings for one crate with one dependency.
    fn findings(name: &str, dependency: &str, kind: Option<&str>, is_member: bool) -> Vec<String> {
        let path = is_member.then(|| format!("crates/{dependency}"));
        let metadata = json!({ "packages": [
            { "name": name, "dependencies": [{ "name": dependency, "kind": kind, "path": path }] },
        ]});
        check(&members(&metadata).unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_reference_model_must_not_share_the_projectors_code() {
        for kind in [None, Some("dev")] {
            let found = findings("sim", "projector", kind, true);
            assert_eq!(found.len(), 1);
            assert!(
                found[0].starts_with("crate sim: depends on projector, which only pipeline"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn walls_stand_whatever_the_row() {
        for (name, dependency) in
            [("pipeline", "sled"), ("tarifa", "rdkafka"), ("finance", "axum"), ("ledger", "anyhow")]
        {
            let found = findings(name, dependency, None, false);
            assert!(found[0].contains(&format!("depends on {dependency}, which only")), "{found:?}");
        }
        assert!(findings("tests", "tarifa", None, true)[0].contains("which nobody may"));
    }

    #[test]
    fn a_line_that_is_in_no_row_fails_and_says_what_to_do() {
        let found = findings("model", "serde", None, false);
        assert!(
            found[0].contains("names serde in [dependencies], which its row does not allow"),
            "{found:?}"
        );
        assert!(found[0].contains("remove the line"), "{found:?}");
    }

    #[test]
    fn what_only_tests_may_use_stays_out_of_the_product() {
        assert_eq!(findings("ledger", "proptest", Some("dev"), false), Vec::<String>::new());
        assert_eq!(findings("ledger", "proptest", None, false).len(), 1);
        assert_eq!(findings("ledger", "proptest", Some("build"), false).len(), 1);
    }

    #[test]
    fn an_outside_crate_with_a_members_name_is_not_that_member() {
        assert_eq!(findings("projector", "tariff", None, true), Vec::<String>::new());
        assert_eq!(findings("projector", "tariff", None, false).len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_told_to_get_one() {
        let metadata = json!({ "packages": [{ "name": "attic", "dependencies": [] }]});
        let found = check(&members(&metadata).unwrap());
        assert!(found[0].to_string().starts_with("crate attic: has no row"));
    }

    #[test]
    fn no_row_breaks_a_wall_and_no_two_rows_are_for_one_crate() {
        for row in ROWS {
            assert_eq!(ROWS.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
            for name in [row.members, row.outside, row.tests, row.build].concat() {
                let line = Line { name: name.to_owned(), section: Section::Normal, is_member: false };
                assert_eq!(broken_wall(row.name, &line), None);
            }
        }
    }
}
