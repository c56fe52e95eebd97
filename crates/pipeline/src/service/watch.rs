//! A look at the broker now and then: how far ahead the input is, and whether what lies there is still what was read and
//! published.
//!
//! Invariant: it changes nothing; what it finds wrong stops the partition, or the service, before more is booked on it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread,
    time::{Duration, Instant},
};

use ledger::{LedgerReader, store::Store};
use model::PartitionId;

use super::{
    belonging::Belonging,
    error::ServiceError,
    metrics::{Metrics, Phase},
    ports::{Broker, Place, PortError},
};

/// How often the ends of partitions are asked for.
const ENDS: Duration = Duration::from_secs(5);
/// How often the place is compared, and one partition after the other.
const PLACE: Duration = Duration::from_secs(10);
/// After a look that found something: a broker that has just come up may not know all of its topics yet.
const PLACE_AGAIN: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

/// Looks at the broker.
pub(crate) struct Watch<S> {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) reader: LedgerReader<S>,
    pub(crate) place: Place,
    pub(crate) metrics: Arc<Metrics>,
    /// Set when the service has ended.
    pub(crate) ended: Arc<AtomicBool>,
    /// Where what is wrong is put for the consuming thread.
    pub(crate) found: Arc<Found>,
    /// Hears of partitions that must not be read any further.
    pub(crate) trouble: Sender<(PartitionId, ServiceError)>,
    /// Whether a ledger topic that has lost entries is being written again.
    pub(crate) republish_ledger: bool,
}

/// What passes between the consuming thread and the looks.
#[derive(Debug, Default)]
pub(crate) struct Found {
    wrong: Mutex<Option<ServiceError>>,
    in_doubt: AtomicBool,
}

impl Found {
    /// Takes what a look found wrong.
    pub(crate) fn take(&self) -> Option<ServiceError> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, error: ServiceError) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// The log could not be read where it was to be read: all partitions are to be looked at.
    pub(crate) fn doubt(&self) {
        self.in_doubt.store(true, Ordering::Relaxed);
    }
}

impl<S: Store> Watch<S> {
    /// Looks until the service has ended.
    pub(crate) fn run(&self) {
        let (mut ends, mut place) = (Instant::now(), Instant::now() + PLACE);
        let mut suspect = None;
        let mut rounds = 0;
        while !self.ended.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
            if self.found.in_doubt.swap(false, Ordering::Relaxed) {
                self.running().into_iter().for_each(|partition| self.clear_doubt(partition));
            }
            if Instant::now() >= ends {
                ends = Instant::now() + ENDS;
                self.look_at_ends();
            }
            if Instant::now() >= place {
                suspect = self.look_at_place(suspect.take());
                place = Instant::now() + if suspect.is_some() { PLACE_AGAIN } else { PLACE };
                let running = self.running();
                if !running.is_empty() {
                    self.look_at(running[rounds % running.len()]);
                    rounds += 1;
                }
            }
        }
    }

    fn running(&self) -> Vec<PartitionId> {
        let partitions = self.metrics.snapshot().partitions.into_iter();
        let running = partitions.filter(|(_, partition)| partition.phase == Phase::Running);
        running.map(|(number, _)| PartitionId(number)).collect()
    }

    fn look_at_ends(&self) {
        for (number, partition) in self.metrics.snapshot().partitions {
            if partition.at_end || self.ended.load(Ordering::Relaxed) {
                continue;
            }
            // A broker that is away is told of by those who need it.
            let Ok((_, end)) = self.broker.input_range(PartitionId(number)) else { return };
            self.metrics.partition_if_there(PartitionId(number), |metrics| {
                if !metrics.at_end {
                    metrics.end_offset = end;
                }
            });
        }
    }

    /// Compares one partition's topics with what this directory knows of them.
    fn look_at(&self, partition: PartitionId) {
        match self.check(partition) {
            // A broker that is away is told of by those who need it.
            Ok(()) | Err(ServiceError::Port(_)) => {}
            Err(error) => self.tell(partition, error),
        }
    }

    /// A partition that could not be read on is stopped if it is no longer what it was, and else opened again.
    fn clear_doubt(&self, partition: PartitionId) {
        match self.check(partition) {
            Ok(()) => {
                let what = "the log could not be read on where it was".to_owned();
                self.tell(partition, PortError::Unavailable(what).into());
            }
            Err(ServiceError::Port(_)) => self.found.doubt(),
            Err(error) => self.tell(partition, error),
        }
    }

    fn check(&self, partition: PartitionId) -> Result<(), ServiceError> {
        let belonging = Belonging { reader: &self.reader, broker: &*self.broker };
        belonging.check_while_running(partition, self.republish_ledger)
    }

    fn tell(&self, partition: PartitionId, error: ServiceError) {
        // Without the consuming thread everything ends anyway.
        self.trouble.send((partition, error)).ok();
    }

    /// Compares the place. What is wrong twice in a row stops the service; what is wrong for the first time is given back.
    fn look_at_place(&self, before: Option<String>) -> Option<String> {
        let error = match self.broker.place() {
            Ok(now) if now.partitions == self.place.partitions => return None,
            Ok(now) => ServiceError::partitions_changed(self.place.partitions, &now.partitions.to_string()),
            Err(PortError::Settings(what)) => ServiceError::Port(PortError::Settings(what)),
            // A broker that is away is told of by those who need it.
            Err(PortError::Fenced(_) | PortError::Aborted(_) | PortError::Unavailable(_)) => return before,
        };
        let text = error.to_string();
        if before.is_some() {
            self.found.put(error);
        }
        Some(text)
    }
}
