//! The figures one by one: what is held against what, and the goal of each.
//!
//! Knows the command lines, not their inside. Invariant: a figure that could not be measured is shown as that.

use std::{fs, path::Path, time::Duration};

use anyhow::{Result, ensure};

use super::{
    Wanted,
    moments::Moments,
    stage::{PATIENCE, Stage, Took, number, took},
};
use crate::{
    bench::{
        rounds::told,
        table::{Figure, Goal, Measured},
    },
    kafka::{
        days::now_s,
        service::{Installation, Numbers},
    },
};

/// Events for each thread, as in the traffic that the goals were set for: 5,000,000 on 200,000.
const EVENTS_PER_THREAD: u64 = 25;
const MANY_PARTITIONS: u32 = 64;
const MEGA: f64 = 1_000_000.0;
/// Events a second.
const LIVE_RATE: u64 = 20_000;
const LIVE_SECONDS: u64 = 15;
/// Few, so that conversations go on opening: the usual number would have them all open in the first second.
const LIVE_EVENTS_PER_THREAD: u64 = 4;
const QUICK_TICK_INTERVAL_MS: &str = "3000";
const CONTROL: &str = "tarifa_records_total{disposition=\"control\"}";
/// The service's own default, in ms.
const PUBLISH_INTERVAL_MS: f64 = 200.0;
const LIVE_ALLOWED_MS: f64 = 2.0 * PUBLISH_INTERVAL_MS + 30.0;

/// Everything that measuring needs.
pub(super) struct KafkaBench<'a> {
    pub(super) stage: &'a Stage,
    pub(super) wanted: &'a Wanted,
}

/// What one round measured.
struct Round {
    pass: Took,
    decode: Took,
    drain: Took,
    rebuild: Option<Took>,
    entries: f64,
    installation: Installation,
}

