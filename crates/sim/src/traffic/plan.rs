//! What traffic is wanted: how much, of what, how disorderly.
//!
//! Does not know how it is made. Invariant: a plan that [`TrafficPlan::check`] accepts can be streamed to its end.

use model::{DurationMillis, UnixMillis};

/// 2022-02-01T00:00:00Z, the first day of the provider's conversation-based pricing.
const START_DEFAULT: UnixMillis = UnixMillis(1_643_673_600_000);

/// More threads than this and users' numbers would repeat.
pub(super) const THREADS_MAX: u32 = 100_000_000;

/// What traffic is wanted. [`Default`] is five million events on 200,000 threads over three days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficPlan {
    /// Events given out in all, repeats and statuses included. 0 to 10¹².
    pub events: u64,
    /// Threads among which the messages are spread. 1 to 100,000,000.
    pub threads: u32,
    /// How threads are chosen.
    pub thread_choice: ThreadChoice,
    /// Length of the traffic in days of 24 hours. 1 to 36,500.
    pub days: u32,
    /// When it starts. From 1970-01-01 on, and it has to end before the year 9999.
    pub start: UnixMillis,
    /// Another seed, other traffic.
    pub seed: u64,
    /// Accounts, 1 to the number of phones.
    pub accounts: u32,
    /// Business phones, spread evenly over the accounts. 1 to 1,000,000.
    pub phones: u32,
    /// Different templates. 1 to 10,000.
    pub templates: u32,
    /// Different labels that business messages carry; 0 for none. At most 10,000.
    pub tags: u32,
    /// Share of user messages among the messages, in per cent.
    pub user_messages_percent: u8,
    /// Share of free-form replies among the messages, in per cent. Templates are the rest up to 100.
    pub replies_percent: u8,
    /// Share of exact repeats among all events, per thousand. At most 500.
    pub duplicates_per_mille: u16,
    /// Share of events that arrive after their time, in per cent. The others arrive at their time.
    pub displaced_percent: u8,
    /// How much later a displaced event arrives at most; evenly spread from 1 ms on. At most 365 days.
    pub displaced_max: DurationMillis,
    /// Share of messages that are older than `late_by` when they arrive, per thousand.
    pub late_per_mille: u16,
    /// How old those are at least; up to a day more. 0 to 365 days.
    pub late_by: DurationMillis,
    /// Share of messages whose sender's clock is 10 minutes to a day ahead, per thousand.
    pub future_per_mille: u16,
    /// Share of messages that come again under the same id with a time two seconds later, per thousand.
    pub conflicts_per_mille: u16,
    /// Share of business messages that get a `failed` status, per thousand. One in four is delivered all the same.
    pub failed_per_mille: u16,
    /// Whether each business message is followed by its statuses: sent, delivered, and seven in ten read.
    pub statuses: bool,
    /// Opt-ins and opt-outs (one in eight) per thousand messages.
    pub consents_per_mille: u16,
    /// Calls of users per thousand messages.
    pub calls_per_mille: u16,
}

/// How the thread of a message is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadChoice {
    /// Each as likely.
    Uniform,
    /// Some talk more: the busiest hundredth of the threads has a tenth of the messages.
    Skewed,
}

/// A plan asks for what cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A number outside its range.
    #[error("{field} is {value}, which is not between {low} and {high}; choose a value in that range")]
    OutOfRange {
        /// Name of the plan's field.
        field: &'static str,
        /// What the plan says.
        value: i128,
        /// The least that is possible.
        low: i128,
        /// The most that is possible.
        high: i128,
    },
}

impl Default for TrafficPlan {
    fn default() -> Self {
        Self {
            events: 5_000_000,
            threads: 200_000,
            thread_choice: ThreadChoice::Uniform,
            days: 3,
            start: START_DEFAULT,
            seed: 1,
            accounts: 4,
            phones: 8,
            templates: 12,
            tags: 0,
            user_messages_percent: 55,
            replies_percent: 35,
            duplicates_per_mille: 10,
            displaced_percent: 2,
            displaced_max: DurationMillis::from_minutes(5),
            late_per_mille: 0,
            late_by: DurationMillis::from_days(11),
            future_per_mille: 0,
            conflicts_per_mille: 0,
            failed_per_mille: 0,
            statuses: false,
            consents_per_mille: 0,
            calls_per_mille: 0,
        }
    }
}

