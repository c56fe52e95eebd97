//! Applying records: shares of them side by side, and what comes of it put together in the order of the records.
//!
//! Invariant: entries depend on the sequence of records alone, never on how it is cut into batches or spread over lanes.

use model::{
    Configured, ContentHash, Disposition, Entry, EntryBody, Quarantined, Record, RecordContent, UnixMillis,
};

use crate::{
    error::ProjectError,
    lane::{Booking, Lane, LaneWork, Shared, is_future, lane_of},
    numbers::Numbers,
    projector::{BUCKETS, Projected, Projector},
};

/// Entries that are shown together to who may take them away.
pub(crate) const ENOUGH: usize = 2_048;

impl Projector {
    /// Spreads the buckets over this many lanes, 1 to 8, rounded down to a power of two: each is worked on by a thread of
    /// its own while a batch of at least `worth` records is applied. What is booked stays the same.
    pub fn spread_over(&mut self, lanes: usize, worth: usize) {
        self.lanes.resize_with(1 << lanes.clamp(1, 8).ilog2(), Lane::default);
        self.worth_sharing = worth;
    }

    /// Applies a batch. `original` gives the hash of the original bytes of the record at a place in the batch; it is
    /// asked only for records that go into quarantine. `enough` is shown the entries whenever there are some thousand of
    /// them, and may take them away: a tick closes any number of conversations.
    ///
    /// # Errors
    /// See [`ProjectError`]; the state is then no longer to be used.
    pub fn apply<R: AsRef<Record> + Sync>(
        &mut self,
        records: &[R],
        original: &mut dyn FnMut(usize) -> ContentHash,
        enough: &mut dyn FnMut(&mut Vec<Entry>),
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        out.clear();
        out.dispositions.resize(records.len(), Disposition::Control);
        out.threads.resize(records.len(), u32::MAX);
        let mut first = 0;
        while first < records.len() {
            let rest = &records[first..];
            let lanes = if self.is_worth_sharing(rest) { self.lanes.len() } else { 1 };
            let taken = self.side_by_side(lanes, rest)?;
            self.put_together(lanes, first, records, original, out);
            if out.entries.len() >= ENOUGH {
                enough(&mut out.entries);
            }
            self.next_offset.0 += taken as u64;
            first += taken;
            if let Some(record) = records.get(first) {
                let (expected, found) = (self.next_offset, record.as_ref().offset);
                if found != expected {
                    return Err(ProjectError::Gap { expected, found });
                }
                self.apply_alone(record, first, records, original, enough, out)?;
                self.next_offset.0 += 1;
                first += 1;
            }
        }
        out.new_threads.sort_unstable();
        Ok(())
    }

    /// Whether there are enough records before the first that all lanes have to wait for.
    fn is_worth_sharing<R: AsRef<Record>>(&self, records: &[R]) -> bool {
        let waits_for_all = |record: &R| lane_of(record.as_ref(), 1).is_none();
        self.lanes.len() > 1
            && records.len() >= self.worth_sharing
            && !records[..self.worth_sharing].iter().any(waits_for_all)
    }

