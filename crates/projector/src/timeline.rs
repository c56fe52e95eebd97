//! The messages of a thread in order, in chunks that each know the state before them.
//!
//! Invariant: chunks are sorted and hold at most [`CHUNK_MAX`] messages; `before` of a chunk is the fold over all
//! messages before it. So a late message costs a chunk's length, whatever the length of the thread.

use hashbrown::HashTable;
use model::{MessageRef, UnixMillis};
use smallvec::SmallVec;

use crate::{
    fold::{FoldState, Rules, step},
    message::{Message, OrderKey},
};

/// A chunk that grows beyond this is cut in two.
pub(crate) const CHUNK_MAX: usize = 256;
/// From this length on a look-up by id uses a table; below it, reading along is faster.
const INDEX_FROM: usize = 48;

/// Messages between two known states.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunk {
    pub(crate) before: FoldState,
    pub(crate) messages: Vec<Message>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) chunk: usize,
    pub(crate) index: usize,
}

/// All remembered messages of a thread.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) chunks: SmallVec<[Chunk; 1]>,
    ids: IdFilter,
    by_id: Option<Box<IdTable>>,
}

/// Tells of most ids that they are new, without a look at the messages: a Bloom filter of two bits an id. At 48
/// messages, beyond which there is a table, one new id in ten is looked for in vain.
#[derive(Debug, Default, Clone, Copy)]
struct IdFilter([u64; 4]);

impl IdFilter {
    /// Two places among 256. Ids are keyed hashes, so that any of their bytes are as good as a hash of them.
    fn places(id: MessageRef) -> [(usize, u64); 2] {
        [id.0[8], id.0[9]].map(|place| (usize::from(place >> 6), 1 << (place & 63)))
    }

    fn add(&mut self, id: MessageRef) {
        for (word, bit) in Self::places(id) {
            self.0[word] |= bit;
        }
    }

    fn may_have(&self, id: MessageRef) -> bool {
        Self::places(id).iter().all(|(word, bit)| self.0[*word] & bit != 0)
    }
}

impl Timeline {
    pub(crate) fn from_chunks(chunks: SmallVec<[Chunk; 1]>) -> Self {
        let mut timeline = Self { chunks, ids: IdFilter::default(), by_id: None };
        let mut ids = IdFilter::default();
        timeline.iter().for_each(|message| ids.add(message.id));
        timeline.ids = ids;
        timeline.index_if_long();
        timeline
    }

    pub(crate) fn last(&self) -> Option<&Message> {
        self.chunks.last().and_then(|chunk| chunk.messages.last())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.chunks.iter().flat_map(|chunk| &chunk.messages)
    }

    /// The message with this id.
    pub(crate) fn find(&self, id: MessageRef) -> Option<Message> {
        match &self.by_id {
            None if !self.ids.may_have(id) => None,
            None => self.iter().find(|message| message.id == id).copied(),
            Some(table) => table.find(id, |at| self.at_instant(at, id)),
        }
    }

    fn at_instant(&self, at: UnixMillis, id: MessageRef) -> Option<Message> {
        let start = self.place_of((at, 0, MessageRef([0; 16])));
        self.iter_from(start)
            .take_while(|message| message.at() == at)
            .find(|message| message.id == id)
            .copied()
    }

    /// Where a message with this key stands, or would go: the chunk is the last that begins at or before it.
    pub(crate) fn place_of(&self, key: OrderKey) -> Place {
        let after =
            self.chunks.partition_point(|chunk| chunk.messages.first().is_none_or(|m| m.key() <= key));
        let chunk = after.saturating_sub(1);
        let index = self.chunks.get(chunk).map_or(0, |c| c.messages.partition_point(|m| m.key() < key));
        Place { chunk, index }
    }

    pub(crate) fn iter_from(&self, from: Place) -> impl Iterator<Item = &Message> {
        let first = self.chunks.get(from.chunk).map_or(&[][..], |chunk| &chunk.messages[from.index..]);
        first.iter().chain(self.chunks.iter().skip(from.chunk + 1).flat_map(|chunk| &chunk.messages))
    }

    /// Adds a message behind all others. `before` is the state before it.
    pub(crate) fn push(&mut self, before: FoldState, message: Message) {
        if self.chunks.last().is_none_or(|chunk| chunk.messages.len() >= CHUNK_MAX) {
            self.chunks.push(Chunk { before, messages: Vec::new() });
        }
        let chunk = self.chunks.len() - 1;
        push_tight(&mut self.chunks[chunk].messages, message);
        self.note(&message);
    }

    /// Puts a message in its place; the states of later chunks, and cutting a long one, are the caller's.
    pub(crate) fn insert(&mut self, message: Message) {
        if self.chunks.is_empty() {
            self.push(FoldState::default(), message);
            return;
        }
        let place = self.place_of(message.key());
        let chunk = &mut self.chunks[place.chunk];
        reserve_tight(&mut chunk.messages);
        chunk.messages.insert(place.index, message);
        self.note(&message);
    }

