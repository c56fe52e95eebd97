//! The fast reader of events in JSON: the usual shape, borrowed from the line, without an allocation.
//!
//! Leaves everything unusual to the general reader: escapes, nulls, unknown or repeated keys, enum numbers, other forms
//! of time, values outside their ranges. Invariant: what it takes, the general reader takes too, and with the same
//! result.

use std::borrow::Cow;

use model::{
    BusinessMessage, Consent, Event, EventBody, MessageStatus, ProviderVerdict, Template, UnixMillis,
    UserMessage,
};

use super::names;
use crate::{
    limits::{LABEL_BYTES_MAX, MESSAGE_ID_BYTES_MAX, NAME_BYTES_MAX, TEMPLATE_BYTES_MAX, is_required},
    rfc3339,
    scan::Scan,
};

/// Reads a line as an event, or leaves it to the general reader.
#[inline]
pub(crate) fn read<'a>(line: &'a str) -> Option<Event<'a>> {
    let mut scan = Scan::new(line);
    let head = Head::read(&mut scan);
    let is_headed = head.is_some();
    let Head { mut event_id, mut occurred_at, mut account, mut business_phone, mut user } =
        head.unwrap_or_default();
    let (mut tag, mut body) = (None, None);
    let member = |scan: &mut Scan<'a>, key: &str| match key {
        "eventId" => once(&mut event_id, scan.string()?),
        "occurredAt" => once(&mut occurred_at, time(scan)?),
        "accountId" => once(&mut account, scan.string()?),
        "businessPhone" => once(&mut business_phone, scan.string()?),
        "userPhone" => once(&mut user, scan.string()?),
        "tag" => once(&mut tag, scan.string()?),
        "userMessage" => once(&mut body, EventBody::UserMessage(user_message(scan)?)),
        "businessMessage" => once(&mut body, EventBody::BusinessMessage(business_message(scan)?)),
        "messageStatus" => once(&mut body, EventBody::MessageStatus(message_status(scan)?)),
        "userCall" => {
            scan.object(|_, _| None)?;
            once(&mut body, EventBody::UserCall)
        }
        "consent" => once(&mut body, EventBody::Consent(consent(scan)?)),
        _ => None,
    };
    if is_headed {
        scan.rest_of_object(member)?;
    } else {
        scan = Scan::new(line);
        scan.object(member)?;
    }
    scan.end()?;
    Some(Event {
        event_id: required(event_id, MESSAGE_ID_BYTES_MAX)?,
        occurred_at: occurred_at?,
        account: required(account, NAME_BYTES_MAX)?,
        business_phone: required(business_phone, NAME_BYTES_MAX)?,
        user: required(user, NAME_BYTES_MAX)?,
        tag: match tag {
            None => None,
            tag => Some(required(tag, LABEL_BYTES_MAX)?),
        },
        body: body?,
    })
}

/// The fields that every event has.
#[derive(Default)]
struct Head<'a> {
    event_id: Option<&'a str>,
    occurred_at: Option<UnixMillis>,
    account: Option<&'a str>,
    business_phone: Option<&'a str>,
    user: Option<&'a str>,
}

impl<'a> Head<'a> {
    /// As writers of the schema put them: first, in its order, without white space.
    #[inline]
    fn read(scan: &mut Scan<'a>) -> Option<Self> {
        scan.literal("{\"eventId\":")?;
        let event_id = scan.string()?;
        scan.literal(",\"occurredAt\":")?;
        let occurred_at = time(scan)?;
        scan.literal(",\"accountId\":")?;
        let account = scan.string()?;
        scan.literal(",\"businessPhone\":")?;
        let business_phone = scan.string()?;
        scan.literal(",\"userPhone\":")?;
        Some(Self {
            event_id: Some(event_id),
            occurred_at: Some(occurred_at),
            account: Some(account),
            business_phone: Some(business_phone),
            user: Some(scan.string()?),
        })
    }
}

/// Sets a field that may come once.
#[inline]
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value);
    Some(())
}

#[inline]
fn required(text: Option<&str>, bytes_max: usize) -> Option<Cow<'_, str>> {
    text.filter(|text| is_required(text, bytes_max)).map(Cow::Borrowed)
}

