//! Random histories: the projector and the naive model come to the same, however the log is cut and the state carried.
//!
//! Knows no particular case; a seed that fails is worth a scenario. Invariant: a failing seed is named.

use std::{collections::BTreeMap, sync::Arc};

use projector::HORIZON;
use sim::{
    Dice,
    histories::{ACCOUNT, HistoryPlan},
    reference::{Settings, Step, Window, net_result},
};
use tariff::{AccountSettings, Configuration};
use tests::{
    END, Handling, LedgerReader, Log, configuration, configured, describe, message_ref, plain_of_ledger,
    plain_of_reference, shrink,
};

/// The seeds each plan is tried with: a few that are always the same, or with `TARIFA_SOAK` many from
/// `TARIFA_SOAK_SEED` on.
fn seeds(few: u64) -> impl Iterator<Item = u64> {
    let soak = std::env::var_os("TARIFA_SOAK").is_some();
    let first: u64 =
        std::env::var("TARIFA_SOAK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_default();
    (0..if soak { few * 100 } else { few }).map(move |number| first.wrapping_add(number))
}

fn check(plan: HistoryPlan, few: u64) {
    for seed in seeds(few) {
        let steps = plan.history(seed);
        let rules = if seed % 3 == 2 { Rules::FixedWithConsent } else { Rules::Default };
        if check_steps(rules, &steps).is_err() {
            let few = shrink(&steps, |fewer| check_steps(rules, fewer).is_err());
            let what = check_steps(rules, &few).err().unwrap_or_default();
            panic!("{plan:?}, {rules:?}, seed {seed}, shrunk to\n{}{what}", describe(&few));
        }
    }
}

/// Settings of tariff and accounts.
#[derive(Debug, Clone, Copy)]
enum Rules {
    /// Those of the built-in tariff.
    Default,
    /// A window that does not slide, and accounts that track consent.
    FixedWithConsent,
}

impl Rules {
    fn configuration(self) -> Arc<Configuration> {
        match self {
            Self::Default => configuration(),
            Self::FixedWithConsent => {
                let fixed = BTreeMap::from([("window".to_owned(), "\"fixed\"".to_owned())]);
                let defaults = configuration().defaults().settings().clone();
                let defaults = AccountSettings { tracks_consent: true, ..defaults };
                configured("whatsapp-2022", &fixed, defaults, Vec::new()).expect("a good tariff")
            }
        }
    }

    fn naive(self) -> Settings {
        let horizon = Some(HORIZON);
        match self {
            Self::Default => Settings { horizon, ..Settings::default() },
            Self::FixedWithConsent => Settings {
                horizon,
                window: Window::Fixed,
                consent_accounts: [ACCOUNT, "other account"].map(str::to_owned).into(),
            },
        }
    }
}

fn check_steps(rules: Rules, steps: &[Step<'static>]) -> Result<(), String> {
    let ways = [
        Handling::OneBatch,
        Handling::Batches(7),
        Handling::RestoreEvery(1),
        Handling::RestoreEvery(5),
        Handling::Lanes { lanes: 2, restore_every: 1_000 },
        Handling::Lanes { lanes: 8, restore_every: 20 },
    ];
    check_ways(rules, steps, &ways)
}

fn check_ways(rules: Rules, steps: &[Step<'static>], ways: &[Handling]) -> Result<(), String> {
    let mut steps = steps.to_vec();
    steps.push(Step::Tick(END));
    let expected = net_result(&steps, &rules.naive(), &|id| message_ref(id).0);

    let log = Log::of_steps(rules.configuration(), &steps);
    let run = log.project(Handling::OneByOne);
    if run.dispositions != expected.dispositions {
        let place = run.dispositions.iter().zip(&expected.dispositions).position(|(a, b)| a != b);
        let place = place.unwrap_or_default();
        return Err(format!(
            "step {place} is {:?}, and should be {:?}",
            run.dispositions[place], expected.dispositions[place],
        ));
    }
    let reader = LedgerReader::over(&run.entries)?;
    reader.agrees_with(&run.net)?;
    let (found, expected) = (plain_of_ledger(&reader)?, plain_of_reference(&expected.conversations));
    if found != expected {
        return Err(format!("it comes to {found:#?}\nand should come to {expected:#?}"));
    }
    for handling in ways {
        let other = log.project(*handling);
        if (&other.entries, &other.dispositions, &other.net) != (&run.entries, &run.dispositions, &run.net) {
            return Err(format!("{handling:?} books otherwise"));
        }
    }
    Ok(())
}

#[test]
fn short_histories_of_one_thread() {
    check(HistoryPlan { events: 8, threads: 1, days: 3, ..HistoryPlan::default() }, 300);
}

#[test]
fn long_histories_of_one_thread_with_ticks_between() {
    check(HistoryPlan { events: 60, threads: 1, days: 9, ticks: true, ..HistoryPlan::default() }, 60);
}

#[test]
fn several_threads_with_conflicts_and_untimely_events() {
    let plan = HistoryPlan { events: 50, threads: 4, days: 6, conflicts: true, untimely: true, ticks: true };
    check(plan, 60);
}

/// Threads enough that every lane has some, and what one lane books stands between what the others do.
#[test]
fn many_threads_side_by_side() {
    let plan =
        HistoryPlan { events: 400, threads: 60, days: 5, conflicts: true, untimely: true, ticks: true };
    check(plan, 2);
}

/// A bucket of which few threads change between two stops: they wake up one by one, are stored behind the others, and
/// what is stored is put together anew from time to time.
#[test]
fn threads_that_sleep_until_they_are_asked_for() {
    let plan =
        HistoryPlan { events: 400, threads: 60, days: 5, conflicts: true, untimely: true, ticks: true };
    for seed in seeds(1) {
        let mut steps = plan.history(seed);
        steps.push(Step::Tick(END));
        let log = Log::of_steps(configuration(), &steps).in_one_bucket();
        let straight = log.project(Handling::OneBatch);
        for handling in [
            Handling::RestoreEvery(1),
            Handling::RestoreEvery(6),
            Handling::RestoreEvery(150),
            Handling::Lanes { lanes: 2, restore_every: 4 },
        ] {
            let other = log.project(handling);
            let same = (&other.entries, &other.dispositions, &other.net)
                == (&straight.entries, &straight.dispositions, &straight.net);
            assert!(same, "seed {seed}: {handling:?} books otherwise");
            let often = !matches!(handling, Handling::RestoreEvery(150));
            assert_eq!(other.stored_behind > 20, often, "{handling:?}: {}", other.stored_behind);
        }
    }
}

#[test]
fn dense_histories_where_much_happens_within_a_day() {
    check(
        HistoryPlan {
            events: 40,
            threads: 1,
            days: 1,
            conflicts: true,
            ticks: true,
            ..HistoryPlan::default()
        },
        60,
    );
}

/// As many messages as need several chunks, over half a year, in every order; late by nobody's clock, as in an embedded
/// log.
#[test]
fn long_threads_in_any_order() {
    for seed in seeds(4) {
        let plan = HistoryPlan { events: 1_500, threads: 1, days: 180, ..HistoryPlan::default() };
        let mut steps = plan.history(seed);
        Dice::new(seed).shuffle(&mut steps);
        for step in &mut steps {
            if let Step::Event { event, record_time } = step {
                *record_time = event.occurred_at;
            }
        }
        let ways = [Handling::OneBatch, Handling::Batches(100), Handling::RestoreEvery(100)];
        for rules in [Rules::Default, Rules::FixedWithConsent] {
            let checked = check_ways(rules, &steps, &ways);
            checked.unwrap_or_else(|what| panic!("{rules:?}, seed {seed}: {what}"));
        }
    }
}

#[test]
fn a_history_read_twice_comes_to_the_same() {
    for seed in seeds(60) {
        let once = HistoryPlan { conflicts: true, ..HistoryPlan::default() }.history(seed);
        let mut twice = [once.clone(), once.clone()].concat();
        let mut once = once;
        for steps in [&mut once, &mut twice] {
            steps.push(Step::Tick(END));
        }
        let net = |steps: &[Step<'_>]| {
            let run = Log::of_steps(configuration(), steps).project(Handling::OneBatch);
            (run.net.len(), plain_of_ledger(&LedgerReader::over(&run.entries).unwrap()).unwrap())
        };
        assert_eq!(net(&once), net(&twice), "seed {seed}");
    }
}
