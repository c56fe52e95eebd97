//! Goes through a whole body, list by list.
//!
//! Knows nothing of single messages. Invariant: pieces come in the order of the body; a body without any is said to be
//! empty.

use model::IgnoredReason;

use super::{
    call, message,
    place::{Owner, Place},
    status,
};
use crate::{
    document::WebhookDefaults,
    piece::{Piece, Problem},
    tree::Json,
};

/// The `object` of the provider's bodies about messages.
const OBJECT: &str = "whatsapp_business_account";

/// Members by which a bare body is known.
const BARE_LISTS: [&str; 5] = ["messages", "statuses", "errors", "calls", "message_echoes"];

/// Fields of a change that tell of the account, a template, a number or a setting, never of a message.
const NOTICES: [&str; 14] = [
    "account_",
    "business_",
    "message_template_",
    "template_",
    "phone_number_",
    "payment_configuration_",
    "partner_",
    "security",
    "flows",
    "user_preferences",
    "user_id_update",
    "smb_app_state_sync",
    "tracking_events",
    "automatic_events",
];

/// Reads a body; false, and no piece, if the document is none.
pub(crate) fn read(document: &Json<'_>, defaults: &WebhookDefaults, sink: &mut dyn FnMut(Piece<'_>)) -> bool {
    let has = |name: &str| document.get(name).is_some();
    let mut pieces = 0_usize;
    let mut counted = |piece: Piece<'_>| {
        pieces += 1;
        sink(piece);
    };
    if has("entry") || has("object") {
        whole_body(document, defaults, &mut counted);
    } else if BARE_LISTS.iter().any(|list| has(list)) {
        let owner = Owner {
            account: defaults.account.as_deref().unwrap_or(""),
            business_phone: business_phone(document, defaults),
        };
        value(document, None, owner, "", &mut counted);
    } else {
        return false;
    }
    if pieces == 0 {
        sink(Piece::Ignored(IgnoredReason::EmptyBody));
    }
    true
}

fn whole_body(document: &Json<'_>, defaults: &WebhookDefaults, sink: &mut dyn FnMut(Piece<'_>)) {
    if document.get("object").is_some_and(|object| object.text() != Some(OBJECT)) {
        return sink(Piece::Ignored(IgnoredReason::UnknownType));
    }
    if !matches!(document.get("entry"), None | Some(Json::List(_))) {
        return sink(Piece::Malformed(Problem::out_of_range("entry", "it is a list")));
    }
    for (entry_index, entry) in document.list_of("entry").iter().enumerate() {
        if !matches!(entry.get("changes"), None | Some(Json::List(_))) {
            let field = format!("entry[{entry_index}].changes");
            sink(Piece::Malformed(Problem::out_of_range(field, "it is a list")));
        }
        for (change_index, change) in entry.list_of("changes").iter().enumerate() {
            let place = (entry_index, change_index);
            self::change(entry, change, place, defaults, sink);
        }
    }
}

fn change(
    entry: &Json<'_>,
    change: &Json<'_>,
    place: (usize, usize),
    defaults: &WebhookDefaults,
    sink: &mut dyn FnMut(Piece<'_>),
) {
    let field = change.text_of("field");
    match field {
        "" | "messages" | "calls" | "smb_message_echoes" | "message_echoes" => {}
        "group_lifecycle_update"
        | "group_participants_update"
        | "group_settings_update"
        | "group_status_update" => return sink(Piece::Ignored(IgnoredReason::Group)),
        _ if NOTICES.iter().any(|notice| field.starts_with(notice)) => {
            return sink(Piece::Ignored(IgnoredReason::AccountNotice));
        }
        _ => return sink(Piece::Ignored(IgnoredReason::UnknownType)),
    }
    let Some(content @ Json::Object(_)) = change.get("value") else {
        let path = format!("entry[{}].changes[{}].value", place.0, place.1);
        return sink(Piece::Malformed(Problem::missing(path, "a change carries its value as an object")));
    };
    let account = match entry.text_of("id") {
        "" => defaults.account.as_deref().unwrap_or(""),
        id => id,
    };
    let owner = Owner { account, business_phone: business_phone(content, defaults) };
    value(content, Some(place), owner, field, sink);
}

fn business_phone<'t>(value: &'t Json<'_>, defaults: &'t WebhookDefaults) -> &'t str {
    match value.get("metadata").map_or("", |metadata| metadata.text_of("phone_number_id")) {
        "" => defaults.business_phone.as_deref().unwrap_or(""),
        id => id,
    }
}

/// The lists of one value, or of a bare body.
fn value(
    value: &Json<'_>,
    entry_and_change: Option<(usize, usize)>,
    owner: Owner<'_>,
    field: &str,
    sink: &mut dyn FnMut(Piece<'_>),
) {
    for list in BARE_LISTS {
        let elements = match value.get(list) {
            None => continue,
            Some(Json::List(elements)) => elements,
            Some(_) => {
                let place = Place { entry_and_change, list, index: 0 };
                sink(Piece::Malformed(Problem::out_of_range(place.path(""), "it is a list of objects")));
                continue;
            }
        };
        for (index, element) in elements.iter().enumerate() {
            let place = Place { entry_and_change, list, index };
            let piece = match list {
                _ if !matches!(element, Json::Object(_)) => {
                    Err(Problem::out_of_range(place.path(""), "it is an object"))
                }
                "messages" => message::read(place, owner, value, element),
                "statuses" if field == "calls" => Ok(Piece::Ignored(IgnoredReason::CallStatus)),
                "statuses" => status::read(place, owner, value, element),
                "calls" => call::read(place, owner, value, element),
                "errors" => Ok(Piece::Ignored(IgnoredReason::ErrorNotice)),
                _ => Ok(Piece::Ignored(IgnoredReason::Echo)),
            };
            sink(piece.unwrap_or_else(Piece::Malformed));
        }
    }
}
