//! Random histories have what they are meant to have.

use super::*;
use crate::{
    histories::{boundary_letters, conflict_letters, evidence_letters, spell},
    reference::{Settings, net_result},
};
use model::Disposition;

fn seal(id: &str) -> [u8; 16] {
    let mut sealed = [0; 16];
    for (slot, byte) in sealed.iter_mut().zip(id.bytes()) {
        *slot = byte;
    }
    sealed
}

fn fates(plan: HistoryPlan, settings: &Settings) -> Vec<Disposition> {
    (0..200).flat_map(|seed| net_result(&plan.history(seed), settings, &seal).dispositions).collect()
}

#[test]
fn a_seed_gives_the_same_history_and_another_seed_another() {
    let plan = HistoryPlan { conflicts: true, untimely: true, ticks: true, ..HistoryPlan::default() };
    assert_eq!(plan.history(5), plan.history(5));
    assert_ne!(plan.history(5), plan.history(6));
}

#[test]
fn no_history_has_conflicts_or_untimely_events_unless_asked_for() {
    let settings = Settings { horizon: Some(DurationMillis::from_days(10)), ..Settings::default() };
    let plain = fates(HistoryPlan::default(), &settings);
    assert!(plain.iter().all(|fate| matches!(fate, Disposition::Applied | Disposition::Duplicate)));
    assert!(plain.contains(&Disposition::Duplicate));
    assert_eq!(plain.len(), 200 * 30);
    let all = fates(
        HistoryPlan { conflicts: true, untimely: true, ticks: true, ..HistoryPlan::default() },
        &settings,
    );
    for fate in [
        Disposition::Conflict,
        Disposition::Future,
        Disposition::Late,
        Disposition::Control,
        Disposition::Duplicate,
    ] {
        assert!(all.contains(&fate), "{fate:?}");
    }
}

#[test]
fn random_histories_meet_exact_boundaries_and_failures_undone() {
    let day = DurationMillis::from_hours(24);
    let (mut exact, mut undone, mut disordered) = (0, 0, 0);
    for seed in 0..200 {
        let steps = HistoryPlan::default().history(seed);
        let events: Vec<&Event<'static>> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Event { event, .. } => Some(event),
                Step::Tick(_) => None,
            })
            .collect();
        let has = |wanted: StatusKind, id: &str| {
            events.iter().any(|event| {
                matches!(&event.body, EventBody::MessageStatus(told) if told.status == wanted && told.message_id == id)
            })
        };
        exact += usize::from(events.iter().any(|event| {
            events
                .iter()
                .any(|other| other.user == event.user && other.occurred_at == event.occurred_at + day)
        }));
        undone += usize::from(events.iter().any(|event| {
            has(StatusKind::Failed, &event.event_id) && has(StatusKind::Delivered, &event.event_id)
        }));
        disordered += usize::from(!events.is_sorted_by_key(|event| event.occurred_at));
    }
    assert!(exact > 150, "{exact} of 200 have events exactly a day apart");
    assert!(undone > 40, "{undone} of 200 have a failed message that was delivered");
    assert!((90..180).contains(&disordered), "{disordered} of 200 are out of order");
}

#[test]
fn every_conflict_letter_contradicts_another() {
    let letters = conflict_letters();
    for first in 0..letters.len() {
        let conflicts = (0..letters.len()).any(|second| {
            let steps = spell(&letters, &[first, second]);
            net_result(&steps, &Settings::default(), &seal).dispositions.contains(&Disposition::Conflict)
        });
        assert!(conflicts, "{}", letters[first].name);
    }
    for letters in [boundary_letters(), evidence_letters()] {
        let all: Vec<usize> = (0..letters.len()).collect();
        let net = net_result(&spell(&letters, &all), &Settings::default(), &seal);
        assert!(!net.dispositions.contains(&Disposition::Conflict));
    }
}
