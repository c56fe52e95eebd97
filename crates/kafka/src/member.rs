//! A member of the group that reads the input topic: the service's log.
//!
//! Knows nothing of what the records say. Invariant: a partition is read only from where the service says, and is given
//! back only when the service has let go of it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use model::{Offset, PartitionId, UnixMillis};
use pipeline::service::ports::{Change, EventLog, LogRecord, Ownership, PortError};
use rdkafka::{
    ClientContext, Message, Offset as KafkaOffset, TopicPartitionList,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Timestamp},
    types::RDKafkaRespErr,
};

use crate::{ClientSettings, SignIn};

/// How long a partition may take until reading from another place is possible.
const SEEK_TIME_MAX: Duration = Duration::from_secs(5);
const SEEK_PAUSE: Duration = Duration::from_millis(20);
/// How long leaving the group may take.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(1);

/// How this instance is a member.
#[derive(Debug, Clone)]
pub struct MemberSettings {
    /// The group: the installation's name.
    pub group: String,
    /// Name that stays the same over restarts, so that a short one moves no partition; none for a new one each time.
    pub instance: Option<String>,
    /// Without a sign of life for this long, the partitions go to others.
    pub session_timeout: Duration,
    /// Name of the input topic.
    pub topic: String,
}

/// A member of the group.
pub struct Member {
    consumer: BaseConsumer<Membership>,
    client: ClientSettings,
    settings: MemberSettings,
    at_end: Vec<PartitionId>,
    in_doubt: bool,
}

/// What the client calls back.
struct Membership {
    sign_in: SignIn,
    ownership: Arc<dyn Ownership>,
    changes: Mutex<Vec<Change>>,
    /// The session ran out, and no partition has been assigned since.
    ran_out: AtomicBool,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("topic", &self.settings.topic).finish_non_exhaustive()
    }
}

impl Membership {
    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Membership {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.sign_in.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            return;
        }
        tracing::warn!(%error, reason, "consumer");
    }
}

impl ConsumerContext for Membership {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let numbers: Vec<PartitionId> = partitions
            .elements()
            .iter()
            .filter_map(|one| u32::try_from(one.partition()).ok())
            .map(PartitionId)
            .collect();
        let is_assignment = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let ran_out = !is_assignment && consumer.assignment_lost();
        self.ran_out.store(ran_out, Ordering::Relaxed);
        let done = if is_assignment {
            // Where to read from is known once the state is open. Until then nothing is fetched.
            partitions
                .set_all_offsets(KafkaOffset::Beginning)
                .and_then(|()| consumer.incremental_assign(partitions))
                .and_then(|()| consumer.pause(partitions))
        } else {
            self.ownership.release(&numbers);
            consumer.incremental_unassign(partitions)
        };
        if let Err(error) = done {
            tracing::error!(%error, is_assignment, "partitions could not change hands");
        }
        tracing::info!(partitions = ?numbers.iter().map(|one| one.0).collect::<Vec<_>>(), is_assignment, "partitions change hands");
        let change = if is_assignment { Change::Assigned } else { Change::Revoked };
        self.changes().extend(numbers.into_iter().map(change));
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            // For display alone: nothing is read from where the group says.
            tracing::debug!(%error, "the group was not told how far this is");
        }
    }
}

impl Member {
    /// Joins the group.
    ///
    /// # Errors
    /// Settings that the client refuses.
    pub fn join(
        client: &ClientSettings,
        settings: &MemberSettings,
        ownership: Arc<dyn Ownership>,
    ) -> Result<Self, PortError> {
        let mut config = client.consumer_config(&settings.group);
        config
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", settings.session_timeout.as_millis().to_string())
            .set("heartbeat.interval.ms", (settings.session_timeout.as_millis() / 4).to_string())
            .set_log_level(RDKafkaLogLevel::Warning);
        if let Some(instance) = &settings.instance {
            config.set("group.instance.id", instance);
        }
        let membership = Membership {
            sign_in: client.sign_in(),
            ownership,
            changes: Mutex::new(Vec::new()),
            ran_out: AtomicBool::new(false),
        };
        let consumer: BaseConsumer<Membership> =
            config.create_with_context(membership).map_err(unavailable)?;
        consumer.subscribe(&[&settings.topic]).map_err(unavailable)?;
        Ok(Self {
            consumer,
            client: client.clone(),
            settings: settings.clone(),
            at_end: Vec::new(),
            in_doubt: false,
        })
    }

    /// Joins as a new client. One whose session ran out while brokers were away may have waited to say something, and says
    /// it nameless as it is by then: under a lasting name that is taken for an impostor's, and ends the client for good.
    fn join_again(&mut self) -> Result<(), PortError> {
        let before = self.consumer.context();
        let still: Vec<PartitionId> = self.assigned();
        before.ownership.release(&still);
        let next = Self::join(&self.client, &self.settings, Arc::clone(&before.ownership))?;
        let mut changes = std::mem::take(&mut *before.changes());
        changes.extend(still.into_iter().map(Change::Revoked));
        *next.consumer.context().changes() = changes;
        *self = next;
        Ok(())
    }

    fn assigned(&self) -> Vec<PartitionId> {
        let assignment = self.consumer.assignment().unwrap_or_default();
        let numbers = assignment.elements();
        numbers.iter().filter_map(|one| u32::try_from(one.partition()).ok()).map(PartitionId).collect()
    }

