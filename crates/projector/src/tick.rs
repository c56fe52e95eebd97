//! Time passes: a tick closes what falls due.
//!
//! Invariant: nothing else moves a partition's time (SPEC §4), and closes come by (end, conversation id).

use model::{ConversationId, Entry, Record, UnixMillis};

use crate::{
    apply::ENOUGH,
    booking::Book,
    error::ProjectError,
    identity::conversation_id,
    labels::{LabelsMet, LaneLabels},
    projector::{Projected, Projector, Slot},
    thread::Thread,
};

/// Threads that are looked up before their conversations are closed, so that memory is waited for once a group: by the
/// order of their ends they lie anywhere.
const GROUP: usize = 32;

/// A conversation whose end has come: the last of the thread at this place.
#[derive(Debug, Clone, Copy)]
struct Due {
    ends_at: UnixMillis,
    bucket: u16,
    at: u32,
}

impl Projector {
    /// Closes what falls due.
    pub(crate) fn tick(
        &mut self,
        record: &Record,
        time: UnixMillis,
        enough: &mut dyn FnMut(&mut Vec<Entry>),
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        if time <= self.partition_time {
            return Ok(());
        }
        self.partition_time = time;
        let Some((configuration, _)) = &self.configuration else { return Ok(()) };
        let mut due = Vec::new();
        let mut in_bucket = Vec::new();
        for (number, slot) in (0..).zip(&mut self.buckets) {
            let bucket = match slot {
                Slot::Away(first) if first.is_none_or(|minute| !minute.has_come(time)) => continue,
                Slot::Away(_) => return Err(ProjectError::NotLoaded(record.offset)),
                Slot::Loaded(bucket) => bucket,
            };
            let mut hint = || {
                self.next_hint += 1;
                self.next_hint - 1
            };
            let damaged = |_| ProjectError::DamagedState(record.offset);
            bucket.due(time, &mut hint, &mut in_bucket).map_err(damaged)?;
            bucket.dirty |= !in_bucket.is_empty();
            for at in in_bucket.drain(..) {
                let Some(ends_at) = bucket.threads[at].open_end() else { continue };
                due.push(Due { ends_at, bucket: number, at });
            }
        }
        self.put_in_order(&mut due);
        let mut met = LabelsMet::default();
        let labels = LaneLabels { known: &self.labels, met: &mut met, lane: 0, lanes: 1 };
        let mut book = Book {
            configuration,
            words: &self.words,
            labels: &labels,
            partition: self.partition,
            offset: record.offset,
            record_time: record.record_time,
            partition_time: time,
            sequence: &mut self.sequence,
            entries: &mut out.entries,
        };
        for group in due.chunks(GROUP) {
            group.iter().filter_map(|due| thread_of(&self.buckets, *due)).for_each(Thread::ask_for_last);
            for Due { bucket, at, .. } in group {
                let Slot::Loaded(bucket) = &mut self.buckets[usize::from(*bucket)] else { continue };
                let thread = &mut bucket.threads[*at];
                let id = thread.id();
                if let Some(last) = thread.last_conversation_mut() {
                    book.close(id, last);
                }
                if book.entries.len() >= ENOUGH {
                    enough(book.entries);
                }
            }
        }
        Ok(())
    }

    /// Sorts by end, then conversation id. Most ends differ, and an id is a hash: only where they do not, it is asked for.
    fn put_in_order(&self, due: &mut [Due]) {
        due.sort_unstable_by_key(|due| due.ends_at);
        for together in due.chunk_by_mut(|a, b| a.ends_at == b.ends_at).filter(|due| due.len() > 1) {
            together.sort_by_cached_key(|due| self.open_conversation(*due));
        }
    }

    fn open_conversation(&self, due: Due) -> Option<ConversationId> {
        let thread = thread_of(&self.buckets, due)?;
        let last = thread.conversations().next_back()?;
        let phone = self.words.get(thread.business_phone);
        Some(conversation_id(phone, thread.user, last.opener.at(), last.initiator))
    }
}

fn thread_of(buckets: &[Slot], due: Due) -> Option<&Thread> {
    match &buckets[usize::from(due.bucket)] {
        Slot::Loaded(bucket) => bucket.threads.get(due.at),
        Slot::Away(_) => None,
    }
}
