//! Entries as canonical bytes, and the chain over them.
//!
//! Does not know Kafka or any store. Invariant: an entry has exactly one form in bytes; `decode_entry` takes nothing
//! that `encode_entry` would not write, so reading and writing again gives the same bytes.

mod backwards;
mod chain;
mod decode;
mod encode;
mod fields;
mod lanes;
mod words;

pub use chain::{ChainLanes, Chained, chain_hash, join_previous_hash, split_previous_hash};
pub use decode::{EntryDecoder, decode_entry};
pub use encode::{CanonicalEntry, EntryWriter, encode_entry};
pub use fields::CanonicalError;
pub use words::Words;

/// Field numbers of the bodies in `tarifa.billing.v1.Entry`, shared by writer and reader.
mod body {
    pub(super) const CONVERSATION_OPENED: u32 = 6;
    pub(super) const CONVERSATION_CHARGED: u32 = 7;
    pub(super) const MESSAGE_CHARGED: u32 = 8;
    pub(super) const CHARGE_REVERSED: u32 = 9;
    pub(super) const CONVERSATION_REVISED: u32 = 10;
    pub(super) const CONVERSATION_WITHDRAWN: u32 = 11;
    pub(super) const CONVERSATION_CLOSED: u32 = 12;
    pub(super) const PROVIDER_VERDICT: u32 = 13;
    pub(super) const CONSENT_CHANGED: u32 = 14;
    pub(super) const CONFIGURED: u32 = 15;
    pub(super) const RECORD_QUARANTINED: u32 = 16;
}

/// Field number of `previous_hash`, which ends every entry.
const PREVIOUS_HASH: u32 = 100;
/// `INITIATOR_USER` and `INITIATOR_BUSINESS` in the schema.
const INITIATOR_USER: u64 = 1;
const INITIATOR_BUSINESS: u64 = 2;
