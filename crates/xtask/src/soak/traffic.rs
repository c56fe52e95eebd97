//! The traffic of the proofs, the projection of it that nobody disturbs, and how another is compared with that.
//!
//! Does not know what disturbs the other. Invariant: both have the same secret, or ids are left out of the comparison.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use sim::Dice;

use crate::tarifa::{Tarifa, copy_folder, folder_bytes, result_of};

/// Columns made from the installation's secret.
const SECRET_COLUMNS: [&str; 2] = ["conversationId", "user"];
/// Columns of the quarantine that depend on when a run began and on what was in the directory before.
const RUN_COLUMNS: [&str; 3] = ["offset", "record", "recordTime"];
/// Every so many lines one is none that can be read.
const BROKEN_EVERY: usize = 1_000;

/// What a projection comes to when nothing happens to it.
#[derive(Debug)]
pub(super) struct Undisturbed {
    /// The traffic.
    pub(super) file: PathBuf,
    /// A data directory with a secret, a configuration and one event, from which directories to compare begin.
    beginning: PathBuf,
    pub(super) took: Duration,
    /// Of the whole data directory.
    pub(super) bytes: u64,
    conversations: Vec<u8>,
    digests: String,
    /// Lines that could not be read, each as often as it is in quarantine.
    refused: Vec<Vec<String>>,
}

impl Undisturbed {
    /// Makes the traffic and projects it.
    pub(super) fn project(tarifa: &Tarifa, work: &Path, events: u64, dice: &mut Dice) -> Result<Self> {
        let file = work.join("traffic.jsonl");
        let seed = dice.next().to_string();
        let (count, threads) = (events.to_string(), (events / 15).max(10).to_string());
        let arguments = [
            "--events",
            &count,
            "--threads",
            &threads,
            "--seed",
            &seed,
            "--days",
            "5",
            "--statuses",
            "--failed",
            "3",
            "--displaced",
            "10",
            "--displaced-by",
            "24h",
            "--duplicates",
            "2",
        ];
        let sound = work.join("sound.jsonl");
        tarifa.generate(&arguments.map(str::to_owned), &sound)?;
        break_lines(&sound, &file)?;
        fs::remove_file(&sound)?;
        let first = work.join("first.jsonl");
        let mut line = String::new();
        BufReader::new(fs::File::open(&file)?).read_line(&mut line)?;
        fs::write(&first, line)?;
        let beginning = work.join("beginning");
        result_of(&mut tarifa.project(&first, &beginning))?;

        let data = work.join("undisturbed");
        copy_folder(&beginning, &data)?;
        let begun = Instant::now();
        result_of(&mut tarifa.project(&file, &data))?;
        let took = begun.elapsed();
        let digests = tarifa.verified_digests(&data)?;
        let conversations = tarifa.conversations(&data)?;
        ensure!(
            rows(&conversations)?.len() > 1,
            "the traffic gives hardly a conversation: there is nothing to compare"
        );
        let bytes = folder_bytes(&data)?;
        let refused = refused(tarifa, &data)?;
        ensure!(!refused.is_empty(), "no line was refused: there is nothing to see twice");
        Ok(Self { file, beginning, took, bytes, conversations, digests, refused })
    }

    /// Makes a data directory that knows the same secret.
    pub(super) fn begin(&self, data: &Path) -> Result<()> {
        copy_folder(&self.beginning, data)
    }

    /// Compares a finished projection: conversations byte for byte, digests, and what is in quarantine.
    pub(super) fn compare(&self, tarifa: &Tarifa, data: &Path) -> Result<()> {
        let digests = tarifa.verified_digests(data)?;
        self.compare_refused(tarifa, data)?;
        ensure!(digests == self.digests, "digests differ:\n{digests}\nundisturbed:\n{}", self.digests);
        let conversations = tarifa.conversations(data)?;
        if conversations != self.conversations {
            let (here, there) = (rows(&conversations)?, rows(&self.conversations)?);
            let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
                a.difference(b).next().cloned().unwrap_or_default()
            };
            anyhow::bail!(
                "conversations differ: {} rows, undisturbed {}\nonly here: {}\nonly undisturbed: {}",
                here.len(),
                there.len(),
                only(&here, &there),
                only(&there, &here)
            );
        }
        Ok(())
    }

    /// Compares a finished projection under another secret: everything but what is made from that.
    pub(super) fn compare_without_ids(&self, tarifa: &Tarifa, data: &Path) -> Result<()> {
        tarifa.verified_digests(data)?;
        self.compare_refused(tarifa, data)?;
        let facts = |conversations: &[u8]| facts(conversations, &SECRET_COLUMNS);
        let (here, there) = (facts(&tarifa.conversations(data)?)?, facts(&self.conversations)?);
        ensure!(
            here == there,
            "conversations differ in more than ids: {} rows, undisturbed {}",
            here.len(),
            there.len()
        );
        Ok(())
    }

    fn compare_refused(&self, tarifa: &Tarifa, data: &Path) -> Result<()> {
        let (here, there) = (refused(tarifa, data)?, &self.refused);
        ensure!(
            here == *there,
            "quarantine differs: it holds {} records, undisturbed {}",
            here.len(),
            there.len()
        );
        Ok(())
    }
}

/// Cuts a line off in its middle, here and there.
fn break_lines(from: &Path, to: &Path) -> Result<()> {
    let mut out = BufWriter::new(fs::File::create(to)?);
    for (number, line) in BufReader::new(fs::File::open(from)?).lines().enumerate() {
        let line = line?;
        if number % BROKEN_EVERY == BROKEN_EVERY - 1 {
            writeln!(out, "{}", line.get(..line.len() / 2).unwrap_or_default())?;
        }
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}

/// What is in quarantine, without what depends on the run.
fn refused(tarifa: &Tarifa, data: &Path) -> Result<Vec<Vec<String>>> {
    facts(&result_of(&mut tarifa.on(data, &["quarantine", "list", "--format", "csv"]))?, &RUN_COLUMNS)
}

fn rows(conversations: &[u8]) -> Result<BTreeSet<String>> {
    let text = str::from_utf8(conversations).context("conversations are no UTF-8")?;
    Ok(text.lines().skip(1).map(str::to_owned).collect())
}

/// Rows without some of their columns, sorted, each as often as it comes.
fn facts(csv: &[u8], without: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut reader = csv::Reader::from_reader(csv);
    let kept: Vec<bool> = reader.headers()?.iter().map(|name| !without.contains(&name)).collect();
    let mut facts = Vec::new();
    for row in reader.records() {
        let row = row?;
        facts.push(
            row.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(value, _)| value.to_owned()).collect(),
        );
    }
    facts.sort_unstable();
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_do_not_depend_on_ids_or_order_but_on_everything_else() {
        let facts = |csv: &[u8]| facts(csv, &SECRET_COLUMNS);
        let a = facts(b"conversationId,user,openedAt\n01,aa,t1\n02,bb,t2\n").unwrap();
        assert_eq!(a, facts(b"conversationId,user,openedAt\n04,cc,t2\n03,dd,t1\n").unwrap());
        assert_ne!(a, facts(b"conversationId,user,openedAt\n01,aa,t1\n02,bb,t3\n").unwrap());
        assert_ne!(a, facts(b"conversationId,user,openedAt\n01,aa,t1\n02,bb,t2\n03,cc,t2\n").unwrap());
    }
}
