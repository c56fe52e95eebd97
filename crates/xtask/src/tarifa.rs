//! The `tarifa` binary as seen from outside: its commands by their arguments, its results as bytes.
//!
//! Knows its command line and nothing of its inside. Invariant: a command that fails is an error with what it wrote.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// A built binary.
#[derive(Debug, Clone)]
pub(crate) struct Tarifa {
    program: PathBuf,
}

impl Tarifa {
    /// The binary that lies here.
    pub(crate) fn at(program: &Path) -> Self {
        Self { program: program.to_owned() }
    }

    /// A command with its arguments, cut off from settings of whoever runs this.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TARIFA_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// A command on a data directory.
    pub(crate) fn on(&self, data: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.arg("--data").arg(data);
        command
    }

    /// `project FILE --data DIR`.
    pub(crate) fn project(&self, file: &Path, data: &Path) -> Command {
        let mut command = self.command(&["project"]);
        command.arg(file).arg("--data").arg(data);
        command
    }

    /// `generate … --out FILE`.
    pub(crate) fn generate(&self, arguments: &[String], out: &Path) -> Result<()> {
        let mut command = self.command(&["generate"]);
        command.args(arguments).arg("--out").arg(out);
        result_of(&mut command).map(|_| ())
    }

    /// The net conversations as CSV.
    pub(crate) fn conversations(&self, data: &Path) -> Result<Vec<u8>> {
        result_of(&mut self.on(data, &["conversations", "--format", "csv"]))
    }

    /// The lines of `verify` that carry a digest. An error if it finds differences.
    pub(crate) fn verified_digests(&self, data: &Path) -> Result<String> {
        let report = String::from_utf8(result_of(&mut self.on(data, &["verify"]))?)?;
        let digests: Vec<&str> =
            report.lines().filter(|line| line.to_lowercase().contains("digest")).collect();
        ensure!(!digests.is_empty(), "verify printed no digest, so there is nothing to compare:\n{report}");
        Ok(digests.join("\n"))
    }
}

/// Runs a command to its end and gives what it wrote to stdout.
pub(crate) fn result_of(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {}", output.status, said.trim());
    Ok(output.stdout)
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Bytes of all files in a folder.
pub(crate) fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_folder_has_as_many_bytes() {
        let place = tempfile::tempdir().unwrap();
        let from = place.path().join("from");
        fs::create_dir_all(from.join("log")).unwrap();
        fs::write(from.join("secret"), [7; 32]).unwrap();
        fs::write(from.join("log/0.log"), "records").unwrap();
        let to = place.path().join("to");
        copy_folder(&from, &to).unwrap();
        assert_eq!(folder_bytes(&to).unwrap(), 39);
        assert_eq!(fs::read(to.join("log/0.log")).unwrap(), b"records");
    }

    #[test]
    fn a_command_that_fails_tells_what_it_said() {
        let error =
            result_of(Command::new("sh").args(["-c", "echo no room >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("no room") && error.contains('3'), "{error}");
    }
}
