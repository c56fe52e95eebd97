//! From the generated type to `model`, with every check: the general path of both forms.
//!
//! Knows nothing of bytes. Invariant: an event that leaves here keeps all promises of `model::Event`.

use std::borrow::Cow;

use model::{
    BusinessMessage, Category, Consent, Event, EventBody, IgnoredReason, MessageKind, MessageStatus,
    ProviderVerdict, StatusKind, Template, UnixMillis, UserMessage,
};
use pbjson_types::Timestamp;

use crate::{
    limits::{LABEL_BYTES_MAX, MESSAGE_ID_BYTES_MAX, NAME_BYTES_MAX, TEMPLATE_BYTES_MAX, optional, required},
    piece::{Piece, Problem},
    proto::event::{self as schema, event::Body},
};

/// The piece behind a decoded message.
pub(super) fn piece(event: schema::Event) -> Piece<'static> {
    match try_piece(event) {
        Ok(piece) => piece,
        Err(problem) => Piece::Malformed(problem),
    }
}

fn try_piece(event: schema::Event) -> Result<Piece<'static>, Problem> {
    let body = match event.body {
        Some(Body::Tick(tick)) => return tick_time(tick, event.occurred_at).map(Piece::Tick),
        Some(
            Body::Configuration(_) | Body::PeriodClosed(_) | Body::UserErased(_) | Body::Resubmission(_),
        ) => return Ok(Piece::Ignored(IgnoredReason::UnknownType)),
        Some(Body::UserMessage(message)) => EventBody::UserMessage(UserMessage {
            kind: message_kind("userMessage.kind", message.kind)?,
            referral: message.referral.is_some(),
        }),
        Some(Body::BusinessMessage(message)) => EventBody::BusinessMessage(business_message(message)?),
        Some(Body::MessageStatus(status)) => EventBody::MessageStatus(message_status(status)?),
        Some(Body::UserCall(_)) => EventBody::UserCall,
        Some(Body::Consent(given)) => EventBody::Consent(consent(given)?),
        None => {
            return Err(Problem::missing(
                "body",
                "name one of userMessage, businessMessage, messageStatus, userCall, consent",
            ));
        }
    };
    required("eventId", &event.event_id, MESSAGE_ID_BYTES_MAX, "give each event an id of its own")?;
    let occurred_at = event.occurred_at.ok_or_else(|| {
        Problem::missing("occurredAt", "give the time in UTC, such as 2022-02-03T10:00:00.123Z")
    })?;
    let occurred_at = millis("occurredAt", &occurred_at)?;
    required("accountId", &event.account_id, NAME_BYTES_MAX, "name the WhatsApp Business Account")?;
    required("businessPhone", &event.business_phone, NAME_BYTES_MAX, "name the phone_number_id")?;
    required("userPhone", &event.user_phone, NAME_BYTES_MAX, "name the user's wa_id or user id")?;
    optional("tag", &event.tag, LABEL_BYTES_MAX)?;
    Ok(Piece::Event(Event {
        event_id: event.event_id.into(),
        occurred_at,
        account: event.account_id.into(),
        business_phone: event.business_phone.into(),
        user: event.user_phone.into(),
        tag: (!event.tag.is_empty()).then(|| event.tag.into()),
        body,
    }))
}

fn tick_time(tick: schema::Tick, occurred_at: Option<Timestamp>) -> Result<UnixMillis, Problem> {
    match (tick.until, occurred_at) {
        (Some(until), _) => millis("tick.until", &until),
        (None, Some(occurred_at)) => millis("occurredAt", &occurred_at),
        (None, None) => Err(Problem::missing("tick.until", "say up to when time has passed")),
    }
}

/// Milliseconds of a time, years 1970 to 9999.
fn millis(field: &'static str, time: &Timestamp) -> Result<UnixMillis, Problem> {
    checked_millis(time.seconds, i64::from(time.nanos))
        .ok_or_else(|| Problem::out_of_range(field, "times lie between the years 1970 and 9999"))
}

/// As seconds and nanoseconds of a `google.protobuf.Timestamp`; what lies below the millisecond is cut off.
#[inline]
pub(super) fn checked_millis(seconds: i64, nanos: i64) -> Option<UnixMillis> {
    let second_max = UnixMillis::MAX.second();
    ((0..=second_max).contains(&seconds) && (0..1_000_000_000).contains(&nanos))
        .then(|| UnixMillis(seconds * 1_000 + nanos / 1_000_000))
}

fn message_kind(field: &'static str, number: i32) -> Result<MessageKind, Problem> {
    code(field, number, MessageKind::from_code)
}

fn code<T>(field: &'static str, number: i32, known: impl Fn(u8) -> Option<T>) -> Result<T, Problem> {
    u8::try_from(number)
        .ok()
        .and_then(known)
        .ok_or_else(|| Problem::out_of_range(field, "use a value of the schema, or a newer tarifa"))
}

fn business_message(message: schema::BusinessMessage) -> Result<BusinessMessage<'static>, Problem> {
    let kind = message_kind("businessMessage.kind", message.kind)?;
    let template = match message.template {
        None => None,
        Some(template) => {
            optional("businessMessage.template.name", &template.name, TEMPLATE_BYTES_MAX)?;
            let category = code("businessMessage.template.category", template.category, Category::from_code)?;
            Some(Template { name: template.name.into(), category })
        }
    };
    Ok(BusinessMessage { kind, template })
}

fn message_status(status: schema::MessageStatus) -> Result<MessageStatus<'static>, Problem> {
    required(
        "messageStatus.messageId",
        &status.message_id,
        MESSAGE_ID_BYTES_MAX,
        "name the message that the status is about",
    )?;
    if status.status == 0 {
        return Err(Problem::missing("messageStatus.status", "say SENT, DELIVERED, READ or FAILED"));
    }
    Ok(MessageStatus {
        message_id: Cow::Owned(status.message_id),
        status: code("messageStatus.status", status.status, StatusKind::from_code)?,
        error_code: status.error_code,
        provider: status.provider.map(verdict).transpose()?.map(Box::new),
    })
}

fn verdict(said: schema::ProviderVerdict) -> Result<ProviderVerdict, Problem> {
    for (field, text) in [
        ("messageStatus.provider.conversationId", &said.conversation_id),
        ("messageStatus.provider.originType", &said.origin_type),
        ("messageStatus.provider.pricingModel", &said.pricing_model),
        ("messageStatus.provider.pricingType", &said.pricing_type),
        ("messageStatus.provider.category", &said.category),
    ] {
        optional(field, text, LABEL_BYTES_MAX)?;
    }
    let expires_at = said.expires_at.map(|at| millis("messageStatus.provider.expiresAt", &at)).transpose()?;
    Ok(ProviderVerdict {
        conversation_id: said.conversation_id,
        expires_at,
        origin_type: said.origin_type,
        billable: said.billable,
        pricing_model: said.pricing_model,
        pricing_type: said.pricing_type,
        category: said.category,
    })
}

fn consent(given: schema::Consent) -> Result<Consent<'static>, Problem> {
    let granted = given
        .granted
        .ok_or_else(|| Problem::missing("consent.granted", "say true for an opt-in, false for an opt-out"))?;
    optional("consent.source", &given.source, LABEL_BYTES_MAX)?;
    Ok(Consent { granted, source: given.source.into() })
}
