//! A digest of a set of net conversations: the same for the same set, whatever the order and however it is divided.
//!
//! Knows nothing of ledgers and logs. Invariant: digests of two parts add up to that of the whole; numbers of entries
//! and of bookings, and whether a close was announced, are no part of it, as they depend on arrival.
//!
//! It is LtHash: each conversation is expanded to 1,024 numbers of 16 bits, which are added up place by place. To find
//! another set with the same sums is a lattice problem nobody can solve at this size; with a plain sum it is easy.

use model::{ContentHash, Micros};
use projector::NetConversation;

use crate::expand::{Expander, LANE_BYTES, LANES, Lanes};

/// Names the bytes that are hashed; another layout gets another name.
const CONTEXT: &str = "tarifa net conversation v1";

/// The digest of a set of conversations, as the sums that it is printed from.
#[derive(Clone, PartialEq, Eq)]
pub struct NetDigest {
    lanes: Box<Lanes>,
}

impl Default for NetDigest {
    fn default() -> Self {
        Self { lanes: Box::new([0; LANES]) }
    }
}

/// Shows its hash.
impl std::fmt::Debug for NetDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NetDigest({})", self.hash())
    }
}

impl NetDigest {
    /// Adds those of other sets. A conversation that is in two of them counts twice.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.lanes.iter_mut().zip(other.lanes.iter()) {
            *mine = mine.wrapping_add(*theirs);
        }
    }

    /// What is printed and compared: BLAKE3 of the sums, each as two bytes, the lower first.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        let mut bytes = [0; LANES * LANE_BYTES];
        for (pair, lane) in bytes.as_chunks_mut::<LANE_BYTES>().0.iter_mut().zip(self.lanes.iter()) {
            *pair = lane.to_le_bytes();
        }
        ContentHash(*blake3::hash(&bytes).as_bytes())
    }
}

/// Adds conversations to digests, with buffers that are used again.
pub struct Digester {
    expander: Expander,
    element: Vec<u8>,
}

impl Default for Digester {
    fn default() -> Self {
        Self { expander: Expander::new(CONTEXT), element: Vec::with_capacity(256) }
    }
}

impl std::fmt::Debug for Digester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digester").finish_non_exhaustive()
    }
}

impl Digester {
    /// Adds one conversation.
    pub fn add(&mut self, net: &NetConversation, to: &mut NetDigest) {
        self.element.clear();
        put_element(&mut self.element, net);
        self.expander.add(&self.element, &mut to.lanes);
    }
}

/// The bytes of a conversation: every field with its length before it, integers big-endian.
fn put_element(out: &mut Vec<u8>, net: &NetConversation) {
    put(out, net.business_phone.as_bytes());
    put(out, &net.user.0);
    put(out, &net.conversation.0);
    put(out, &net.opened_at.0.to_be_bytes());
    put(out, &net.expires_at.0.to_be_bytes());
    put(out, net.initiator.as_str().as_bytes());
    put(out, &net.user_messages.to_be_bytes());
    put(out, &net.business_messages.to_be_bytes());
    put(out, &[u8::from(net.without_consent)]);
    // Without a charge nothing follows; a charge without an amount is unpriced.
    if let Some(charge) = &net.charge {
        put(out, &charge.at.0.to_be_bytes());
        match charge.price.amount {
            Some(Micros(amount)) => put(out, &amount.to_be_bytes()),
            None => put(out, &[]),
        }
        put(out, charge.price.currency.as_str().as_bytes());
        put(out, charge.price.reason.as_bytes());
        put(out, charge.price.tariff.as_bytes());
    }
}

