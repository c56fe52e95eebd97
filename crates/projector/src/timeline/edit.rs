//! Changing the messages of a thread: one more behind the others, one in between, one less, one told anew.
//!
//! Invariant: as of [`Timeline`]; the states before chunks behind a change are the caller's, who folds them again.

use super::{Chunk, Earlier, FEW, Place, Recent, Timeline, id_filter::IdFilter};
use crate::{
    block::{BLOCK, Block, Blocks},
    fold::{FoldState, Rules, fold_on},
    long::{Long, LongChunk},
    message::{Message, OrderKey},
    packed::Packed48,
};

/// The same to be changed.
#[derive(Debug)]
pub(crate) struct TimelineMut<'a> {
    pub(crate) recent: &'a mut Recent,
    pub(crate) newest: &'a mut Block,
    pub(crate) earlier: &'a mut Earlier,
    pub(crate) blocks: &'a mut Blocks,
}

impl TimelineMut<'_> {
    pub(crate) fn view(&self) -> Timeline<'_> {
        Timeline { recent: self.recent, newest: self.newest, earlier: self.earlier, blocks: self.blocks }
    }

    /// Fills an empty timeline with chunks as [`Timeline::chunks`] gives them. False if they are not such.
    pub(crate) fn fill(&mut self, mut chunks: Vec<LongChunk>) -> bool {
        let fits = |chunk: &LongChunk| (1..=BLOCK).contains(&chunk.messages.len());
        let Some(last) = chunks.pop() else { return true };
        if !fits(&last) {
            return false;
        }
        *self.newest = Block::of(last.before, &last.messages);
        self.settle();
        if chunks.len() <= FEW && chunks.iter().all(fits) {
            for (at, chunk) in chunks.iter().enumerate() {
                let number = self.blocks.add(&Block::of(chunk.before, &chunk.messages));
                self.earlier.insert_few(at, number);
            }
            let mut ids = IdFilter::default();
            self.view().iter().for_each(|message| ids.add(message.id));
            self.recent.ids = ids;
        } else {
            self.be_long(Long::of(chunks));
        }
        true
    }

    /// Says what the state before a chunk is now.
    pub(crate) fn set_before(&mut self, number: usize, before: FoldState) {
        let earlier = match &mut *self.earlier {
            Earlier::Many(long) => long.chunks.get_mut(number).map(|chunk| &mut chunk.before),
            Earlier::Few { .. } => {
                let block = self.earlier.few().get(number);
                block.map(|block| &mut self.blocks.get_mut(*block).before)
            }
        };
        *earlier.unwrap_or(&mut self.newest.before) = before;
    }

    /// Adds a message behind all others. `before` is the state before it.
    #[inline]
    pub(crate) fn push(&mut self, before: FoldState, message: Message) {
        let length = usize::from(self.recent.length);
        if length == 0 || length == BLOCK {
            self.push_into_new(before, message);
        } else {
            self.newest.put(length, message);
            self.recent.length += 1;
        }
        self.recent.at = Packed48::of_time(message.at());
        self.note(&message);
    }

    fn push_into_new(&mut self, before: FoldState, message: Message) {
        if self.recent.has_messages() {
            self.make_room();
            self.add_earlier();
        }
        *self.newest = Block::of(before, &[message]);
        self.recent.length = 1;
    }

    /// Takes what is known of the newest block from itself.
    fn settle(&mut self) {
        let messages = self.newest.messages();
        self.recent.length = u8::try_from(messages.len()).unwrap_or(u8::MAX);
        self.recent.at = messages.last().map_or(Packed48::ZERO, |last| Packed48::of_time(last.at()));
    }

    /// Keeps the newest block behind the earlier ones, among which there is room.
    fn add_earlier(&mut self) {
        match &mut *self.earlier {
            Earlier::Many(long) => long.push(self.newest),
            Earlier::Few { count, .. } => {
                let at = usize::from(*count);
                self.earlier.insert_few(at, self.blocks.add(self.newest));
            }
        }
    }

    /// Sees to it that there is room for one more block before the last.
    fn make_room(&mut self) {
        if self.earlier.few().len() == FEW {
            self.lengthen();
        }
    }

    /// Keeps what lies in earlier blocks as [`Long`].
    #[cold]
    fn lengthen(&mut self) {
        let mut long = Long::default();
        for number in self.earlier.few() {
            long.push(&self.blocks.take(*number));
        }
        self.be_long(long);
    }

    fn be_long(&mut self, mut long: Long) {
        self.newest.messages().iter().for_each(|message| long.note(message));
        long.note_all();
        *self.earlier = Earlier::Many(Box::new(long));
        self.recent.ids = IdFilter::FULL;
    }

    /// Puts a message in its place. The states before later chunks are the caller's; where a chunk was cut in two, see
    /// [`Self::mend_cut`], for which this tells whether.
    pub(crate) fn insert(&mut self, message: Message) -> bool {
        let mut place = self.view().place_of(message.key());
        if self.view().chunk(place.chunk).messages.len() == BLOCK {
            self.make_room();
            place = self.view().place_of(message.key());
        }
        let Place { chunk, index } = place;
        let is_last = chunk == self.earlier.count();
        let cut = match &mut *self.earlier {
            _ if is_last => self.insert_into_last(index, message),
            Earlier::Many(long) => long.insert(chunk, index, message),
            Earlier::Few { blocks, .. } => {
                let number = blocks[chunk];
                self.insert_into_block(number, chunk, index, message)
            }
        };
        self.note(&message);
        cut
    }

    fn insert_into_last(&mut self, index: usize, message: Message) -> bool {
        if !self.recent.has_messages() {
            self.push_into_new(FoldState::default(), message);
            self.settle();
            return false;
        }
        let cut = self.newest.is_full();
        if cut {
            // Others will come behind it: the block that is left behind is full.
            let (before, all) = (self.newest.before, self.newest.all_with(index, message));
            let (full, rest) = all.split_at(BLOCK);
            *self.newest = Block::of(before, full);
            self.add_earlier();
            *self.newest = Block::of(before, rest);
        } else {
            self.newest.insert(index, message);
        }
        self.settle();
        cut
    }

    fn insert_into_block(&mut self, number: u32, chunk: usize, index: usize, message: Message) -> bool {
        let block = self.blocks.get_mut(number);
        if !block.is_full() {
            block.insert(index, message);
            return false;
        }
        let all = block.all_with(index, message);
        let (first, later) = all.split_at(BLOCK.div_ceil(2) + 1);
        let later = Block::of(block.before, later);
        *block = Block::of(block.before, first);
        let number = self.blocks.add(&later);
        self.earlier.insert_few(chunk + 1, number)
    }

    /// Sets the states before the chunk of `key` and the one behind it, after one was cut in two.
    pub(crate) fn mend_cut(&mut self, rules: &Rules, key: OrderKey) {
        let chunk = self.view().place_of(key).chunk;
        for number in chunk.max(1)..self.view().chunk_count().min(chunk + 2) {
            let Chunk { before, messages } = self.view().chunk(number - 1);
            let before = fold_on(rules, before, messages);
            self.set_before(number, before);
        }
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, rules: &Rules, message: &Message) {
        let Place { chunk, index } = self.view().place_of(message.key());
        if self.view().chunk(chunk).messages.get(index).is_none_or(|found| found.id != message.id) {
            return;
        }
        if let Earlier::Many(long) = &mut *self.earlier {
            long.forget(message);
        }
        if chunk == self.earlier.count() {
            self.remove_from_last(rules, index);
            return;
        }
        match &mut *self.earlier {
            Earlier::Many(long) => long.remove(chunk, index),
            Earlier::Few { blocks, .. } => {
                let number = blocks[chunk];
                self.blocks.get_mut(number).remove(index);
                if self.blocks.get(number).is_empty() {
                    self.blocks.take(number);
                    self.earlier.remove_few(chunk);
                }
            }
        }
    }

    fn remove_from_last(&mut self, rules: &Rules, index: usize) {
        self.newest.remove(index);
        self.settle();
        if self.recent.has_messages() {
            return;
        }
        let before = match &mut *self.earlier {
            Earlier::Many(long) => long.pop(rules),
            Earlier::Few { count, .. } if *count == 0 => None,
            Earlier::Few { count, blocks } => {
                *count -= 1;
                Some(self.blocks.take(blocks[usize::from(*count)]))
            }
        };
        *self.newest = before.unwrap_or_default();
        self.settle();
    }

    /// Changes what is known of a message that keeps its place.
    pub(crate) fn replace(&mut self, message: Message) {
        let Place { chunk, index } = self.view().place_of(message.key());
        let found = match &mut *self.earlier {
            Earlier::Many(long) if chunk < long.chunks.len() => long.chunks[chunk].messages.get_mut(index),
            Earlier::Few { count, blocks } if chunk < usize::from(*count) => {
                self.blocks.get_mut(blocks[chunk]).get_mut(index)
            }
            Earlier::Few { .. } | Earlier::Many(_) => self.newest.get_mut(index),
        };
        if let Some(found) = found {
            *found = message;
        }
    }

    #[inline]
    fn note(&mut self, message: &Message) {
        // Where the filter says nothing any more there may be a table; else what lies elsewhere need not be asked.
        if !self.recent.ids.is_full() {
            self.recent.ids.add(message.id);
        } else if let Earlier::Many(long) = &mut *self.earlier {
            long.note(message);
        }
    }
}
