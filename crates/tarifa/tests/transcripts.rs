//! The program as people meet it: each file in `transcripts/` is typed line by line, and everything it prints is compared.
//!
//! Knows only the program. Invariant: every message of a command stands in some transcript.
//!
//! A file has lines of these sorts:
//!
//! ```text
//! # a remark
//! $ tarifa tariff list     what is typed, in a fresh folder for each file; any command of bash
//! > …                      a line on standard output
//! ! …                      a line on standard error
//! = 2                      the exit code, where it is not 0
//! ```
//!
//! `UPDATE_TRANSCRIPTS=1 cargo test -p tarifa --test transcripts` writes what came in place of what was expected; read the
//! difference before keeping it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What stands in a transcript for the folder in which it runs.
const FOLDER: &str = "FOLDER";

#[test]
fn transcripts_are_what_the_program_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|item| item.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no transcripts in {}", folder.display());
    let update = env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut wrong = Vec::new();
    for file in files {
        let expected = fs::read_to_string(&file).unwrap();
        let came = play(&expected);
        if came != expected {
            wrong.push(format!("{}:\n{}", file.display(), first_difference(&expected, &came)));
            if update {
                fs::write(&file, came).unwrap();
            }
        }
    }
    assert!(update || wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Types the lines of a transcript and writes it anew.
fn play(transcript: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut written = String::new();
    for line in transcript.lines() {
        match line.split_at_checked(2) {
            Some(("$ ", typed)) => {
                written.push_str(&format!("{line}\n{}", run(typed, folder.path())));
            }
            Some(("> " | "! " | "= ", _)) => {}
            _ if matches!(line, ">" | "!") => {}
            _ => written.push_str(&format!("{line}\n")),
        }
    }
    written
}

/// Runs one line and writes what came.
fn run(typed: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_tarifa"));
    let path = format!("{}:{}", program.parent().unwrap().display(), env::var("PATH").unwrap_or_default());
    let came = Command::new("bash")
        .args(["-o", "pipefail", "-c", typed])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let mut written = String::new();
    for (mark, bytes) in [('>', &came.stdout), ('!', &came.stderr)] {
        let text = String::from_utf8_lossy(bytes).replace(&folder.display().to_string(), FOLDER);
        for line in text.lines() {
            written.push_str(format!("{mark} {line}").trim_end());
            written.push('\n');
        }
    }
    match came.status.code() {
        Some(0) => {}
        Some(code) => written.push_str(&format!("= {code}\n")),
        None => written.push_str("= killed\n"),
    }
    written
}

/// The first line that differs, with the ones before it.
fn first_difference(expected: &str, came: &str) -> String {
    let at = expected.lines().zip(came.lines()).take_while(|(a, b)| a == b).count();
    let lines = |text: &str| text.lines().skip(at).take(6).collect::<Vec<_>>().join("\n    ");
    let typed = came.lines().take(at + 1).filter(|line| line.starts_with("$ ")).last().unwrap_or("");
    format!(
        "  line {}, after {typed}\n  expected:\n    {}\n  came:\n    {}\n",
        at + 1,
        lines(expected),
        lines(came)
    )
}

#[test]
fn a_transcript_that_is_wrong_is_noticed() {
    assert_eq!(
        play("# x\n$ echo a; echo b >&2; exit 3\n> c\n\n"),
        "# x\n$ echo a; echo b >&2; exit 3\n> a\n! b\n= 3\n\n"
    );
    assert_eq!(play("$ pwd\n"), format!("$ pwd\n> {FOLDER}\n"));
}