    fn list(&self, partition: PartitionId) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.settings.topic, number(partition));
        list
    }
}

impl EventLog for Member {
    fn poll(
        &mut self,
        timeout: Duration,
        records_max: usize,
        each: &mut dyn FnMut(&LogRecord<'_>),
    ) -> Result<usize, PortError> {
        let mut count = 0;
        let mut wait = timeout;
        while count < records_max {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let timestamp = message.timestamp();
                    if let Timestamp::CreateTime(_) = timestamp {
                        return Err(producers_clock(&self.settings.topic, &message));
                    }
                    each(&log_record(&message, timestamp));
                    count += 1;
                    wait = Duration::ZERO;
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    if !self.consumer.context().ran_out.load(Ordering::Relaxed) {
                        return Err(PortError::Unavailable(format!("this member is no longer one: {code}")));
                    }
                    tracing::warn!(%code, "joining again: the session ran out while brokers were away");
                    self.join_again()?;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.at_end.extend(u32::try_from(partition).ok().map(PartitionId));
                }
                Some(Err(error)) if is_out_of_range(&error) => self.in_doubt = true,
                // The partition is sought anew, or its error is told by who opens it.
                Some(Err(error)) => tracing::debug!(%error, "consumer"),
            }
        }
        Ok(count)
    }

    fn at_end(&mut self) -> Vec<PartitionId> {
        std::mem::take(&mut self.at_end)
    }

    fn in_doubt(&mut self) -> bool {
        std::mem::take(&mut self.in_doubt)
    }

    fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut *self.consumer.context().changes())
    }

    fn start(&mut self, partition: PartitionId, from: Offset) -> Result<(), PortError> {
        let offset = KafkaOffset::Offset(i64::try_from(from.0).unwrap_or(i64::MAX));
        let began = Instant::now();
        // Right after an assignment the client is not yet ready for it.
        while let Err(error) =
            self.consumer.seek(&self.settings.topic, number(partition), offset, SEEK_TIME_MAX)
        {
            if began.elapsed() > SEEK_TIME_MAX {
                return Err(unavailable(error));
            }
            thread::sleep(SEEK_PAUSE);
        }
        self.consumer.resume(&self.list(partition)).map_err(unavailable)
    }

    fn stop(&mut self, partition: PartitionId) -> Result<(), PortError> {
        self.consumer.pause(&self.list(partition)).map_err(unavailable)
    }

    fn show_progress(&self, partition: PartitionId, next: Offset) {
        // A member whose session has run out has no name until it has joined again. Under a lasting one of its own, what it
        // says meanwhile would be taken for an impostor's, and end it for good.
        if self.consumer.assignment_lost() {
            return;
        }
        let mut list = TopicPartitionList::new();
        let offset = KafkaOffset::Offset(i64::try_from(next.0).unwrap_or(i64::MAX));
        let told = list
            .add_partition_offset(&self.settings.topic, number(partition), offset)
            .and_then(|()| self.consumer.commit(&list, CommitMode::Async));
        if let Err(error) = told {
            tracing::debug!(%error, "the group was not told how far this is");
        }
    }

    fn leave(&mut self) {
        self.consumer.unsubscribe();
        let began = Instant::now();
        while began.elapsed() < LEAVE_TIME_MAX {
            // Serves the last giving back.
            drop(self.consumer.poll(Duration::from_millis(20)));
            if self.consumer.assignment().is_ok_and(|assignment| assignment.count() == 0) {
                return;
            }
        }
    }
}

/// What is to be read next is not in the partition; the client stands still there.
fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset)
    )
}

/// A record that came while the topic was set otherwise keeps its producer's time for good.
fn producers_clock(topic: &str, message: &BorrowedMessage<'_>) -> PortError {
    PortError::Settings(format!(
        "record {} of partition {} of {topic} has its producer's time, not the broker's: it came while the topic did not \
         have message.timestamp.type=LogAppendTime; set that, make a new input topic, and copy the events into it",
        message.offset(),
        message.partition()
    ))
}

/// A record as the client lends it.
pub(crate) fn log_record<'m>(message: &'m BorrowedMessage<'_>, timestamp: Timestamp) -> LogRecord<'m> {
    LogRecord {
        partition: PartitionId(u32::try_from(message.partition()).unwrap_or_default()),
        offset: Offset(u64::try_from(message.offset()).unwrap_or_default()),
        record_time: record_time(timestamp),
        key: message.key(),
        value: message.payload(),
    }
}

/// The broker's append time, in ms since 1970.
pub(crate) fn record_time(timestamp: Timestamp) -> UnixMillis {
    UnixMillis(timestamp.to_millis().unwrap_or_default())
}

pub(crate) fn number(partition: PartitionId) -> i32 {
    i32::try_from(partition.0).unwrap_or(i32::MAX)
}

pub(crate) fn unavailable(error: KafkaError) -> PortError {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::ProducerFenced,
        ) => PortError::Fenced(error.to_string()),
        Some(_) | None => PortError::Unavailable(error.to_string()),
    }
}

/// The client's own words; what it calls an error is mostly a connection that it will make again.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "client"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(facility, message, "client"),
        RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "client"),
    }
}
