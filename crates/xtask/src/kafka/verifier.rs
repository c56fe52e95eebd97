//! The verifier in Python: its environment under the target folder, and running it.
//!
//! Does not know what it checks. Invariant: it is run with nothing of Tarifa but the schemas and the topics.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::shell;

/// What the verifier needs and this machine has not, in words; none if all is here.
pub(crate) fn missing() -> Option<&'static str> {
    let python = shell::is_there(Command::new("python3").args(["-c", "import venv, ensurepip"]));
    (!python)
        .then_some("python3 with venv is not here: install Python 3.9 or later, on Debian python3-venv too")
}

/// The verifier, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Verifier {
    python: PathBuf,
    modules: PathBuf,
    script: PathBuf,
}

impl Verifier {
    /// Makes its environment, unless it is there for the same requirements and schemas.
    pub(crate) fn prepare() -> Result<Self> {
        let root = shell::root();
        let folder = root.join("tests/verifier");
        let modules = shell::target_directory()?.join("verifier");
        let python = modules.join("venv/bin/python");
        let verifier = Self { python, modules, script: folder.join("verify.py") };
        let requirements = folder.join("requirements.txt");
        let made_for = verifier.modules.join("made-for");
        let wanted = fingerprint(&[&requirements, &root.join("proto/tarifa/billing/v1")])?;
        if fs::read_to_string(&made_for).is_ok_and(|had| had == wanted) {
            return Ok(verifier);
        }
        fs::create_dir_all(&verifier.modules)?;
        let venv = verifier.modules.join("venv");
        step(
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
            "make an environment of Python",
        )?;
        let mut pip = Command::new(&verifier.python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        step(pip.arg(&requirements), "fetch what the verifier needs")?;
        let mut protoc = Command::new(&verifier.python);
        protoc.args(["-m", "grpc_tools.protoc", "--proto_path"]).arg(root.join("proto"));
        protoc.arg("--python_out").arg(&verifier.modules);
        for schema in files_in(&root.join("proto/tarifa/billing/v1"))? {
            protoc.arg(schema);
        }
        step(&mut protoc, "make Python of the schemas")?;
        fs::write(made_for, wanted)?;
        Ok(verifier)
    }

    /// The command that verifies what is on a broker.
    pub(crate) fn command(&self, brokers: &str, topic_prefix: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.env("PYTHONPATH", &self.modules).arg(&self.script).arg(brokers);
        command.args(["--topic-prefix", topic_prefix]);
        command
    }
}

fn step(command: &mut Command, what: &str) -> Result<()> {
    // What such a tool writes is no result of ours.
    command.stdout(std::io::stderr());
    ensure!(shell::passes(command)?, "cannot {what}; what was said stands above");
    Ok(())
}

/// Changes when one of the files does.
fn fingerprint(places: &[&Path]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for place in places {
        let files = if place.is_dir() { files_in(place)? } else { vec![(*place).to_owned()] };
        for file in files {
            hasher.update(&fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = listed.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_schema_or_requirement_makes_the_environment_anew() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("requirements.txt");
        fs::write(&file, "blake3==1\n").unwrap();
        let before = fingerprint(&[&file, place.path()]).unwrap();
        assert_eq!(fingerprint(&[&file, place.path()]).unwrap(), before);
        fs::write(&file, "blake3==2\n").unwrap();
        assert_ne!(fingerprint(&[&file, place.path()]).unwrap(), before);
    }
}
