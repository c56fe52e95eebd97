//! What the lines of an invoice are divided by, beside market, initiator and rate.
//!
//! Knows no amounts. Invariant: every grouping has all charges, each in one line.

use ledger::rollup::LineKey;
use model::Text;

/// What the lines of an invoice are divided by. Market, initiator and rate always divide them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Grouping {
    /// Nothing else.
    #[default]
    Market,
    /// The business's number id.
    Phone,
    /// Template of the message that earned the charge.
    Template,
    /// Tag of the message that earned the charge.
    Tag,
}

impl Grouping {
    /// The word that outputs show: `market`, `phone`, `template` or `tag`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Phone => "phone",
            Self::Template => "template",
            Self::Tag => "tag",
        }
    }

    /// The group of a line; absent where lines are divided by nothing else, empty for messages without.
    pub(crate) fn group_of(self, key: &LineKey) -> Option<Text> {
        match self {
            Self::Market => None,
            Self::Phone => Some(key.business_phone.clone()),
            Self::Template => Some(key.template.clone()),
            Self::Tag => Some(key.tag.clone()),
        }
    }
}
