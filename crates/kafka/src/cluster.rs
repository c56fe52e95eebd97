//! The cluster as the service asks it: where it is, what the ledger topic ends with, and records by their place.
//!
//! Knows nothing of what the records say. Invariant: everything is read committed.

use std::{
    ops::ControlFlow,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use model::{Offset, PartitionId};
use pipeline::service::ports::{Broker, LedgerRecord, LogRecord, OwnedRecord, Place, PortError, Publisher};
use rdkafka::{
    ClientContext, Message, Offset as KafkaOffset, TopicPartitionList,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
};

use crate::{
    ClientSettings, Sasl, SignIn, TopicNames,
    member::{log, log_record, number, record_time, unavailable},
    producer::TransactionalProducer,
    topics,
};

/// How long the cluster may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// The end of a partition is looked for in steps that begin with this many records.
const TAIL_RECORDS: u64 = 64;

/// A cluster with the topics of one installation.
pub struct Cluster {
    client: ClientSettings,
    names: TopicNames,
    app: String,
    /// Consumers that nobody uses at the moment.
    idle: Mutex<Vec<BaseConsumer<Lookup>>>,
}

/// The context of a consumer that joins no group.
struct Lookup(SignIn);

impl ClientContext for Lookup {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.0.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            tracing::warn!(%error, reason, "lookup");
        }
    }
}

impl ConsumerContext for Lookup {}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("client", &self.client)
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster; nothing is asked of it yet. `app` is the installation's name.
    #[must_use]
    pub fn new(client: ClientSettings, names: TopicNames, app: impl Into<String>) -> Self {
        Self { client, names, app: app.into(), idle: Mutex::new(Vec::new()) }
    }

    fn with_consumer<T>(
        &self,
        ask: impl FnOnce(&BaseConsumer<Lookup>) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let consumer = match idle {
            Some(consumer) => consumer,
            None => self.consumer()?,
        };
        let answer = ask(&consumer);
        if answer.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(consumer);
        }
        answer
    }

    fn consumer(&self) -> Result<BaseConsumer<Lookup>, PortError> {
        let consumer: BaseConsumer<Lookup> = self
            .client
            .client_config(&self.app)
            // Only subscribing joins a group; this reads partitions that it names itself.
            .set("group.id", format!("{}.lookup", self.app))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "20")
            .set("queued.max.messages.kbytes", "16384")
            .set_log_level(RDKafkaLogLevel::Warning)
            .create_with_context(Lookup(self.client.sign_in()))
            .map_err(unavailable)?;
        // A token, where one is needed, is handed out while polling.
        if let Some(Err(error)) = consumer.poll(Duration::ZERO) {
            tracing::debug!(%error, "connecting");
        }
        Ok(consumer)
    }

    /// Refuses topics that are not set as they have to be.
    fn check_topics(&self) -> Result<(), PortError> {
        // With tokens the client library cannot ask for a topic's settings.
        if matches!(self.client.sasl, Some(Sasl::OAuthBearer { .. })) {
            return Ok(());
        }
        let report = topics::check(&self.client, &self.names).map_err(|error| {
            PortError::Unavailable(match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            })
        })?;
        if report.differences.is_empty() {
            return Ok(());
        }
        let all = report.differences.iter().map(|one| {
            format!(
                "{}: `{}` is {}, has to be {}: {}; mend it with: {}",
                one.topic, one.setting, one.found, one.wanted, one.why, one.mend
            )
        });
        Err(PortError::Settings(all.collect::<Vec<_>>().join("\n")))
    }

    fn found_place(&self) -> Result<Place, PortError> {
        self.with_consumer(|consumer| {
            let metadata =
                consumer.fetch_metadata(Some(&self.names.input), ANSWER_TIME_MAX).map_err(unavailable)?;
            let topic = metadata.topics().first();
            let partitions = topic.map_or(0, |topic| topic.partitions().len());
            if partitions == 0 {
                return Err(PortError::Settings(format!(
                    "the topic {} is not there: make it with `tarifa topics create`",
                    self.names.input
                )));
            }
            let cluster = consumer.client().fetch_cluster_id(ANSWER_TIME_MAX);
            Ok(Place {
                cluster: cluster
                    .ok_or_else(|| PortError::Unavailable("the cluster does not tell its id".to_owned()))?,
                input: self.names.input.clone(),
                partitions: u32::try_from(partitions).unwrap_or(u32::MAX),
            })
        })
    }

    fn range(&self, topic: &str, partition: PartitionId) -> Result<(u64, u64), PortError> {
        self.with_consumer(|consumer| range(consumer, topic, partition))
    }

    /// Shows the records of a partition from an offset to the end, or until told to break.
    fn read(
        &self,
        topic: &str,
        partition: PartitionId,
        from: u64,
        each: &mut dyn FnMut(&BorrowedMessage<'_>) -> ControlFlow<()>,
    ) -> Result<(), PortError> {
        self.with_consumer(|consumer| {
            let mut list = TopicPartitionList::new();
            let offset = KafkaOffset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
            list.add_partition_offset(topic, number(partition), offset).map_err(unavailable)?;
            consumer.assign(&list).map_err(unavailable)?;
            let read = read_assigned(consumer, each);
            consumer.unassign().map_err(unavailable)?;
            read
        })
    }

    fn last_from(
        &self,
        topic: &str,
        partition: PartitionId,
        from: u64,
    ) -> Result<Option<LedgerRecord>, PortError> {
        let mut last = None;
        self.read(topic, partition, from, &mut |message| {
            last = Some(ledger_record(message));
            ControlFlow::Continue(())
        })?;
        Ok(last)
    }
}

