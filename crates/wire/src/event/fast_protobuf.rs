//! The fast reader of events in protobuf: borrowed from the message, without an allocation.
//!
//! Leaves everything unusual to the general reader: control records, repeated messages (which merge), other wire types,
//! groups, values outside their ranges. Invariant: what it takes, the general reader takes too, and with the same
//! result.

use std::borrow::Cow;

use model::{
    BusinessMessage, Category, Consent, Event, EventBody, MessageKind, MessageStatus, ProviderVerdict,
    StatusKind, Template, UnixMillis, UserMessage,
};

use super::convert::checked_millis;
use crate::{
    limits::{LABEL_BYTES_MAX, MESSAGE_ID_BYTES_MAX, NAME_BYTES_MAX, TEMPLATE_BYTES_MAX, is_required},
    pb::{delimited_key, skip_value, take_delimited, take_key, take_varint, varint_key},
};

const TEXT_1: u32 = delimited_key(1);
const TEXT_2: u32 = delimited_key(2);
const TEXT_3: u32 = delimited_key(3);
const TEXT_4: u32 = delimited_key(4);
const TEXT_5: u32 = delimited_key(5);
const TEXT_6: u32 = delimited_key(6);
const TEXT_7: u32 = delimited_key(7);
const NUMBER_1: u32 = varint_key(1);
const NUMBER_2: u32 = varint_key(2);
const NUMBER_3: u32 = varint_key(3);
const NUMBER_4: u32 = varint_key(4);
const USER_MESSAGE: u32 = delimited_key(7);
const BUSINESS_MESSAGE: u32 = delimited_key(8);
const MESSAGE_STATUS: u32 = delimited_key(9);
const USER_CALL: u32 = delimited_key(10);
const CONSENT: u32 = delimited_key(11);

/// Reads a message as an event, or leaves it to the general reader.
#[inline]
pub(super) fn read(message: &[u8]) -> Option<Event<'_>> {
    let (mut event_id, mut account, mut business_phone) = ("", "", "");
    let (mut user, mut tag, mut occurred_at, mut body) = ("", "", None, None);
    fields(message, 16, |rest, key| match key {
        TEXT_1 => set(&mut event_id, text(rest)?),
        TEXT_2 => once(&mut occurred_at, timestamp(content(rest)?)?),
        TEXT_3 => set(&mut account, text(rest)?),
        TEXT_4 => set(&mut business_phone, text(rest)?),
        TEXT_5 => set(&mut user, text(rest)?),
        TEXT_6 => set(&mut tag, text(rest)?),
        USER_MESSAGE => once(&mut body, EventBody::UserMessage(user_message(content(rest)?)?)),
        BUSINESS_MESSAGE => once(&mut body, EventBody::BusinessMessage(business_message(content(rest)?)?)),
        MESSAGE_STATUS => once(&mut body, EventBody::MessageStatus(message_status(content(rest)?)?)),
        USER_CALL => {
            fields(content(rest)?, 0, |_, _| None)?;
            once(&mut body, EventBody::UserCall)
        }
        CONSENT => once(&mut body, EventBody::Consent(consent(content(rest)?)?)),
        _ => None,
    })?;
    Some(Event {
        event_id: required(event_id, MESSAGE_ID_BYTES_MAX)?,
        occurred_at: occurred_at?,
        account: required(account, NAME_BYTES_MAX)?,
        business_phone: required(business_phone, NAME_BYTES_MAX)?,
        user: required(user, NAME_BYTES_MAX)?,
        tag: if tag.is_empty() { None } else { Some(required(tag, LABEL_BYTES_MAX)?) },
        body: body?,
    })
}

/// Runs over the fields of a message: known ones (up to `known_max`) go to `known`, others are passed over.
#[inline]
fn fields<'a>(
    mut rest: &'a [u8],
    known_max: u32,
    mut known: impl FnMut(&mut &'a [u8], u32) -> Option<()>,
) -> Option<()> {
    while !rest.is_empty() {
        let key = take_key(&mut rest).ok()?;
        if key >> 3 <= known_max {
            known(&mut rest, key)?;
        } else {
            skip_value(&mut rest, key).ok()?;
        }
    }
    Some(())
}

#[inline]
fn set<T>(place: &mut T, value: T) -> Option<()> {
    *place = value;
    Some(())
}

/// Sets a message, which may come once: a second one would have to be merged.
#[inline]
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value);
    Some(())
}

#[inline]
fn content<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    take_delimited(rest).ok()
}

#[inline]
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(content(rest)?).ok()
}

#[inline]
fn required(text: &str, bytes_max: usize) -> Option<Cow<'_, str>> {
    is_required(text, bytes_max).then_some(Cow::Borrowed(text))
}

