//! Verification: does everything in a data directory still say the same as everything else?
//!
//! Knows nothing of rules: it folds nothing again (see `replay` for that). Invariant: looks at every entry, every
//! bucket of state and every byte of the log, and changes nothing.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use ledger::{
    Head, LedgerError, VerifiedChain, VerifiedShare,
    log::{LogError, LogExtent, check_log},
    rollup::AccountPeriod,
    store::Store,
};
use model::{Entry, EntryBody, EntryHash, Offset, PartitionId, Quarantined, Sequence};

use crate::{
    EMBEDDED_PARTITION,
    agreement::Standings,
    books::{PeriodDigest, PeriodSums, StateReader},
    error::PipelineError,
    findings,
    installation::Installation,
    progress::{OnProgress, Progress, Stage},
};

/// Entries that a thread takes at a time: about forty blocks, whose chains are computed side by side.
const SPAN: u64 = 4_096;
/// More threads would wait for the same disk.
const THREADS_MAX: usize = 4;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Each check with its outcome, in the order in which one relies on the other.
    pub checks: Vec<Check>,
    /// Number of the partition that was verified.
    pub partition: PartitionId,
    /// The last entry.
    pub sequence: Sequence,
    /// Its hash: head of the chain.
    pub hash: EntryHash,
    /// The digest of each account and period, in their order; of the state, should it not agree with the ledger.
    pub digests: Vec<PeriodDigest>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name, one word.
    pub name: &'static str,
    /// What was looked at, such as `1203 entries`.
    pub of: String,
    /// What came out.
    pub outcome: Outcome,
}

/// What came out of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Holds,
    /// What differs, and where first.
    Differs(String),
    /// Could not be told, as something before it differs.
    NotTold,
}

impl Verification {
    /// Whether every check holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.outcome == Outcome::Holds)
    }
}

/// What all threads take their work from.
struct Work<'a, S> {
    installation: &'a Installation<S>,
    head: Head,
    next_span: AtomicU64,
    next_bucket: AtomicU64,
    log_is_taken: AtomicBool,
    log: Mutex<Option<Result<LogExtent, LogError>>>,
    index_is_taken: AtomicBool,
    users_are_taken: AtomicBool,
    done: AtomicU64,
    entries: AtomicU64,
    /// The threads stop taking spans.
    chain_is_broken: AtomicBool,
}

/// What one thread has found.
pub(crate) struct Found<'a> {
    pub(crate) share: VerifiedShare,
    pub(crate) standings: Standings,
    pub(crate) quarantined: Vec<(Offset, Quarantined)>,
    /// Number of the span that broke.
    pub(crate) chain_error: Option<(u64, LedgerError)>,
    pub(crate) state: Result<StateReader<'a>, PipelineError>,
}

/// What all threads together have found.
pub(crate) struct Together {
    pub(crate) head: Head,
    pub(crate) chain: Result<VerifiedChain, LedgerError>,
    pub(crate) standings: Standings,
    pub(crate) quarantined: Vec<(Offset, Quarantined)>,
    pub(crate) state: Result<BTreeMap<AccountPeriod, PeriodSums>, PipelineError>,
    /// How far the stored state has come.
    pub(crate) reached: (Offset, Sequence),
    pub(crate) log: Result<LogExtent, LogError>,
}

impl<S: Store> Installation<S> {
    /// Verifies the directory. Uses all cores, up to four.
    ///
    /// # Errors
    /// Those that keep it from being looked at at all, and damage of the user directory, which nothing else can be
    /// compared with; what else looks wrong is a finding, no error.
    pub fn verify(&self, on_progress: &mut OnProgress<'_>) -> Result<Verification, PipelineError> {
        self.configuration()?;
        let head = self.ledger.head(EMBEDDED_PARTITION)?;
        let (sequence, hash) = (head.sequence, head.hash);
        let together = self.look(head, on_progress)?;
        let (checks, sums) = findings::of(self, together)?;
        Ok(Verification {
            checks,
            partition: EMBEDDED_PARTITION,
            sequence,
            hash,
            digests: sums.into_iter().map(|(place, sums)| sums.into_digest(place)).collect(),
        })
    }

    fn look(&self, head: Head, on_progress: &mut OnProgress<'_>) -> Result<Together, PipelineError> {
        let work = Work {
            installation: self,
            head,
            next_span: AtomicU64::new(0),
            next_bucket: AtomicU64::new(0),
            log_is_taken: AtomicBool::new(false),
            log: Mutex::new(None),
            index_is_taken: AtomicBool::new(false),
            users_are_taken: AtomicBool::new(false),
            done: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            chain_is_broken: AtomicBool::new(false),
        };
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let found = thread::scope(|scope| {
            // Every second thread begins with the state, so that both kinds of work end at about the same time.
            let others: Vec<_> = (1..threads)
                .map(|n| {
                    scope.spawn({
                        let work = &work;
                        move || work.take_part(n % 2 == 1, &mut |_| {})
                    })
                })
                .collect();
            let mut found = vec![work.take_part(false, on_progress)?];
            for other in others {
                found.push(other.join().map_err(|_| PipelineError::ThreadEnded("verifying thread"))??);
            }
            Ok::<_, PipelineError>(found)
        })?;
        // Another thread may have done the last steps, or all of them.
        work.tell(on_progress);
        work.put_together(found)
    }
}

