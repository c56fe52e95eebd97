//! From ordered messages to conversations.
//!
//! Does not know reports or arrival. Invariant: every message lies in exactly one conversation.

use model::{DurationMillis, Initiator};

use super::{
    NetConversation, Settings, Window,
    accept::{Message, Opted},
};

const WINDOW: DurationMillis = DurationMillis::from_hours(24);

/// Folds the messages of one thread, which are in order, from the first.
pub(super) fn fold(
    messages: &[Message],
    consents: &[Opted],
    (business_phone, user): (&str, &str),
    settings: &Settings,
) -> Vec<NetConversation> {
    let mut conversations: Vec<NetConversation> = Vec::new();
    for message in messages {
        let inside = conversations.last().is_some_and(|open| message.at < open.expires_at);
        if !inside {
            conversations.push(NetConversation {
                business_phone: business_phone.to_owned(),
                user: user.to_owned(),
                opened_at: message.at,
                expires_at: message.at + WINDOW,
                account: message.account.clone(),
                initiator: if message.from_user { Initiator::User } else { Initiator::Business },
                opened_by: message.id.clone(),
                charged_at: None,
                earned_by: None,
                user_messages: 0,
                business_messages: 0,
                without_consent: !message.from_user
                    && settings.consent_accounts.contains(&message.account)
                    && !opted_in(consents, message),
            });
        }
        let Some(open) = conversations.last_mut() else { continue };
        if message.from_user {
            open.user_messages += 1;
            if settings.window == Window::Sliding {
                open.expires_at = message.at + WINDOW;
            }
        } else {
            open.business_messages += 1;
            // The first word of the business earns the charge, whoever opened.
            if open.charged_at.is_none() {
                open.charged_at = Some(message.at);
                open.earned_by = Some(message.id.clone());
            }
        }
    }
    conversations
}

/// What the user had last said by the time of the message; nothing said is no consent.
fn opted_in(consents: &[Opted], message: &Message) -> bool {
    consents.iter().rfind(|consent| consent.at <= message.at).is_some_and(|consent| consent.granted)
}
