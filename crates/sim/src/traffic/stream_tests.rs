//! The traffic has the shares that its plan asks for, and is the same everywhere.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::traffic::{WebhookLines, write_json_line};

const MESSAGES: [TrafficKind; 3] = [TrafficKind::UserMessage, TrafficKind::Reply, TrafficKind::Template];

fn small() -> TrafficPlan {
    TrafficPlan { events: 40_000, threads: 4_000, ..TrafficPlan::default() }
}

fn all(plan: &TrafficPlan) -> Vec<TrafficEvent> {
    plan.stream().unwrap().collect()
}

/// Of a thousand events, those of which something holds.
fn per_mille(events: &[TrafficEvent], holds: impl Fn(&TrafficEvent) -> bool) -> usize {
    events.iter().filter(|event| holds(event)).count() * 1_000 / events.len()
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// A plan in which everything happens.
fn eventful() -> TrafficPlan {
    TrafficPlan {
        events: 20_000,
        threads: 500,
        thread_choice: ThreadChoice::Skewed,
        seed: 42,
        tags: 5,
        templates: 20,
        duplicates_per_mille: 30,
        displaced_percent: 10,
        displaced_max: DurationMillis::from_days(2),
        late_per_mille: 10,
        future_per_mille: 5,
        conflicts_per_mille: 10,
        failed_per_mille: 50,
        statuses: true,
        consents_per_mille: 10,
        calls_per_mille: 10,
        ..TrafficPlan::default()
    }
}

#[test]
fn the_same_plan_gives_the_same_bytes_on_every_machine() {
    let (mut json, mut webhooks) = (Vec::new(), Vec::new());
    let mut lines = WebhookLines::new(42);
    for event in eventful().stream().unwrap() {
        write_json_line(&event.event(), &mut json);
        lines.push(&event.event(), &mut webhooks);
    }
    lines.finish(&mut webhooks);
    assert_eq!((fnv(&json), fnv(&webhooks)), (13_400_763_772_139_230_647, 4_218_193_663_169_598_006));
    let other = TrafficPlan { seed: 43, ..eventful() };
    assert_ne!(all(&eventful())[..10], all(&other)[..10]);
}

#[test]
fn exactly_as_many_events_come_as_are_asked_for() {
    for events in [0, 1, 2, 3, 10, 1_000, 20_001] {
        for plan in [TrafficPlan { events, ..small() }, TrafficPlan { events, ..eventful() }] {
            let stream = plan.stream().unwrap();
            let told = stream.size_hint().0;
            assert_eq!((stream.count() as u64, told as u64), (events, events));
        }
    }
}

#[test]
fn a_plan_out_of_range_does_not_start() {
    assert!(TrafficPlan { threads: 0, ..small() }.stream().is_err());
}

#[test]
fn kinds_and_repeats_have_their_shares() {
    let events = all(&small());
    for (kind, wanted) in
        [(TrafficKind::UserMessage, 550), (TrafficKind::Reply, 350), (TrafficKind::Template, 100)]
    {
        let share = per_mille(&events, |event| event.kind == kind);
        assert!(share.abs_diff(wanted) <= 10, "{kind:?}: {share} per mille");
    }
    assert!(per_mille(&events, |event| event.repeat).abs_diff(10) <= 2);
    let many = all(&TrafficPlan { duplicates_per_mille: 300, statuses: true, ..small() });
    assert!(per_mille(&many, |event| event.repeat).abs_diff(300) <= 10);
}

#[test]
fn a_repeat_is_an_exact_repeat_and_comes_after_the_first() {
    let mut lines = BTreeMap::new();
    let mut repeats = 0;
    for event in eventful().stream().unwrap() {
        let mut line = Vec::new();
        write_json_line(&event.event(), &mut line);
        repeats += usize::from(event.repeat);
        // Lines differ between any two events but repeats, so a known line is the first of this one.
        let known = lines.insert(line, event.repeat).is_some();
        assert!(known || !event.repeat, "{event:?}");
    }
    assert!(repeats > 500);
    assert_eq!(lines.len() + repeats, 20_000);
}

#[test]
fn arrival_never_goes_back_and_the_wanted_share_is_displaced() {
    for percent in [0, 1, 10, 100] {
        let max = DurationMillis::from_days(3);
        let plan = TrafficPlan {
            displaced_percent: percent,
            displaced_max: max,
            duplicates_per_mille: 0,
            ..small()
        };
        let events = all(&plan);
        assert!(events.is_sorted_by_key(|event| event.arrived_at));
        assert!(events.iter().all(|event| event.arrived_at - event.occurred_at <= max));
        let share = per_mille(&events, |event| event.arrived_at > event.occurred_at);
        assert!(share.abs_diff(usize::from(percent) * 10) <= 5, "{share} per mille of {percent} per cent");
    }
}

#[test]
fn traffic_takes_the_wanted_days_whatever_rides_along() {
    for plan in
        [small(), TrafficPlan { statuses: true, failed_per_mille: 200, conflicts_per_mille: 50, ..small() }]
    {
        let mut events = all(&plan);
        // Statuses and repeats come up to hours after their message, also after the last one.
        events.retain(|event| !event.repeat && MESSAGES.contains(&event.kind));
        let last = events.iter().map(|event| event.occurred_at).max().unwrap();
        let hours = (last - plan.start).0 / 3_600_000;
        assert!((70..=74).contains(&hours), "{hours} hours");
        assert!(events.iter().all(|event| event.occurred_at >= plan.start));
        let noon = plan.start + DurationMillis::from_hours(36);
        assert!(per_mille(&events, |event| event.occurred_at < noon).abs_diff(500) <= 20);
    }
}

#[test]
fn late_and_future_events_are_as_far_off_as_asked_for() {
    let plan = TrafficPlan { late_per_mille: 20, future_per_mille: 20, displaced_percent: 0, ..small() };
    let events = all(&plan);
    let late = |event: &TrafficEvent| event.arrived_at - event.occurred_at >= plan.late_by;
    let ahead = |event: &TrafficEvent| event.occurred_at - event.arrived_at > DurationMillis::from_minutes(5);
    assert!(per_mille(&events, late).abs_diff(20) <= 3);
    assert!(per_mille(&events, ahead).abs_diff(20) <= 3);
}

#[test]
fn statuses_follow_their_message_and_some_failures_are_undone() {
    let plan = TrafficPlan { statuses: true, failed_per_mille: 200, duplicates_per_mille: 0, ..small() };
    let mut told: BTreeMap<String, BTreeSet<TrafficKind>> = BTreeMap::new();
    for event in plan.stream().unwrap() {
        let event_id = event.event().event_id.into_owned();
        // A status's own id begins with that of its message.
        let about = event_id.split(':').next().unwrap_or_default().to_owned();
        told.entry(about).or_default().insert(event.kind);
    }
    let has = |kinds: &BTreeSet<TrafficKind>, kind| kinds.contains(&kind);
    let count =
        |holds: &dyn Fn(&BTreeSet<TrafficKind>) -> bool| told.values().filter(|kinds| holds(kinds)).count();
    let business = count(&|kinds| has(kinds, TrafficKind::Reply) || has(kinds, TrafficKind::Template));
    let failed = count(&|kinds| has(kinds, TrafficKind::Failed));
    let undone = count(&|kinds| has(kinds, TrafficKind::Failed) && has(kinds, TrafficKind::Delivered));
    let read = count(&|kinds| has(kinds, TrafficKind::Read));
    assert!((failed * 1_000 / business).abs_diff(200) <= 15);
    assert!((undone * 1_000 / failed).abs_diff(250) <= 30);
    assert!((read * 1_000 / business).abs_diff(560) <= 20);
    assert_eq!(count(&|kinds| has(kinds, TrafficKind::UserMessage) && kinds.len() > 1), 0);
}

#[test]
fn replies_mostly_answer_a_user_who_wrote_within_the_day() {
    let mut wrote = BTreeMap::new();
    let (mut replies, mut answers) = (0, 0);
    for event in (TrafficPlan { threads: 50_000, displaced_percent: 0, ..small() }).stream().unwrap() {
        if event.kind == TrafficKind::UserMessage {
            wrote.insert(event.thread, event.occurred_at);
        } else if event.kind == TrafficKind::Reply {
            replies += 1;
            let answered =
                wrote.get(&event.thread).is_some_and(|at| event.occurred_at - *at < ANSWERED_WITHIN);
            answers += usize::from(answered);
        }
    }
    assert!(answers * 100 > replies * 97, "{answers} of {replies}");
}

#[test]
fn skewed_traffic_has_its_busy_threads_and_uniform_has_none() {
    let busiest = |thread_choice| {
        let events = all(&TrafficPlan { thread_choice, ..small() });
        per_mille(&events, |event| event.thread < 40)
    };
    assert!(busiest(ThreadChoice::Uniform).abs_diff(10) <= 3);
    assert!(busiest(ThreadChoice::Skewed).abs_diff(100) <= 10);
}

#[test]
fn what_is_under_way_stays_small() {
    // A displaced tenth over an hour of three days: about 55 of 40,000 are under way at a time.
    let plan = TrafficPlan { displaced_percent: 10, displaced_max: DurationMillis::from_hours(1), ..small() };
    let mut stream = plan.stream().unwrap();
    let mut most = 0;
    while stream.next().is_some() {
        most = most.max(stream.under_way.len());
    }
    assert!((20..200).contains(&most), "{most} events under way");
}
