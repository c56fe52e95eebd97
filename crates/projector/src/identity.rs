//! Ids that come from content: the same conversation has the same id in every replay.
//!
//! The hashed bytes are a persisted format: fields with their length before them, integers big-endian. Pinned by test.

use model::{ChargeId, ConversationId, Initiator, UnixMillis, UserRef};

const CONVERSATION: &[u8] = b"tarifa.conversation.v1";
const CHARGE: &[u8] = b"tarifa.charge.v1";

/// Id of a conversation: hash of the thread (business phone and user), the opening time and the kind.
#[must_use]
pub fn conversation_id(
    business_phone: &str,
    user: UserRef,
    opened_at: UnixMillis,
    initiator: Initiator,
) -> ConversationId {
    let fields =
        [business_phone.as_bytes(), &user.0, &opened_at.0.to_be_bytes(), initiator.as_str().as_bytes()];
    let length =
        CONVERSATION.len() + fields.iter().map(|field| size_of::<u16>() + field.len()).sum::<usize>();
    // Business phones are short, so that no memory need be asked for.
    let (mut short, mut long) = ([0; 128], Vec::new());
    let bytes: &mut [u8] = if length <= short.len() {
        &mut short[..length]
    } else {
        long.resize(length, 0);
        &mut long
    };
    let mut rest = put(bytes, CONVERSATION);
    for field in fields {
        rest = put(rest, &u16::try_from(field.len()).unwrap_or(u16::MAX).to_be_bytes());
        rest = put(rest, field);
    }
    ConversationId(first_16(&blake3::hash(bytes)))
}

/// Puts a piece at the front of a place, and gives what is behind it.
fn put<'a>(place: &'a mut [u8], piece: &[u8]) -> &'a mut [u8] {
    let (front, behind) = place.split_at_mut(piece.len());
    front.copy_from_slice(piece);
    behind
}

/// Id of the charge of a conversation.
#[must_use]
pub fn charge_id(conversation: ConversationId) -> ChargeId {
    let mut bytes = [0; CHARGE.len() + 16];
    let (domain, subject) = bytes.split_at_mut(CHARGE.len());
    domain.copy_from_slice(CHARGE);
    subject.copy_from_slice(&conversation.0);
    ChargeId(first_16(&blake3::hash(&bytes)))
}

fn first_16(hash: &blake3::Hash) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_bytes()[..16]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_pinned() {
        let id = conversation_id(
            "106540352242922",
            UserRef([7; 16]),
            UnixMillis(1_643_709_600_000),
            Initiator::User,
        );
        assert_eq!(id.to_string(), "aa0a27c938db4009610a087f23f20873");
        assert_eq!(charge_id(id).to_string(), "aee022b3c155d3d291ed248c2d14d65e");
    }

    #[test]
    fn a_phone_of_any_length_has_an_id_of_the_bytes_that_are_pinned() {
        for length in [0, 20, 57, 58, 59, 60, 300] {
            let phone = "7".repeat(length);
            let mut bytes = CONVERSATION.to_vec();
            for field in [phone.as_bytes(), &[7; 16], &[0, 0, 0, 0, 0, 0, 0, 9], b"business"] {
                bytes.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
                bytes.extend(field);
            }
            let id = conversation_id(&phone, UserRef([7; 16]), UnixMillis(9), Initiator::Business);
            assert_eq!(id.0, first_16(&blake3::hash(&bytes)), "{length}");
        }
    }

    #[test]
    fn another_thread_time_or_kind_is_another_conversation() {
        let id = |phone, user, at, who| conversation_id(phone, UserRef([user; 16]), UnixMillis(at), who);
        let first = id("1", 1, 1, Initiator::User);
        for other in [
            id("2", 1, 1, Initiator::User),
            id("1", 2, 1, Initiator::User),
            id("1", 1, 2, Initiator::User),
            id("1", 1, 1, Initiator::Business),
        ] {
            assert_ne!(first, other);
        }
    }
}
