//! The messages of a thread that has many, but for its last: in chunks of their own, with a table of their ids.
//!
//! Invariant: chunks are sorted and hold at most [`CHUNK_MAX`] messages, few while there are few chunks; `before` of a
//! chunk is the fold over all messages before it. So a late message costs a chunk's length, whatever that of the thread.

use hashbrown::HashTable;
use model::{MessageRef, UnixMillis};

use crate::{
    block::{BLOCK, Block},
    fold::{FoldState, Rules, fold_on},
    message::{Message, OrderKey},
};

/// Messages in a chunk of a thread that has few chunks.
const ROOM: usize = 16;
/// From this number of chunks on they may grow up to [`CHUNK_MAX`].
const MANY_CHUNKS: usize = 16;
/// A chunk that grows beyond this is cut in two.
const CHUNK_MAX: usize = 256;

/// Messages between two known states.
#[derive(Debug, Clone, Default)]
pub(crate) struct LongChunk {
    pub(crate) before: FoldState,
    pub(crate) messages: Vec<Message>,
}

/// All messages of a thread but its last few.
#[derive(Debug, Default)]
pub(crate) struct Long {
    pub(crate) chunks: Vec<LongChunk>,
    by_id: IdTable,
}

impl Long {
    /// Of chunks with their states; their ids are still to be noted.
    pub(crate) fn of(chunks: Vec<LongChunk>) -> Self {
        Self { chunks, by_id: IdTable::default() }
    }

    fn limit(&self) -> usize {
        if self.chunks.len() < MANY_CHUNKS { ROOM } else { CHUNK_MAX }
    }

    /// Adds messages behind all others.
    pub(crate) fn push(&mut self, block: &Block) {
        let limit = self.limit();
        match self.chunks.last_mut() {
            Some(last) if last.messages.len() + block.messages().len() <= limit => {
                make_room(&mut last.messages, limit);
                last.messages.extend_from_slice(block.messages());
            }
            Some(_) | None => {
                let mut messages = Vec::with_capacity(ROOM);
                messages.extend_from_slice(block.messages());
                self.chunks.push(LongChunk { before: block.before, messages });
            }
        }
    }

    /// Takes the last few messages out.
    pub(crate) fn pop(&mut self, rules: &Rules) -> Option<Block> {
        let last = self.chunks.last_mut()?;
        let kept = last.messages.len().saturating_sub(BLOCK);
        let before = fold_on(rules, last.before, &last.messages[..kept]);
        let block = Block::of(before, &last.messages[kept..]);
        last.messages.truncate(kept);
        if kept == 0 {
            self.chunks.pop();
        }
        Some(block)
    }

    /// The number of the last chunk that begins at or before `key`; the first if there is none.
    pub(crate) fn chunk_of(&self, key: OrderKey) -> usize {
        let begins_before = |chunk: &LongChunk| chunk.messages.first().is_none_or(|first| first.key() <= key);
        self.chunks.partition_point(begins_before).saturating_sub(1)
    }

    /// Puts a message in its place. Tells whether the chunk was cut in two: the state before the second part is then
    /// the caller's to set.
    pub(crate) fn insert(&mut self, chunk: usize, index: usize, message: Message) -> bool {
        let limit = self.limit();
        let Some(found) = self.chunks.get_mut(chunk) else { return false };
        make_room(&mut found.messages, limit);
        found.messages.insert(index, message);
        if found.messages.len() <= limit {
            return false;
        }
        let later = LongChunk { before: found.before, messages: found.messages.split_off(limit / 2) };
        found.messages.shrink_to(limit);
        self.chunks.insert(chunk + 1, later);
        true
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, chunk: usize, index: usize) {
        let Some(found) = self.chunks.get_mut(chunk) else { return };
        found.messages.remove(index);
        if found.messages.is_empty() {
            self.chunks.remove(chunk);
        }
    }

    /// Makes the id of a message of the thread known.
    pub(crate) fn note(&mut self, message: &Message) {
        self.by_id.insert(message);
    }

    /// Makes the ids of all messages in the chunks known.
    pub(crate) fn note_all(&mut self) {
        self.chunks.iter().flat_map(|chunk| &chunk.messages).for_each(|message| self.by_id.insert(message));
    }

    /// Forgets the id of a message of the thread.
    pub(crate) fn forget(&mut self, message: &Message) {
        self.by_id.remove(message);
    }

    /// The message with this id; `at_instant` finds it among those of an instant.
    pub(crate) fn find(
        &self,
        id: MessageRef,
        at_instant: impl Fn(UnixMillis) -> Option<Message>,
    ) -> Option<Message> {
        self.by_id.find(id, at_instant)
    }
}

/// Makes room for a block more, up to the limit in steps that double.
fn make_room(messages: &mut Vec<Message>, limit: usize) {
    let (length, room) = (messages.len(), messages.capacity());
    if length + BLOCK > room {
        let wanted = (2 * room).min(limit).max(length + BLOCK);
        messages.reserve_exact(wanted - length);
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
