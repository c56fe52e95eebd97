//! A look at the broker now and then: how far ahead the input is, and whether it is still the one that was pinned.
//!
//! Invariant: it changes nothing; what it finds wrong stops the service before a wrong charge can be booked.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use model::PartitionId;

use super::{
    error::ServiceError,
    metrics::Metrics,
    ports::{Broker, Place},
};

/// How often the ends of partitions are asked for.
const ENDS: Duration = Duration::from_secs(5);
/// How often the place is compared.
const PLACE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Looks at the broker.
pub(crate) struct Watch {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) place: Place,
    pub(crate) metrics: Arc<Metrics>,
    /// Set when the service has ended.
    pub(crate) ended: Arc<AtomicBool>,
    /// Where what is wrong is put for the consuming thread.
    pub(crate) found: Arc<Found>,
}

/// What a look found wrong.
#[derive(Debug, Default)]
pub(crate) struct Found(Mutex<Option<ServiceError>>);

impl Found {
    /// Takes it.
    pub(crate) fn take(&self) -> Option<ServiceError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Watch {
    /// Looks until the service has ended.
    pub(crate) fn run(&self) {
        let (mut ends, mut place) = (Instant::now(), Instant::now() + PLACE);
        while !self.ended.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
            if Instant::now() >= ends {
                ends = Instant::now() + ENDS;
                self.look_at_ends();
            }
            if Instant::now() >= place {
                place = Instant::now() + PLACE;
                self.look_at_place();
            }
        }
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

    fn look_at_place(&self) {
        let Ok(now) = self.broker.place() else { return };
        if now.partitions != self.place.partitions {
            let error = ServiceError::Pinned {
                what: "an input topic with the number of partitions",
                pinned: self.place.partitions.to_string(),
                found: now.partitions.to_string(),
                advice: "the number was changed while the service ran, which tears threads apart: stop the producers, make \
                         a new topic with the number you want, and copy the events into it",
            };
            self.found.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}
