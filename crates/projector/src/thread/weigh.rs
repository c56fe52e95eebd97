//! What becomes of an event: new, known, contradicted or too late, judged by what its thread knows of its message.
//!
//! Books nothing. Invariant: of reports that agree the earliest stands, in whatever order they come.

use model::{Disposition, Record, SealedBody, SealedEvent};

use super::Thread;
use crate::{
    block::Blocks,
    evidence::{Evidence, Novelty, bit_of, compare, together, verdict_hash},
    labels::{Label, LaneLabels},
    message::{Flags, Message, Side, seen},
};

/// What a thread makes of an event.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Nothing changes.
    Is(Disposition),
    /// A message is new, or another than it was. `fate` is applied; or duplicate, where a repeat told an earlier instant of the
    /// same second.
    Changes { change: Change, fate: Disposition, verdict_is_new: bool },
}

/// A message in the place of another, or of none.
#[derive(Debug)]
pub(crate) struct Change {
    pub(super) old: Option<Message>,
    pub(super) new: Message,
}

impl Thread {
    /// Takes an event: tells what became of it, and whether its provider's verdict is news.
    pub(crate) fn take(
        &mut self,
        blocks: &Blocks,
        labels: &mut LaneLabels<'_>,
        record: &Record,
        event: &SealedEvent,
        late: bool,
    ) -> Taken {
        let known = self.timeline(blocks).find(event.message);
        match &event.body {
            SealedBody::Status(status) => {
                let report = Evidence {
                    message: event.message,
                    at: event.occurred_at,
                    offset: record.offset,
                    account: event.account,
                    what: bit_of(status.status),
                    verdict_hash: verdict_hash(status),
                };
                self.weigh_status(labels, known, report, late)
            }
            SealedBody::UserMessage { .. }
            | SealedBody::BusinessMessage { .. }
            | SealedBody::UserCall
            | SealedBody::Consent(_) => self.weigh_message(labels, known, record, event, late),
        }
    }

    /// A message's own report.
    fn weigh_message(
        &mut self,
        labels: &mut LaneLabels<'_>,
        known: Option<Message>,
        record: &Record,
        event: &SealedEvent,
        late: bool,
    ) -> Taken {
        let (flags, label) = describe(event);
        let label = labels.intern(label);
        let reported = || Message::new(event.message, event.occurred_at, record.offset, label, flags);
        let Some(known) = known else {
            return match late {
                true => Taken::Is(Disposition::Late),
                // Made in its place: a copy would wait for the parts to be written.
                false => Taken::Changes {
                    change: Change { old: None, new: reported() },
                    fate: Disposition::Applied,
                    verdict_is_new: false,
                },
            };
        };
        let reported = reported();
        if known.side() != reported.side() {
            return Taken::Is(Disposition::Conflict);
        }
        let mut fate = Disposition::Applied;
        if known.flags.has(seen::REPORTED) {
            let content = |m: &Message| {
                (m.flags.is_template(), m.flags.is_granted(), m.flags.is_referral(), *labels.get(m.label()))
            };
            let own = self.own_report(&known, labels);
            if content(&known) != content(&reported) || own.at.second() != event.occurred_at.second() {
                return Taken::Is(Disposition::Conflict);
            }
            if event.occurred_at >= own.at {
                return Taken::Is(Disposition::Duplicate);
            }
            // The same second: a duplicate, however old. Of two reports that agree to the second the earlier stands.
            fate = Disposition::Duplicate;
            if self.evidence_of(&known).next().is_none() {
                let new = known.moved_to(event.occurred_at, record.offset);
                let change = Change { old: Some(known), new };
                return Taken::Changes { change, fate, verdict_is_new: false };
            }
        } else if late {
            return Taken::Is(Disposition::Late);
        }
        let report = Evidence {
            message: event.message,
            at: event.occurred_at,
            offset: record.offset,
            account: event.account,
            what: seen::REPORTED,
            verdict_hash: 0,
        };
        let described = reported.flags.with_evidence(known.flags.evidence());
        let changed = known.with_label(label).with_flags(described);
        let new = self.with_report(labels, &known, changed, report);
        Taken::Changes { change: Change { old: Some(known), new }, fate, verdict_is_new: false }
    }

