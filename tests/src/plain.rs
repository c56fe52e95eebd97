//! A conversation in the terms that the ledger and the naive model have in common.
//!
//! Knows no rules. Invariant: what depends on arrival (booking numbers, places in the log) is not in it.

use model::{Initiator, MessageRef, UnixMillis, UserRef};
use sim::reference;

use crate::{
    reader::LedgerReader,
    seal::{message_ref, user_ref},
};

/// A conversation of the net result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields are those of the net result in the contract")]
pub struct Plain {
    pub business_phone: String,
    pub user: UserRef,
    pub opened_at: UnixMillis,
    pub expires_at: UnixMillis,
    pub account: String,
    pub initiator: Initiator,
    pub opened_by: MessageRef,
    pub charged_at: Option<UnixMillis>,
    pub earned_by: Option<MessageRef>,
    pub user_messages: u32,
    pub business_messages: u32,
    pub without_consent: bool,
}

/// What the entries come to; conversations that are open have no end yet and are an error of the test.
///
/// # Errors
/// A conversation is open.
pub fn plain_of_ledger(reader: &LedgerReader) -> Result<Vec<Plain>, String> {
    let all = reader.conversations().into_iter().map(|held| {
        let close = held.close.as_ref().filter(|_| held.closed);
        let close = close.ok_or_else(|| format!("{} is open", held.facts.conversation))?;
        Ok(Plain {
            business_phone: held.facts.subject.business_phone.to_string(),
            user: held.facts.subject.user,
            opened_at: held.facts.opened_at,
            expires_at: close.conversation.expires_at,
            account: held.facts.subject.account.to_string(),
            initiator: held.facts.initiator,
            opened_by: held.opened_by(),
            charged_at: held.charge.as_ref().map(|(charge, _)| charge.earned_by.at),
            earned_by: held.charge.as_ref().map(|(charge, _)| charge.earned_by.message),
            user_messages: close.user_messages,
            business_messages: close.business_messages,
            without_consent: held.facts.without_consent,
        })
    });
    let mut all = all.collect::<Result<Vec<Plain>, String>>()?;
    all.sort();
    Ok(all)
}

/// What the naive model says.
#[must_use]
pub fn plain_of_reference(net: &[reference::NetConversation]) -> Vec<Plain> {
    let plain = |net: &reference::NetConversation| Plain {
        business_phone: net.business_phone.clone(),
        user: user_ref(&net.user),
        opened_at: net.opened_at,
        expires_at: net.expires_at,
        account: net.account.clone(),
        initiator: net.initiator,
        opened_by: message_ref(&net.opened_by),
        charged_at: net.charged_at,
        earned_by: net.earned_by.as_deref().map(message_ref),
        user_messages: net.user_messages,
        business_messages: net.business_messages,
        without_consent: net.without_consent,
    };
    let mut all: Vec<Plain> = net.iter().map(plain).collect();
    all.sort();
    all
}
