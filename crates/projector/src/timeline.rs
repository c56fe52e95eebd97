//! The messages of a thread in order, in chunks that each know the state before them.
//!
//! Chunks are blocks of the bucket, a few messages each; from some fifty messages on all but the last are kept as [`Long`].
//! Invariant: chunks are sorted, and none is empty; `before` of a chunk is the fold over all messages before it. So a
//! late message costs a chunk's length, whatever the length of the thread.

use model::{MessageRef, UnixMillis};

use crate::{
    block::{BLOCK, Block, Blocks},
    fold::{FoldState, Rules, fold_on},
    long::{Long, LongChunk},
    message::{Message, OrderKey},
    packed::Packed48,
};

/// Blocks before the last one.
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
    /// The last block, if there is any message.
    block: u32,
    /// The time of the last message.
    at: Packed48,
    /// Messages in the last block.
    length: u8,
}

/// What lies before the last block.
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

/// Tells of most ids that they are new, without a look at the messages: a Bloom filter of four bits an id. At 48
/// messages, beyond which there is a table, one new id in thirteen is looked for in vain, at 25 one in ninety.
#[derive(Debug, Default, Clone, Copy)]
struct IdFilter([u64; 4]);

impl IdFilter {
    /// Of a thread with a table: the filter itself rules nothing out.
    const FULL: Self = Self([u64::MAX; 4]);

    fn is_full(&self) -> bool {
        self.0.iter().all(|word| *word == u64::MAX)
    }

