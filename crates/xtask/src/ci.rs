//! `cargo xtask ci`: the steps that a change has to pass, one after the other, and their summary.
//!
//! Does not know what a check looks at. Invariant: a step that did not run is not in the summary as passed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{
    checks,
    kafka::{self, Broker, Node},
    python, shell,
};

#[derive(Debug, Args)]
pub(crate) struct CiArguments {
    /// Run the later steps too when one has failed.
    #[arg(long)]
    keep_going: bool,
    /// Run only the steps named here: fmt, tidy, boundaries, buf, deploy, clippy, test, kafka.
    #[arg(value_name = "STEP")]
    only: Vec<String>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// It could not run here, and why.
    Skipped(String),
}

struct Step {
    name: &'static str,
    run: fn() -> Result<Outcome>,
}

/// Cheap ones first: who made a slip hears of it in seconds.
const STEPS: [Step; 8] = [
    Step { name: "fmt", run: fmt },
    Step { name: "tidy", run: tidy },
    Step { name: "boundaries", run: boundaries },
    Step { name: "buf", run: buf },
    Step { name: "deploy", run: deploy },
    Step { name: "clippy", run: clippy },
    Step { name: "test", run: test },
    Step { name: "kafka", run: kafka_trial },
];

/// Runs the steps. True if none failed.
pub(crate) fn run(arguments: &CiArguments) -> Result<bool> {
    for name in &arguments.only {
        let known = STEPS.iter().any(|step| step.name == name);
        anyhow::ensure!(
            known,
            "there is no step `{name}`: steps are fmt, tidy, boundaries, buf, deploy, clippy, test, kafka"
        );
    }
    let mut done = Vec::new();
    for step in &STEPS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|name| name == step.name) {
            continue;
        }
        eprintln!("== {}", step.name);
        let begun = Instant::now();
        let outcome = (step.run)().with_context(|| format!("step {} could not run", step.name))?;
        let failed = outcome == Outcome::Failed;
        done.push((step.name, outcome, begun.elapsed()));
        if failed && !arguments.keep_going {
            break;
        }
    }
    println!("{}", summary(&done));
    Ok(done.iter().all(|(_, outcome, _)| *outcome != Outcome::Failed))
}

fn summary(done: &[(&str, Outcome, Duration)]) -> String {
    let mut lines = vec![format!("{:<12} {:<8} {:>8}", "step", "result", "seconds")];
    for (name, outcome, took) in done {
        let (word, remark) = match outcome {
            Outcome::Passed => ("ok", String::new()),
            Outcome::Failed => ("FAILED", String::new()),
            Outcome::Skipped(why) => ("SKIPPED", format!("  {why}")),
        };
        lines.push(format!("{name:<12} {word:<8} {:>8.1}{remark}", took.as_secs_f64()));
    }
    lines.join("\n")
}

fn outcome(passed: bool) -> Outcome {
    if passed { Outcome::Passed } else { Outcome::Failed }
}

fn fmt() -> Result<Outcome> {
    Ok(outcome(shell::passes(shell::cargo().args(["fmt", "--all", "--check"]))?))
}

fn clippy() -> Result<Outcome> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    Ok(outcome(shell::passes(shell::cargo().args(arguments))?))
}

fn test() -> Result<Outcome> {
    let mut test = shell::cargo();
    test.args(["test", "--workspace", "--no-fail-fast"]);
    match Broker::find()? {
        Broker::Given(brokers) | Broker::Own(brokers) => {
            test.env(kafka::BROKERS_VARIABLE, brokers);
            Ok(outcome(shell::passes(&mut test)?))
        }
        Broker::Missing(what) => {
            test.env_remove(kafka::BROKERS_VARIABLE);
            Ok(without_kafka(shell::passes(&mut test)?, what, must_be_complete()))
        }
    }
}

/// The whole way on a real broker, with the verifier in Python as judge.
fn kafka_trial() -> Result<Outcome> {
    let left_out = |what| without_kafka(true, what, must_be_complete());
    if let Some(what) = python::missing() {
        return Ok(left_out(what));
    }
    match Broker::find()? {
        Broker::Given(brokers) => Ok(outcome(kafka::trial::run(&brokers)?)),
        Broker::Own(brokers) => {
            let passed = kafka::trial::run(&brokers);
            Node::named("default")?.down(false)?;
            Ok(outcome(passed?))
        }
        Broker::Missing(what) => Ok(left_out(what)),
    }
}

fn deploy() -> Result<Outcome> {
    match python::missing() {
        Some(what) => {
            let why = format!("what lies in deploy/ was NOT checked: {what}");
            eprintln!("{why}");
            Ok(if must_be_complete() { Outcome::Failed } else { Outcome::Skipped(why) })
        }
        None => Ok(outcome(shell::passes(&mut checks::deploy::command()?)?)),
    }
}

/// Whoever builds from here may do without Kafka; what is merged may not.
fn must_be_complete() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

fn without_kafka(passed: bool, what: &str, must_be_complete: bool) -> Outcome {
    let why = format!("the tests on Kafka were LEFT OUT: {what}");
    eprintln!("{why}");
    if !passed || must_be_complete { Outcome::Failed } else { Outcome::Skipped(why) }
}

fn boundaries() -> Result<Outcome> {
    let mut findings = checks::boundaries::check(&checks::boundaries::members(&shell::metadata()?)?);
    findings.extend(checks::pure::check(&shell::root())?);
    Ok(outcome(checks::tell(&findings)))
}

fn tidy() -> Result<Outcome> {
    Ok(outcome(checks::tell(&checks::tidy::check(&shell::root())?)))
}

fn buf() -> Result<Outcome> {
    let proto = shell::root().join("proto");
    let Some(mut buf) = checks::buf::find() else {
        let why = "neither buf nor npx with access to its package is here: schemas are NOT linted";
        eprintln!("{why}");
        return Ok(Outcome::Skipped(why.to_owned()));
    };
    Ok(outcome(shell::passes(buf.arg("lint").current_dir(proto))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_aligned_and_shouts_what_was_not_passed() {
        let done = [
            ("fmt", Outcome::Passed, Duration::from_millis(1_240)),
            ("buf", Outcome::Skipped("no buf".to_owned()), Duration::ZERO),
            ("test", Outcome::Failed, Duration::from_secs(312)),
        ];
        let expected = "\
step         result    seconds
fmt          ok            1.2
buf          SKIPPED       0.0  no buf
test         FAILED      312.0";
        assert_eq!(summary(&done), expected);
    }

    #[test]
    fn tests_without_kafka_are_never_a_pass() {
        let no_java = |passed, complete| without_kafka(passed, "java is not here", complete);
        assert_eq!(
            no_java(true, false),
            Outcome::Skipped("the tests on Kafka were LEFT OUT: java is not here".to_owned())
        );
        assert_eq!(no_java(true, true), Outcome::Failed);
        assert_eq!(no_java(false, false), Outcome::Failed);
    }

    #[test]
    fn a_step_that_does_not_exist_is_refused() {
        let arguments = CiArguments { keep_going: false, only: vec!["fmtt".to_owned()] };
        assert!(run(&arguments).unwrap_err().to_string().contains("no step `fmtt`"));
    }
}
