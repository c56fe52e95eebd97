//! Realistic traffic from a plan and a seed, streamed in the order in which it reaches a log.
//!
//! Does not know what conversations are: it makes messages, statuses and their accidents, never bookings.
//! Invariant: what is kept in memory are the events that are still on their way, never those that were given out.

mod json;
mod people;
mod plan;
mod short_text;
mod stream;
mod text;
mod traffic_event;
mod webhook;

pub use json::write_json_line;
pub use plan::{PlanError, ThreadChoice, TrafficPlan};
pub use short_text::ShortText;
pub use stream::Traffic;
pub use traffic_event::{TrafficEvent, TrafficKind};
pub use webhook::{WebhookLines, write_webhook_line};