    /// Four places among 256. Ids are keyed hashes, so that any of their bytes are as good as a hash of them.
    fn places(id: MessageRef) -> [(usize, u64); 4] {
        [id.0[8], id.0[9], id.0[10], id.0[11]].map(|place| (usize::from(place >> 6), 1 << (place & 63)))
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

impl Recent {
    pub(crate) fn has_messages(&self) -> bool {
        self.length > 0
    }

    /// Whether no message of the thread has this id. What is not ruled out is to be looked for.
    #[inline]
    pub(crate) fn rules_out(&self, id: MessageRef) -> bool {
        !self.ids.may_have(id)
    }

    /// Reads the lines of memory into which the next message in order will be written.
    #[inline]
    pub(crate) fn touch(&self, blocks: &Blocks) -> u8 {
        match usize::from(self.length) {
            0 | BLOCK => blocks.touch_next(),
            length => blocks.get(self.block).touch(length),
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
    pub(crate) earlier: &'a Earlier,
    /// Those of its bucket.
    pub(crate) blocks: &'a Blocks,
}

impl<'a> Timeline<'a> {
    /// The number of chunks.
    pub(crate) fn chunk_count(self) -> usize {
        self.earlier.count() + usize::from(self.recent.has_messages())
    }

    fn last_block(self) -> Option<&'a Block> {
        self.recent.has_messages().then(|| self.blocks.get(self.recent.block))
    }

    /// The chunk of this number; the last for any greater one.
    pub(crate) fn chunk(self, number: usize) -> Chunk<'a> {
        let of_last = || {
            let block = self.last_block();
            Chunk {
                before: block.map_or_else(FoldState::default, |block| block.before),
                messages: block.map_or(&[], Block::messages),
            }
        };
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
        self.last_block().and_then(|block| block.messages().last())
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
        let newest = self.last_block().map_or(&[][..], Block::messages);
        if let Some(found) = newest.iter().find(|message| message.id == id) {
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
        let chunk = match (self.last_block().is_none_or(begins_before), self.earlier) {
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

/// The same to be changed.
#[derive(Debug)]
pub(crate) struct TimelineMut<'a> {
    pub(crate) recent: &'a mut Recent,
    pub(crate) earlier: &'a mut Earlier,
    pub(crate) blocks: &'a mut Blocks,
}

impl TimelineMut<'_> {
    pub(crate) fn view(&self) -> Timeline<'_> {
        Timeline { recent: self.recent, earlier: self.earlier, blocks: self.blocks }
    }

    /// Fills an empty timeline with chunks as [`Timeline::chunks`] gives them. False if they are not such.
    pub(crate) fn fill(&mut self, mut chunks: Vec<LongChunk>) -> bool {
        let fits = |chunk: &LongChunk| (1..=BLOCK).contains(&chunk.messages.len());
        let Some(last) = chunks.pop() else { return true };
        if !fits(&last) {
            return false;
        }
        self.recent.block = self.blocks.add(&Block::of(last.before, &last.messages));
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
        let block = match &mut *self.earlier {
            Earlier::Many(long) => match long.chunks.get_mut(number) {
                Some(chunk) => {
                    chunk.before = before;
                    return;
                }
                None => self.recent.block,
            },
            Earlier::Few { .. } => self.earlier.few().get(number).copied().unwrap_or(self.recent.block),
        };
        self.blocks.get_mut(block).before = before;
    }

    /// Adds a message behind all others. `before` is the state before it.
    #[inline]
    pub(crate) fn push(&mut self, before: FoldState, message: Message) {
        let length = usize::from(self.recent.length);
        if length == 0 || length == BLOCK {
            self.push_into_new(before, message);
        } else {
            self.blocks.get_mut(self.recent.block).put(length, message);
            self.recent.length += 1;
        }
        self.recent.at = Packed48::of_time(message.at());
        self.note(&message);
    }

    fn push_into_new(&mut self, before: FoldState, message: Message) {
        if self.recent.has_messages() {
            self.make_room();
            self.add_earlier(self.recent.block);
        }
        self.recent.block = self.blocks.begin(before, message);
        self.recent.length = 1;
    }

    /// Takes what is known of the last block from itself.
    fn settle(&mut self) {
        let messages = self.blocks.get(self.recent.block).messages();
        self.recent.length = u8::try_from(messages.len()).unwrap_or(u8::MAX);
        self.recent.at = messages.last().map_or(Packed48::ZERO, |last| Packed48::of_time(last.at()));
    }

    /// Keeps a block behind the earlier ones, among which there is room.
    fn add_earlier(&mut self, block: u32) {
        match &mut *self.earlier {
            Earlier::Many(long) => long.push(&self.blocks.take(block)),
            Earlier::Few { count, .. } => {
                let at = usize::from(*count);
                self.earlier.insert_few(at, block);
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
        let last = self.view().last_block().copied();
        last.iter().flat_map(Block::messages).for_each(|message| long.note(message));
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
        let block = self.blocks.get_mut(self.recent.block);
        let cut = block.is_full();
        if cut {
            // Others will come behind it: the block that is left behind is full.
            let all = block.all_with(index, message);
            let before = block.before;
            *block = Block::of(before, &all[..BLOCK]);
            self.add_earlier(self.recent.block);
            self.recent.block = self.blocks.begin(before, all[BLOCK]);
        } else {
            block.insert(index, message);
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
        let last = self.recent.block;
        self.blocks.get_mut(last).remove(index);
        self.settle();
        if self.recent.has_messages() {
            return;
        }
        let before = match &mut *self.earlier {
            Earlier::Many(long) => long.pop(rules).map(|block| self.blocks.add(&block)),
            Earlier::Few { count, .. } if *count == 0 => None,
            Earlier::Few { count, blocks } => {
                *count -= 1;
                Some(blocks[usize::from(*count)])
            }
        };
        self.blocks.take(last);
        if let Some(before) = before {
            self.recent.block = before;
            self.settle();
        }
    }

    /// Changes what is known of a message that keeps its place.
    pub(crate) fn replace(&mut self, message: Message) {
        let Place { chunk, index } = self.view().place_of(message.key());
        let block = match &mut *self.earlier {
            Earlier::Many(long) if chunk < long.chunks.len() => {
                if let Some(found) = long.chunks[chunk].messages.get_mut(index) {
                    *found = message;
                }
                return;
            }
            Earlier::Few { .. } => self.earlier.few().get(chunk).copied().unwrap_or(self.recent.block),
            Earlier::Many(_) => self.recent.block,
        };
        if let Some(found) = self.blocks.get_mut(block).get_mut(index) {
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
        let (mut recent, mut earlier, mut blocks) =
            (Recent::default(), Earlier::default(), Blocks::default());
        let mut timeline = TimelineMut { recent: &mut recent, earlier: &mut earlier, blocks: &mut blocks };
        for n in 0..2_000_i64 {
            let message = message(n * 7_919 % 2_000);
            if timeline.insert(message) {
                timeline.mend_cut(&RULES, message.key());
            }
            let chunks: Vec<_> = timeline.view().chunks().collect();
            assert!(chunks.iter().all(|chunk| (1..=256).contains(&chunk.messages.len())));
        }
        assert!(timeline.view().iter().map(Message::at).is_sorted());
        for n in 0..2_000 {
            assert_eq!(timeline.view().find(message(n).id), Some(message(n)));
        }
        for n in (0..2_000).step_by(2) {
            timeline.remove(&RULES, &message(n));
        }
        assert_eq!(timeline.view().iter().count(), 1_000);
        assert_eq!(timeline.view().find(message(2).id), None);
        assert_eq!(timeline.view().find(message(3).id), Some(message(3)));
        for n in (0..1_000).rev().map(|n| 2 * n + 1) {
            assert_eq!(timeline.view().last(), Some(&message(n)));
            timeline.remove(&RULES, &message(n));
        }
        assert_eq!(timeline.view().chunk_count(), 0);
    }

    /// Each chunk's state is the fold over what lies before it, however the messages came and went.
    #[test]
    fn a_short_thread_may_lose_and_regain_any_message() {
        for gone in 0..30 {
            let (mut recent, mut earlier, mut blocks) =
                (Recent::default(), Earlier::default(), Blocks::default());
            let mut timeline =
                TimelineMut { recent: &mut recent, earlier: &mut earlier, blocks: &mut blocks };
            let mut state = FoldState::default();
            for n in 0..30 {
                timeline.push(state, message(n));
                state = fold_on(&RULES, state, &[message(n)]);
            }
            timeline.remove(&RULES, &message(gone));
            assert_eq!(timeline.view().find(message(gone).id), None);
            if timeline.insert(message(gone)) {
                timeline.mend_cut(&RULES, message(gone).key());
            }
            let expected: Vec<Message> = (0..30).map(message).collect();
            assert_eq!(timeline.view().iter().copied().collect::<Vec<_>>(), expected);
            assert_eq!(timeline.view().last(), expected.last());
            let mut state = FoldState::default();
            for chunk in timeline.view().chunks() {
                assert_eq!(chunk.before, state);
                state = fold_on(&RULES, state, chunk.messages);
            }
        }
    }
}
