//! Messages of users.
//!
//! Knows nothing of statuses. Invariant: a type that this version does not know is a message all the same, since the
//! provider counts every message of a user; only what is known to be none is ignored.

use std::borrow::Cow;

use model::{Event, EventBody, IgnoredReason, MessageKind, UserMessage};

use super::place::{Owner, Place, is_group, seconds};
use crate::{
    limits::{MESSAGE_ID_BYTES_MAX, NAME_BYTES_MAX, required},
    piece::{Piece, Problem},
    tree::Json,
};

/// Reads one element of `messages[]`.
pub(super) fn read<'t>(
    place: Place,
    owner: Owner<'t>,
    value: &'t Json<'_>,
    message: &'t Json<'_>,
) -> Result<Piece<'t>, Problem> {
    if is_group(message) {
        return Ok(Piece::Ignored(IgnoredReason::Group));
    }
    let kind = match kind(message.text_of("type")) {
        Kind::Message(kind) => kind,
        Kind::None(reason) => return Ok(Piece::Ignored(reason)),
        Kind::Absent => {
            return Err(Problem::missing(place.path("type"), "a message names its type, such as text"));
        }
    };
    let body = EventBody::UserMessage(UserMessage { kind, referral: message.get("referral").is_some() });
    from_user(place, owner, value, message, body)
}

/// The event that an element of `messages[]` or `calls[]` is, once its body is known.
pub(super) fn from_user<'t>(
    place: Place,
    owner: Owner<'t>,
    value: &'t Json<'_>,
    element: &'t Json<'_>,
    body: EventBody<'t>,
) -> Result<Piece<'t>, Problem> {
    owner.check(place)?;
    let event_id = element.text_of("id");
    required(place.path("id"), event_id, MESSAGE_ID_BYTES_MAX, "give the id that the provider gave it")?;
    let user = sender(value, element);
    required(place.path("from"), user, NAME_BYTES_MAX, "name the user's wa_id or user id")?;
    Ok(Piece::Event(Event {
        event_id: Cow::Borrowed(event_id),
        occurred_at: seconds(place, "timestamp", element.get("timestamp"))?,
        account: Cow::Borrowed(owner.account),
        business_phone: Cow::Borrowed(owner.business_phone),
        user: Cow::Borrowed(user),
        tag: None,
        body,
    }))
}

/// What a type says of an element of `messages[]`.
enum Kind {
    Message(MessageKind),
    None(IgnoredReason),
    Absent,
}

fn kind(word: &str) -> Kind {
    Kind::Message(match word {
        "" => return Kind::Absent,
        "system" => return Kind::None(IgnoredReason::SystemMessage),
        "edit" => return Kind::None(IgnoredReason::Edit),
        "revoke" | "revoked" => return Kind::None(IgnoredReason::Revocation),
        "request_welcome" => return Kind::None(IgnoredReason::RequestWelcome),
        "text" => MessageKind::Text,
        "image" => MessageKind::Image,
        // `voice` is the older API's word.
        "audio" | "voice" => MessageKind::Audio,
        "video" => MessageKind::Video,
        "document" => MessageKind::Document,
        "sticker" => MessageKind::Sticker,
        "location" => MessageKind::Location,
        "contacts" => MessageKind::Contacts,
        "interactive" => MessageKind::Interactive,
        "button" => MessageKind::Button,
        "reaction" => MessageKind::Reaction,
        "order" => MessageKind::Order,
        // `unknown` is the older API's word.
        "unsupported" | "unknown" => MessageKind::Unsupported,
        _ => MessageKind::Other,
    })
}

/// The user's number, or where there is none the provider's user id.
///
/// The list of contacts is asked only if it names one user: with several nothing ties a message to one of them.
fn sender<'t>(value: &'t Json<'_>, element: &'t Json<'_>) -> &'t str {
    first_given(element, &["from", "from_user_id", "user_id"])
        .or_else(|| only_contact(value.list_of("contacts")))
        .unwrap_or("")
}

/// The one contact's number, or its user id.
pub(super) fn only_contact<'t>(contacts: &'t [Json<'_>]) -> Option<&'t str> {
    match contacts {
        [contact] => first_given(contact, &["wa_id", "user_id"]),
        _ => None,
    }
}

/// The first of some members that is a text and not empty.
pub(super) fn first_given<'t>(element: &'t Json<'_>, names: &[&str]) -> Option<&'t str> {
    names.iter().map(|name| element.text_of(name)).find(|text| !text.is_empty())
}
