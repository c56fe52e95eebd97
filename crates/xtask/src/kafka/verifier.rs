//! The verifier in Python: its environment, and running it.
//!
//! Does not know what it checks. Invariant: it is run with nothing of Tarifa but the schemas and the topics.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    python::{self, Environment},
    shell,
};

/// The verifier, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Verifier {
    environment: Environment,
    script: PathBuf,
}

impl Verifier {
    /// Makes its environment, with modules of Python made from the schemas.
    pub(crate) fn prepare() -> Result<Self> {
        let root = shell::root();
        let folder = root.join("tests/verifier");
        let schemas = files_in(&root.join("proto/tarifa/billing/v1"))?;
        let requirements = folder.join("requirements.txt");
        let environment = Environment::prepare("verifier", &requirements, &schemas, |environment| {
            let mut protoc = environment.python();
            protoc.args(["-m", "grpc_tools.protoc", "--proto_path"]).arg(root.join("proto"));
            protoc.arg("--python_out").arg(&environment.folder).args(&schemas);
            python::step(&mut protoc, "make Python of the schemas")
        })?;
        Ok(Self { environment, script: folder.join("verify.py") })
    }

    /// The command that verifies what is on a broker.
    pub(crate) fn command(&self, brokers: &str, topic_prefix: &str) -> Command {
        let mut command = self.environment.python();
        command.arg(&self.script).arg(brokers).args(["--topic-prefix", topic_prefix]);
        command
    }
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
    fn the_schemas_it_is_made_of_are_there() {
        let schemas = files_in(&shell::root().join("proto/tarifa/billing/v1")).unwrap();
        assert!(schemas.iter().any(|path| path.ends_with("entry.proto")), "{schemas:?}");
    }
}
