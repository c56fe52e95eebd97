//! Explaining from a book, which has entries and no events.
//!
//! Invariant: shows what entries say, and does not make up what only the service knows.

use model::{ConversationFacts, Entry, EntryBody, PartitionId, Sequence};
use pipeline::book::Book;

use super::{entries::entries_about, parts};
use crate::{
    commands::directory::failure,
    failure::Failure,
    output::{Column, Format, Out, Value},
};

/// Explains a conversation, a charge, or a message that opened or earned one.
pub(super) fn explain(book: &Book, typed: &str, format: Format, out: &mut Out) -> Result<(), Failure> {
    let wanted = super::find::as_printed(typed).ok_or_else(|| {
        Failure::usage(format!("`{typed}` is no id as other commands print it")).hint(
            "a book has no secret to hash the provider's ids with; ask the service's own directory for those",
        )
    })?;
    let Some((partition, last)) = find(book, wanted.0)? else {
        return Err(Failure::usage(format!("nothing in this book has the id {typed}")).hint(
            "give the id of a conversation or charge, or of a message that opened or earned one, as `tarifa entries` \
             prints it",
        ));
    };
    let about = entries_about(book.ledger(), partition, last)?;
    let mut document = out.document(format);
    if let Some(facts) = about.last().and_then(|entry| entry.body.conversation()) {
        document.record("explained", &of(facts, partition))?;
    }
    parts::entries(&about, "entries about it", &mut document)?;
    document.remark("the messages between and the steps of the window are in the service's own directory")?;
    document.finish()
}

/// The partition of a conversation, and the last entry about it.
fn find(book: &Book, id: [u8; 16]) -> Result<Option<(PartitionId, Sequence)>, Failure> {
    for (partition, _) in book.heads() {
        let mut conversation = None;
        let mut last = Sequence(0);
        let entries =
            book.ledger().entries(*partition, Sequence(1)).map_err(|error| failure(error.into()))?;
        for entry in entries {
            let entry = entry.map_err(|error| failure(error.into()))?;
            let Some(facts) = entry.body.conversation() else { continue };
            if conversation.is_none() && has_id(&entry, facts, id) {
                conversation = Some(facts.conversation);
            }
            if conversation == Some(facts.conversation) {
                last = entry.sequence;
            }
        }
        if conversation.is_some() {
            return Ok(Some((*partition, last)));
        }
    }
    Ok(None)
}

fn has_id(entry: &Entry, facts: &ConversationFacts, id: [u8; 16]) -> bool {
    let of_charge = match &entry.body {
        EntryBody::ConversationCharged(charge) | EntryBody::MessageCharged(charge) => {
            charge.charge.0 == id || charge.earned_by.message.0 == id
        }
        EntryBody::ConversationOpened(_)
        | EntryBody::ChargeReversed(_)
        | EntryBody::ConversationRevised(_)
        | EntryBody::ConversationWithdrawn(_)
        | EntryBody::ConversationClosed(_)
        | EntryBody::ProviderVerdict(_)
        | EntryBody::ConsentChanged { .. }
        | EntryBody::Configured { .. }
        | EntryBody::RecordQuarantined(_) => false,
    };
    of_charge || facts.conversation.0 == id || facts.opened_by.message.0 == id
}

fn of(facts: &ConversationFacts, partition: PartitionId) -> Vec<(Column, Value<'_>)> {
    vec![
        (Column::text("conversationId").titled("conversation"), Value::shown(&facts.conversation)),
        (Column::number("partition"), Value::Count(u64::from(partition.0))),
        (Column::text("accountId").titled("account"), Value::text(&*facts.subject.account)),
        (Column::text("businessPhone").titled("business phone"), Value::text(&*facts.subject.business_phone)),
        (Column::text("user"), Value::shown(&facts.subject.user)),
        (Column::text("initiator"), Value::text(facts.initiator.as_str())),
        (Column::text("market"), Value::text(&*facts.subject.market)),
        (Column::text("period"), Value::shown(&facts.subject.period)),
        (Column::text("openedAt").titled("opened"), Value::Time(facts.opened_at)),
        (Column::text("openedBy").titled("opened by message"), Value::shown(&facts.opened_by.message)),
    ]
}
