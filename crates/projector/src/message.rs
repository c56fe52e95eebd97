//! One message of a thread as the projector remembers it, and the order of messages.
//!
//! Invariant: 34 bytes, alignment 1. A thread keeps millions of them, so times and offsets are packed into six bytes.

use model::{MessageRef, Offset, UnixMillis};

use crate::{labels::LabelId, packed::Packed48, prefetch::ask_for};

/// Which side a remembered item is of. The order of the variants is the order at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Opt-in or opt-out: holds for messages of the same instant.
    Consent,
    /// A call of the user: no message.
    Call,
    User,
    Business,
}

/// Bits of [`Flags`]: which evidence there is of a message.
pub(crate) mod seen {
    pub(crate) const REPORTED: u16 = 1;
    pub(crate) const SENT: u16 = 2;
    pub(crate) const DELIVERED: u16 = 4;
    pub(crate) const READ: u16 = 8;
    pub(crate) const FAILED: u16 = 16;
    pub(crate) const ALL: u16 = 31;
}

const SIDE_SHIFT: u16 = 5;
const TEMPLATE: u16 = 1 << 7;
const GRANTED: u16 = 1 << 8;
const REFERRAL: u16 = 1 << 9;

/// Side, evidence and yes-or-no facts of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags([u8; 2]);

impl Flags {
    pub(crate) fn new(side: Side, evidence: u16) -> Self {
        let side = match side {
            Side::Consent => 0,
            Side::Call => 1,
            Side::User => 2,
            Side::Business => 3,
        };
        Self((evidence | side << SIDE_SHIFT).to_le_bytes())
    }

    pub(crate) fn bits(self) -> u16 {
        u16::from_le_bytes(self.0)
    }

    pub(crate) fn from_bits(bits: u16) -> Self {
        Self(bits.to_le_bytes())
    }

    fn with(self, bit: u16, on: bool) -> Self {
        Self::from_bits(if on { self.bits() | bit } else { self.bits() & !bit })
    }

    pub(crate) fn with_template(self, on: bool) -> Self {
        self.with(TEMPLATE, on)
    }

    pub(crate) fn with_granted(self, on: bool) -> Self {
        self.with(GRANTED, on)
    }

    pub(crate) fn with_referral(self, on: bool) -> Self {
        self.with(REFERRAL, on)
    }

    pub(crate) fn with_evidence(self, what: u16) -> Self {
        Self::from_bits(self.bits() | what)
    }

    pub(crate) fn evidence(self) -> u16 {
        self.bits() & seen::ALL
    }

    pub(crate) fn has(self, what: u16) -> bool {
        self.bits() & what != 0
    }

    pub(crate) fn is_template(self) -> bool {
        self.has(TEMPLATE)
    }

    pub(crate) fn is_granted(self) -> bool {
        self.has(GRANTED)
    }

    pub(crate) fn is_referral(self) -> bool {
        self.has(REFERRAL)
    }

    pub(crate) fn side(self) -> Side {
        match self.bits() >> SIDE_SHIFT & 3 {
            0 => Side::Consent,
            1 => Side::Call,
            2 => Side::User,
            _ => Side::Business,
        }
    }

    /// Whether the fold sees it. A business message needs a report, `sent` or `delivered`, and must not have failed
    /// for good: a `delivered` or `read` beats a `failed`, in whatever order they come.
    pub(crate) fn counts(self) -> bool {
        match self.side() {
            Side::Consent | Side::Call | Side::User => true,
            Side::Business => {
                self.has(seen::REPORTED | seen::SENT | seen::DELIVERED)
                    && (!self.has(seen::FAILED) || self.has(seen::DELIVERED | seen::READ))
            }
        }
    }
}

/// A message, call or consent of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: MessageRef,
    at: Packed48,
    offset: Packed48,
    label: [u8; 4],
    pub(crate) flags: Flags,
}

