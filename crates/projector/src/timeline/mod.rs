//! The messages of a thread in order, in chunks that each know the state before them.
//!
//! Chunks are blocks of the bucket, a few messages each; from some fifty messages on all but the last are kept as [`Long`].
//! Invariant: chunks are sorted, and none is empty; `before` of a chunk is the fold over all messages before it. So a
//! late message costs a chunk's length, whatever the length of the thread.

mod edit;
mod id_filter;
#[cfg(test)]
mod tests;

pub(crate) use edit::TimelineMut;

use model::{MessageRef, UnixMillis};

use crate::{
    block::{BLOCK, Block, Blocks},
    fold::FoldState,
    long::Long,
    message::{Message, OrderKey},
    packed::Packed48,
};
use id_filter::IdFilter;

/// Blocks before the newest one.
const FEW: usize = 11;

/// Messages between two known states.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) before: FoldState,
    pub(crate) messages: &'a [Message],
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) chunk: usize,
    pub(crate) index: usize,
}

/// What a message that comes in order asks for: no other memory is read for it.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Recent {
    ids: IdFilter,
    /// The time of the last message.
    at: Packed48,
    /// Messages in the newest block.
    length: u8,
}

/// What lies before the newest block.
#[derive(Debug)]
pub(crate) enum Earlier {
    /// Blocks by their numbers, the first `count` of them.
    Few {
        count: u8,
        blocks: [u32; FEW],
    },
    Many(Box<Long>),
}

impl Default for Earlier {
    fn default() -> Self {
        Self::Few { count: 0, blocks: [0; FEW] }
    }
}

impl Earlier {
    fn few(&self) -> &[u32] {
        match self {
            Self::Few { count, blocks } => &blocks[..usize::from(*count)],
            Self::Many(_) => &[],
        }
    }

    /// How many chunks.
    fn count(&self) -> usize {
        match self {
            Self::Few { count, .. } => usize::from(*count),
            Self::Many(long) => long.chunks.len(),
        }
    }

    /// Puts the number of a block among the others. False if there is no room for it.
    fn insert_few(&mut self, at: usize, number: u32) -> bool {
        let Self::Few { count, blocks } = self else { return false };
        let length = usize::from(*count);
        if length == FEW || at > length {
            return false;
        }
        blocks.copy_within(at..length, at + 1);
        blocks[at] = number;
        *count += 1;
        true
    }

    fn remove_few(&mut self, at: usize) {
        let Self::Few { count, blocks } = self else { return };
        let length = usize::from(*count);
        if at < length {
            blocks.copy_within(at + 1..length, at);
            *count -= 1;
        }
    }
}

impl Recent {
    pub(crate) fn has_messages(&self) -> bool {
        self.length > 0
    }

    /// Whether no message of the thread has this id. What is not ruled out is to be looked for.
    #[inline]
    pub(crate) fn rules_out(&self, id: MessageRef) -> bool {
        !self.ids.may_have(id)
    }

    /// Asks for the memory that the next message in order will need.
    #[inline]
    pub(crate) fn ask_for_room(&self, newest: &Block, blocks: &Blocks) {
        match usize::from(self.length) {
            BLOCK => blocks.ask_for_next(),
            length => newest.ask_for(length),
        }
    }

    /// The time of the last message, if there is any; else the beginning of times.
    #[inline]
    pub(crate) fn last_at(&self) -> UnixMillis {
        self.at.time()
    }
}

/// All remembered messages of a thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline<'a> {
    pub(crate) recent: &'a Recent,
    pub(crate) newest: &'a Block,
    pub(crate) earlier: &'a Earlier,
    /// Those of its bucket.
    pub(crate) blocks: &'a Blocks,
}

impl<'a> Timeline<'a> {
    /// The number of chunks.
    pub(crate) fn chunk_count(self) -> usize {
        self.earlier.count() + usize::from(self.recent.has_messages())
    }

    /// The chunk of this number; the last for any greater one.
    pub(crate) fn chunk(self, number: usize) -> Chunk<'a> {
        let of_last = || Chunk { before: self.newest.before, messages: self.newest.messages() };
        match self.earlier {
            Earlier::Few { .. } => self.earlier.few().get(number).map_or_else(of_last, |number| {
                let block = self.blocks.get(*number);
                Chunk { before: block.before, messages: block.messages() }
            }),
            Earlier::Many(long) => long
                .chunks
                .get(number)
                .map_or_else(of_last, |chunk| Chunk { before: chunk.before, messages: &chunk.messages }),
        }
    }

    pub(crate) fn chunks(self) -> impl ExactSizeIterator<Item = Chunk<'a>> {
        (0..self.chunk_count()).map(move |number| self.chunk(number))
    }

    pub(crate) fn last(self) -> Option<&'a Message> {
        self.newest.messages().last()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'a Message> {
        self.chunks().flat_map(|chunk| chunk.messages)
    }

    /// The message with this id.
    #[inline]
    pub(crate) fn find(self, id: MessageRef) -> Option<Message> {
        if self.recent.rules_out(id) { None } else { self.look_for(id) }
    }

    #[cold]
    fn look_for(self, id: MessageRef) -> Option<Message> {
        if let Some(found) = self.newest.messages().iter().find(|message| message.id == id) {
            return Some(*found);
        }
        match self.earlier {
            Earlier::Few { .. } => self.iter().find(|message| message.id == id).copied(),
            Earlier::Many(long) => long.find(id, |at| self.at_instant(at, id)),
        }
    }

    fn at_instant(self, at: UnixMillis, id: MessageRef) -> Option<Message> {
        let start = self.place_of((at, 0, MessageRef([0; 16])));
        self.iter_from(start)
            .take_while(|message| message.at() == at)
            .find(|message| message.id == id)
            .copied()
    }

    /// Where a message with this key stands, or would go: the chunk is the last that begins at or before it.
    pub(crate) fn place_of(self, key: OrderKey) -> Place {
        let begins_before = |block: &Block| block.begins_before(key);
        let chunk = match (begins_before(self.newest), self.earlier) {
            (true, earlier) => earlier.count(),
            (false, Earlier::Few { .. }) => {
                let begins_before = |number: &u32| begins_before(self.blocks.get(*number));
                self.earlier.few().iter().rposition(begins_before).unwrap_or(0)
            }
            (false, Earlier::Many(long)) => long.chunk_of(key),
        };
        let index = self.chunk(chunk).messages.partition_point(|message| message.key() < key);
        Place { chunk, index }
    }

    pub(crate) fn iter_from(self, from: Place) -> impl Iterator<Item = &'a Message> {
        let start = move |number| if number == from.chunk { from.index } else { 0 };
        (from.chunk..self.chunk_count()).flat_map(move |number| &self.chunk(number).messages[start(number)..])
    }
}