fn range(
    consumer: &BaseConsumer<Lookup>,
    topic: &str,
    partition: PartitionId,
) -> Result<(u64, u64), PortError> {
    let marks = consumer.fetch_watermarks(topic, number(partition), ANSWER_TIME_MAX).map_err(unavailable)?;
    Ok((u64::try_from(marks.0).unwrap_or_default(), u64::try_from(marks.1).unwrap_or_default()))
}

fn read_assigned(
    consumer: &BaseConsumer<Lookup>,
    each: &mut dyn FnMut(&BorrowedMessage<'_>) -> ControlFlow<()>,
) -> Result<(), PortError> {
    let mut heard = Instant::now();
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                if each(&message).is_break() {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) => tracing::debug!(%error, "lookup"),
            None if heard.elapsed() > ANSWER_TIME_MAX => {
                return Err(PortError::Unavailable("nothing came for 10 s".to_owned()));
            }
            None => {}
        }
    }
}

impl Broker for Cluster {
    fn place(&self) -> Result<Place, PortError> {
        // Two clients have to find the cluster; neither waits for the other.
        let (checked, place) = thread::scope(|scope| {
            let checked = scope.spawn(|| self.check_topics());
            let place = self.found_place();
            (checked.join(), place)
        });
        checked.map_err(|_| PortError::Unavailable("the check of the topics ended".to_owned()))??;
        place
    }

    fn publisher(&self, of: Option<PartitionId>) -> Result<Box<dyn Publisher>, PortError> {
        let id = match of {
            Some(partition) => format!("{}.{}.{}", self.app, self.names.input, partition.0),
            None => format!("{}.{}.configure", self.app, self.names.input),
        };
        Ok(Box::new(TransactionalProducer::new(&self.client, &self.names, &id)?))
    }

    fn ledger_first(&self, partition: PartitionId) -> Result<Option<LedgerRecord>, PortError> {
        let topic = &self.names.ledger;
        let (begin, end) = self.range(topic, partition)?;
        let mut first = None;
        if end > begin {
            self.read(topic, partition, begin, &mut |message| {
                first = Some(ledger_record(message));
                ControlFlow::Break(())
            })?;
        }
        Ok(first)
    }

    fn ledger_last(&self, partition: PartitionId) -> Result<Option<LedgerRecord>, PortError> {
        let topic = &self.names.ledger;
        let (begin, end) = self.range(topic, partition)?;
        let mut step = TAIL_RECORDS;
        // The last offsets may hold markers of transactions and what was aborted, so that looking back may take a while.
        loop {
            let from = end.saturating_sub(step).max(begin);
            if from == end {
                return Ok(None);
            }
            let last = self.last_from(topic, partition, from)?;
            if last.is_some() || from == begin {
                return Ok(last);
            }
            step = step.saturating_mul(16);
        }
    }

    fn read_ledger(
        &self,
        partition: PartitionId,
        from: Offset,
        each: &mut dyn FnMut(LedgerRecord) -> ControlFlow<()>,
    ) -> Result<(), PortError> {
        self.read(&self.names.ledger, partition, from.0, &mut |message| each(ledger_record(message)))
    }

    fn input_range(&self, partition: PartitionId) -> Result<(Offset, Offset), PortError> {
        let (begin, end) = self.range(&self.names.input, partition)?;
        Ok((Offset(begin), Offset(end)))
    }

    fn read_input(
        &self,
        partition: PartitionId,
        from: Offset,
        each: &mut dyn FnMut(OwnedRecord) -> ControlFlow<()>,
    ) -> Result<(), PortError> {
        self.read(&self.names.input, partition, from.0, &mut |message| each(owned(message)))
    }

    fn look_through_input(
        &self,
        partition: PartitionId,
        from: Offset,
        each: &mut dyn FnMut(&LogRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), PortError> {
        self.read(&self.names.input, partition, from.0, &mut |message| {
            each(&log_record(message, message.timestamp()))
        })
    }
}

fn ledger_record(message: &BorrowedMessage<'_>) -> LedgerRecord {
    LedgerRecord {
        offset: Offset(u64::try_from(message.offset()).unwrap_or_default()),
        value: message.payload().unwrap_or_default().to_vec(),
        headers: headers(message).into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
    }
}

fn owned(message: &BorrowedMessage<'_>) -> OwnedRecord {
    OwnedRecord {
        offset: Offset(u64::try_from(message.offset()).unwrap_or_default()),
        record_time: record_time(message.timestamp()),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers(message),
    }
}

fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
}
