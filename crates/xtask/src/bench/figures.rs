//! The figures one by one: what is held against what, and the goal of each.
//!
//! Knows the command line of the binary, not its inside. Invariant: the yardstick reads the very file that is projected.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    many_threads,
    measure::{Run, middle, run},
    rounds::{Fold, Inputs, MEGA, Round, anew, round, speed, told},
    table::{Figure, Goal, Measured},
};
use crate::tarifa::{Tarifa, folder_bytes};

/// Events for each thread, as in the traffic that the goals were set for: 5,000,000 on 200,000.
const EVENTS_PER_THREAD: u64 = 25;
/// Of the traffic that the goals were set for.
const DAYS: u32 = 3;
/// What memory may come to, whatever the traffic.
const MEMORY_BASE_BYTES: u64 = 200_000_000;
const MEMORY_THREAD_BYTES: u64 = 100;
const MEMORY_MESSAGE_BYTES: u64 = 40;
/// Commands of a few milliseconds are measured oftener than those of seconds.
const REPEAT_SHORT: usize = 7;

/// Everything that measuring needs.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) tarifa: Tarifa,
    /// Where `yardstick` and `fold` are.
    pub(super) release: PathBuf,
    pub(super) work: PathBuf,
    pub(super) events: u64,
    /// Rounds, at least 1.
    pub(super) repeat: usize,
}

impl Bench {
    /// All figures, and the conditions they were measured under.
    pub(super) fn measure(&self, large: bool) -> Result<(Vec<Figure>, String)> {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let threads = (self.events / EVENTS_PER_THREAD).max(1);
        let inputs = self.inputs(threads)?;
        // What was generated goes to disk now, and not while others are measured.
        run(&mut Command::new("sync"))?;
        let mut rounds = Vec::new();
        for number in 1..=self.repeat {
            eprintln!("round {number} of {}", self.repeat);
            rounds.push(round(&self.tarifa, &self.release, &inputs)?);
        }
        let mut figures = self.speeds(&rounds);
        let projections: Vec<&Run> = rounds.iter().filter_map(|round| round.project.as_ref()).collect();
        let whole = middle_run(&projections).map(|run| run.wall);
        if large {
            figures.extend(many_threads::figures(self, middle_run(&projections)));
        }
        figures.push(memory(&projections, self.events, threads));
        figures.push(disk(&inputs));
        let fold = rounds.first().context("there was no round")?.fold;
        figures.push(self.verify(&inputs.data, fold));
        figures.extend(self.short_commands(&inputs.data)?);
        figures.push(self.ten_more_lines(&inputs.data, whole)?);

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let conditions = format!(
            "{} events on {threads} threads, {:.3} entries an event, {} bytes of JSON Lines; {cores} cores, load {} \
             before; times are those of whole processes, of {} rounds the one with the middle ratio",
            self.events,
            fold.entries / self.events as f64,
            fs::metadata(&inputs.json)?.len(),
            load.split(' ').next().unwrap_or_default(),
            self.repeat
        );
        Ok((figures, conditions))
    }

    fn inputs(&self, threads: u64) -> Result<Inputs> {
        let at = |name: &str| self.work.join(name);
        let inputs = Inputs {
            json: at("traffic.jsonl"),
            protobuf: at("traffic.binpb"),
            displaced: at("displaced.jsonl"),
            data: at("data"),
            scratch: at("scratch"),
        };
        let displaced = ["--displaced", "30", "--displaced-by", "24h"];
        self.generate(&inputs.json, self.events, threads, DAYS, 1, &[])?;
        self.generate(&inputs.protobuf, self.events, threads, DAYS, 1, &["--format", "protobuf"])?;
        self.generate(&inputs.displaced, self.events, threads, DAYS, 1, &displaced)?;
        Ok(inputs)
    }

    pub(super) fn generate(
        &self,
        out: &Path,
        events: u64,
        threads: u64,
        days: u32,
        seed: u64,
        more: &[&str],
    ) -> Result<()> {
        eprintln!("generate {}", out.file_name().unwrap_or_default().display());
        let (events, threads, seed) = (events.to_string(), threads.to_string(), seed.to_string());
        let days = days.to_string();
        let mut arguments =
            vec!["--events", &events, "--threads", &threads, "--days", &days, "--seed", &seed];
        arguments.extend(more);
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        self.tarifa.generate(&arguments, out)
    }

    fn speeds(&self, rounds: &[Round]) -> Vec<Figure> {
        let figure = |what, least, sides: &dyn Fn(&Round) -> Option<(Duration, Duration)>| {
            speed(what, Goal::AtLeast(least), self.events, rounds, sides)
        };
        let wall = |run: &Option<Run>| run.as_ref().map(|run| run.wall);
        vec![
            figure("`project` from JSON Lines", 0.75, &|r| Some((wall(&r.project)?, r.yardstick))),
            figure("`project` from protobuf", 1.0, &|r| Some((wall(&r.protobuf)?, r.yardstick))),
            figure("`replay --verify`", 1.3, &|r| Some((wall(&r.replay)?, r.yardstick))),
            figure("the fold alone, events in memory, a lane for each core", 2.5, &|r| {
                Some((r.fold.apply, r.yardstick))
            }),
            figure("`project`, 30 % displaced by up to 24 h, against in order", 0.5, &|r| {
                Some((wall(&r.displaced)?, wall(&r.project)?))
            }),
        ]
    }

