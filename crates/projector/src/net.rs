//! The net result, read from the state: what holds, without the history of how it came about.

use model::{
    Category, ChargeId, ConversationId, Initiator, LeadingDigits, MessageEvidence, MessageRef, Offset,
    PriceOutcome, Sequence, Text, UnixMillis, UserRef,
};

use crate::{
    booking::{Book, Booked, ThreadId},
    evidence::Evidence,
    identity::{charge_id, conversation_id},
    labels::{LabelsMet, LaneLabels},
    message::{Message, Side, seen},
    projector::{BUCKETS, Projector, Slot},
    snapshot::SnapshotError,
    steps::StepEffect,
    stored_thread::each_booked,
    thread::Thread,
};

/// A conversation as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetConversation {
    /// From content.
    pub conversation: ConversationId,
    /// Who is billed.
    pub account: Text,
    /// The business's number id.
    pub business_phone: Text,
    /// The user, as a keyed hash.
    pub user: UserRef,
    /// Who opened it.
    pub initiator: Initiator,
    /// When its window starts.
    pub opened_at: UnixMillis,
    /// When its window ends; exclusive.
    pub expires_at: UnixMillis,
    /// Whether its close has been announced.
    pub closed: bool,
    /// The user had not opted in, in an account that tracks consent.
    pub without_consent: bool,
    /// Market of the user.
    pub market: Text,
    /// Month to which it belongs.
    pub period: model::Period,
    /// Messages of the user in it.
    pub user_messages: u32,
    /// Messages of the business in it.
    pub business_messages: u32,
    /// What it costs, if it was charged.
    pub charge: Option<NetCharge>,
    /// The last entry about it; each entry names the one before.
    pub last_entry: Sequence,
}

/// A charge as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetCharge {
    /// From content.
    pub charge: ChargeId,
    /// When it was earned.
    pub at: UnixMillis,
    /// How often it was booked.
    pub booking: u32,
    /// Category of the message that earned it.
    pub category: Category,
    /// What it costs.
    pub price: PriceOutcome,
    /// The entry that books it.
    pub entry: Sequence,
}

/// A message or other item of a thread, with all reports of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceReport {
    /// Sealed id, time, place, template, tag.
    pub message: MessageEvidence,
    /// `user`, `business`, `call` or `consent`.
    pub side: &'static str,
    /// Whether it counts: it was sent or reported, and did not fail for good.
    pub counts: bool,
    /// Whether it came from an ad or a page button.
    pub referral: bool,
    /// Each report: what it says, when, and where it stands in the input.
    pub reports: Vec<(&'static str, UnixMillis, Offset)>,
    /// What it does, as the fold says.
    pub effect: StepEffect,
}

/// A conversation that was opened in the ledger and withdrawn, since an earlier message made it another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithdrawnConversation {
    /// From content.
    pub conversation: ConversationId,
    /// When its window was said to start.
    pub opened_at: UnixMillis,
    /// Who was said to have opened it.
    pub initiator: Initiator,
    /// The last entry about it; each entry names the one before.
    pub last_entry: Sequence,
}

/// All that is known of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadHistory {
    /// The business's number id.
    pub business_phone: Text,
    /// The user, as a keyed hash.
    pub user: UserRef,
    /// Leading characters of the user's number, which the market depends on.
    pub leading_digits: LeadingDigits,
    /// In order.
    pub messages: Vec<EvidenceReport>,
    /// In order of their opening.
    pub conversations: Vec<NetConversation>,
    /// Those that the ledger has opened and withdrawn, and that do not hold again.
    pub withdrawn: Vec<WithdrawnConversation>,
}

impl Projector {
    /// Gives every net conversation of a loaded bucket to `each`.
    ///
    /// # Errors
    /// What the bucket was loaded from is damaged.
    pub fn net_conversations(
        &mut self,
        bucket: u16,
        each: &mut dyn FnMut(NetConversation),
    ) -> Result<(), SnapshotError> {
        self.wake_bucket(bucket)?;
        let Slot::Loaded(loaded) = &self.buckets[usize::from(bucket)] else { return Ok(()) };
        let mut met = LabelsMet::default();
        for thread in loaded.threads.iter() {
            for booked in thread.conversations() {
                if let Some(net) = self.net(&mut met, thread.id(), booked) {
                    each(net);
                }
            }
        }
        Ok(())
    }

