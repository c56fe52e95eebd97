//! The stream: messages in the order of their times, what rides along with them, all in the order of arrival.
//!
//! Does not know what an event looks like. Invariant: arrival never goes back, and exactly as many events come as the
//! plan wants.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use model::{DurationMillis, UnixMillis};

use super::{
    people::People,
    plan::{PlanError, ThreadChoice, TrafficPlan},
    traffic_event::{Seedling, TrafficEvent, TrafficKind},
};
use crate::random::Dice;

/// User messages among which the next reply finds the one that it answers.
const RECENT_MAX: usize = 4_096;
/// An older user message is not answered any more: the provider would not let a free-form message through.
const ANSWERED_WITHIN: DurationMillis = DurationMillis::from_hours(20);

/// Traffic as it reaches a log, from [`TrafficPlan::stream`].
#[derive(Debug, Clone)]
pub struct Traffic {
    plan: TrafficPlan,
    people: People,
    /// Messages that set the pace over the plan's days.
    originals_expected: u64,
    /// Number of the next message.
    number: u64,
    /// The next message, held back while something on its way arrives before it.
    upcoming: Option<Seedling>,
    /// On their way: displaced events, statuses, repeats.
    under_way: BinaryHeap<Reverse<Seedling>>,
    recent: VecDeque<(u32, UnixMillis)>,
    given: u64,
}

impl TrafficPlan {
    /// Starts the traffic.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn stream(&self) -> Result<Traffic, PlanError> {
        self.check()?;
        Ok(Traffic {
            people: People::of(self),
            originals_expected: self.originals_expected(),
            plan: self.clone(),
            number: 0,
            upcoming: None,
            under_way: BinaryHeap::new(),
            recent: VecDeque::with_capacity(RECENT_MAX),
            given: 0,
        })
    }
}

impl Iterator for Traffic {
    type Item = TrafficEvent;