impl KafkaBench<'_> {
    /// All figures, and the conditions they were measured under.
    pub(super) fn measure(&self) -> Result<(Vec<Figure>, String)> {
        let load_before = load();
        let (events, partitions) = (self.wanted.events, self.wanted.partitions);
        let threads = (events / EVENTS_PER_THREAD).max(1);
        let run = now_s();
        let traffic = self.stage.traffic("traffic.pb", events, threads, 1)?;
        let mut rounds = Vec::new();
        for number in 1..=self.wanted.repeat {
            eprintln!("round {number} of {}", self.wanted.repeat);
            let name = format!("bench-{run}-{number}");
            rounds.push(self.round(self.stage.filled(&name, partitions, &traffic)?)?);
        }
        let drain = middle(&rounds, |round| Some((round.drain, round.pass)), |took| took.wall);
        let cpu = middle(&rounds, |round| Some((round.drain, round.pass)), |took| took.cpu);
        let rebuild = middle(&rounds, |round| Some((round.rebuild?, round.decode)), |took| took.wall);
        let mut figures = vec![
            self.speed("draining a full topic", "passed through", 0.65, drain),
            self.cpu(cpu),
            self.speed("rebuild from the whole input, publishing nothing", "decoded", 0.6, rebuild),
        ];
        figures.push(self.live(rounds.last().map(|round| &round.installation)));
        let many = told(self.many_partitions(&format!("bench-{run}-many"), &traffic));
        let usual = drain.map(|(drain, _)| drain);
        figures.push(self.speed("64 partitions", "with the usual ones", 0.8, many.zip(usual)));
        let moments = Moments { stage: self.stage, wanted: self.wanted };
        figures.extend(moments.measure(&format!("bench-{run}-moments")));

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let conditions = format!(
            "{events} events on {threads} threads, {partitions} partitions, {:.3} entries an event; {cores} cores for \
             the broker too, load {load_before} before and {} after; times are from the start of a process, of {} \
             rounds those with the middle ratio; events that are timed until they are visible happen as they are sent",
            rounds.last().map_or(0.0, |round| round.entries) / events as f64,
            load(),
            self.wanted.repeat
        );
        Ok((figures, conditions))
    }

    fn round(&self, installation: Installation) -> Result<Round> {
        let (stage, events) = (self.stage, self.wanted.events);
        let out = stage.installation(&format!("{}out", installation.prefix));
        out.create_topics(self.wanted.partitions)?;
        let pass = took(&stage.yardstick("pass-through", &installation, &[&out.prefix])?)?;
        let decode = took(&stage.yardstick("decode", &installation, &[])?)?;
        let (service, drain) = stage.drain(&installation, "data", events)?;
        let entries = service.numbers()?.sum("tarifa_committed_sequence");
        service.stop()?;
        eprintln!("passed through {pass:.1?}, decoded {decode:.1?}, drained {drain:.1?}");
        stage.forget("data")?;
        let rebuild = told(self.rebuild(&installation, entries));
        Ok(Round { pass, decode, drain, rebuild, entries, installation })
    }

    /// With an empty directory, all that is published already. It is an error if any of it were published again.
    fn rebuild(&self, installation: &Installation, entries: f64) -> Result<Took> {
        let before = self.visible(installation)?;
        let (service, rebuild) = self.stage.drain(installation, "data", self.wanted.events)?;
        let booked = service.numbers()?.sum("tarifa_committed_sequence");
        service.stop()?;
        let after = self.visible(installation)?;
        eprintln!("rebuilt {rebuild:.1?}: {booked} entries booked, {before} visible before, {after} after");
        // A tick in between may close conversations, once.
        ensure!(after <= before + (booked - entries).max(0.0), "entries were published twice");
        Ok(rebuild)
    }

    fn visible(&self, installation: &Installation) -> Result<f64> {
        number(&self.stage.yardstick("ledger-count", installation, &[])?, "entries")
    }

    fn many_partitions(&self, name: &str, traffic: &Path) -> Result<Took> {
        let installation = self.stage.filled(name, MANY_PARTITIONS, traffic)?;
        let (service, drain) = self.stage.drain(&installation, "data-many", self.wanted.events)?;
        service.stop()?;
        self.stage.forget("data-many")?;
        Ok(drain)
    }

    fn live(&self, installation: Option<&Installation>) -> Figure {
        let measured = installation.and_then(|installation| {
            told(self.live_of(installation)).map(|(p50, p99, rate)| Measured {
                value: format!("p99 {p99:.0} ms, p50 {p50:.0} ms at {rate:.0} events/s"),
                against: format!("{LIVE_ALLOWED_MS:.0} ms: 2 publish intervals + 30 ms"),
                ratio: p99 / LIVE_ALLOWED_MS,
            })
        });
        Figure { what: "event appended to entry visible", goal: Goal::AtMost(1.0), measured }
    }

    fn live_of(&self, installation: &Installation) -> Result<(f64, f64, f64)> {
        let (stage, count) = (self.stage, LIVE_RATE * LIVE_SECONDS);
        let file = stage.traffic("live.pb", count, count / LIVE_EVENTS_PER_THREAD, 2)?;
        let mut service =
            stage.start(installation, "data", &["--tick-interval-ms", QUICK_TICK_INTERVAL_MS])?;
        // The first tick of a partition closes all that the backlog left open, which is no part of what is measured.
        let ticks = f64::from(2 * self.wanted.partitions);
        let has_ticked = |numbers: &Numbers| numbers.sum(CONTROL) >= ticks && numbers.is_settled();
        service.wait(PATIENCE, "time had passed on every partition", has_ticked)?;
        service.stop()?;
        let mut service = stage.start(installation, "data", &[])?;
        service.wait(PATIENCE, "it was ready", Numbers::is_settled)?;
        let (rate, seconds) = (LIVE_RATE.to_string(), LIVE_SECONDS.to_string());
        let run = stage.yardstick("live", installation, &[&file.to_string_lossy(), &rate, &seconds])?;
        service.stop()?;
        eprintln!("live: {}", String::from_utf8_lossy(&run.stdout).replace('\n', " "));
        let sent = number(&run, "events")? / number(&run, "seconds")?;
        Ok((number(&run, "p50_ms")?, number(&run, "p99_ms")?, sent))
    }

    fn speed(&self, what: &'static str, against: &str, least: f64, sides: Option<(Took, Took)>) -> Figure {
        let rate = |took: Took| self.wanted.events as f64 / took.wall.as_secs_f64() / MEGA;
        let measured = sides.map(|(one, other)| Measured {
            value: format!("{:.3} M events/s", rate(one)),
            against: format!("{:.3} M events/s {against}", rate(other)),
            ratio: rate(one) / rate(other),
        });
        Figure { what, goal: Goal::AtLeast(least), measured }
    }

    fn cpu(&self, sides: Option<(Took, Took)>) -> Figure {
        let each = |took: Took| took.cpu.as_secs_f64() / self.wanted.events as f64 * MEGA;
        let measured = sides.map(|(drain, pass)| Measured {
            value: format!("{:.2} CPU s a million events", each(drain)),
            against: format!("{:.2} CPU s passed through", each(pass)),
            ratio: each(drain) / each(pass),
        });
        Figure { what: "CPU of the service while draining", goal: Goal::AtMost(2.5), measured }
    }
}

/// The round in the middle by the ratio of two sides. What was not measured in a round is left out.
fn middle(
    rounds: &[Round],
    sides: impl Fn(&Round) -> Option<(Took, Took)>,
    by: impl Fn(Took) -> Duration,
) -> Option<(Took, Took)> {
    let mut pairs: Vec<(Took, Took)> = rounds.iter().filter_map(sides).collect();
    let ratio = |pair: &(Took, Took)| by(pair.0).as_secs_f64() / by(pair.1).as_secs_f64();
    pairs.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    pairs.get(pairs.len() / 2).copied()
}

/// Of the last minute, as the kernel puts it; nothing where there is none.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