    fn verify(&self, data: &Path, fold: Fold) -> Figure {
        let run = told(middle(self.repeat, |_| run(&mut self.tarifa.on(data, &["verify"]))));
        let measured = run.map(|run| {
            let rate = |time: Duration| fold.entries / time.as_secs_f64() / MEGA;
            Measured {
                value: format!("{:.2} M entries/s", rate(run.wall)),
                against: format!("{:.2} M entries/s chained in memory", rate(fold.chain)),
                ratio: rate(run.wall) / rate(fold.chain),
            }
        });
        Figure { what: "`verify`", goal: Goal::AtLeast(0.4), measured }
    }

    /// `invoice` and `explain` against themselves on a tenth of the entries.
    fn short_commands(&self, data: &Path) -> Result<Vec<Figure>> {
        let (file, small) = (self.work.join("small.jsonl"), self.work.join("data-small"));
        let events = (self.events / 10).max(1);
        self.generate(&file, events, (events / EVENTS_PER_THREAD).max(1), DAYS, 1, &[])?;
        let rows = || {
            anew(&self.tarifa, &file, &small)?;
            Ok((self.some_conversation(&small)?, self.some_conversation(data)?))
        };
        let rows = told(rows());
        let figure = |what, measure: &dyn Fn(&Path, &Known) -> Result<Run>| {
            let measured = rows.as_ref().and_then(|(few, many)| {
                let own = told(middle(REPEAT_SHORT, |_| measure(&small, few)))?.wall;
                let tenfold = told(middle(REPEAT_SHORT, |_| measure(data, many)))?.wall;
                Some(times(tenfold, own))
            });
            Figure { what, goal: Goal::AtMost(1.5), measured }
        };
        let invoice = |data: &Path, known: &Known| {
            run(&mut self
                .tarifa
                .on(data, &["invoice", "--account", &known.account, "--period", &known.period]))
        };
        let explain =
            |data: &Path, known: &Known| run(&mut self.tarifa.on(data, &["explain", &known.conversation]));
        Ok(vec![
            figure("`invoice`, ten times the entries", &invoice),
            figure("`explain`, ten times the entries", &explain),
        ])
    }

    fn some_conversation(&self, data: &Path) -> Result<Known> {
        let csv = self.tarifa.conversations(data)?;
        let mut reader = csv::Reader::from_reader(csv.as_slice());
        let headers = reader.headers()?.clone();
        let row = reader.records().next().context("there is no conversation to explain")??;
        let value = |name: &str| {
            let at = headers.iter().position(|header| header == name);
            let value = at.and_then(|at| row.get(at));
            value.map(str::to_owned).with_context(|| format!("conversations have no column {name}"))
        };
        let period = value("openedAt")?.chars().take("2022-02".len()).collect();
        Ok(Known { conversation: value("conversationId")?, account: value("accountId")?, period })
    }

    fn ten_more_lines(&self, data: &Path, whole: Option<Duration>) -> Result<Figure> {
        let mut files = Vec::new();
        for seed in 2..2 + self.repeat as u64 {
            let file = self.work.join(format!("more-{seed}.jsonl"));
            self.generate(&file, 10, 10, DAYS, seed, &[])?;
            files.push(file);
        }
        let ten = told(middle(files.len(), |number| run(&mut self.tarifa.project(&files[number], data))));
        let measured = ten.zip(whole).map(|(ten, whole)| times(ten.wall, whole));
        Ok(Figure {
            what: "`project` of ten more lines, against the whole",
            goal: Goal::AtMost(0.1),
            measured,
        })
    }
}

/// What short commands ask for.
#[derive(Debug)]
struct Known {
    conversation: String,
    account: String,
    period: String,
}

fn middle_run<'a>(runs: &[&'a Run]) -> Option<&'a Run> {
    let mut runs = runs.to_vec();
    runs.sort_unstable_by_key(|run| run.wall);
    runs.get(runs.len() / 2).copied()
}

fn times(measured: Duration, against: Duration) -> Measured {
    let in_ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
    let ratio = measured.as_secs_f64() / against.as_secs_f64();
    Measured { value: in_ms(measured), against: in_ms(against), ratio }
}

fn memory(projections: &[&Run], events: u64, threads: u64) -> Figure {
    let allowed = MEMORY_BASE_BYTES + MEMORY_THREAD_BYTES * threads + MEMORY_MESSAGE_BYTES * events;
    let peak_bytes = projections.iter().map(|run| run.peak_bytes).max().filter(|peak| *peak > 0);
    let measured = peak_bytes.map(|peak_bytes| Measured {
        value: format!("{:.0} MB", peak_bytes as f64 / MEGA),
        against: format!("{:.0} MB: 200 MB + 100 B a thread + 40 B a message", allowed as f64 / MEGA),
        ratio: peak_bytes as f64 / allowed as f64,
    });
    Figure { what: "most memory of `project`", goal: Goal::AtMost(1.0), measured }
}

fn disk(inputs: &Inputs) -> Figure {
    let measured = || {
        let (used, input) = (folder_bytes(&inputs.data)?, fs::metadata(&inputs.json)?.len());
        Ok(Measured {
            value: format!("{:.0} MB", used as f64 / MEGA),
            against: format!("{:.0} MB of JSON Lines", input as f64 / MEGA),
            ratio: used as f64 / input as f64,
        })
    };
    Figure { what: "disk: ledger, log and state", goal: Goal::AtMost(0.4), measured: told(measured()) }
}
