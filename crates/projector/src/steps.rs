//! What each message of a thread does, told by the fold itself as it walks the thread again.
//!
//! Has no rules of its own: every time and every yes or no in it comes out of [`step`].
//! Invariant: the last end that the steps of a conversation give is the end that the ledger has.

use model::{ConversationId, Initiator, UnixMillis};

use crate::{
    block::Blocks,
    fold::{Effect, Rules, step},
    identity::conversation_id,
    projector::Projector,
    thread::Thread,
};

/// What a message does, in the order of its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEffect {
    /// Nothing that is booked or counted: a call, a consent, or a message that does not count.
    None,
    /// It opens a conversation; the one before, if any, is over.
    Opens {
        /// The conversation that it opens.
        conversation: ConversationId,
        /// Who is said to have opened it.
        initiator: Initiator,
        /// End of the window after it; exclusive.
        ends_at: UnixMillis,
        /// Whether it earns the charge.
        charges: bool,
    },
    /// It is inside the open conversation.
    Joins {
        /// The conversation that it is in.
        conversation: ConversationId,
        /// End of the window before it.
        ended_at: UnixMillis,
        /// End of the window after it; exclusive. Later than before if it slid the window.
        ends_at: UnixMillis,
        /// Whether it earns the charge.
        charges: bool,
    },
}

impl StepEffect {
    /// The conversation that the message is in, if it is in one.
    #[must_use]
    pub const fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::None => None,
            Self::Opens { conversation, .. } | Self::Joins { conversation, .. } => Some(*conversation),
        }
    }

    /// Whether the message earns the charge of its conversation.
    #[must_use]
    pub const fn charges(&self) -> bool {
        match self {
            Self::None => false,
            Self::Opens { charges, .. } | Self::Joins { charges, .. } => *charges,
        }
    }
}