/// Place of a message in its thread: time, user before business, template before free-form, message id.
pub(crate) type OrderKey = (UnixMillis, u8, MessageRef);

impl Message {
    /// Stands where there is no message yet.
    pub(crate) const NONE: Self = Self {
        id: MessageRef([0; 16]),
        at: Packed48::ZERO,
        offset: Packed48::ZERO,
        label: [0; 4],
        flags: Flags([0; 2]),
    };

    /// Whether it is [`Self::NONE`]: of every other there is evidence.
    pub(crate) fn is_none(&self) -> bool {
        self.flags.evidence() == 0
    }

    /// Asks for the lines of memory that it lies in.
    #[inline]
    pub(crate) fn ask_for(&self) {
        ask_for(&self.id);
        ask_for(&self.flags);
    }

    pub(crate) fn new(id: MessageRef, at: UnixMillis, offset: Offset, label: LabelId, flags: Flags) -> Self {
        let at = Packed48::of_time(at);
        Self { id, at, offset: Packed48::new(offset.0), label: label.0.to_le_bytes(), flags }
    }

    pub(crate) fn at(&self) -> UnixMillis {
        self.at.time()
    }

    pub(crate) fn offset(&self) -> Offset {
        Offset(self.offset.get())
    }

    pub(crate) fn label(&self) -> LabelId {
        LabelId(u32::from_le_bytes(self.label))
    }

    pub(crate) fn with_label(self, label: LabelId) -> Self {
        Self { label: label.0.to_le_bytes(), ..self }
    }

    pub(crate) fn with_flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    pub(crate) fn moved_to(self, at: UnixMillis, offset: Offset) -> Self {
        Self::new(self.id, at, offset, self.label(), self.flags)
    }

    pub(crate) fn side(&self) -> Side {
        self.flags.side()
    }

    pub(crate) fn key(&self) -> OrderKey {
        let rank = match self.side() {
            Side::Consent => 0,
            Side::Call => 1,
            Side::User => 2,
            Side::Business if self.flags.is_template() => 3,
            Side::Business => 4,
        };
        (self.at(), rank, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(at: i64, flags: Flags, id: u8) -> Message {
        Message::new(MessageRef([id; 16]), UnixMillis(at), Offset(7), LabelId(3), flags)
    }

    #[test]
    fn at_the_same_instant_user_comes_before_template_before_free_form() {
        let business = Flags::new(Side::Business, seen::REPORTED);
        let mut messages = [
            message(5, business, 1),
            message(5, business.with_template(true), 9),
            message(5, Flags::new(Side::User, seen::REPORTED), 8),
            message(4, business, 2),
            message(5, business, 0),
        ];
        messages.sort_by_key(Message::key);
        assert_eq!(messages.map(|m| m.id.0[0]), [2, 8, 9, 0, 1]);
    }

    #[test]
    fn delivered_or_read_beats_failed() {
        let counts = |evidence| Flags::new(Side::Business, evidence).counts();
        assert!(counts(seen::REPORTED) && counts(seen::SENT) && counts(seen::DELIVERED));
        assert!(!counts(seen::READ) && !counts(seen::FAILED) && !counts(seen::READ | seen::FAILED));
        assert!(!counts(seen::SENT | seen::FAILED));
        assert!(counts(seen::SENT | seen::FAILED | seen::DELIVERED));
        assert!(counts(seen::SENT | seen::FAILED | seen::READ));
    }

    #[test]
    fn a_message_takes_34_bytes_and_keeps_its_facts() {
        assert_eq!(size_of::<Message>(), 34);
        let kept = Message::new(
            MessageRef([1; 16]),
            UnixMillis::MAX,
            Offset(1 << 40),
            LabelId(u32::MAX),
            Flags::new(Side::Call, seen::REPORTED),
        );
        assert_eq!((kept.at(), kept.offset(), kept.label().0), (UnixMillis::MAX, Offset(1 << 40), u32::MAX));
    }
}
