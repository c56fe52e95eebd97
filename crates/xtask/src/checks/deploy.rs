//! What lies in `deploy/`, checked by a script of Python, as the checkers of these forms are there.
//!
//! Does not know the forms. Invariant: what could not be checked is shown by the script as skipped.

use std::process::Command;

use anyhow::Result;

use crate::{python::Environment, shell};

/// The command that checks.
pub(crate) fn command() -> Result<Command> {
    let folder = shell::root().join("deploy/check");
    let environment = Environment::prepare("deploy", &folder.join("requirements.txt"), &[], |_| Ok(()))?;
    let mut command = environment.python();
    command.arg(folder.join("check.py"));
    Ok(command)
}