#[inline]
fn time(scan: &mut Scan<'_>) -> Option<UnixMillis> {
    rfc3339::parse(scan.string()?)
}

fn user_message(scan: &mut Scan<'_>) -> Option<UserMessage> {
    let (mut kind, mut referral) = (None, None);
    scan.object(|scan, key| match key {
        "kind" => once(&mut kind, names::message_kind(scan.string()?)?),
        "referral" => {
            scan.object(|scan, key| match key {
                "sourceType" | "sourceId" | "sourceUrl" => scan.string().map(drop),
                _ => None,
            })?;
            once(&mut referral, ())
        }
        _ => None,
    })?;
    // Without a kind there is nothing unusual in the general reader's eyes but its default.
    Some(UserMessage { kind: kind?, referral: referral.is_some() })
}

fn business_message<'a>(scan: &mut Scan<'a>) -> Option<BusinessMessage<'a>> {
    let (mut kind, mut template) = (None, None);
    scan.object(|scan, key| match key {
        "kind" => once(&mut kind, names::message_kind(scan.string()?)?),
        "template" => once(&mut template, self::template(scan)?),
        _ => None,
    })?;
    Some(BusinessMessage { kind: kind?, template })
}

fn template<'a>(scan: &mut Scan<'a>) -> Option<Template<'a>> {
    let (mut name, mut category) = (None, None);
    scan.object(|scan, key| match key {
        "name" => once(&mut name, scan.string()?),
        "category" => once(&mut category, names::category(scan.string()?)?),
        _ => None,
    })?;
    let name = name.filter(|name| name.len() <= TEMPLATE_BYTES_MAX)?;
    Some(Template { name: Cow::Borrowed(name), category: category? })
}

fn message_status<'a>(scan: &mut Scan<'a>) -> Option<MessageStatus<'a>> {
    let (mut message_id, mut status, mut error_code, mut provider) = (None, None, None, None);
    scan.object(|scan, key| match key {
        "messageId" => once(&mut message_id, scan.string()?),
        "status" => once(&mut status, names::status_kind(scan.string()?)?),
        "errorCode" => once(&mut error_code, scan.uint32()?),
        "provider" => once(&mut provider, verdict(scan)?),
        _ => None,
    })?;
    Some(MessageStatus {
        message_id: required(message_id, MESSAGE_ID_BYTES_MAX)?,
        status: status?,
        error_code: error_code.unwrap_or(0),
        provider: provider.map(Box::new),
    })
}

fn verdict(scan: &mut Scan<'_>) -> Option<ProviderVerdict> {
    let (mut conversation_id, mut expires_at, mut origin_type, mut billable) = (None, None, None, None);
    let (mut pricing_model, mut pricing_type, mut category) = (None, None, None);
    scan.object(|scan, key| match key {
        "conversationId" => once(&mut conversation_id, scan.string()?),
        "expiresAt" => once(&mut expires_at, time(scan)?),
        "originType" => once(&mut origin_type, scan.string()?),
        "billable" => once(&mut billable, scan.boolean()?),
        "pricingModel" => once(&mut pricing_model, scan.string()?),
        "pricingType" => once(&mut pricing_type, scan.string()?),
        "category" => once(&mut category, scan.string()?),
        _ => None,
    })?;
    Some(ProviderVerdict {
        conversation_id: label(conversation_id)?.to_owned(),
        expires_at,
        origin_type: label(origin_type)?.to_owned(),
        billable,
        pricing_model: label(pricing_model)?.to_owned(),
        pricing_type: label(pricing_type)?.to_owned(),
        category: label(category)?.to_owned(),
    })
}

/// A text that may be absent, within its limit.
fn label(text: Option<&str>) -> Option<&str> {
    let text = text.unwrap_or("");
    (text.len() <= LABEL_BYTES_MAX).then_some(text)
}

fn consent<'a>(scan: &mut Scan<'a>) -> Option<Consent<'a>> {
    let (mut granted, mut source) = (None, None);
    scan.object(|scan, key| match key {
        "granted" => once(&mut granted, scan.boolean()?),
        "source" => once(&mut source, scan.string()?),
        _ => None,
    })?;
    Some(Consent { granted: granted?, source: Cow::Borrowed(label(source)?) })
}
