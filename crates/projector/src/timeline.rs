//! The messages of a thread in order, in chunks that each know the state before them.
//!
//! Invariant: chunks are sorted and hold at most [`CHUNK_MAX`] messages, few in a short thread; `before` of a chunk is
//! the fold over all messages before it. So a late message costs a chunk's length, whatever the length of the thread.

use hashbrown::HashTable;
use model::{MessageRef, UnixMillis};

use crate::{
    fold::{FoldState, Rules, step},
    message::{Message, OrderKey},
};

/// Room in a chunk of a thread that has few. It is taken in three steps: threads are many, so that little of it may be
/// empty, and nothing be moved often.
const ROOM: usize = 16;
/// Room in the first step.
const FIRST_ROOM: usize = 4;
/// From this number of chunks on they may grow up to [`CHUNK_MAX`].
const MANY_CHUNKS: usize = 16;
/// A chunk that grows beyond this is cut in two.
const CHUNK_MAX: usize = 256;
/// From this number of chunks on a look-up by id uses a table; below it, reading along is faster.
const INDEX_FROM: usize = 4;

/// Messages between two known states.
#[derive(Debug, Clone, Default)]
#[repr(C)]
pub(crate) struct Chunk {
    pub(crate) messages: Vec<Message>,
    pub(crate) before: FoldState,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) chunk: usize,
    pub(crate) index: usize,
}

/// All remembered messages of a thread. The last chunk lies in the thread itself: most messages come in order.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Timeline {
    ids: IdFilter,
    last: Chunk,
    earlier: Option<Box<Earlier>>,
}

/// What few messages ask for.
#[derive(Debug, Default)]
struct Earlier {
    chunks: Vec<Chunk>,
    by_id: Option<IdTable>,
}

impl Earlier {
    /// Adds a chunk behind the others. Most threads have one or two: no room is kept for more.
    fn add(&mut self, chunk: Chunk) {
        if self.chunks.len() == self.chunks.capacity() {
            self.chunks.reserve_exact(1 + self.chunks.len() / 2);
        }
        self.chunks.push(chunk);
    }
}

/// Tells of most ids that they are new, without a look at the messages: a Bloom filter of two bits an id. At 48
/// messages, beyond which there is a table, one new id in ten is looked for in vain.
#[derive(Debug, Default, Clone, Copy)]
struct IdFilter([u64; 4]);

impl IdFilter {
    /// Of a thread with a table: the filter itself rules nothing out.
    const FULL: Self = Self([u64::MAX; 4]);

    fn is_full(&self) -> bool {
        self.0.iter().all(|word| *word == u64::MAX)
    }

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
    pub(crate) fn from_chunks(mut chunks: Vec<Chunk>) -> Self {
        let last = chunks.pop().unwrap_or_default();
        let mut timeline = Self { last, ..Self::default() };
        if !chunks.is_empty() {
            timeline.earlier_mut().chunks = chunks;
        }
        let mut ids = IdFilter::default();
        timeline.iter().for_each(|message| ids.add(message.id));
        timeline.ids = ids;
        timeline.index_if_long();
        timeline
    }

    fn earlier_mut(&mut self) -> &mut Earlier {
        self.earlier.get_or_insert_default()
    }

    fn earlier_chunks(&self) -> &[Chunk] {
        self.earlier.as_ref().map_or(&[], |earlier| &earlier.chunks)
    }

    /// The number of chunks; an empty thread has one, which is empty.
    pub(crate) fn chunk_count(&self) -> usize {
        self.earlier_chunks().len() + 1
    }

    /// The chunk of this number; the last for any greater one.
    pub(crate) fn chunk(&self, number: usize) -> &Chunk {
        self.earlier_chunks().get(number).unwrap_or(&self.last)
    }

    /// See [`Self::chunk`].
    pub(crate) fn chunk_mut(&mut self, number: usize) -> &mut Chunk {
        let earlier = self.earlier.as_mut().and_then(|earlier| earlier.chunks.get_mut(number));
        earlier.unwrap_or(&mut self.last)
    }

    pub(crate) fn chunks(&self) -> impl ExactSizeIterator<Item = &Chunk> {
        (0..self.chunk_count()).map(|number| self.chunk(number))
    }

    /// How many messages a chunk may hold.
    fn chunk_limit(&self) -> usize {
        if self.earlier_chunks().len() < MANY_CHUNKS { ROOM } else { CHUNK_MAX }
    }

    pub(crate) fn has_messages(&self) -> bool {
        !self.last.messages.is_empty()
    }

    pub(crate) fn last(&self) -> Option<&Message> {
        self.last.messages.last()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.chunks().flat_map(|chunk| &chunk.messages)
    }

