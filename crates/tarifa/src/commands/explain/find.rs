//! What an id names: an id as the program prints it, or one of the provider's in clear.
//!
//! Invariant: an id in clear is sealed at once; it is compared with nothing and shown nowhere but to whoever typed it.

use model::{ChargeId, ConversationId, MessageRef};
use projector::{ThreadHistory, charge_id};

use crate::{
    commands::directory::{Opened, failure},
    failure::Failure,
};

/// A thread, and what of it was asked for.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) history: ThreadHistory,
    pub(super) named: Named,
}

/// What the id is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// Of a message, call or consent.
    Message(MessageRef),
    /// Of a conversation, which may have been withdrawn.
    Conversation(ConversationId),
    /// Of the charge of a conversation.
    Charge(ChargeId, ConversationId),
}

/// The thread that has the id.
pub(super) fn find(opened: &mut Opened, typed: &str) -> Result<Option<Found>, Failure> {
    // An id that a sender made up may look like one of ours, so both are tried.
    for id in [as_printed(typed), sealed(opened, typed)].into_iter().flatten() {
        if let Some(history) = opened.history_of(id.0).map_err(failure)? {
            let named = named(&history, id.0);
            return Ok(Some(Found { history, named }));
        }
    }
    Ok(None)
}

/// An id of 32 hexadecimal digits.
pub(super) fn as_printed(typed: &str) -> Option<MessageRef> {
    MessageRef::parse(typed).ok()
}

/// A message id in clear.
pub(super) fn sealed(opened: &Opened, typed: &str) -> Option<MessageRef> {
    (!typed.is_empty()).then(|| opened.secret().seal_message(typed))
}

fn named(history: &ThreadHistory, id: [u8; 16]) -> Named {
    let held = history.conversations.iter().map(|net| net.conversation);
    let withdrawn = history.withdrawn.iter().map(|gone| gone.conversation);
    for conversation in held.chain(withdrawn) {
        if conversation.0 == id {
            return Named::Conversation(conversation);
        }
        if charge_id(conversation).0 == id {
            return Named::Charge(ChargeId(id), conversation);
        }
    }
    Named::Message(MessageRef(id))
}
