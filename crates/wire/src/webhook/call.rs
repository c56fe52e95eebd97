//! Calls: only one that the user begins matters, since it opens the provider's service window.
//!
//! Knows nothing of call prices. Invariant: one call gives one event, from the report that it began.

use model::{EventBody, IgnoredReason};

use super::{
    message::from_user,
    place::{Owner, Place, is_group},
};
use crate::{
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
    from_user(place, owner, value, call, EventBody::UserCall)
}