impl Projector {
    /// Walks a thread from the first state that it remembers: one effect for each of its messages.
    pub(crate) fn steps(&self, thread: &Thread, blocks: &Blocks) -> Vec<StepEffect> {
        let Some(configuration) = self.configuration() else { return Vec::new() };
        let rules = Rules::of(configuration.tariff());
        let phone = self.words.get(thread.business_phone);
        let mut state = thread.timeline(blocks).chunk(0).before;
        // A thread that has forgotten its first messages begins inside a conversation that the ledger still has.
        let begun = thread.timeline(blocks).iter().next().and_then(|first| {
            let before = |booked: &&crate::booking::Booked| booked.opener.key() < first.key();
            thread.conversations().rev().find(before)
        });
        let mut open =
            begun.map(|booked| conversation_id(phone, thread.user, booked.opener.at(), booked.initiator));
        let mut effects = Vec::new();
        for message in thread.timeline(blocks).iter() {
            let before = state.open();
            let effect = match message.flags.counts() {
                true => step(&rules, &mut state, message),
                false => Effect::None,
            };
            effects.push(match (effect, open) {
                (Effect::None, _) => StepEffect::None,
                (Effect::Opens { initiator, ends_at, charges, .. }, _) => {
                    let conversation = conversation_id(phone, thread.user, message.at(), initiator);
                    open = Some(conversation);
                    StepEffect::Opens { conversation, initiator, ends_at, charges }
                }
                (Effect::Joins { ends_at, charges }, Some(conversation)) => StepEffect::Joins {
                    conversation,
                    ended_at: before.map_or(ends_at, |open| open.ends_at),
                    ends_at,
                    charges,
                },
                // Inside a conversation that is remembered by nobody.
                (Effect::Joins { .. }, None) => StepEffect::None,
            });
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{
        Configured, ContentHash, Currency, LeadingDigits, MessageKind, MessageRef, Offset, PartitionId,
        Record, RecordContent, SealedBody, SealedEvent, SealedStatus, StatusKind, Symbol, UserRef,
    };
    use tariff::{AccountSettings, Configuration, Tariff};

    use super::*;
    use crate::{Projected, ThreadHistory, bucket_of};

    const HOUR: i64 = 3_600_000;
    const D0: i64 = 1_644_192_000_000;
    const USER: UserRef = UserRef([7; 16]);

    fn event(hour: i64, id: u8, body: SealedBody) -> RecordContent {
        RecordContent::Event(SealedEvent {
            occurred_at: UnixMillis(D0 + hour * HOUR),
            message: MessageRef([id; 16]),
            user: USER,
            leading_digits: LeadingDigits::of("5511900000001"),
            business_phone: Symbol(2),
            account: Symbol(1),
            tag: Symbol::EMPTY,
            body,
        })
    }

    fn user(hour: i64, id: u8) -> RecordContent {
        event(hour, id, SealedBody::UserMessage { kind: MessageKind::Text, referral: false })
    }

    fn business(hour: i64, id: u8) -> RecordContent {
        event(hour, id, SealedBody::BusinessMessage { kind: MessageKind::Text, template: None })
    }

    fn failed(hour: i64, id: u8) -> RecordContent {
        let status = SealedStatus { status: StatusKind::Failed, error_code: 131_026, verdict: None };
        event(hour, id, SealedBody::Status(status))
    }

    /// The thread after these events, in this order of arrival.
    fn history(events: Vec<RecordContent>) -> ThreadHistory {
        let currency = Currency::parse("USD").unwrap();
        let defaults = AccountSettings { currency, zone: "UTC".to_owned(), tracks_consent: false };
        let tariff = Tariff::builtin("whatsapp-2022").unwrap();
        let configuration = Arc::new(Configuration::new(defaults, Vec::new(), tariff).unwrap());
        let configured =
            Configured { content: configuration.content_hash(), effective_from: UnixMillis(D0 - HOUR) };
        let mut projector = Projector::new(PartitionId(0));
        projector.define(Symbol(1), "shop");
        projector.define(Symbol(2), "300000000000011");
        projector.provide(configuration);
        let records: Vec<Record> = std::iter::once(RecordContent::Configuration(configured))
            .chain(events)
            .zip(0..)
            .map(|(content, offset)| Record {
                offset: Offset(offset),
                record_time: UnixMillis(D0 + 200 * HOUR),
                content,
            })
            .collect();
        let mut out = Projected::default();
        projector.apply(&records, &mut |_| ContentHash([0; 32]), &mut |_| {}, &mut out).unwrap();
        projector.history_of(bucket_of(USER), [1; 16]).unwrap().unwrap()
    }

    /// Each message as `id opens|joins +hours of the window's end, $ if it earns the charge`.
    fn shown(history: &ThreadHistory) -> Vec<String> {
        let hours = |at: UnixMillis| (at.0 - D0) / HOUR;
        let one = |report: &crate::EvidenceReport| {
            let earns = if report.effect.charges() { " $" } else { "" };
            let does = match report.effect {
                StepEffect::None => "nothing".to_owned(),
                StepEffect::Opens { ends_at, .. } => format!("opens +{}", hours(ends_at)),
                StepEffect::Joins { ended_at, ends_at, .. } => {
                    format!("joins +{} -> +{}", hours(ended_at), hours(ends_at))
                }
            };
            format!("{} {does}{earns}", report.message.message.0[0])
        };
        history.messages.iter().map(one).collect()
    }

    fn worked_example() -> Vec<RecordContent> {
        vec![
            user(10, 1),
            business(11, 2),
            user(18, 3),
            business(41, 4),
            business(42, 5),
            user(65, 6),
            user(129, 7),
        ]
    }

    const STEPS: [&str; 7] = [
        "1 opens +34",
        "2 joins +34 -> +34 $",
        "3 joins +34 -> +42",
        "4 joins +42 -> +42",
        "5 opens +66 $",
        "6 joins +66 -> +89",
        "7 opens +153",
    ];

    #[test]
    fn each_message_says_what_it_did_to_the_window_whatever_the_order_of_arrival() {
        assert_eq!(shown(&history(worked_example())), STEPS);
        let mut backwards = worked_example();
        backwards.reverse();
        assert_eq!(shown(&history(backwards)), STEPS);
    }

    #[test]
    fn the_steps_lead_to_what_the_ledger_has() {
        let history = history(worked_example());
        assert_eq!(history.conversations.len(), 3);
        for net in &history.conversations {
            let of_it: Vec<StepEffect> = history
                .messages
                .iter()
                .map(|report| report.effect)
                .filter(|effect| effect.conversation() == Some(net.conversation))
                .collect();
            let end = of_it.iter().rev().find_map(|effect| match effect {
                StepEffect::Opens { ends_at, .. } | StepEffect::Joins { ends_at, .. } => Some(*ends_at),
                StepEffect::None => None,
            });
            assert_eq!(end, Some(net.expires_at));
            assert_eq!(
                of_it.iter().filter(|effect| effect.charges()).count(),
                usize::from(net.charge.is_some())
            );
            assert_eq!(of_it.len(), (net.user_messages + net.business_messages) as usize);
        }
    }

    #[test]
    fn a_failed_message_does_nothing_and_what_it_opened_is_kept_as_withdrawn() {
        let history = history(vec![business(10, 1), failed(10, 1)]);
        assert_eq!(shown(&history), ["1 nothing"]);
        assert!(history.conversations.is_empty());
        let [gone] = history.withdrawn[..] else { panic!("{:?}", history.withdrawn) };
        assert_eq!((gone.opened_at, gone.initiator), (UnixMillis(D0 + 10 * HOUR), Initiator::Business));
        let id = conversation_id("300000000000011", USER, UnixMillis(D0 + 10 * HOUR), Initiator::Business);
        assert_eq!(gone.conversation, id);
    }
}