fn put(out: &mut Vec<u8>, field: &[u8]) {
    // The longest words are names of a few hundred bytes.
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{
        Category, ChargeId, ConversationId, Currency, Initiator, Period, PriceOutcome, Sequence, UnixMillis,
        UserRef,
    };
    use projector::NetCharge;

    use super::*;

    #[test]
    fn the_order_of_conversations_and_their_division_do_not_matter() {
        let all: Vec<NetConversation> = (0..40).map(conversation).collect();
        let whole = digest(&all);
        let backwards: Vec<_> = all.iter().rev().cloned().collect();
        assert_eq!(digest(&backwards), whole);
        for cut in [0, 1, 20, 40] {
            let mut sum = digest(&all[..cut]);
            sum.add(&digest(&all[cut..]));
            assert_eq!(sum.hash(), whole.hash());
        }
        assert_ne!(digest(&all[1..]).hash(), whole.hash());
    }

    #[test]
    fn a_conversation_counted_twice_is_another_set() {
        let one = conversation(1);
        assert_ne!(digest(&[one.clone(), one.clone()]), digest(std::slice::from_ref(&one)));
        assert_ne!(digest(&[one.clone(), one]), NetDigest::default());
    }

    #[test]
    fn every_field_counts() {
        type Change = fn(&mut NetConversation);
        let changes: [(&str, Change); 16] = [
            ("business phone", |net| net.business_phone = Arc::from("10654035224292")),
            ("user", |net| net.user.0[15] ^= 1),
            ("conversation", |net| net.conversation.0[0] ^= 1),
            ("opening", |net| net.opened_at.0 += 1),
            ("end", |net| net.expires_at.0 -= 1),
            ("initiator", |net| net.initiator = Initiator::Business),
            ("messages of the user", |net| net.user_messages += 1),
            ("messages of the business", |net| net.business_messages += 1),
            ("consent", |net| net.without_consent = true),
            ("no charge", |net| net.charge = None),
            ("time of the charge", |net| charge_of(net).at.0 += 1),
            ("amount", |net| charge_of(net).price.amount = Some(Micros(30_001))),
            ("free", |net| charge_of(net).price.amount = Some(Micros(0))),
            ("unpriced", |net| charge_of(net).price.amount = None),
            ("currency", |net| charge_of(net).price.currency = Currency::parse("EUR").unwrap()),
            ("reason", |net| charge_of(net).price.reason = Arc::from("no card")),
        ];
        let mut met = vec![digest(&[conversation(1)]).hash()];
        for (field, change) in changes {
            let mut changed = conversation(1);
            change(&mut changed);
            let hash = digest(&[changed]).hash();
            assert!(!met.contains(&hash), "{field}");
            met.push(hash);
        }
        let mut other_tariff = conversation(1);
        charge_of(&mut other_tariff).price.tariff = Arc::from("cbp-2022");
        assert!(!met.contains(&digest(&[other_tariff]).hash()));
    }

    #[test]
    fn what_depends_on_arrival_does_not_count() {
        let mut other = conversation(1);
        other.closed = true;
        other.last_entry = Sequence(99);
        charge_of(&mut other).entry = Sequence(98);
        charge_of(&mut other).booking = 3;
        assert_eq!(digest(&[other]), digest(&[conversation(1)]));
    }

    /// Pinned: a digest that was printed once is compared with those of later versions.
    #[test]
    fn a_known_set_has_a_known_digest() {
        assert_eq!(
            NetDigest::default().hash().to_string(),
            blake3::hash(&[0; 2_048]).to_hex().to_string(),
            "of nothing"
        );
        assert_eq!(
            digest(&[conversation(1), conversation(2)]).hash().to_string(),
            "64b5fdad653f14cd9dad3c27bfe2c74ec5b9c53970cc642ee252d4d9a46fd8d0"
        );
    }

    fn digest(conversations: &[NetConversation]) -> NetDigest {
        let mut digester = Digester::default();
        let mut sum = NetDigest::default();
        conversations.iter().for_each(|net| digester.add(net, &mut sum));
        sum
    }

    fn charge_of(net: &mut NetConversation) -> &mut NetCharge {
        net.charge.as_mut().unwrap()
    }

    /// A user's conversation of the morning of 2022-02-01, answered after five minutes.
    fn conversation(number: u8) -> NetConversation {
        let opened_at = UnixMillis(1_643_709_600_000 + i64::from(number));
        NetConversation {
            conversation: ConversationId([number; 16]),
            account: Arc::from("102290129340398"),
            business_phone: Arc::from("106540352242922"),
            user: UserRef([number; 16]),
            initiator: Initiator::User,
            opened_at,
            expires_at: UnixMillis(opened_at.0 + 86_400_000),
            closed: false,
            without_consent: false,
            market: Arc::from("Brazil"),
            period: Period { year: 2022, month: 2 },
            user_messages: 1,
            business_messages: 1,
            charge: Some(NetCharge {
                charge: ChargeId([number; 16]),
                at: UnixMillis(opened_at.0 + 300_000),
                booking: 1,
                category: Category::Unspecified,
                price: PriceOutcome {
                    amount: Some(Micros(30_000)),
                    currency: Currency::parse("USD").unwrap(),
                    tariff: Arc::from("whatsapp-2022"),
                    card: Arc::from("2022-02-01-USD.csv"),
                    row: 7,
                    reason: Arc::from(""),
                },
                entry: Sequence(2),
            }),
            last_entry: Sequence(2),
        }
    }
}
