//! Time passes: a tick closes what falls due.
//!
//! Invariant: nothing else moves a partition's time (SPEC §4), and closes come by (end, conversation id).

use model::{Entry, Record, UnixMillis};

use crate::{
    apply::ENOUGH,
    booking::Book,
    error::ProjectError,
    identity::conversation_id,
    labels::{LabelsMet, LaneLabels},
    projector::{Projected, Projector, Slot},
};

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
        for (number, slot) in self.buckets.iter_mut().enumerate() {
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
                let thread = &mut bucket.threads[at];
                let user = thread.user;
                let phone = self.words.get(thread.business_phone);
                let Some(last) = thread.last_conversation_mut() else { continue };
                let id = conversation_id(phone, user, last.opener.at(), last.initiator);
                due.push((last.ends_at, id, number, at));
            }
        }
        due.sort_unstable();
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
        for (_, _, number, at) in due {
            if let Slot::Loaded(bucket) = &mut self.buckets[number] {
                let thread = &mut bucket.threads[at];
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
}