    /// The message with this id.
    pub(crate) fn find(&self, id: MessageRef) -> Option<Message> {
        if !self.ids.may_have(id) {
            return None;
        }
        match self.earlier.as_ref().and_then(|earlier| earlier.by_id.as_ref()) {
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
        let begins_before = |chunk: &Chunk| chunk.messages.first().is_none_or(|first| first.key() <= key);
        let earlier = self.earlier_chunks();
        let chunk = match begins_before(&self.last) {
            true => earlier.len(),
            false => earlier.partition_point(begins_before).saturating_sub(1),
        };
        Place { chunk, index: self.chunk(chunk).messages.partition_point(|message| message.key() < key) }
    }

    pub(crate) fn iter_from(&self, from: Place) -> impl Iterator<Item = &Message> {
        let start = move |number| if number == from.chunk { from.index } else { 0 };
        (from.chunk..self.chunk_count()).flat_map(move |number| &self.chunk(number).messages[start(number)..])
    }

    /// Adds a message behind all others. `before` is the state before it.
    pub(crate) fn push(&mut self, before: FoldState, message: &Message) {
        if self.last.messages.len() == self.last.messages.capacity() {
            self.make_room_behind();
        }
        if self.last.messages.is_empty() {
            self.last.before = before;
        }
        self.last.messages.push(*message);
        self.note(message);
    }

    #[cold]
    fn make_room_behind(&mut self) {
        let limit = self.chunk_limit();
        if self.last.messages.len() < limit {
            make_room(&mut self.last.messages, limit);
            return;
        }
        let next = Chunk { messages: Vec::with_capacity(ROOM / 2), ..Chunk::default() };
        let full = std::mem::replace(&mut self.last, next);
        self.earlier_mut().add(full);
        self.index_if_long();
    }

    /// Puts a message in its place; the states of later chunks, and cutting a long one, are the caller's.
    pub(crate) fn insert(&mut self, message: Message) {
        let limit = self.chunk_limit();
        let place = self.place_of(message.key());
        let messages = &mut self.chunk_mut(place.chunk).messages;
        make_room(messages, limit);
        messages.insert(place.index, message);
        self.note(&message);
    }

    /// Cuts the chunk of `key` in two if it has grown too long.
    pub(crate) fn split_if_long(&mut self, rules: &Rules, key: OrderKey) {
        let limit = self.chunk_limit();
        let number = self.place_of(key).chunk;
        let is_last = number + 1 == self.chunk_count();
        let chunk = self.chunk_mut(number);
        if chunk.messages.len() <= limit {
            return;
        }
        let later = chunk.messages.split_off(limit / 2);
        chunk.messages.shrink_to(limit);
        let mut before = chunk.before;
        for message in chunk.messages.iter().filter(|m| m.flags.counts()) {
            step(rules, &mut before, message);
        }
        let later = Chunk { before, messages: later };
        if is_last {
            let first = std::mem::replace(&mut self.last, later);
            self.earlier_mut().add(first);
        } else {
            self.earlier_mut().chunks.insert(number + 1, later);
        }
        self.index_if_long();
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, message: &Message) {
        let place = self.place_of(message.key());
        let messages = &mut self.chunk_mut(place.chunk).messages;
        if messages.get(place.index).is_none_or(|found| found.id != message.id) {
            return;
        }
        messages.remove(place.index);
        let is_empty = messages.is_empty();
        let Some(earlier) = &mut self.earlier else { return };
        if let Some(table) = &mut earlier.by_id {
            table.remove(message);
        }
        if is_empty && place.chunk < earlier.chunks.len() {
            earlier.chunks.remove(place.chunk);
        } else if is_empty && let Some(last) = earlier.chunks.pop() {
            self.last = last;
        }
    }

    /// Changes what is known of a message that keeps its place.
    pub(crate) fn replace(&mut self, message: Message) {
        let place = self.place_of(message.key());
        if let Some(found) = self.chunk_mut(place.chunk).messages.get_mut(place.index) {
            *found = message;
        }
    }

    fn note(&mut self, message: &Message) {
        // Where the filter says nothing any more there may be a table; else what lies elsewhere need not be asked.
        if !self.ids.is_full() {
            self.ids.add(message.id);
        } else if let Some(table) = self.earlier.as_mut().and_then(|earlier| earlier.by_id.as_mut()) {
            table.insert(message);
        }
    }

    fn index_if_long(&mut self) {
        if self.chunk_count() >= INDEX_FROM && self.earlier_mut().by_id.is_none() {
            let mut table = IdTable::default();
            self.iter().for_each(|message| table.insert(message));
            self.earlier_mut().by_id = Some(table);
            self.ids = IdFilter::FULL;
        }
    }
}

/// Makes room for one message more.
fn make_room(messages: &mut Vec<Message>, limit: usize) {
    let (length, room) = (messages.len(), messages.capacity());
    if length == room {
        let wanted = match room {
            0 => FIRST_ROOM,
            _ => (2 * room).min(limit),
        };
        messages.reserve_exact(wanted.max(length + 1) - length);
    }
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
        assert!(timeline.chunks().all(|chunk| chunk.messages.len() <= CHUNK_MAX));
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