impl<'a, S: Store> Work<'a, S> {
    fn take_part(
        &self,
        state_first: bool,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Found<'a>, PipelineError> {
        let mut found = Found {
            share: VerifiedShare::new(EMBEDDED_PARTITION)?,
            standings: Standings::default(),
            quarantined: Vec::new(),
            chain_error: None,
            state: StateReader::new(self.installation),
        };
        if !state_first {
            self.take_spans(&mut found, on_progress);
        }
        self.take_log();
        if !self.users_are_taken.swap(true, Ordering::Relaxed) {
            self.installation.users.check()?;
        }
        self.take_buckets(&mut found, on_progress);
        if state_first {
            self.take_spans(&mut found, on_progress);
        }
        Ok(found)
    }

    fn take_spans(&self, found: &mut Found<'a>, on_progress: &mut OnProgress<'_>) {
        let Found { share, standings, quarantined, chain_error, .. } = found;
        while !self.chain_is_broken.load(Ordering::Relaxed) {
            let number = self.next_span.fetch_add(1, Ordering::Relaxed);
            if number >= self.spans() {
                return;
            }
            // Should anything lie behind the head, where opening leaves nothing, the last span finds it.
            let end = if number + 1 == self.spans() { u64::MAX } else { (number + 1) * SPAN + 1 };
            let span = Sequence(number * SPAN + 1)..Sequence(end);
            let mut count = 0;
            let read = share.read(self.installation.ledger.reader(), span, &mut |entry: &Entry| {
                count += 1;
                standings.apply(entry);
                if let EntryBody::RecordQuarantined(record) = &entry.body {
                    quarantined.push((entry.offset, *record));
                }
            });
            self.entries.fetch_add(count, Ordering::Relaxed);
            if let Err(error) = read {
                // Spans are taken in order, so that the least of those that broke is where the chain breaks first.
                *chain_error = Some((number, error));
                self.chain_is_broken.store(true, Ordering::Relaxed);
            }
            self.step(on_progress);
        }
    }

    fn take_buckets(&self, found: &mut Found<'a>, on_progress: &mut OnProgress<'_>) {
        if !self.index_is_taken.swap(true, Ordering::Relaxed)
            && let Err(error) = self.installation.state.check_index()
        {
            found.state = Err(error.into());
        }
        while let Ok(reader) = &mut found.state {
            let number = self.next_bucket.fetch_add(1, Ordering::Relaxed);
            let Some(bucket) = u16::try_from(number).ok().filter(|bucket| *bucket < projector::BUCKETS)
            else {
                return;
            };
            if let Err(error) = reader.read(bucket) {
                found.state = Err(error);
            }
            self.step(on_progress);
        }
    }

    fn take_log(&self) {
        if self.log_is_taken.swap(true, Ordering::Relaxed) {
            return;
        }
        let checked = check_log(&self.installation.dir.log());
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(checked);
    }

    fn spans(&self) -> u64 {
        self.head.sequence.0.div_ceil(SPAN).max(1)
    }

    fn step(&self, on_progress: &mut OnProgress<'_>) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.tell(on_progress);
    }

    fn tell(&self, on_progress: &mut OnProgress<'_>) {
        let work_done = self.done.load(Ordering::Relaxed);
        let entries = self.entries.load(Ordering::Relaxed);
        on_progress(Progress {
            stage: Stage::Verifying,
            records: entries,
            entries: 0,
            work_done,
            work_total: Some(self.spans() + u64::from(projector::BUCKETS)),
        });
    }

    fn put_together(self, found: Vec<Found<'a>>) -> Result<Together, PipelineError> {
        let mut shares = Vec::new();
        let mut standings = Standings::default();
        let mut quarantined = Vec::new();
        let mut chain_error: Option<(u64, LedgerError)> = None;
        let mut state = Ok(BTreeMap::<AccountPeriod, PeriodSums>::new());
        let mut reached = (Offset(0), Sequence(0));
        for part in found {
            shares.push(part.share);
            standings.absorb(part.standings);
            quarantined.extend(part.quarantined);
            chain_error = [chain_error, part.chain_error].into_iter().flatten().min_by_key(|(span, _)| *span);
            match (part.state, &mut state) {
                (Err(error), _) => state = Err(error),
                (Ok(_), Err(_)) => {}
                (Ok(reader), Ok(sums)) => {
                    reached = reader.reached();
                    for (place, more) in reader.into_sums() {
                        sums.entry(place).or_default().absorb(&more);
                    }
                }
            }
        }
        quarantined.sort_unstable_by_key(|(offset, _)| *offset);
        let reader = self.installation.ledger.reader();
        let chain = match chain_error {
            Some((_, error)) => Err(error),
            None => reader.join_shares(EMBEDDED_PARTITION, shares),
        };
        let log = self.log.into_inner().unwrap_or_else(PoisonError::into_inner);
        let log = log.ok_or(PipelineError::ThreadEnded("verifying thread"))?;
        Ok(Together { head: self.head, chain, standings, quarantined, state, reached, log })
    }
}