    /// Lets each of the first lanes apply its share of the records; tells how many records there are before the first that
    /// all have to wait for.
    fn side_by_side<R: AsRef<Record> + Sync>(
        &mut self,
        lanes: usize,
        records: &[R],
    ) -> Result<usize, ProjectError> {
        let mut works = self.works(lanes);
        let Some((here, others)) = works.split_first_mut() else { return Ok(0) };
        let results: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = others.iter_mut().map(|work| scope.spawn(|| work.apply(records))).collect();
            let first = here.apply(records);
            let others = others
                .into_iter()
                .map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            std::iter::once(first).chain(others).collect()
        });
        let mut taken = 0;
        let mut earliest: Option<ProjectError> = None;
        for result in results {
            match result {
                Ok(before) => taken = before,
                Err(error) if earliest.as_ref().is_none_or(|known| error.offset() < known.offset()) => {
                    earliest = Some(error);
                }
                Err(_) => {}
            }
        }
        earliest.map_or(Ok(taken), Err)
    }

    /// The first lanes, each with its share of the buckets.
    fn works(&mut self, lanes: usize) -> Vec<LaneWork<'_>> {
        let shared = Shared {
            partition: self.partition,
            configuration: self.configuration.as_ref().map(|(content, rules)| (&**content, rules)),
            words: &self.words,
            labels: &self.labels,
            partition_time: self.partition_time,
            first: self.next_offset,
            first_hint: self.next_hint,
            lanes: u16::try_from(lanes).unwrap_or(1),
        };
        let sequence = if lanes == 1 { self.sequence } else { Numbers::START };
        let shares = self.buckets.chunks_mut(usize::from(BUCKETS) / lanes);
        (0..)
            .zip(self.lanes.iter_mut().zip(shares))
            .map(|(number, (lane, own))| LaneWork { lane, own, number, shared, sequence })
            .collect()
    }

    /// Puts in order what the lanes found and booked, and gives the entries their numbers.
    fn put_together<R: AsRef<Record>>(
        &mut self,
        lanes: usize,
        first: usize,
        records: &[R],
        original: &mut dyn FnMut(usize) -> ContentHash,
        out: &mut Projected,
    ) {
        let mut worked = std::mem::take(&mut self.lanes);
        self.labels.settle(worked[..lanes].iter_mut().map(|lane| &mut lane.labels));
        let mut hints = 0;
        for lane in &worked[..lanes] {
            for outcome in &lane.outcomes {
                let index = first + outcome.index as usize;
                out.dispositions[index] = outcome.disposition;
                out.threads[index] = outcome.hint;
                self.counts.count(outcome.disposition);
            }
            out.new_threads.extend(lane.new_threads.iter().map(|index| first + index));
            self.newest_event_time = self.newest_event_time.max(lane.newest);
            hints = hints.max(lane.hints);
        }
        self.next_hint += hints * u32::try_from(lanes).unwrap_or(1);
        if let [only] = &mut worked[..lanes] {
            let none_quarantined =
                only.bookings.iter().all(|booking| booking.disposition.quarantine().is_none());
            if none_quarantined && out.entries.is_empty() {
                // In their order, with their numbers.
                self.sequence.0 += only.entries.len() as u64;
                std::mem::swap(&mut only.entries, &mut out.entries);
                self.lanes = worked;
                return;
            }
        }
        let mut sources: Vec<_> = worked[..lanes]
            .iter_mut()
            .map(|lane| (lane.bookings.iter().peekable(), lane.entries.drain(..), &mut lane.numbers))
            .collect();
        loop {
            let next = |(at, source): (usize, &mut Source<'_>)| Some((source.0.peek()?.index, at));
            let Some((_, at)) = sources.iter_mut().enumerate().filter_map(next).min() else { break };
            let (bookings, entries, numbers) = &mut sources[at];
            let Some(booking) = bookings.next() else { break };
            for mut entry in entries.by_ref().take(booking.entries as usize) {
                self.sequence.0 += 1;
                entry.sequence = self.sequence;
                numbers.push(self.sequence);
                numbers.mend(&mut entry.body);
                out.entries.push(entry);
            }
            let index = first + booking.index as usize;
            if self.quarantine(records[index].as_ref(), index, booking.disposition, original, out) {
                numbers.push(self.sequence);
            }
        }
        drop(sources);
        self.lanes = worked;
        if lanes > 1 {
            // Mostly few records book: that is done before another thread has woken up.
            self.works(lanes).iter_mut().for_each(LaneWork::renumber);
        }
    }

    /// Applies a record that all lanes wait for.
    fn apply_alone<R: AsRef<Record> + Sync>(
        &mut self,
        record: &R,
        index: usize,
        records: &[R],
        original: &mut dyn FnMut(usize) -> ContentHash,
        enough: &mut dyn FnMut(&mut Vec<Entry>),
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        match &record.as_ref().content {
            RecordContent::Tick(time) => self.tick(record.as_ref(), *time, enough, out)?,
            RecordContent::Configuration(configured) => self.adopt(record.as_ref(), *configured, out)?,
            RecordContent::Resubmission { original: place, event } => {
                let is_future = is_future(record.as_ref(), event);
                let known = !is_future && !self.resubmitted.insert(place.0);
                for work in &mut self.works(1) {
                    work.resubmit(record, known)?;
                }
                self.put_together(1, index, records, original, out);
                return Ok(());
            }
            RecordContent::Event(_)
            | RecordContent::Malformed(_)
            | RecordContent::Misrouted
            | RecordContent::Ignored(_) => {}
        }
        self.counts.count(Disposition::Control);
        Ok(())
    }

    /// Appends the entry of a record that goes into quarantine. Tells whether it does.
    fn quarantine(
        &mut self,
        record: &Record,
        index: usize,
        disposition: Disposition,
        original: &mut dyn FnMut(usize) -> ContentHash,
        out: &mut Projected,
    ) -> bool {
        let Some(reason) = disposition.quarantine() else { return false };
        let detail = match disposition {
            Disposition::Malformed(reason) => reason.code(),
            Disposition::Misrouted
            | Disposition::Control
            | Disposition::Ignored(_)
            | Disposition::Future
            | Disposition::Duplicate
            | Disposition::Conflict
            | Disposition::Late
            | Disposition::Applied => 0,
        };
        let quarantined = Quarantined { reason, detail, original: original(index) };
        self.append(record, occurred_at(record), EntryBody::RecordQuarantined(quarantined), out);
        true
    }

    pub(crate) fn adopt(
        &mut self,
        record: &Record,
        configured: Configured,
        out: &mut Projected,
    ) -> Result<(), ProjectError> {
        if self.configured == Some(configured) {
            return Ok(());
        }
        if self.configured.is_some() {
            return Err(ProjectError::SecondConfiguration(record.offset));
        }
        let provided = self
            .configuration
            .as_ref()
            .is_some_and(|(content, _)| content.content_hash() == configured.content);
        if !provided {
            return Err(ProjectError::UnknownConfiguration(record.offset, configured.content));
        }
        self.configured = Some(configured);
        let Configured { content, effective_from } = configured;
        self.append(record, effective_from, EntryBody::Configured { content, effective_from }, out);
        Ok(())
    }

    fn append(&mut self, record: &Record, event_time: UnixMillis, body: EntryBody, out: &mut Projected) {
        self.sequence.0 += 1;
        out.entries.push(Entry {
            sequence: self.sequence,
            event_time,
            record_time: record.record_time,
            partition: self.partition,
            offset: record.offset,
            previous_hash: model::EntryHash::ZERO,
            body,
        });
    }
}

