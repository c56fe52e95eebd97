//! Which reports count, and which messages they make.
//!
//! Does not know conversations. Invariant: reports are only ever added, or moved to an earlier instant of the second
//! that they already name.

use model::{Disposition, DurationMillis, Event, EventBody, StatusKind, UnixMillis};

use super::Settings;

/// Further ahead of its record time an event is not believed.
const AHEAD_MAX: DurationMillis = DurationMillis::from_minutes(5);

/// All that was accepted, by thread, in order of first mention.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    threads: Vec<Thread>,
}

/// One (business phone, user) pair and its accepted reports, in order of arrival.
#[derive(Debug)]
pub(super) struct Thread {
    id: (String, String),
    /// Message events, calls and consents by event id; statuses by the id of their message.
    reports: Vec<Report>,
}

#[derive(Debug)]
struct Report {
    id: String,
    side: Side,
    /// The earliest instant told for it.
    at: UnixMillis,
    account: String,
    tag: String,
    /// What it said.
    body: EventBody<'static>,
}

/// What sort of thing an id stands for. It can stand for one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    User,
    Business,
    Call,
    Consent,
}

/// A message as all its reports together make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub at: UnixMillis,
    pub from_user: bool,
    pub template: bool,
    pub sealed: [u8; 16],
    pub id: String,
    pub account: String,
}

/// An opt-in or opt-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opted {
    pub at: UnixMillis,
    pub granted: bool,
}

impl Accepted {
    /// Takes one event in, if it counts, and tells its fate.
    pub(super) fn take(
        &mut self,
        event: &Event<'_>,
        record_time: UnixMillis,
        settings: &Settings,
    ) -> Disposition {
        if event.occurred_at > record_time + AHEAD_MAX {
            return Disposition::Future;
        }
        let id = (event.business_phone.clone().into_owned(), event.user.clone().into_owned());
        let report = Report::of(event);
        let known = self.threads.iter_mut().find(|thread| thread.id == id);
        let fate = known.as_ref().and_then(|thread| thread.fate(&report));
        let late = settings.horizon.is_some_and(|horizon| record_time - event.occurred_at > horizon);
        match (fate, known) {
            (Some(fate), Some(thread)) => {
                if fate == Disposition::Duplicate {
                    thread.earlier(&report);
                }
                fate
            }
            _ if late => Disposition::Late,
            (_, Some(thread)) => {
                thread.reports.push(report);
                Disposition::Applied
            }
            (_, None) => {
                self.threads.push(Thread { id, reports: vec![report] });
                Disposition::Applied
            }
        }
    }

    pub(super) fn threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.iter()
    }
}

impl Thread {
    pub(super) fn id(&self) -> (&str, &str) {
        (&self.id.0, &self.id.1)
    }

    /// Of reports that agree to the second, the earliest time stands.
    fn earlier(&mut self, repeat: &Report) {
        for first in self.reports.iter_mut().filter(|first| first.is_the_same_as(repeat)) {
            first.at = first.at.min(repeat.at);
        }
    }

    /// Duplicate or conflict, if what is known already says so.
    fn fate(&self, new: &Report) -> Option<Disposition> {
        let known = || self.reports.iter().filter(|report| report.id == new.id);
        if known().any(|report| report.side != new.side) {
            return Some(Disposition::Conflict);
        }
        match &new.body {
            // Of statuses another second is another report; only the same one can contradict.
            EventBody::MessageStatus(_) => {
                let same = known().find(|report| {
                    report.status() == new.status() && report.at.second() == new.at.second()
                })?;
                Some(if same.account == new.account { Disposition::Duplicate } else { Disposition::Conflict })
            }
            EventBody::UserMessage(_)
            | EventBody::BusinessMessage(_)
            | EventBody::UserCall
            | EventBody::Consent(_) => {
                let first = known().find(|report| report.status().is_none())?;
                Some(if first.is_the_same_as(new) { Disposition::Duplicate } else { Disposition::Conflict })
            }
        }
    }

