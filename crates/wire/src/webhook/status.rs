//! Statuses of the business's messages, with what the provider says of their price.
//!
//! Knows nothing of messages of users. Invariant: the provider's words are kept as they came, `-` and `_` alike.

use std::borrow::Cow;

use model::{Event, EventBody, IgnoredReason, MessageStatus, ProviderVerdict, StatusKind};

use super::{
    message::{first_given, only_contact},
    place::{Owner, Place, is_group, seconds},
};
use crate::{
    limits::{LABEL_BYTES_MAX, MESSAGE_ID_BYTES_MAX, NAME_BYTES_MAX, cut, optional, required},
    piece::{Piece, Problem},
    tree::Json,
};

/// Reads one element of `statuses[]`.
pub(super) fn read<'t>(
    place: Place,
    owner: Owner<'t>,
    value: &'t Json<'_>,
    status: &'t Json<'_>,
) -> Result<Piece<'t>, Problem> {
    if is_group(status) {
        return Ok(Piece::Ignored(IgnoredReason::Group));
    }
    if status.text_of("type") == "call" {
        return Ok(Piece::Ignored(IgnoredReason::CallStatus));
    }
    let kind = match status.text_of("status") {
        "sent" => StatusKind::Sent,
        "delivered" => StatusKind::Delivered,
        "read" => StatusKind::Read,
        "failed" => StatusKind::Failed,
        "played" | "deleted" | "warning" => return Ok(Piece::Ignored(IgnoredReason::OtherStatus)),
        "" => {
            return Err(Problem::missing(
                place.path("status"),
                "a status says sent, delivered, read or failed",
            ));
        }
        _ => return Ok(Piece::Ignored(IgnoredReason::UnknownType)),
    };
    owner.check(place)?;
    let message_id = status.text_of("id");
    required(place.path("id"), message_id, MESSAGE_ID_BYTES_MAX, "give the id of the message it is about")?;
    let occurred_at = seconds(place, "timestamp", status.get("timestamp"))?;
    // A status has no id of its own; it is known by message, status and time.
    let event_id = format!("{message_id}:{}:{}", kind.as_str(), occurred_at.second());
    optional(place.path("id"), &event_id, MESSAGE_ID_BYTES_MAX)?;
    let user = recipient(value, status);
    required(place.path("recipient_id"), user, NAME_BYTES_MAX, "name the user's wa_id or user id")?;
    // The provider echoes up to 512 characters of the sender's choice; as a label its beginning is enough.
    let tag = cut(status.text_of("biz_opaque_callback_data"), LABEL_BYTES_MAX);
    Ok(Piece::Event(Event {
        event_id: Cow::Owned(event_id),
        occurred_at,
        account: Cow::Borrowed(owner.account),
        business_phone: Cow::Borrowed(owner.business_phone),
        user: Cow::Borrowed(user),
        tag: (!tag.is_empty()).then_some(Cow::Borrowed(tag)),
        body: EventBody::MessageStatus(MessageStatus {
            message_id: Cow::Borrowed(message_id),
            status: kind,
            error_code: error_code(place, status)?,
            provider: verdict(place, status)?.map(Box::new),
        }),
    }))
}

/// The user's number, or where there is none the provider's user id.
fn recipient<'t>(value: &'t Json<'_>, status: &'t Json<'_>) -> &'t str {
    first_given(status, &["recipient_id", "recipient_user_id", "user_id"])
        .or_else(|| only_contact(status.list_of("contacts")))
        .or_else(|| only_contact(value.list_of("contacts")))
        .unwrap_or("")
}

/// The code of the first error; 0 if there is none.
fn error_code(place: Place, status: &Json<'_>) -> Result<u32, Problem> {
    match status.list_of("errors").first().and_then(|error| error.get("code")) {
        None => Ok(0),
        Some(code) => code.whole().and_then(|code| u32::try_from(code).ok()).ok_or_else(|| {
            Problem::out_of_range(place.path("errors[0].code"), "it is a whole number, such as 131049")
        }),
    }
}

fn verdict(place: Place, status: &Json<'_>) -> Result<Option<ProviderVerdict>, Problem> {
    let (conversation, pricing) = (status.get("conversation"), status.get("pricing"));
    if conversation.is_none() && pricing.is_none() {
        return Ok(None);
    }
    let absent = Json::Null;
    let (conversation, pricing) = (conversation.unwrap_or(&absent), pricing.unwrap_or(&absent));
    let origin = conversation.get("origin").unwrap_or(&absent);
    let expires_at = match conversation.get("expiration_timestamp") {
        None => None,
        Some(at) if at.text() == Some("") => None,
        at => Some(seconds(place, "conversation.expiration_timestamp", at)?),
    };
    Ok(Some(ProviderVerdict {
        conversation_id: word(place, "conversation.id", conversation.text_of("id"))?,
        expires_at,
        origin_type: word(place, "conversation.origin.type", origin.text_of("type"))?,
        billable: billable(pricing),
        pricing_model: word(place, "pricing.pricing_model", pricing.text_of("pricing_model"))?,
        pricing_type: word(
            place,
            "pricing.type",
            first_given(pricing, &["type", "pricing_type"]).unwrap_or(""),
        )?,
        category: word(place, "pricing.category", pricing.text_of("category"))?,
    }))
}

/// A word of the provider, as received.
fn word(place: Place, field: &str, text: &str) -> Result<String, Problem> {
    optional(place.path(field), text, LABEL_BYTES_MAX)?;
    Ok(text.to_owned())
}

/// Whether the provider means to charge; some resellers write it as text.
fn billable(pricing: &Json<'_>) -> Option<bool> {
    match pricing.get("billable")? {
        Json::Bool(billable) => Some(*billable),
        Json::Text(text) if text == "true" => Some(true),
        Json::Text(text) if text == "false" => Some(false),
        Json::Null | Json::Whole(_) | Json::OtherNumber | Json::Text(_) | Json::List(_) | Json::Object(_) => {
            None
        }
    }
}
