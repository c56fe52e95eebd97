//! Running other programs, and where the checkout lies.
//!
//! Does not know what they are run for. Invariant: a program that could not be started is an error, never a result.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The cargo that runs this command, so that the toolchain is the same throughout.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Runs a program with its output passed through. True if it succeeded.
pub(crate) fn passes(command: &mut Command) -> Result<bool> {
    eprintln!("$ {}", line_of(command));
    let status = command.status().with_context(|| format!("cannot start {}", name_of(command)))?;
    Ok(status.success())
}

/// Runs a program and gives what it wrote to stdout; stderr is passed through.
pub(crate) fn output_of(command: &mut Command) -> Result<Vec<u8>> {
    let name = name_of(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {name}"))?;
    ensure!(output.status.success(), "{} ended with {}", line_of(command), output.status);
    Ok(output.stdout)
}

/// True if a program can be started and answers with success; all it writes is dropped.
pub(crate) fn is_there(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = metadata()?;
    match metadata["target_directory"].as_str() {
        Some(path) => Ok(PathBuf::from(path)),
        None => bail!("cargo metadata names no target_directory: use the toolchain of rust-toolchain.toml"),
    }
}

/// What cargo says of the members of the workspace and the lines of their manifests.
pub(crate) fn metadata() -> Result<serde_json::Value> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    serde_json::from_slice(&output_of(&mut command)?).context("cargo metadata wrote no JSON")
}

/// Builds release binaries and says where they are.
pub(crate) fn build_release(packages: &[&str]) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--release"]);
    for package in packages {
        command.args(["-p", package]);
    }
    ensure!(passes(&mut command)?, "the release build failed: mend it first");
    Ok(target_directory()?.join("release"))
}

fn name_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
