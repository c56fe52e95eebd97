//! Calls: only one that the user begins matters, since it opens the provider's service window.
//!
//! Knows nothing of call prices. Invariant: one call gives one event, from the report that it began.

use std::borrow::Cow;

use model::{Event, EventBody, IgnoredReason};

use super::{
    message::sender,
    place::{Owner, Place, is_group, seconds},
};
use crate::{
    limits::{MESSAGE_ID_BYTES_MAX, NAME_BYTES_MAX, required},
    piece::{Piece, Problem},
    tree::Json,
};

/// Reads one element of `calls[]`.
pub(super) fn read<'t>(
    place: Place,
    owner: Owner<'t>,
    value: &'t Json<'_>,
    call: &'t Json<'_>,
) -> Result<Piece<'t>, Problem> {
    if is_group(call) {
        return Ok(Piece::Ignored(IgnoredReason::Group));
    }
    if call.text_of("direction") != "USER_INITIATED" || call.text_of("event") != "connect" {
        return Ok(Piece::Ignored(IgnoredReason::CallStatus));
    }
    owner.check(place)?;
    let event_id = call.text_of("id");
    required(place.path("id"), event_id, MESSAGE_ID_BYTES_MAX, "give the provider's call id")?;
    let user = sender(value, call);
    required(place.path("from"), user, NAME_BYTES_MAX, "name the user's wa_id or user id")?;
    Ok(Piece::Event(Event {
        event_id: Cow::Borrowed(event_id),
        occurred_at: seconds(place, "timestamp", call.get("timestamp"))?,
        account: Cow::Borrowed(owner.account),
        business_phone: Cow::Borrowed(owner.business_phone),
        user: Cow::Borrowed(user),
        tag: None,
        body: EventBody::UserCall,
    }))
}