    /// The messages that exist, in the order in which they are folded.
    pub(super) fn messages(&self, seal: &dyn Fn(&str) -> [u8; 16]) -> Vec<Message> {
        let mut ids: Vec<&str> = self.reports.iter().map(|report| report.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut messages: Vec<Message> = ids.into_iter().filter_map(|id| self.message(id, seal)).collect();
        messages.sort_by(|a, b| {
            let key = |message: &Message| (message.at, !message.from_user, !message.template, message.sealed);
            key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
        });
        messages
    }

    fn message(&self, id: &str, seal: &dyn Fn(&str) -> [u8; 16]) -> Option<Message> {
        let reports = || self.reports.iter().filter(move |report| report.id == id);
        let says = |status| reports().any(|report| report.status() == Some(status));
        let event = reports().find(|report| report.status().is_none());
        let earliest =
            reports().min_by(|a, b| (a.at, a.rank(), &a.account).cmp(&(b.at, b.rank(), &b.account)))?;
        match earliest.side {
            Side::Call | Side::Consent => return None,
            Side::User | Side::Business => {}
        }
        let made = event.is_some() || says(StatusKind::Sent) || says(StatusKind::Delivered);
        let failed = says(StatusKind::Failed) && !says(StatusKind::Delivered) && !says(StatusKind::Read);
        if !made || failed {
            return None;
        }
        Some(Message {
            at: earliest.at,
            from_user: earliest.side == Side::User,
            template: event.is_some_and(|report| {
                matches!(&report.body, EventBody::BusinessMessage(message) if message.template.is_some())
            }),
            sealed: seal(id),
            id: id.to_owned(),
            account: event.unwrap_or(earliest).account.clone(),
        })
    }

    /// Opt-ins and opt-outs, in the order in which they hold.
    pub(super) fn consents(&self, seal: &dyn Fn(&str) -> [u8; 16]) -> Vec<Opted> {
        let mut consents: Vec<(UnixMillis, [u8; 16], bool)> = self
            .reports
            .iter()
            .filter_map(|report| match &report.body {
                EventBody::Consent(consent) => Some((report.at, seal(&report.id), consent.granted)),
                EventBody::UserMessage(_)
                | EventBody::BusinessMessage(_)
                | EventBody::MessageStatus(_)
                | EventBody::UserCall => None,
            })
            .collect();
        consents.sort_unstable();
        consents.into_iter().map(|(at, _, granted)| Opted { at, granted }).collect()
    }
}

impl Report {
    fn of(event: &Event<'_>) -> Self {
        let (id, side) = match &event.body {
            EventBody::UserMessage(_) => (&event.event_id, Side::User),
            EventBody::BusinessMessage(_) => (&event.event_id, Side::Business),
            EventBody::MessageStatus(status) => (&status.message_id, Side::Business),
            EventBody::UserCall => (&event.event_id, Side::Call),
            EventBody::Consent(_) => (&event.event_id, Side::Consent),
        };
        Self {
            id: id.clone().into_owned(),
            side,
            at: event.occurred_at,
            account: event.account.clone().into_owned(),
            tag: event.tag.clone().unwrap_or_default().into_owned(),
            body: owned_body(&event.body),
        }
    }

    fn status(&self) -> Option<StatusKind> {
        match &self.body {
            EventBody::MessageStatus(status) => Some(status.status),
            EventBody::UserMessage(_)
            | EventBody::BusinessMessage(_)
            | EventBody::UserCall
            | EventBody::Consent(_) => None,
        }
    }

    /// Whether two reports agree: for statuses in what they say of which message, for all else in their content, and
    /// for both in the account and the whole second.
    fn is_the_same_as(&self, other: &Self) -> bool {
        let content = match (self.status(), other.status()) {
            (None, None) => self.body == other.body && self.tag == other.tag,
            (mine, theirs) => mine == theirs,
        };
        content
            && self.id == other.id
            && self.side == other.side
            && self.account == other.account
            && self.at.second() == other.at.second()
    }

    /// Which of several reports of the same instant speaks for the message: its own event, then by rising status.
    fn rank(&self) -> u8 {
        self.status().map_or(0, StatusKind::code)
    }
}

pub(crate) fn owned_body(body: &EventBody<'_>) -> EventBody<'static> {
    use std::borrow::Cow;

    use model::{BusinessMessage, Consent, MessageStatus, Template};

    let own = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
    match body {
        EventBody::UserMessage(message) => EventBody::UserMessage(*message),
        EventBody::BusinessMessage(message) => EventBody::BusinessMessage(BusinessMessage {
            kind: message.kind,
            template: message
                .template
                .as_ref()
                .map(|template| Template { name: own(&template.name), category: template.category }),
        }),
        EventBody::MessageStatus(status) => EventBody::MessageStatus(MessageStatus {
            message_id: own(&status.message_id),
            status: status.status,
            error_code: status.error_code,
            provider: status.provider.clone(),
        }),
        EventBody::UserCall => EventBody::UserCall,
        EventBody::Consent(consent) => {
            EventBody::Consent(Consent { granted: consent.granted, source: own(&consent.source) })
        }
    }
}
