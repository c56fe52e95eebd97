//! Environments of Python under the target folder, one for each list of requirements.
//!
//! Does not know what is run in them. Invariant: an environment is used only for the requirements it was made for.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::shell;

/// What Python needs and this machine has not, in words; none if all is here.
pub(crate) fn missing() -> Option<&'static str> {
    let python = shell::is_there(Command::new("python3").args(["-c", "import venv, ensurepip"]));
    (!python)
        .then_some("python3 with venv is not here: install Python 3.10 or later, on Debian python3-venv too")
}

/// A ready environment.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// Its folder, where modules may be put too.
    pub(crate) folder: PathBuf,
}

impl Environment {
    /// Makes it, unless it is there for the same requirements and the same other `inputs`. `made` is done on top of it.
    pub(crate) fn prepare(
        name: &str,
        requirements: &Path,
        inputs: &[PathBuf],
        made: impl FnOnce(&Self) -> Result<()>,
    ) -> Result<Self> {
        let environment = Self { folder: shell::target_directory()?.join("python").join(name) };
        let made_for = environment.folder.join("made-for");
        let mut all = vec![requirements.to_owned()];
        all.extend_from_slice(inputs);
        let wanted = fingerprint(&all)?;
        if fs::read_to_string(&made_for).is_ok_and(|had| had == wanted) {
            return Ok(environment);
        }
        fs::create_dir_all(&environment.folder)?;
        let venv = environment.folder.join("venv");
        step(
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
            "make an environment of Python",
        )?;
        let mut pip = environment.python();
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        step(pip.arg(requirements), "fetch what Python needs")?;
        made(&environment)?;
        fs::write(made_for, wanted)?;
        Ok(environment)
    }

    /// Its Python, which finds the modules in its folder.
    pub(crate) fn python(&self) -> Command {
        let mut python = Command::new(self.folder.join("venv/bin/python"));
        python.env("PYTHONPATH", &self.folder);
        python
    }
}

/// Runs what has to succeed. What such a tool writes is no result of ours.
pub(crate) fn step(command: &mut Command, what: &str) -> Result<()> {
    command.stdout(std::io::stderr());
    ensure!(shell::passes(command)?, "cannot {what}; what was said stands above");
    Ok(())
}

/// Changes when one of the files does.
fn fingerprint(files: &[PathBuf]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(&fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_requirement_makes_an_environment_anew() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("requirements.txt");
        fs::write(&file, "blake3==1\n").unwrap();
        let before = fingerprint(std::slice::from_ref(&file)).unwrap();
        assert_eq!(fingerprint(std::slice::from_ref(&file)).unwrap(), before);
        fs::write(&file, "blake3==2\n").unwrap();
        assert_ne!(fingerprint(&[file]).unwrap(), before);
    }
}
