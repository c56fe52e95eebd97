//! Records in quarantine that are about a message.
//!
//! Invariant: nothing of an original is shown, since it may hold a number; only where it is and why.

use ledger::QuarantinedOriginal;
use model::{EventBody, MessageRef};
use wire::{Piece, WebhookDefaults, decode_record_value};

use crate::{
    commands::directory::{Opened, failure},
    failure::Failure,
};

/// So many originals are read in a moment.
const SHORT: usize = 2_000;

/// Whether reading the whole quarantine takes no time worth speaking of.
pub(super) fn is_short(opened: &Opened) -> bool {
    opened.quarantine().len() <= SHORT
}

/// The records whose message is wanted.
pub(super) fn search(
    opened: &Opened,
    is_wanted: &mut dyn FnMut(MessageRef) -> bool,
) -> Result<Vec<QuarantinedOriginal>, Failure> {
    let mut found = opened.quarantine().list().map_err(|error| failure(error.into()))?;
    found.retain(|original| message_of(opened, original).is_some_and(&mut *is_wanted));
    Ok(found)
}

/// The message that a quarantined record is about, if it can be read that far.
fn message_of(opened: &Opened, original: &QuarantinedOriginal) -> Option<MessageRef> {
    // Which account a bare body is for makes no difference to its message.
    let defaults = WebhookDefaults { account: Some("-".to_owned()), business_phone: Some("-".to_owned()) };
    let (mut piece_number, mut message) = (0, None);
    decode_record_value(original.bytes.as_ref()?, &defaults, &mut |piece| {
        if let (Piece::Event(event), true) = (piece, piece_number == original.piece) {
            let id = match &event.body {
                EventBody::MessageStatus(status) => &status.message_id,
                EventBody::UserMessage(_)
                | EventBody::BusinessMessage(_)
                | EventBody::UserCall
                | EventBody::Consent(_) => &event.event_id,
            };
            message = Some(opened.secret().seal_message(id));
        }
        piece_number += 1;
    });
    message
}
