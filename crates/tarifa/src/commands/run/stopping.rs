//! Stopping at a signal: the service is told, and if it does not come to rest in time, the process ends all the same.
//!
//! Invariant: ending without coming to rest loses nothing, as everything that was acknowledged is committed.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::failure::Failure;

/// A little less than the ten seconds that operators are promised.
const REST_TIME_MAX: Duration = Duration::from_millis(9_500);
const LOOK: Duration = Duration::from_millis(100);

/// Whether the process has been told to stop.
#[derive(Debug)]
pub(crate) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// Listens to SIGTERM and to Ctrl-C. A second signal ends the process at once.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn on_signals() -> Result<Self, Failure> {
        let told = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            let listening = flag::register_conditional_shutdown(signal, 4, Arc::clone(&told))
                .and_then(|_| flag::register(signal, Arc::clone(&told)));
            listening.map_err(|error| Failure::unavailable("cannot listen to signals").caused_by(error))?;
        }
        let watched = Arc::clone(&told);
        thread::spawn(move || {
            while !watched.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
            }
            tracing::info!("told to stop");
            thread::sleep(REST_TIME_MAX);
            tracing::warn!("did not come to rest in time: ended; the next start carries on");
            process::exit(4);
        });
        Ok(Self(told))
    }

    /// Set once it has been told.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }
}