/// A code of an enum that this version knows.
#[inline]
fn code<T>(rest: &mut &[u8], known: impl Fn(u8) -> Option<T>) -> Option<T> {
    known(u8::try_from(take_varint(rest).ok()?).ok()?)
}

#[inline]
fn boolean(rest: &mut &[u8]) -> Option<bool> {
    match take_varint(rest).ok()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[inline]
fn timestamp(message: &[u8]) -> Option<UnixMillis> {
    let (mut seconds, mut nanos) = (0, 0);
    fields(message, 2, |rest, key| match key {
        NUMBER_1 => set(&mut seconds, take_varint(rest).ok()?),
        NUMBER_2 => set(&mut nanos, take_varint(rest).ok()?),
        _ => None,
    })?;
    checked_millis(i64::try_from(seconds).ok()?, i64::try_from(nanos).ok()?)
}

fn user_message(message: &[u8]) -> Option<UserMessage> {
    let (mut kind, mut referral) = (MessageKind::Unspecified, None);
    fields(message, 2, |rest, key| match key {
        NUMBER_1 => set(&mut kind, code(rest, MessageKind::from_code)?),
        TEXT_2 => {
            fields(content(rest)?, 3, |rest, key| match key {
                TEXT_1 | TEXT_2 | TEXT_3 => text(rest).map(drop),
                _ => None,
            })?;
            once(&mut referral, ())
        }
        _ => None,
    })?;
    Some(UserMessage { kind, referral: referral.is_some() })
}

fn business_message(message: &[u8]) -> Option<BusinessMessage<'_>> {
    let (mut kind, mut template) = (MessageKind::Unspecified, None);
    fields(message, 2, |rest, key| match key {
        NUMBER_1 => set(&mut kind, code(rest, MessageKind::from_code)?),
        TEXT_2 => once(&mut template, self::template(content(rest)?)?),
        _ => None,
    })?;
    Some(BusinessMessage { kind, template })
}

fn template(message: &[u8]) -> Option<Template<'_>> {
    let (mut name, mut category) = ("", Category::Unspecified);
    fields(message, 2, |rest, key| match key {
        TEXT_1 => set(&mut name, text(rest)?),
        NUMBER_2 => set(&mut category, code(rest, Category::from_code)?),
        _ => None,
    })?;
    (name.len() <= TEMPLATE_BYTES_MAX).then_some(Template { name: Cow::Borrowed(name), category })
}

fn message_status(message: &[u8]) -> Option<MessageStatus<'_>> {
    let (mut message_id, mut status, mut error_code, mut provider) = ("", None, 0, None);
    fields(message, 4, |rest, key| match key {
        TEXT_1 => set(&mut message_id, text(rest)?),
        NUMBER_2 => set(&mut status, Some(code(rest, StatusKind::from_code)?)),
        NUMBER_3 => set(&mut error_code, u32::try_from(take_varint(rest).ok()?).ok()?),
        TEXT_4 => once(&mut provider, verdict(content(rest)?)?),
        _ => None,
    })?;
    Some(MessageStatus {
        message_id: required(message_id, MESSAGE_ID_BYTES_MAX)?,
        status: status?,
        error_code,
        provider: provider.map(Box::new),
    })
}

fn verdict(message: &[u8]) -> Option<ProviderVerdict> {
    let (mut conversation_id, mut expires_at, mut origin_type, mut billable) = ("", None, "", None);
    let (mut pricing_model, mut pricing_type, mut category) = ("", "", "");
    fields(message, 7, |rest, key| match key {
        TEXT_1 => set(&mut conversation_id, label(rest)?),
        TEXT_2 => once(&mut expires_at, timestamp(content(rest)?)?),
        TEXT_3 => set(&mut origin_type, label(rest)?),
        NUMBER_4 => set(&mut billable, Some(boolean(rest)?)),
        TEXT_5 => set(&mut pricing_model, label(rest)?),
        TEXT_6 => set(&mut pricing_type, label(rest)?),
        TEXT_7 => set(&mut category, label(rest)?),
        _ => None,
    })?;
    Some(ProviderVerdict {
        conversation_id: conversation_id.to_owned(),
        expires_at,
        origin_type: origin_type.to_owned(),
        billable,
        pricing_model: pricing_model.to_owned(),
        pricing_type: pricing_type.to_owned(),
        category: category.to_owned(),
    })
}

fn label<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    text(rest).filter(|text| text.len() <= LABEL_BYTES_MAX)
}

fn consent(message: &[u8]) -> Option<Consent<'_>> {
    let (mut granted, mut source) = (None, "");
    fields(message, 2, |rest, key| match key {
        NUMBER_1 => set(&mut granted, Some(boolean(rest)?)),
        TEXT_2 => set(&mut source, label(rest)?),
        _ => None,
    })?;
    Some(Consent { granted: granted?, source: Cow::Borrowed(source) })
}