    /// Cuts the chunk of `key` in two if it has grown too long.
    pub(crate) fn split_if_long(&mut self, rules: &Rules, key: OrderKey) {
        let number = self.place_of(key).chunk;
        let Some(chunk) = self.chunks.get_mut(number).filter(|chunk| chunk.messages.len() > CHUNK_MAX) else {
            return;
        };
        let later = chunk.messages.split_off(CHUNK_MAX / 2);
        let mut before = chunk.before;
        for message in chunk.messages.iter().filter(|m| m.flags.counts()) {
            step(rules, &mut before, message);
        }
        self.chunks.insert(number + 1, Chunk { before, messages: later });
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, message: &Message) {
        let place = self.place_of(message.key());
        let Some(chunk) = self.chunks.get_mut(place.chunk) else { return };
        if chunk.messages.get(place.index).is_some_and(|found| found.id == message.id) {
            chunk.messages.remove(place.index);
            if chunk.messages.is_empty() && self.chunks.len() > 1 {
                self.chunks.remove(place.chunk);
            }
            if let Some(table) = &mut self.by_id {
                table.remove(message);
            }
        }
    }

    /// Changes what is known of a message that keeps its place.
    pub(crate) fn replace(&mut self, message: Message) {
        let place = self.place_of(message.key());
        if let Some(found) = self.chunks.get_mut(place.chunk).and_then(|c| c.messages.get_mut(place.index)) {
            *found = message;
        }
    }

    fn note(&mut self, message: &Message) {
        self.ids.add(message.id);
        match &mut self.by_id {
            Some(table) => table.insert(message),
            None => self.index_if_long(),
        }
    }

    fn index_if_long(&mut self) {
        let length: usize = self.chunks.iter().map(|chunk| chunk.messages.len()).sum();
        if length > INDEX_FROM {
            let mut table = IdTable::default();
            self.iter().for_each(|message| table.insert(message));
            self.by_id = Some(Box::new(table));
        }
    }
}

/// Grows by a quarter: threads are many, and room that is never used would be much of the memory.
fn reserve_tight(messages: &mut Vec<Message>) {
    if messages.len() == messages.capacity() {
        messages.reserve_exact(3 + messages.len() / 4);
    }
}

fn push_tight(messages: &mut Vec<Message>, message: Message) {
    reserve_tight(messages);
    messages.push(message);
}

/// Id → time, from which the place follows. Entries are twelve bytes.
#[derive(Debug, Default)]
struct IdTable {
    table: HashTable<Located>,
}

#[derive(Debug, Clone, Copy)]
struct Located {
    tag: u32,
    at: [u32; 2],
}

impl Located {
    fn of(message: &Message) -> Self {
        let at = u64::try_from(message.at().0).unwrap_or(0).to_le_bytes();
        let [a, b, c, d, e, f, g, h] = at;
        Self {
            tag: tag_of(message.id),
            at: [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])],
        }
    }

    fn at(self) -> UnixMillis {
        UnixMillis(i64::from(self.at[1]) << 32 | i64::from(self.at[0]))
    }
}

/// Ids are keyed hashes, so that any of their bytes are as good as a hash of them.
fn tag_of(id: MessageRef) -> u32 {
    let [a, b, c, d, ..] = id.0;
    u32::from_le_bytes([a, b, c, d])
}

fn spread(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl IdTable {
    fn insert(&mut self, message: &Message) {
        let located = Located::of(message);
        self.table.insert_unique(spread(located.tag), located, |l| spread(l.tag));
    }

    fn remove(&mut self, message: &Message) {
        let gone = Located::of(message);
        if let Ok(found) = self.table.find_entry(spread(gone.tag), |l| l.tag == gone.tag && l.at == gone.at) {
            found.remove();
        }
    }

    /// Two ids with one tag are told apart by `at_instant`, which compares the whole id.
    fn find(&self, id: MessageRef, at_instant: impl Fn(UnixMillis) -> Option<Message>) -> Option<Message> {
        let tag = tag_of(id);
        let mut found = None;
        self.table.find(spread(tag), |located| {
            if located.tag == tag {
                found = at_instant(located.at());
            }
            found.is_some()
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use model::{DurationMillis, Offset};
    use tariff::{Anchor, Window};

    use super::*;
    use crate::{
        labels::LabelId,
        message::{Flags, Side, seen},
    };

    const RULES: Rules = Rules {
        window: Window::Sliding,
        window_length: DurationMillis::from_hours(24),
        anchor: Anchor::FirstMessage,
    };

    fn message(at: i64) -> Message {
        let id = MessageRef(
            u128::from(at.cast_unsigned())
                .wrapping_mul(0x1234_5678_9abc_def1_2345_6789_abcd_ef01)
                .to_le_bytes(),
        );
        Message::new(id, UnixMillis(at), Offset(0), LabelId(0), Flags::new(Side::User, seen::REPORTED))
    }

    #[test]
    fn messages_in_any_order_are_sorted_and_found() {
        let mut timeline = Timeline::default();
        for n in 0..2_000_i64 {
            let message = message(n * 7_919 % 2_000);
            timeline.insert(message);
            timeline.split_if_long(&RULES, message.key());
        }
        assert!(timeline.iter().map(Message::at).is_sorted());
        assert!(timeline.chunks.iter().all(|chunk| chunk.messages.len() <= CHUNK_MAX));
        for n in 0..2_000 {
            assert_eq!(timeline.find(message(n).id), Some(message(n)));
        }
        for n in (0..2_000).step_by(2) {
            timeline.remove(&message(n));
        }
        assert_eq!(timeline.iter().count(), 1_000);
        assert_eq!(timeline.find(message(2).id), None);
        assert_eq!(timeline.find(message(3).id), Some(message(3)));
    }
}
