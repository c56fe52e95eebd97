//! Entries as the words of a scenario.
//!
//! Knows no rules. Invariant: two entries that differ in what they say of a conversation differ in their words.

use std::collections::BTreeMap;

use model::{
    Charge, Closed, ConversationFacts, ConversationId, Disposition, Entry, EntryBody, QuarantineReason,
    UnixMillis,
};

use super::{settings::Settings, time};

/// What the words leave out because the line before them has it.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) settings: &'a Settings,
    /// Time of the line; a thing that happened then has no time beside it.
    pub(super) at: UnixMillis,
    /// Whether the entries may be of several threads, so that each must name its own.
    pub(super) names_threads: bool,
    /// Several accounts, so that an opening must name its own.
    pub(super) names_accounts: bool,
}

/// What became of a record: its disposition where that is news, and each entry.
pub(super) fn outcome(
    context: &Context<'_>,
    threads: &BTreeMap<ConversationId, String>,
    disposition: Disposition,
    entries: &[&Entry],
) -> Vec<String> {
    let mut lines = Vec::new();
    match disposition {
        Disposition::Duplicate => lines.push("duplicate".to_owned()),
        Disposition::Ignored(reason) => lines.push(format!("ignored, {}", reason.as_str())),
        Disposition::Malformed(_)
        | Disposition::Misrouted
        | Disposition::Control
        | Disposition::Future
        | Disposition::Conflict
        | Disposition::Late
        | Disposition::Applied => {}
    }
    for entry in entries {
        let thread = entry.body.conversation().and_then(|facts| threads.get(&facts.conversation));
        let prefix =
            thread.filter(|_| context.names_threads).map_or(String::new(), |name| format!("{name}: "));
        lines.push(prefix + &context.entry(entry));
    }
    if lines.is_empty() {
        lines.push("-".to_owned());
    }
    lines
}

impl Context<'_> {
    fn entry(&self, entry: &Entry) -> String {
        match &entry.body {
            EntryBody::ConversationOpened(facts) => self.opened(facts),
            EntryBody::ConversationCharged(charge) => format!("charged {}", self.charge(charge)),
            EntryBody::MessageCharged(charge) => format!("charged message {}", self.charge(charge)),
            EntryBody::ChargeReversed(reversal) => format!(
                "reversed {}, opened {}",
                self.charge(&reversal.charge),
                self.time(reversal.charge.conversation.opened_at)
            ),
            EntryBody::ConversationRevised(revised) => {
                let holds = &revised.holds;
                let again = if revised.open_again { ", open again" } else { "" };
                let opened = self.time(holds.conversation.opened_at);
                format!("revised {}, opened {opened}{again}", self.close(holds, "ends"))
            }
            EntryBody::ConversationWithdrawn(facts) => {
                format!(
                    "withdrawn {}-initiated, opened {}",
                    facts.initiator.as_str(),
                    self.time(facts.opened_at)
                )
            }
            EntryBody::ConversationClosed(closed) => format!("closed {}", self.close(closed, "ended")),
            EntryBody::ProviderVerdict(facts) => {
                let verdict = &facts.verdict;
                let billable = match verdict.billable {
                    None => "",
                    Some(true) => ", billable",
                    Some(false) => ", not billable",
                };
                let words =
                    [&verdict.pricing_model, &verdict.pricing_type, &verdict.category].map(String::as_str);
                format!("provider says {}{billable}", words.join(" "))
            }
            EntryBody::ConsentChanged { granted, source, .. } => {
                format!("consent {}, {source}", if *granted { "given" } else { "taken back" })
            }
            EntryBody::Configured { .. } => "configured".to_owned(),
            EntryBody::RecordQuarantined(quarantined) => match quarantined.reason {
                QuarantineReason::Malformed => "malformed, quarantined".to_owned(),
                QuarantineReason::Misrouted => "misrouted, quarantined".to_owned(),
                QuarantineReason::Future => "future, quarantined".to_owned(),
                QuarantineReason::Conflict => "conflict, quarantined".to_owned(),
                QuarantineReason::Late => "late, quarantined".to_owned(),
            },
        }
    }

    fn opened(&self, facts: &ConversationFacts) -> String {
        let mut text = format!("opened {}-initiated", facts.initiator.as_str());
        if facts.opened_at != self.at {
            text += &format!(" at {}", self.time(facts.opened_at));
        }
        text += &format!(", ends {}", self.time(facts.expires_at));
        if self.names_accounts {
            text += &format!(", for {}", facts.subject.account);
        }
        if facts.without_consent {
            text += ", without consent";
        }
        if self.settings.shows_periods {
            text += &format!(", in {}", facts.subject.period);
        }
        text + &label(&facts.opened_by.tag, "tag")
    }

    fn charge(&self, charge: &Charge) -> String {
        let price = &charge.price;
        let amount = price.amount.map_or_else(|| "unpriced".to_owned(), |amount| amount.to_string());
        let facts = &charge.conversation;
        let mut text = format!(
            "{amount} {} {}, {}-initiated",
            price.currency,
            facts.subject.market,
            facts.initiator.as_str()
        );
        if !price.reason.is_empty() {
            text += &format!(", {}", price.reason);
        }
        if charge.earned_by.at != self.at {
            text += &format!(", earned {}", self.time(charge.earned_by.at));
        }
        if charge.booking > 1 {
            text += &format!(", booking {}", charge.booking);
        }
        if self.settings.shows_rows {
            text += &format!(", {} line {}", price.card, price.row);
        }
        text + &label(&charge.earned_by.template, "template") + &label(&charge.earned_by.tag, "tag")
    }

    fn close(&self, closed: &Closed, end: &str) -> String {
        let charged = if closed.charged { "charged" } else { "not charged" };
        let consent = if closed.conversation.without_consent { ", without consent" } else { "" };
        format!(
            "{charged}, {} user {} business, {end} {}{consent}",
            closed.user_messages,
            closed.business_messages,
            self.time(closed.conversation.expires_at)
        )
    }

    fn time(&self, time: UnixMillis) -> String {
        time::write(self.settings.zero, time)
    }
}

/// A template that no line names has a name that no expectation names.
fn label(value: &str, what: &str) -> String {
    if value.is_empty() || value == "order_update" { String::new() } else { format!(", {what} {value}") }
}