    /// Gives every net conversation of a bucket that [`Self::snapshot_bucket`] wrote to `each`, as
    /// [`Self::net_conversations`] does once it is loaded, without loading it.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn stored_net_conversations(
        &self,
        bytes: &mut Vec<u8>,
        each: &mut dyn FnMut(NetConversation),
    ) -> Result<(), SnapshotError> {
        let mut met = LabelsMet::default();
        each_booked(bytes, &mut |thread, booked| {
            if let Some(net) = self.net(&mut met, thread, booked) {
                each(net);
            }
        })
    }

    /// The history of the thread that has this message, conversation or charge, if it is in a loaded bucket.
    ///
    /// # Errors
    /// What the bucket was loaded from is damaged.
    pub fn history_of(&mut self, bucket: u16, id: [u8; 16]) -> Result<Option<ThreadHistory>, SnapshotError> {
        self.wake_bucket(bucket)?;
        Ok(self.history_among(bucket, id))
    }

    fn history_among(&self, bucket: u16, id: [u8; 16]) -> Option<ThreadHistory> {
        let Slot::Loaded(loaded) = self.buckets.get(usize::from(bucket.min(BUCKETS - 1)))? else {
            return None;
        };
        let has_it = |thread: &&Thread| {
            let phone = self.words.get(thread.business_phone);
            let named = |opened_at, initiator| {
                let found = conversation_id(phone, thread.user, opened_at, initiator);
                found.0 == id || charge_id(found).0 == id
            };
            thread.timeline(&loaded.blocks).find(MessageRef(id)).is_some()
                || thread.conversations().any(|booked| named(booked.opener.at(), booked.initiator))
                || thread.withdrawn().any(|gone| named(gone.opened_at, gone.initiator))
        };
        let thread = loaded.threads.iter().find(has_it)?;
        let phone = self.words.get(thread.business_phone);
        let steps = self.steps(thread, &loaded.blocks);
        let messages = thread.timeline(&loaded.blocks).iter().zip(steps);
        let mut met = LabelsMet::default();
        let withdrawn = thread.withdrawn().map(|gone| WithdrawnConversation {
            conversation: conversation_id(phone, thread.user, gone.opened_at, gone.initiator),
            opened_at: gone.opened_at,
            initiator: gone.initiator,
            last_entry: gone.last_sequence,
        });
        Some(ThreadHistory {
            business_phone: phone.clone(),
            user: thread.user,
            leading_digits: thread.id().leading_digits,
            messages: messages.map(|(message, effect)| self.report(thread, message, effect)).collect(),
            withdrawn: withdrawn.collect(),
            conversations: thread
                .conversations()
                .filter_map(|booked| self.net(&mut met, thread.id(), booked))
                .collect(),
        })
    }

    /// `met` stays empty: whoever asks for many makes it once.
    fn net(&self, met: &mut LabelsMet, thread: ThreadId, booked: &Booked) -> Option<NetConversation> {
        let (mut sequence, mut entries) = (self.sequence, Vec::new());
        let labels = LaneLabels { known: &self.labels, met, lane: 0, lanes: 1 };
        let book = Book {
            configuration: self.configuration()?,
            words: &self.words,
            labels: &labels,
            partition: self.partition,
            offset: self.next_offset,
            record_time: self.partition_time,
            partition_time: self.partition_time,
            sequence: &mut sequence,
            entries: &mut entries,
        };
        let opened_at = booked.opener.at();
        let subject = book.subject(thread, book.account_symbol(&booked.opener), opened_at);
        let conversation = conversation_id(&subject.business_phone, thread.user, opened_at, booked.initiator);
        let charge = booked.earner.as_ref().map(|earner| NetCharge {
            charge: charge_id(conversation),
            at: earner.at(),
            booking: booked.bookings,
            category: self.labels.get(earner.label()).category,
            price: book.price(thread, booked),
            entry: booked.charge_sequence(),
        });
        Some(NetConversation {
            conversation,
            account: subject.account,
            business_phone: subject.business_phone,
            user: thread.user,
            initiator: booked.initiator,
            opened_at,
            expires_at: booked.ends_at,
            closed: booked.closed,
            without_consent: booked.without_consent,
            market: subject.market,
            period: subject.period,
            user_messages: booked.user_messages,
            business_messages: booked.business_messages,
            charge,
            last_entry: booked.last_sequence(),
        })
    }

    fn report(&self, thread: &Thread, message: &Message, effect: StepEffect) -> EvidenceReport {
        let label = self.labels.get(message.label());
        let named = |report: &Evidence| (name_of(report.what), report.at, report.offset);
        let mut reports: Vec<_> = thread.evidence_of(message).map(named).collect();
        if reports.is_empty() {
            reports.push((name_of(message.flags.evidence()), message.at(), message.offset()));
        }
        reports.sort_by_key(|(_, at, _)| *at);
        EvidenceReport {
            message: MessageEvidence {
                message: message.id,
                at: message.at(),
                offset: message.offset(),
                template: self.words.get(label.template).clone(),
                category: label.category,
                tag: self.words.get(label.tag).clone(),
            },
            side: match message.side() {
                Side::Consent => "consent",
                Side::Call => "call",
                Side::User => "user",
                Side::Business => "business",
            },
            counts: message.flags.counts(),
            referral: message.flags.is_referral(),
            reports,
            effect,
        }
    }
}

fn name_of(what: u16) -> &'static str {
    match what {
        seen::SENT => "sent",
        seen::DELIVERED => "delivered",
        seen::READ => "read",
        seen::FAILED => "failed",
        _ => "reported",
    }
}
