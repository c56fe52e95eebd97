//! The jars of Apache Kafka: fetched once by Maven, kept under the target folder.
//!
//! Does not know how a broker is run. Invariant: a folder of jars is complete or not there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::shell;

/// Written into the name of the folder; the version itself stands in `pom.xml`.
const VERSION: &str = "4.1.1";
const POM: &str = include_str!("pom.xml");

/// What a broker needs and this machine has not, in words; none if all is here.
pub(super) fn missing() -> Option<&'static str> {
    if !shell::is_there(Command::new("java").arg("-version")) {
        return Some("java is not here: install a Java runtime of version 17 or later");
    }
    let fetched = shell::target_directory().is_ok_and(|target| folder(&target).is_dir());
    if !fetched && !shell::is_there(Command::new("mvn").arg("-version")) {
        return Some("mvn is not here: install Maven, which fetches Apache Kafka");
    }
    None
}

/// The folder with the jars, fetched if need be.
pub(super) fn fetch(target: &Path) -> Result<PathBuf> {
    let jars = folder(target);
    if jars.is_dir() {
        return Ok(jars);
    }
    let made = target.join("kafka").join(format!("part-{VERSION}"));
    if made.exists() {
        fs::remove_dir_all(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    }
    fs::create_dir_all(&made).with_context(|| format!("cannot make {}", made.display()))?;
    let pom = made.join("pom.xml");
    fs::write(&pom, POM).with_context(|| format!("cannot write {}", pom.display()))?;
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "--file"]).arg(&pom);
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", made.display()));
    // What Maven writes is no result of ours.
    maven.stdout(std::io::stderr());
    ensure!(
        shell::passes(&mut maven)?,
        "Maven could not fetch Apache Kafka {VERSION}; what it said stands above"
    );
    fs::rename(&made, &jars).with_context(|| format!("cannot move the jars to {}", jars.display()))?;
    Ok(jars)
}

fn folder(target: &Path) -> PathBuf {
    target.join("kafka").join(format!("jars-{VERSION}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_named_after_the_version_that_is_fetched() {
        assert!(POM.contains(&format!("<artifactId>kafka_2.13</artifactId><version>{VERSION}</version>")));
    }
}
