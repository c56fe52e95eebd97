//! From an event in clear to a record without: ids become keyed hashes, words become symbols.
//!
//! Knows nothing of files or of what an event books. Invariant: behind it no number or message id in clear exists,
//! but for the number of a new user on its way to the erasable directory.

use ledger::{SealLater, SealedId, Secret, SymbolTable};
use model::{
    ConsentFact, Event, EventBody, LeadingDigits, MessageRef, Record, RecordContent, SealedBody, SealedEvent,
    SealedStatus, SealedTemplate, Symbol, Text, UserRef,
};

/// Seals events.
#[derive(Debug)]
pub(crate) struct Sealer {
    secret: Secret,
    symbols: SymbolTable,
    /// How many symbols have been handed on by [`Self::take_new_words`].
    told: u32,
    /// The last words of each kind with their symbols.
    account: Last,
    business_phone: Last,
    /// Ids of records that [`Self::seal_among`] has made.
    later: SealLater,
}

/// The last words met, each in the place that its end gives: traffic says a few dozen over and over.
#[derive(Debug, Default)]
struct Last([(String, Symbol); LAST]);

/// As many as a power of two.
const LAST: usize = 32;

impl Last {
    #[inline]
    fn symbol_of(&mut self, word: &str, symbols: &mut SymbolTable) -> Symbol {
        let end = word.as_bytes().last_chunk().map_or(0, |end| u16::from_le_bytes(*end));
        let place = usize::from(end.wrapping_mul(0x9e37) >> (u16::BITS - LAST.trailing_zeros()));
        let (last, symbol) = &mut self.0[place];
        if last != word {
            *symbol = symbols.intern(word);
            word.clone_into(last);
        }
        *symbol
    }
}

impl Sealer {
    /// Goes on numbering words behind those in `symbols`.
    #[must_use]
    pub(crate) fn new(secret: Secret, symbols: SymbolTable) -> Self {
        let told = symbols.words().last().map_or(1, |(symbol, _)| symbol.0 + 1);
        Self {
            secret,
            symbols,
            told,
            account: Last::default(),
            business_phone: Last::default(),
            later: SealLater::default(),
        }
    }

    /// The words that were numbered since the last call, in the order of their numbers.
    pub(crate) fn take_new_words(&mut self) -> Vec<(Symbol, Text)> {
        let mut new = Vec::new();
        loop {
            let symbol = Symbol(self.told);
            let word = self.symbols.word(symbol);
            if word.is_empty() {
                return new;
            }
            new.push((symbol, word.clone()));
            self.told += 1;
        }
    }

    /// Seals one event.
    pub(crate) fn seal(&mut self, event: &Event<'_>) -> SealedEvent {
        let (user, message) =
            (self.secret.seal_user(&event.user), self.secret.seal_message(message_of(event)));
        self.with_ids(event, user, message)
    }

    /// Seals the event of the record that will stand at `place`. Its ids may be sealed later, with those of its
    /// neighbours: see [`Self::finish`].
    pub(crate) fn seal_among(&mut self, event: &Event<'_>, place: usize) -> SealedEvent {
        let (user, message) = self.later.add(&self.secret, place, &event.user, message_of(event));
        self.with_ids(event, user, message)
    }

    /// Whether enough ids wait to be sealed together.
    pub(crate) fn is_full(&self) -> bool {
        self.later.is_full()
    }

    /// Seals the ids that wait, and puts them into their records.
    pub(crate) fn finish<R: AsMut<Record>>(&mut self, records: &mut [R]) {
        self.later.seal(&self.secret, &mut |place, sealed| {
            if let RecordContent::Event(event) = &mut records[place].as_mut().content {
                match sealed {
                    SealedId::User(user) => event.user = user,
                    SealedId::Message(message) => event.message = message,
                }
            }
        });
    }

    fn with_ids(&mut self, event: &Event<'_>, user: UserRef, message: MessageRef) -> SealedEvent {
        SealedEvent {
            occurred_at: event.occurred_at,
            message,
            user,
            leading_digits: LeadingDigits::of(&event.user),
            business_phone: self.business_phone.symbol_of(&event.business_phone, &mut self.symbols),
            account: self.account.symbol_of(&event.account, &mut self.symbols),
            tag: event.tag.as_deref().map_or(Symbol::EMPTY, |tag| self.symbols.intern(tag)),
            body: self.seal_body(&event.body),
        }
    }

    fn seal_body(&mut self, body: &EventBody<'_>) -> SealedBody {
        match body {
            EventBody::UserMessage(message) => {
                SealedBody::UserMessage { kind: message.kind, referral: message.referral }
            }
            EventBody::BusinessMessage(message) => {
                let seal = |template: &model::Template<'_>| SealedTemplate {
                    name: self.symbols.intern(&template.name),
                    category: template.category,
                };
                SealedBody::BusinessMessage {
                    kind: message.kind,
                    template: message.template.as_ref().map(seal),
                }
            }
            EventBody::MessageStatus(status) => SealedBody::Status(SealedStatus {
                status: status.status,
                error_code: status.error_code,
                verdict: status.provider.clone(),
            }),
            EventBody::UserCall => SealedBody::UserCall,
            EventBody::Consent(consent) => SealedBody::Consent(ConsentFact {
                granted: consent.granted,
                source: self.symbols.intern(&consent.source),
            }),
        }
    }
}

/// The id by which an event's message is known.
fn message_of<'a>(event: &'a Event<'_>) -> &'a str {
    match &event.body {
        EventBody::MessageStatus(status) => &status.message_id,
        EventBody::UserMessage(_)
        | EventBody::BusinessMessage(_)
        | EventBody::UserCall
        | EventBody::Consent(_) => &event.event_id,
    }
}
