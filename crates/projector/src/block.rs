//! Messages by fours: the newest of a thread with the thread, those before them in blocks that the threads of a bucket
//! share, so that none is allocated alone.
//!
//! Knows nothing of threads. Invariant: the messages of a block are sorted; `before` is the fold over all before them.

use crate::{
    fold::FoldState,
    message::{Message, OrderKey},
    slabs::Slabs,
};

/// Messages in a block: more would leave more room empty at the end of each thread.
pub(crate) const BLOCK: usize = 4;

/// Up to four messages and the state before them. 150 bytes, alignment 1.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) before: FoldState,
    /// Behind the last there are only [`Message::NONE`]s: how many there are is written nowhere else.
    messages: [Message; BLOCK],
}

impl Default for Block {
    fn default() -> Self {
        Self { before: FoldState::default(), messages: [Message::NONE; BLOCK] }
    }
}

impl Block {
    /// Of at most [`BLOCK`] messages; more are left out.
    pub(crate) fn of(before: FoldState, messages: &[Message]) -> Self {
        let mut block = Self { before, ..Self::default() };
        block.messages.iter_mut().zip(messages).for_each(|(free, message)| *free = *message);
        block
    }

    fn length(&self) -> usize {
        self.messages.iter().position(Message::is_none).unwrap_or(BLOCK)
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages[..self.length()]
    }

    /// The message at `index`, if there is one.
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Message> {
        self.messages.get_mut(index).filter(|message| !message.is_none())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages[0].is_none()
    }

    pub(crate) fn is_full(&self) -> bool {
        !self.messages[BLOCK - 1].is_none()
    }

    /// Puts a message behind the `length` others, whose number the caller knows: nothing is read.
    #[inline]
    pub(crate) fn put(&mut self, length: usize, message: Message) {
        if let Some(free) = self.messages.get_mut(length) {
            *free = message;
        }
    }

    /// Asks for the lines of memory into which [`Self::put`] will write.
    #[inline]
    pub(crate) fn ask_for(&self, length: usize) {
        if let Some(free) = self.messages.get(length) {
            free.ask_for();
        }
    }

    /// Puts a message in its place. A full block is left as it is.
    pub(crate) fn insert(&mut self, index: usize, message: Message) {
        let length = self.length();
        if length < BLOCK && index <= length {
            self.messages.copy_within(index..length, index + 1);
            self.messages[index] = message;
        }
    }

    /// The messages of a full block and one more in its place.
    pub(crate) fn all_with(&self, index: usize, message: Message) -> [Message; BLOCK + 1] {
        let mut all = [message; BLOCK + 1];
        let index = index.min(BLOCK);
        all[..index].copy_from_slice(&self.messages[..index]);
        all[index + 1..].copy_from_slice(&self.messages[index..]);
        all
    }

    /// Takes the message at `index` out, if there is one.
    pub(crate) fn remove(&mut self, index: usize) {
        if index < self.length() {
            self.messages.copy_within(index + 1.., index);
            self.messages[BLOCK - 1] = Message::NONE;
        }
    }

    /// Whether it begins at or before `key`, or is empty.
    pub(crate) fn begins_before(&self, key: OrderKey) -> bool {
        self.messages().first().is_none_or(|first| first.key() <= key)
    }
}

/// The blocks of a bucket, but for the newest of each thread, which lies with the thread.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    blocks: Slabs<Block, TOGETHER>,
    free: Vec<u32>,
}

/// Blocks that are allocated together, in 4,050 bytes.
const TOGETHER: usize = 27;

impl Blocks {
    /// Asks for the memory into which [`Self::add`] mostly writes.
    #[inline]
    pub(crate) fn ask_for_next(&self) {
        self.blocks.ask_for_end();
    }

    /// Keeps a block and gives its number.
    pub(crate) fn add(&mut self, block: &Block) -> u32 {
        let Some(number) = self.free.pop() else { return self.blocks.push(*block) };
        self.blocks[number] = *block;
        number
    }

    pub(crate) fn get(&self, number: u32) -> &Block {
        &self.blocks[number]
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut Block {
        &mut self.blocks[number]
    }

    /// Takes a block out; its number is given anew.
    pub(crate) fn take(&mut self, number: u32) -> Block {
        self.free.push(number);
        self.blocks[number]
    }
}
