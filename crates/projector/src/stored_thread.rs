//! A thread in the stored state: a header by which it is found, then all that is known of it.
//!
//! Knows nothing of buckets. Invariant: a thread is read as it was written; bytes that no thread was written to are damage.

use model::{Initiator, LeadingDigits, MessageRef, Offset, Sequence, Symbol, UnixMillis, UserRef};

use crate::{
    asleep::Asleep,
    block::Blocks,
    booking::{Booked, ThreadId, Withdrawn},
    evidence::Evidence,
    finder::Finder,
    fold::{FoldState, OpenWindow},
    long::LongChunk,
    minute::Minute,
    snapshot::SnapshotError,
    stored_message::{Before, get_message, put_message},
    thread::Thread,
    varint::{Damaged, Input, put, put_signed},
};

/// Bytes of a [`Header`].
pub(crate) const HEADER: usize = 32;

/// What stands before a stored thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) user: UserRef,
    leading_digits: LeadingDigits,
    pub(crate) business_phone: Symbol,
    /// The minute of the end of its open conversation.
    pub(crate) waits_for: Minute,
}

impl Header {
    /// Reads it, and how many bytes it and its thread take.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, usize), Damaged> {
        let mut input = Input(bytes);
        let length = u32::from_le_bytes(input.array()?) as usize;
        let header = Self {
            user: UserRef(input.array()?),
            leading_digits: LeadingDigits(input.array()?),
            business_phone: Symbol(u32::from_le_bytes(input.array()?)),
            waits_for: Minute(u32::from_le_bytes(input.array()?)),
        };
        if (HEADER..=bytes.len()).contains(&length) { Ok((header, length)) } else { Err(Damaged) }
    }

    fn thread(&self) -> ThreadId {
        let Self { user, leading_digits, business_phone, .. } = *self;
        ThreadId { user, business_phone, leading_digits }
    }
}

/// Writes a thread behind its header.
pub(crate) fn put_thread(out: &mut Vec<u8>, thread: &Thread, blocks: &Blocks) {
    let (id, begin) = (thread.id(), out.len());
    out.extend_from_slice(&[0; size_of::<u32>()]);
    out.extend_from_slice(&id.user.0);
    out.extend_from_slice(&id.leading_digits.0);
    out.extend_from_slice(&id.business_phone.0.to_le_bytes());
    let waits_for = thread.open_end().map_or(Minute::NEVER, Minute::of);
    out.extend_from_slice(&waits_for.0.to_le_bytes());
    put_state(out, &thread.state);
    // How long the timeline is comes before it, so that who asks for conversations can pass over the messages.
    let timeline_at = out.len() + size_of::<u32>();
    out.extend_from_slice(&[0; size_of::<u32>()]);
    put(out, thread.timeline(blocks).chunk_count() as u64);
    for chunk in thread.timeline(blocks).chunks() {
        put_state(out, &chunk.before);
        put(out, chunk.messages.len() as u64);
        let mut previous = Before::default();
        chunk.messages.iter().for_each(|message| put_message(out, message, &mut previous));
    }
    let timeline_bytes = u32::try_from(out.len() - timeline_at).unwrap_or(u32::MAX);
    out[timeline_at - size_of::<u32>()..timeline_at].copy_from_slice(&timeline_bytes.to_le_bytes());
    put(out, thread.conversations().count() as u64);
    let mut previous = Before::default();
    for booked in thread.conversations() {
        put_booked(out, booked, &mut previous);
    }
    put(out, thread.withdrawn().count() as u64);
    for gone in thread.withdrawn() {
        put_signed(out, gone.opened_at.0);
        out.push(u8::from(gone.initiator == Initiator::Business));
        put(out, u64::from(gone.bookings));
        put(out, gone.last_sequence.0);
    }
    put(out, thread.reports().count() as u64);
    for report in thread.reports() {
        out.extend_from_slice(&report.message.0);
        put_signed(out, report.at.0);
        put(out, report.offset.0);
        put(out, u64::from(report.account.0));
        put(out, u64::from(report.what));
        put(out, u64::from(report.verdict_hash));
    }
    let length = u32::try_from(out.len() - begin).unwrap_or(u32::MAX);
    out[begin..begin + size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
}

/// Reads what [`put_thread`] wrote behind the header.
pub(crate) fn get_thread(
    header: &Header,
    input: &mut Input<'_>,
    blocks: &mut Blocks,
) -> Result<Thread, Damaged> {
    let mut thread = Thread::new(header.thread(), 0);
    thread.state = get_state(input)?;
    let mut timeline = timeline_of(input)?;
    let mut chunks = Vec::new();
    for _ in 0..timeline.length()? {
        let before = get_state(&mut timeline)?;
        let length = timeline.length()?;
        let mut messages = Vec::with_capacity(length);
        let mut previous = Before::default();
        for _ in 0..length {
            messages.push(get_message(&mut timeline, &mut previous)?);
        }
        chunks.push(LongChunk { before, messages });
    }
    if !timeline.0.is_empty() || !thread.timeline_mut(blocks).fill(chunks) {
        return Err(Damaged);
    }
    let mut previous = Before::default();
    for _ in 0..input.length()? {
        thread.add_conversation(get_booked(input, &mut previous)?);
    }
    for _ in 0..input.length()? {
        let gone = Withdrawn {
            opened_at: UnixMillis(input.signed()?),
            initiator: initiator_of(input.array::<1>()?[0] == 1),
            bookings: input.small()?,
            last_sequence: Sequence(input.number()?),
        };
        thread.note_withdrawn(gone);
    }
    for _ in 0..input.length()? {
        thread.keep_report(Evidence {
            message: MessageRef(input.array()?),
            at: UnixMillis(input.signed()?),
            offset: Offset(input.number()?),
            account: Symbol(input.small()?),
            what: u16::try_from(input.number()?).map_err(|_| Damaged)?,
            verdict_hash: input.small()?,
        });
    }
    Ok(thread)
}

/// Shows the conversations of a stored bucket, and passes over everything else. The bytes are left as they are.
pub(crate) fn each_booked(
    bytes: &mut Vec<u8>,
    each: &mut dyn FnMut(ThreadId, &Booked),
) -> Result<(), SnapshotError> {
    let asleep = Asleep::read(std::mem::take(bytes), &mut Finder::default())?;
    for record in asleep.records() {
        let thread = Header::read(record)?.0.thread();
        let mut input = Input(record.get(HEADER..).unwrap_or_default());
        get_state(&mut input)?;
        timeline_of(&mut input)?;
        let mut previous = Before::default();
        for _ in 0..input.length()? {
            each(thread, &get_booked(&mut input, &mut previous)?);
        }
        for _ in 0..input.length()? {
            // See `put_thread`: a time, a side, and two numbers.
            input.signed()?;
            input.take(1)?;
            input.pass_numbers(2)?;
        }
        for _ in 0..input.length()? {
            // Message, then time, offset, account, what it says, and its verdict.
            input.take(size_of::<MessageRef>())?;
            input.pass_numbers(5)?;
        }
        if !input.0.is_empty() {
            return Err(SnapshotError::Damaged);
        }
    }
    *bytes = asleep.into_bytes();
    Ok(())
}

/// The bytes of a thread's timeline.
fn timeline_of<'a>(input: &mut Input<'a>) -> Result<Input<'a>, Damaged> {
    let length = usize::try_from(u32::from_le_bytes(input.array()?)).map_err(|_| Damaged)?;
    Ok(Input(input.take(length)?))
}

