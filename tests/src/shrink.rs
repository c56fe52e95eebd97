//! The smallest part of a failing history that still fails, written so that a scenario can be made of it.
//!
//! Knows no rules. Invariant: what is left cannot lose any one step and still fail.

use model::{EventBody, UnixMillis};
use sim::{histories::DAY_0, reference::Step};

/// Leaves out steps, one after the other, as long as `fails` says so.
pub fn shrink(steps: &[Step<'static>], fails: impl Fn(&[Step<'static>]) -> bool) -> Vec<Step<'static>> {
    let mut kept = steps.to_vec();
    let mut size = (kept.len() / 2).max(1);
    loop {
        let mut place = 0;
        let mut lost = false;
        while place < kept.len() {
            let end = (place + size).min(kept.len());
            let mut fewer = kept.clone();
            fewer.drain(place..end);
            if fails(&fewer) {
                kept = fewer;
                lost = true;
            } else {
                place = end;
            }
        }
        if size == 1 && !lost {
            return kept;
        }
        size = (size / 2).max(1);
    }
}

/// One line for each step.
#[must_use]
pub fn describe(steps: &[Step<'_>]) -> String {
    steps.iter().map(|step| describe_step(step) + "\n").collect()
}

fn describe_step(step: &Step<'_>) -> String {
    let (event, record_time) = match step {
        Step::Tick(time) => return format!("{} tick", day_and_time(*time)),
        Step::Event { event, record_time } => (event, record_time),
    };
    let what = match &event.body {
        EventBody::UserMessage(_) => format!("user message {}", event.event_id),
        EventBody::BusinessMessage(message) => {
            let kind = if message.template.is_some() { "template" } else { "reply" };
            format!("biz {kind} {}", event.event_id)
        }
        EventBody::MessageStatus(status) => format!("biz {} {}", status.status.as_str(), status.message_id),
        EventBody::UserCall => format!("user call {}", event.event_id),
        EventBody::Consent(consent) => format!("user consent {} {}", consent.granted, event.event_id),
    };
    let (at, recorded) = (day_and_time(event.occurred_at), day_and_time(*record_time));
    format!("{at} {what} of {} for {} tag {:?}, recorded {recorded}", event.user, event.account, event.tag)
}

/// An instant as days, hours, minutes, seconds and milliseconds since the first day of made-up histories.
fn day_and_time(time: UnixMillis) -> String {
    let since = (time - DAY_0).0;
    let (day, rest) = (since.div_euclid(86_400_000), since.rem_euclid(86_400_000));
    let (minutes, millis) = (rest / 60_000, rest % 60_000);
    format!("d{day} {:02}:{:02}:{:02}.{:03}", minutes / 60, minutes % 60, millis / 1_000, millis % 1_000)
}