impl TrafficPlan {
    /// Tells whether the plan can be made.
    ///
    /// # Errors
    /// The first field whose value is outside the range that its documentation gives.
    pub fn check(&self) -> Result<(), PlanError> {
        let year_ms = DurationMillis::from_days(365).0;
        let span_ms = self.span_ms();
        let rows: [(&'static str, i128, i128, i128); 18] = [
            ("events", self.events.into(), 0, 1_000_000_000_000),
            ("threads", self.threads.into(), 1, THREADS_MAX.into()),
            ("days", self.days.into(), 1, 36_500),
            ("start", self.start.0.into(), 0, i128::from(UnixMillis::MAX.0 - 2 * year_ms - span_ms)),
            ("phones", self.phones.into(), 1, 1_000_000),
            ("accounts", self.accounts.into(), 1, self.phones.into()),
            ("templates", self.templates.into(), 1, 10_000),
            ("tags", self.tags.into(), 0, 10_000),
            ("user_messages_percent", self.user_messages_percent.into(), 0, 100),
            ("replies_percent", self.replies_percent.into(), 0, 100 - i128::from(self.user_messages_percent)),
            ("duplicates_per_mille", self.duplicates_per_mille.into(), 0, 500),
            ("displaced_percent", self.displaced_percent.into(), 0, 100),
            ("displaced_max", self.displaced_max.0.into(), 0, year_ms.into()),
            ("late_by", self.late_by.0.into(), 0, year_ms.into()),
            ("late_per_mille", self.late_per_mille.into(), 0, 1_000),
            ("future_per_mille", self.future_per_mille.into(), 0, 1_000 - i128::from(self.late_per_mille)),
            ("conflicts_per_mille", self.conflicts_per_mille.into(), 0, 1_000),
            ("failed_per_mille", self.failed_per_mille.into(), 0, 1_000),
        ];
        for (field, value, low, high) in rows {
            if value < low || value > high {
                return Err(PlanError::OutOfRange { field, value, low, high });
            }
        }
        let rest = 1_000 - i128::from(self.consents_per_mille);
        match (i128::from(self.consents_per_mille), i128::from(self.calls_per_mille)) {
            (value, _) if value > 1_000 => {
                Err(PlanError::OutOfRange { field: "consents_per_mille", value, low: 0, high: 1_000 })
            }
            (_, value) if value > rest => {
                Err(PlanError::OutOfRange { field: "calls_per_mille", value, low: 0, high: rest })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn span_ms(&self) -> i64 {
        DurationMillis::from_days(self.days.into()).0
    }

    /// How many messages (and consents and calls) the wanted number of events comes from, as expected; at least 1.
    ///
    /// It sets the pace, so that the traffic takes the wanted days whatever rides along with the messages.
    pub(super) fn originals_expected(&self) -> u64 {
        let messages = 1_000 - u128::from(self.consents_per_mille) - u128::from(self.calls_per_mille);
        let business = messages * (100 - u128::from(self.user_messages_percent));
        let failed = u128::from(self.failed_per_mille);
        // Statuses per thousand business messages; a failed one has `failed` and a quarter `delivered`.
        let mut statuses = failed + failed / 4;
        if self.statuses {
            statuses += 1_000 + (1_000 - failed) * 17 / 10;
        }
        // In millionths of an event per original.
        let with_riders =
            1_000_000 + business * statuses / 100 + messages * u128::from(self.conflicts_per_mille);
        let unrepeated = u128::from(self.events) * (1_000 - u128::from(self.duplicates_per_mille)) * 1_000;
        u64::try_from(unrepeated / with_riders).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_plan_can_be_made() {
        assert_eq!(TrafficPlan::default().check(), Ok(()));
    }

    #[test]
    fn a_field_out_of_range_is_named_with_its_range() {
        let wrong = [
            (TrafficPlan { threads: 0, ..TrafficPlan::default() }, "threads"),
            (TrafficPlan { accounts: 9, ..TrafficPlan::default() }, "accounts"),
            (TrafficPlan { replies_percent: 46, ..TrafficPlan::default() }, "replies_percent"),
            (TrafficPlan { duplicates_per_mille: 501, ..TrafficPlan::default() }, "duplicates_per_mille"),
            (TrafficPlan { start: UnixMillis(-1), ..TrafficPlan::default() }, "start"),
            (TrafficPlan { start: UnixMillis::MAX, ..TrafficPlan::default() }, "start"),
            (TrafficPlan { consents_per_mille: 1_001, ..TrafficPlan::default() }, "consents_per_mille"),
            (
                TrafficPlan { consents_per_mille: 600, calls_per_mille: 500, ..TrafficPlan::default() },
                "calls_per_mille",
            ),
        ];
        for (plan, named) in wrong {
            let PlanError::OutOfRange { field, .. } = plan.check().unwrap_err();
            assert_eq!(field, named);
        }
        let error = TrafficPlan { days: 0, ..TrafficPlan::default() }.check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "days is 0, which is not between 1 and 36500; choose a value in that range"
        );
    }

    #[test]
    fn the_pace_allows_for_what_rides_along() {
        let plan = TrafficPlan { events: 1_000_000, duplicates_per_mille: 10, ..TrafficPlan::default() };
        assert_eq!(plan.originals_expected(), 990_000);
        // 45 of 100 messages are the business's, with 2.7 statuses each: 2.215 events a message.
        let plan = TrafficPlan { statuses: true, duplicates_per_mille: 0, ..plan };
        assert_eq!(plan.originals_expected(), 1_000_000_000 / 2_215);
    }
}
