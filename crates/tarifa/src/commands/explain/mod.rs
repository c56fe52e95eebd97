//! `tarifa explain`: the evidence of one conversation, charge or message.
//!
//! Decides nothing: the steps of the window come from the fold, prices and months from the adopted configuration.
//! Invariant: looks one thread up by an index and follows links between entries, so that it takes as long in a large
//! ledger as in a small one. The one list that it reads through is the quarantine, when it is short or nothing else has
//! the id.

mod collected;
mod entries;
mod find;
mod parts;
mod quarantine;
mod why;

use model::{ConversationId, MessageRef, Sequence};
use pipeline::EMBEDDED_PARTITION;
use projector::{EvidenceReport, NetConversation, ThreadHistory, WithdrawnConversation};

pub(crate) use self::{entries::entries_about, parts::entries};

use self::find::{Found, Named};
use crate::{
    commands::{
        books::Books,
        directory::{DataArgs, Opened, failure},
    },
    config::Config,
    failure::Failure,
    output::{Document, FormatArgs, Out},
};

/// Show why a conversation was charged what it was: messages, window, rate, month, entries
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa explain wamid.HBgNNTUxMTk4NzY1NDMyMRUCABIYFDNF --data ./books

The id is that of a conversation, a charge or a message as other commands print it, or the provider's id of a
message (wamid…). As CSV it gives the messages of the conversation.")]
pub(crate) struct ExplainArgs {
    /// Id of a conversation, a charge or a message
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    data: DataArgs,
    /// Show the user's number, if it was not erased; reads the whole user directory
    #[arg(long)]
    number: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// Explains.
pub(crate) fn run(args: &ExplainArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let mut opened = match args.data.books(config, out)? {
        Books::Embedded(opened) => *opened,
        Books::Collected(book) => return collected::explain(&book, &args.id, args.format.format, out),
    };
    let found = find::find(&mut opened, &args.id)?;
    let mut document = out.document(args.format.format);
    match found {
        Some(found) => {
            let number = match args.number {
                true => opened.users().map_err(failure)?.remove(&found.history.user),
                false => None,
            };
            explain(&opened, &found, number, &mut document)?;
        }
        None => {
            let wanted = [find::sealed(&opened, &args.id), find::as_printed(&args.id)];
            let kept = quarantine::search(&opened, &mut |id| wanted.contains(&Some(id)))?;
            if kept.is_empty() {
                return Err(Failure::usage(format!("nothing in this directory has the id {}", args.id)).hint(
                    "give the id of a conversation, charge or message as `tarifa conversations` or `tarifa entries` \
                     prints it, or the provider's id of a message (wamid…)",
                ));
            }
            parts::only_quarantined(&args.id, &mut document)?;
            parts::quarantined(&kept, &mut document)?;
        }
    }
    document.finish()
}

fn explain(
    opened: &Opened,
    found: &Found,
    number: Option<String>,
    document: &mut Document<'_>,
) -> Result<(), Failure> {
    let Found { history, named } = found;
    let inside = match named {
        Named::Message(message) => {
            message_of(history, *message).and_then(|report| report.effect.conversation())
        }
        Named::Conversation(conversation) | Named::Charge(_, conversation) => Some(*conversation),
    };
    let gone = gone(found, inside);
    parts::named(found, gone, document)?;
    let net = history.conversations.iter().find(|net| Some(net.conversation) == inside);
    let rules = match net {
        Some(net) => Some(opened.configuration().map_err(failure)?.account(&net.account)),
        None => None,
    };
    if let (Some(net), Some(rules)) = (net, &rules) {
        parts::conversation(net, history, number, document)?;
        parts::why(net, history, rules, document)?;
    }
    let messages = match (net, named) {
        (Some(net), _) => inside_of(net, history),
        (None, Named::Message(message)) => message_of(history, *message).into_iter().collect(),
        (None, Named::Conversation(_) | Named::Charge(..)) => Vec::new(),
    };
    if !messages.is_empty() || !document.is_for_people() {
        parts::messages(&messages, document)?;
        parts::reports(&messages, document)?;
    }
    let last = net.map(|net| net.last_entry).or_else(|| gone.map(|gone| gone.last_entry));
    let about = entries_about(opened.ledger(), EMBEDDED_PARTITION, last.unwrap_or(Sequence(0)))?;
    parts::entries(&about, "entries about it", document)?;
    if quarantine::is_short(opened) {
        let kept =
            quarantine::search(opened, &mut |id| messages.iter().any(|report| report.message.message == id))?;
        if !kept.is_empty() {
            parts::quarantined(&kept, document)?;
        }
    }
    Ok(())
}

/// The messages of a conversation, and beside them what lies in its window without counting.
fn inside_of<'h>(net: &NetConversation, history: &'h ThreadHistory) -> Vec<&'h EvidenceReport> {
    let belongs = |report: &&EvidenceReport| match report.effect.conversation() {
        Some(conversation) => conversation == net.conversation,
        None => (net.opened_at..net.expires_at).contains(&report.message.at),
    };
    history.messages.iter().filter(belongs).collect()
}

fn message_of(history: &ThreadHistory, message: MessageRef) -> Option<&EvidenceReport> {
    history.messages.iter().find(|report| report.message.message == message)
}

/// The withdrawn conversation that was asked for, or that a message without one had opened.
fn gone(found: &Found, inside: Option<ConversationId>) -> Option<&WithdrawnConversation> {
    let mut withdrawn = found.history.withdrawn.iter();
    match (found.named, inside) {
        (Named::Message(message), None) => {
            let at = message_of(&found.history, message)?.message.at;
            withdrawn.find(|gone| gone.opened_at == at)
        }
        (_, inside) => withdrawn.find(|gone| Some(gone.conversation) == inside),
    }
}