fn initiator_of(business: bool) -> Initiator {
    if business { Initiator::Business } else { Initiator::User }
}

fn put_state(out: &mut Vec<u8>, state: &FoldState) {
    let (open, user_last_at) = (state.open(), state.user_last_at());
    let charged = open.is_some_and(|open| open.charged);
    let consent = match state.consent {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    };
    let present = u8::from(open.is_some()) << 3 | u8::from(user_last_at.is_some()) << 4;
    out.push(u8::from(charged) | consent << 1 | present);
    if let Some(open) = open {
        put_signed(out, open.ends_at.0);
    }
    if let Some(at) = user_last_at {
        put_signed(out, at.0);
    }
}

fn get_state(input: &mut Input<'_>) -> Result<FoldState, Damaged> {
    let [bits] = input.array()?;
    let consent = match bits >> 1 & 3 {
        0 => None,
        1 => Some(false),
        _ => Some(true),
    };
    let open = match bits & 8 != 0 {
        true => Some(OpenWindow { ends_at: UnixMillis(input.signed()?), charged: bits & 1 != 0 }),
        false => None,
    };
    let user_last_at = if bits & 16 != 0 { Some(UnixMillis(input.signed()?)) } else { None };
    Ok(FoldState::new(open, consent, user_last_at))
}

fn put_booked(out: &mut Vec<u8>, booked: &Booked, previous: &mut Before) {
    let same = booked.earner == Some(booked.opener);
    let bits = u8::from(booked.initiator == Initiator::Business)
        | u8::from(booked.without_consent) << 1
        | u8::from(booked.closed) << 2
        | u8::from(booked.earner.is_some()) << 3
        | u8::from(same) << 4;
    out.push(bits);
    put_message(out, &booked.opener, previous);
    if let Some(earner) = booked.earner.as_ref().filter(|_| !same) {
        put_message(out, earner, previous);
    }
    put_signed(out, booked.ends_at.0 - previous.0);
    put(out, u64::from(booked.user_messages));
    put(out, u64::from(booked.business_messages));
    put(out, u64::from(booked.bookings));
    put(out, booked.charge_sequence().0);
    put(out, booked.last_sequence().0);
}

fn get_booked(input: &mut Input<'_>, previous: &mut Before) -> Result<Booked, Damaged> {
    let [bits] = input.array()?;
    let opener = get_message(input, previous)?;
    let earner = match (bits & 8 != 0, bits & 16 != 0) {
        (false, _) => None,
        (true, true) => Some(opener),
        (true, false) => Some(get_message(input, previous)?),
    };
    let booked = Booked {
        earner,
        without_consent: bits & 2 != 0,
        closed: bits & 4 != 0,
        ends_at: UnixMillis(previous.0.checked_add(input.signed()?).ok_or(Damaged)?),
        user_messages: input.small()?,
        business_messages: input.small()?,
        bookings: input.small()?,
        ..Booked::new(opener, initiator_of(bits & 1 != 0), None)
    };
    Ok(booked.with_sequences(Sequence(input.number()?), Sequence(input.number()?)))
}
