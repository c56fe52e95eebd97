//! Where to get buf, the linter of the schemas.
//!
//! Knows nothing of the schemas. Invariant: a version is pinned, so that a new rule of buf is adopted on purpose.

use std::process::Command;

use crate::shell;

/// The npm package that carries the binary.
const PACKAGE: &str = "@bufbuild/buf@1.75.0";

/// A command to which `lint` can be added; none if there is no buf here and none can be fetched.
pub(crate) fn find() -> Option<Command> {
    if shell::is_there(Command::new("buf").arg("--version")) {
        return Some(Command::new("buf"));
    }
    let through_npx = || {
        let mut command = Command::new("npx");
        command.args(["--yes", "--package", PACKAGE, "--", "buf"]);
        command
    };
    shell::is_there(through_npx().arg("--version")).then(through_npx)
}