    fn next(&mut self) -> Option<TrafficEvent> {
        let seedling = self.next_seedling()?;
        self.given += 1;
        Some(TrafficEvent::grow(&seedling, &self.plan, &self.people))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.plan.events - self.given).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl Traffic {
    fn next_seedling(&mut self) -> Option<Seedling> {
        loop {
            if self.upcoming.is_none() && self.has_room() {
                self.upcoming = Some(self.next_original());
            }
            let first_under_way = self.under_way.peek().map(|Reverse(seedling)| seedling.arrived_at);
            let Some(original) = self.upcoming else {
                return self.under_way.pop().map(|Reverse(seedling)| seedling);
            };
            // Whatever is made from the message arrives at its pace time at the earliest, so nothing made later can
            // come before what is on its way up to there.
            if first_under_way.is_some_and(|first| first <= original.arrived_at) {
                return self.under_way.pop().map(|Reverse(seedling)| seedling);
            }
            self.upcoming = None;
            if let Some(now) = self.release(original) {
                return Some(now);
            }
        }
    }

    /// Whether one more event fits into the plan.
    fn has_room(&self) -> bool {
        self.given + self.under_way.len() as u64 + u64::from(self.upcoming.is_some()) < self.plan.events
    }

    /// The next message, arriving at the time that its turn gives it.
    fn next_original(&mut self) -> Seedling {
        let number = self.number;
        self.number += 1;
        let mut dice = Dice::of(self.plan.seed, number);
        let at = self.pace(number, dice.below(1_024));
        let (kind, thread) = self.kind_and_thread(&mut dice, at);
        if kind == TrafficKind::UserMessage {
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back((thread, at));
        }
        Seedling { arrived_at: at, number, kind, occurred_at: at, thread, repeat: false }
    }

    /// Evenly over the days: in slot `number` of as many as expected, `part` 1024ths into it.
    fn pace(&self, number: u64, part: u64) -> UnixMillis {
        let span_ms = u128::from(self.plan.span_ms().cast_unsigned());
        let slots = u128::from(number) * 1_024 + u128::from(part);
        let offset_ms = span_ms * slots / (u128::from(self.originals_expected) * 1_024);
        self.plan.start + DurationMillis(i64::try_from(offset_ms).unwrap_or(i64::MAX))
    }

    fn kind_and_thread(&self, dice: &mut Dice, at: UnixMillis) -> (TrafficKind, u32) {
        let anyone = self.any_thread(dice);
        let chance = dice.below(1_000);
        let consents = u64::from(self.plan.consents_per_mille);
        if chance < consents {
            return (TrafficKind::Consent, anyone);
        }
        if chance < consents + u64::from(self.plan.calls_per_mille) {
            return (TrafficKind::UserCall, anyone);
        }
        let chance = dice.below(100);
        let users = u64::from(self.plan.user_messages_percent);
        if chance < users {
            (TrafficKind::UserMessage, anyone)
        } else if chance < users + u64::from(self.plan.replies_percent) {
            (TrafficKind::Reply, self.answered_thread(dice, at).unwrap_or(anyone))
        } else {
            (TrafficKind::Template, anyone)
        }
    }

    fn any_thread(&self, dice: &mut Dice) -> u32 {
        let threads = u64::from(self.plan.threads);
        let thread = match self.plan.thread_choice {
            ThreadChoice::Uniform => dice.below(threads),
            // The square of an even chance: small numbers come more often.
            ThreadChoice::Skewed => {
                let chance = dice.next();
                chance.carrying_mul(chance, 0).1.carrying_mul(threads, 0).1
            }
        };
        u32::try_from(thread).unwrap_or(0)
    }

    /// A thread whose user wrote lately. One reply in fifty goes to just anyone instead.
    fn answered_thread(&self, dice: &mut Dice, at: UnixMillis) -> Option<u32> {
        if dice.below(50) == 0 || self.recent.is_empty() {
            return None;
        }
        let fresh = |asked: &&(u32, UnixMillis)| at - asked.1 < ANSWERED_WITHIN;
        let drawn = self.recent.get(dice.index(self.recent.len())).filter(fresh);
        drawn.or_else(|| self.recent.back().filter(fresh)).map(|asked| asked.0)
    }

    /// Sends a message on its way with all that follows from it; gives it back if it arrives at once.
    fn release(&mut self, original: Seedling) -> Option<Seedling> {
        // A sequence of its own: what happens to messages does not change which messages there are.
        let mut dice = Dice::of(self.plan.seed ^ 0x6661_7465, original.number);
        let mut first = original;
        let chance = dice.below(1_000);
        let late = u64::from(self.plan.late_per_mille);
        if chance < late {
            first.occurred_at = original.arrived_at
                - DurationMillis(dice.between(self.plan.late_by.0, self.plan.late_by.0 + 86_400_000));
        } else if chance < late + u64::from(self.plan.future_per_mille) {
            first.occurred_at = original.arrived_at + DurationMillis(dice.between(600_000, 86_400_000));
        } else {
            self.displace(&mut first, &mut dice);
        }
        // Room is asked for with the message itself counted, as it is neither given nor under way yet.
        self.upcoming = Some(first);
        self.repeat(first, &mut dice);
        let is_message = match original.kind {
            TrafficKind::UserMessage => true,
            TrafficKind::Reply | TrafficKind::Template => {
                self.follow_with_statuses(original, &mut dice);
                true
            }
            TrafficKind::UserCall
            | TrafficKind::Consent
            | TrafficKind::Sent
            | TrafficKind::Delivered
            | TrafficKind::Read
            | TrafficKind::Failed => false,
        };
        if is_message && dice.per_mille(self.plan.conflicts_per_mille) {
            let occurred_at = first.occurred_at + DurationMillis::from_seconds(2);
            let arrived_at = first.arrived_at + DurationMillis(dice.between(2_000, 600_000));
            self.send(Seedling { arrived_at, occurred_at, ..first });
        }
        self.upcoming = None;
        if first.arrived_at == original.arrived_at {
            return Some(first);
        }
        self.under_way.push(Reverse(first));
        None
    }

    fn displace(&self, seedling: &mut Seedling, dice: &mut Dice) {
        if dice.below(100) < u64::from(self.plan.displaced_percent) && self.plan.displaced_max.0 > 0 {
            seedling.arrived_at =
                seedling.arrived_at + DurationMillis(dice.between(1, self.plan.displaced_max.0));
        }
    }

    /// Repeats an event so often that repeats are the wanted share of the whole.
    fn repeat(&mut self, seedling: Seedling, dice: &mut Dice) {
        let share = u64::from(self.plan.duplicates_per_mille);
        if dice.below(1_000 - share) < share {
            let arrived_at = seedling.arrived_at + DurationMillis(dice.between(500, 300_000));
            self.send(Seedling { arrived_at, repeat: true, ..seedling });
        }
    }

    /// Times after the message as they are seen in practice: seconds to delivery, up to hours to reading.
    fn follow_with_statuses(&mut self, message: Seedling, dice: &mut Dice) {
        let failed = dice.per_mille(self.plan.failed_per_mille);
        let mut at = message.occurred_at;
        if self.plan.statuses {
            at = at + DurationMillis(dice.between(50, 1_500));
            self.status(message, TrafficKind::Sent, at, dice);
        }
        if failed {
            at = at + DurationMillis(dice.between(200, 30_000));
            self.status(message, TrafficKind::Failed, at, dice);
            if dice.below(4) == 0 {
                at = at + DurationMillis(dice.between(1_000, 7_200_000));
                self.status(message, TrafficKind::Delivered, at, dice);
            }
        } else if self.plan.statuses {
            at = at + DurationMillis(dice.between(200, 60_000));
            self.status(message, TrafficKind::Delivered, at, dice);
            if dice.below(10) < 7 {
                at = at + DurationMillis(dice.between(500, 14_400_000));
                self.status(message, TrafficKind::Read, at, dice);
            }
        }
    }

    fn status(&mut self, message: Seedling, kind: TrafficKind, at: UnixMillis, dice: &mut Dice) {
        let mut status = Seedling { arrived_at: at, kind, occurred_at: at, ..message };
        self.displace(&mut status, dice);
        self.send(status);
        self.repeat(status, dice);
    }

    fn send(&mut self, seedling: Seedling) {
        if self.has_room() {
            self.under_way.push(Reverse(seedling));
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
