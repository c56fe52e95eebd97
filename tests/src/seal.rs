//! Ids sealed by keyed hashes and words replaced by symbols, as the edge of the pipeline does it.
//!
//! Knows no records. Invariant: the same text is the same reference in every run, so that orders can be pinned.

use std::collections::BTreeMap;

use model::{
    ConsentFact, Event, EventBody, LeadingDigits, MessageRef, SealedBody, SealedEvent, SealedStatus,
    SealedTemplate, Symbol, UserRef,
};

const SECRET: [u8; 32] = [0x5a; 32];

/// The reference of a message or event id.
#[must_use]
pub fn message_ref(id: &str) -> MessageRef {
    MessageRef(keyed("message", id))
}

/// The reference of a user.
#[must_use]
pub fn user_ref(user: &str) -> UserRef {
    UserRef(keyed("user", user))
}

fn keyed(domain: &str, text: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_keyed(&SECRET);
    hasher.update(domain.as_bytes()).update(&[0]).update(text.as_bytes());
    let mut kept = [0; 16];
    kept.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    kept
}

/// Numbers words in order of first mention.
#[derive(Debug, Clone, Default)]
pub struct Sealer {
    words: Vec<String>,
    numbers: BTreeMap<String, u32>,
}

impl Sealer {
    /// Seals an event.
    pub fn seal(&mut self, event: &Event<'_>) -> SealedEvent {
        let body = self.body(&event.body);
        let message = match &event.body {
            EventBody::MessageStatus(status) => message_ref(&status.message_id),
            EventBody::UserMessage(_)
            | EventBody::BusinessMessage(_)
            | EventBody::UserCall
            | EventBody::Consent(_) => message_ref(&event.event_id),
        };
        SealedEvent {
            occurred_at: event.occurred_at,
            message,
            user: user_ref(&event.user),
            leading_digits: LeadingDigits::of(&event.user),
            business_phone: self.word(&event.business_phone),
            account: self.word(&event.account),
            tag: self.word(event.tag.as_deref().unwrap_or_default()),
            body,
        }
    }

    fn body(&mut self, body: &EventBody<'_>) -> SealedBody {
        match body {
            EventBody::UserMessage(message) => {
                SealedBody::UserMessage { kind: message.kind, referral: message.referral }
            }
            EventBody::BusinessMessage(message) => SealedBody::BusinessMessage {
                kind: message.kind,
                template: message.template.as_ref().map(|template| SealedTemplate {
                    name: self.word(&template.name),
                    category: template.category,
                }),
            },
            EventBody::MessageStatus(status) => SealedBody::Status(SealedStatus {
                status: status.status,
                error_code: status.error_code,
                verdict: status.provider.clone(),
            }),
            EventBody::UserCall => SealedBody::UserCall,
            EventBody::Consent(consent) => SealedBody::Consent(ConsentFact {
                granted: consent.granted,
                source: self.word(&consent.source),
            }),
        }
    }

    /// All words, from symbol 1 on.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    fn word(&mut self, word: &str) -> Symbol {
        if word.is_empty() {
            return Symbol::EMPTY;
        }
        if let Some(number) = self.numbers.get(word) {
            return Symbol(*number);
        }
        self.words.push(word.to_owned());
        let number = u32::try_from(self.words.len()).expect("tests have few words");
        self.numbers.insert(word.to_owned(), number);
        Symbol(number)
    }
}
