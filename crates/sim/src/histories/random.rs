//! Random histories that meet the rare cases often: exact boundaries, repeats, disorder over days, failures undone.
//!
//! Does not know what they come to. Invariant: the same plan and seed give the same history; where no conflicts are
//! asked for, no event contradicts another.

use model::{DurationMillis, Event, EventBody, StatusKind, UnixMillis};

use super::alphabet::{DAY_0, consent, event, reply, status, template, user};
use crate::{random::Dice, reference::Step};

/// What a random history may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPlan {
    /// Events in all, ticks not counted.
    pub events: usize,
    /// Threads among which they are spread, at least 1.
    pub threads: u32,
    /// Days over which they are spread, at least 1. Up to 7, all but the untimely ones are within a horizon of ten days.
    pub days: u32,
    /// Whether ids come again with another content, second, side or account.
    pub conflicts: bool,
    /// Whether some events stand exactly at, and one millisecond beyond, five minutes ahead of their record time or
    /// ten days behind it.
    pub untimely: bool,
    /// Whether ticks stand between the events, now and then naming a time before the last one's.
    pub ticks: bool,
}

impl Default for HistoryPlan {
    fn default() -> Self {
        Self { events: 30, threads: 2, days: 5, conflicts: false, untimely: false, ticks: false }
    }
}

const STATUSES: [StatusKind; 6] = [
    StatusKind::Sent,
    StatusKind::Delivered,
    StatusKind::Read,
    StatusKind::Failed,
    // Twice as often: what fails is what makes trouble.
    StatusKind::Failed,
    StatusKind::Delivered,
];

impl HistoryPlan {
    /// Makes the history of a seed, in order of arrival.
    #[must_use]
    pub fn history(&self, seed: u64) -> Vec<Step<'static>> {
        let mut dice = Dice::of(seed, 0x6869_7374);
        let mut events: Vec<Event<'static>> = Vec::with_capacity(self.events);
        while events.len() < self.events {
            let made = match dice.below(10) {
                0 => repeat(&events, &mut dice),
                1 if self.conflicts => contradict(&events, self, &mut dice),
                2..=4 => report(&events, self, &mut dice),
                _ => None,
            };
            let made = made.unwrap_or_else(|| fresh(events.len(), self, &mut dice));
            events.push(made);
        }
        disorder(&mut events, &mut dice);
        self.record(events, &mut dice)
    }

    /// Gives record times: all after the last event, a second apart, but for what is untimely.
    fn record(&self, events: Vec<Event<'static>>, dice: &mut Dice) -> Vec<Step<'static>> {
        let mut record_time = DAY_0 + DurationMillis::from_days(i64::from(self.days) + 2);
        let mut steps = Vec::with_capacity(events.len());
        for event in events {
            record_time = record_time + DurationMillis::from_seconds(1);
            let beyond = DurationMillis(dice.between(0, 1));
            let own_record_time = match dice.below(10) {
                0 if self.untimely => event.occurred_at - DurationMillis::from_minutes(5) - beyond,
                1 if self.untimely => event.occurred_at + DurationMillis::from_days(10) + beyond,
                _ => record_time,
            };
            steps.push(Step::Event { event, record_time: own_record_time });
            if self.ticks && dice.below(4) == 0 {
                steps.push(Step::Tick(self.moment(dice)));
            }
        }
        steps
    }

    /// An instant of a coarse grid, so that events are often exactly a day apart, or just not.
    fn moment(&self, dice: &mut Dice) -> UnixMillis {
        let quarter = i64::from(self.days.max(1)) * 4 - 1;
        let on_grid = DAY_0 + DurationMillis::from_hours(6 * (1 + dice.between(0, quarter)));
        match dice.below(10) {
            0..5 => on_grid,
            5 => on_grid - DurationMillis(1),
            6 => on_grid + DurationMillis(1),
            7 => on_grid + DurationMillis::from_seconds(dice.between(-3, 3)),
            _ => on_grid + DurationMillis(dice.between(-10_800_000, 10_800_000)),
        }
    }
}

/// An event of a new id.
fn fresh(number: usize, plan: &HistoryPlan, dice: &mut Dice) -> Event<'static> {
    let body = match dice.below(20) {
        0..9 => user(),
        9..14 => reply(),
        14..17 => template(),
        17 => EventBody::UserCall,
        _ => consent(dice.below(3) > 0),
    };
    let mut made = event(format!("m{number}"), plan.moment(dice), body);
    let thread = dice.below(u64::from(plan.threads.max(1)));
    made.user = format!("55119{thread:08}").into();
    made
}

/// A status: mostly of a business message that is there, else of one that nothing else has told of.
fn report(events: &[Event<'static>], plan: &HistoryPlan, dice: &mut Dice) -> Option<Event<'static>> {
    let about: Vec<&Event<'static>> = events
        .iter()
        .filter(|event| matches!(event.body, EventBody::BusinessMessage(_) | EventBody::MessageStatus(_)))
        .collect();
    if about.is_empty() {
        return None;
    }
    let chosen = *dice.pick(&about);
    let message = match &chosen.body {
        _ if dice.below(5) == 0 => format!("unknown{}", events.len()),
        EventBody::MessageStatus(status) => status.message_id.clone().into_owned(),
        EventBody::BusinessMessage(_)
        | EventBody::UserMessage(_)
        | EventBody::UserCall
        | EventBody::Consent(_) => chosen.event_id.clone().into_owned(),
    };
    let at = match dice.below(4) {
        0 => chosen.occurred_at,
        1 => chosen.occurred_at + DurationMillis(dice.between(-2_000, 60_000)),
        _ => plan.moment(dice),
    };
    let body = status(&message, *dice.pick(&STATUSES));
    Some(Event { event_id: format!("s{}", events.len()).into(), occurred_at: at, body, ..chosen.clone() })
}

/// An event again, at times told as another instant of the same second.
fn repeat(events: &[Event<'static>], dice: &mut Dice) -> Option<Event<'static>> {
    if events.is_empty() {
        return None;
    }
    let mut again = dice.pick(events).clone();
    if dice.below(2) == 0 {
        again.occurred_at = UnixMillis(again.occurred_at.second() * 1_000 + dice.between(0, 999));
    }
    Some(again)
}

/// An event of a known id that says something else.
fn contradict(events: &[Event<'static>], plan: &HistoryPlan, dice: &mut Dice) -> Option<Event<'static>> {
    if events.is_empty() {
        return None;
    }
    let mut other = dice.pick(events).clone();
    match dice.below(7) {
        0 => other.occurred_at = other.occurred_at + DurationMillis::from_seconds(1),
        1 => other.occurred_at = plan.moment(dice),
        2 => other.account = "other account".into(),
        3 => other.tag = Some("other tag".into()),
        4 => other.body = user(),
        5 => other.body = template(),
        _ => {
            let about = other.event_id.clone().into_owned();
            other.event_id = format!("s{}", events.len()).into();
            other.body = status(&about, *dice.pick(&STATUSES));
        }
    }
    Some(other)
}

/// Three sorts of arrival: in order of time, nearly so, and any order at all.
fn disorder(events: &mut [Event<'static>], dice: &mut Dice) {
    match dice.below(3) {
        0 => events.sort_by_key(|event| event.occurred_at),
        1 => {
            events.sort_by_key(|event| event.occurred_at);
            for _ in 0..events.len() / 4 {
                let place = dice.index(events.len());
                let near = (place + dice.index(4)).min(events.len() - 1);
                events.swap(place, near);
            }
        }
        _ => dice.shuffle(events),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