/// The bookings of a lane that are still to be put in order, their entries, and where the numbers of those are told.
type Source<'a> =
    (std::iter::Peekable<std::slice::Iter<'a, Booking>>, std::vec::Drain<'a, Entry>, &'a mut Numbers);

fn occurred_at(record: &Record) -> UnixMillis {
    record.content.event().map_or(record.record_time, |event| event.occurred_at)
}

#[cfg(test)]
mod tests {
    use model::{Offset, PartitionId};

    use super::*;

    /// Whatever the record is, and in whichever lane it would be.
    #[test]
    fn a_record_that_is_not_the_next_one_is_refused() {
        let record = |offset, content| Record { offset: Offset(offset), record_time: UnixMillis(0), content };
        for lanes in [1, 2] {
            for content in [RecordContent::Misrouted, RecordContent::Tick(UnixMillis(0))] {
                let mut projector = Projector::new(PartitionId(0));
                projector.spread_over(lanes, 1);
                let records = [record(0, RecordContent::Misrouted), record(2, content)];
                let refused = projector.apply(
                    &records,
                    &mut |_| ContentHash([0; 32]),
                    &mut |_| {},
                    &mut Projected::default(),
                );
                assert_eq!(refused, Err(ProjectError::Gap { expected: Offset(1), found: Offset(2) }));
            }
        }
    }
}