    /// A status.
    fn weigh_status(
        &mut self,
        labels: &mut LaneLabels<'_>,
        known: Option<Message>,
        report: Evidence,
        late: bool,
    ) -> Taken {
        let says_something = report.verdict_hash != 0;
        let Some(known) = known else {
            if late {
                return Taken::Is(Disposition::Late);
            }
            let label = labels.intern(Label::of_account(report.account));
            let flags = Flags::new(Side::Business, report.what);
            let new = Message::new(report.message, report.at, report.offset, label, flags);
            if says_something {
                self.keep_report(report);
            }
            return Taken::Changes {
                change: Change { old: None, new },
                fate: Disposition::Applied,
                verdict_is_new: says_something,
            };
        };
        if known.side() != Side::Business {
            return Taken::Is(Disposition::Conflict);
        }
        let novelty = match &self.past {
            Some(past) if past.evidence.of(known.id).next().is_some() => past.evidence.novelty(&report),
            Some(_) | None => {
                let only = inline_report(&known, labels);
                if only.what == report.what && only.at.second() == report.at.second() {
                    compare(&only, &report)
                } else {
                    Novelty::New
                }
            }
        };
        let fate = match novelty {
            Novelty::Contradicts => return Taken::Is(Disposition::Conflict),
            Novelty::Repeat => return Taken::Is(Disposition::Duplicate),
            Novelty::Earlier => Disposition::Duplicate,
            Novelty::New if late => return Taken::Is(Disposition::Late),
            Novelty::New => Disposition::Applied,
        };
        let verdict_is_new = novelty == Novelty::New
            && says_something
            && self.evidence_of(&known).all(|known| known.verdict_hash != report.verdict_hash);
        let changed = known.with_flags(known.flags.with_evidence(report.what));
        let new = self.with_report(labels, &known, changed, report);
        Taken::Changes { change: Change { old: Some(known), new }, fate, verdict_is_new }
    }

    /// Keeps one more report of a known message, and gives the message as all its reports make it.
    fn with_report(
        &mut self,
        labels: &mut LaneLabels<'_>,
        known: &Message,
        changed: Message,
        report: Evidence,
    ) -> Message {
        let only = inline_report(known, labels);
        let log = &mut self.past_mut().evidence;
        if log.of(known.id).next().is_none() {
            log.put(only);
        }
        log.put(report);
        let Some((at, offset, account)) = together(log.of(known.id)) else { return changed };
        let moved = changed.moved_to(at, offset);
        let label = *labels.get(moved.label());
        if label.account == account {
            moved
        } else {
            moved.with_label(labels.intern(Label { account, ..label }))
        }
    }

    /// The report that the message itself made.
    fn own_report(&self, known: &Message, labels: &LaneLabels<'_>) -> Evidence {
        let kept = self.evidence_of(known).find(|report| report.what == seen::REPORTED);
        kept.copied().unwrap_or_else(|| inline_report(known, labels))
    }
}

/// The one report of a message that has no others.
fn inline_report(message: &Message, labels: &LaneLabels<'_>) -> Evidence {
    Evidence {
        message: message.id,
        at: message.at(),
        offset: message.offset(),
        account: labels.get(message.label()).account,
        what: message.flags.evidence(),
        verdict_hash: 0,
    }
}

/// Flags and label of a message's own report.
fn describe(event: &SealedEvent) -> (Flags, Label) {
    let plain = Label { tag: event.tag, ..Label::of_account(event.account) };
    match &event.body {
        SealedBody::UserMessage { kind, referral } => {
            let flags = Flags::new(Side::User, seen::REPORTED).with_referral(*referral);
            (flags, Label { kind: *kind, ..plain })
        }
        SealedBody::BusinessMessage { kind, template: None } => {
            (Flags::new(Side::Business, seen::REPORTED), Label { kind: *kind, ..plain })
        }
        SealedBody::BusinessMessage { kind, template: Some(template) } => (
            Flags::new(Side::Business, seen::REPORTED).with_template(true),
            Label { kind: *kind, template: template.name, category: template.category, ..plain },
        ),
        SealedBody::UserCall => (Flags::new(Side::Call, seen::REPORTED), plain),
        SealedBody::Consent(consent) => {
            let flags = Flags::new(Side::Consent, seen::REPORTED).with_granted(consent.granted);
            (flags, Label { template: consent.source, ..plain })
        }
        SealedBody::Status(status) => (Flags::new(Side::Business, bit_of(status.status)), plain),
    }
}
