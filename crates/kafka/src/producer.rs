//! A producer with a transactional id of its own: the service's publisher.
//!
//! Knows nothing of what it sends. Invariant: nothing is in flight when a transaction is ended, as the client would then
//! wait in rounds of 100 ms; after any error the producer is of no more use.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use pipeline::service::ports::{OutRecord, PortError, Publisher, Target};
use rdkafka::{
    ClientContext,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer, ProducerContext},
};

use crate::{
    ClientSettings, SignIn, TopicNames,
    member::{log, number, unavailable},
};

/// How long a transaction may be open; a member that dies leaves the topics' readers waiting for so long at most.
const TRANSACTION_TIME_MAX: Duration = Duration::from_secs(15);
/// How long shutting out earlier producers may take.
const INIT_TIME_MAX: Duration = Duration::from_secs(30);
/// How long ending a transaction may take, with the broker away for a while.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(60);
/// Between two looks at what became of records. The client's own wait spins through its last millisecond.
const PAUSE: Duration = Duration::from_micros(500);

/// A transactional producer.
pub(crate) struct TransactionalProducer {
    producer: BaseProducer<Delivery>,
    names: TopicNames,
}

/// Hears of records that were not taken.
struct Delivery {
    sign_in: SignIn,
    failed: Mutex<Option<KafkaError>>,
}

impl ClientContext for Delivery {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.sign_in.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "producer");
    }
}

impl ProducerContext<NoCustomPartitioner> for Delivery {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        }
    }
}

impl TransactionalProducer {
    /// Makes the producer and shuts out all earlier ones of the same id.
    pub(crate) fn new(client: &ClientSettings, names: &TopicNames, id: &str) -> Result<Self, PortError> {
        let mut config = client.client_config(id);
        config
            .set("transactional.id", id)
            .set("transaction.timeout.ms", TRANSACTION_TIME_MAX.as_millis().to_string())
            .set("partitioner", "murmur2_random")
            .set("compression.codec", "lz4")
            .set("linger.ms", "2")
            .set("batch.num.messages", "20000")
            .set("queue.buffering.max.messages", "200000")
            // What became of a record is asked once for all of a transaction.
            .set("delivery.report.only.error", "true")
            .set_log_level(RDKafkaLogLevel::Warning);
        let delivery = Delivery { sign_in: client.sign_in(), failed: Mutex::new(None) };
        let producer: BaseProducer<Delivery> = config.create_with_context(delivery).map_err(unavailable)?;
        // A token, where one is needed, is handed out while polling, and the next call waits without polling.
        producer.poll(Duration::ZERO);
        // A client that is not connected looks for its coordinator in vain, and again only half a second later. Once it
        // knows the brokers it leaves the one it was told to begin with, so that it takes a question that one of them has
        // to answer.
        producer.client().fetch_metadata(Some(&names.ledger), INIT_TIME_MAX).map_err(unavailable)?;
        producer.client().fetch_watermarks(&names.ledger, 0, INIT_TIME_MAX).map_err(unavailable)?;
        let made = Self { producer, names: names.clone() };
        made.again_while_retriable(INIT_TIME_MAX, |producer| producer.init_transactions(INIT_TIME_MAX))?;
        Ok(made)
    }

    fn again_while_retriable(
        &self,
        time_max: Duration,
        call: impl Fn(&BaseProducer<Delivery>) -> Result<(), KafkaError>,
    ) -> Result<(), PortError> {
        let began = Instant::now();
        loop {
            match call(&self.producer) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && began.elapsed() < time_max => {
                    thread::sleep(Duration::from_millis(20));
                    self.producer.poll(Duration::ZERO);
                }
                Err(error) => return Err(of_transaction(error)),
            }
        }
    }

    fn failed(&self) -> Result<(), PortError> {
        let failed = self.producer.context().failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        failed.map_or(Ok(()), |error| Err(of_transaction(error)))
    }
}

impl Publisher for TransactionalProducer {
    fn begin(&mut self) -> Result<(), PortError> {
        self.producer.begin_transaction().map_err(of_transaction)
    }

    fn send(&mut self, record: &OutRecord<'_>) -> Result<(), PortError> {
        let (topic, partition) = match record.target {
            Target::Ledger(partition) => (&self.names.ledger, Some(partition)),
            Target::Charges => (&self.names.charges, None),
            Target::DeadLetter => (&self.names.deadletter, None),
            Target::Input(partition) => (&self.names.input, Some(partition)),
        };
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in record.headers {
            headers = headers.insert(Header { key, value: value.as_deref() });
        }
        let mut out: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).headers(headers);
        out.partition = partition.map(number);
        out.key = record.key;
        out.payload = record.value;
        let began = Instant::now();
        loop {
            match self.producer.send(out) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again))
                    if began.elapsed() < TRANSACTION_TIME_MAX =>
                {
                    thread::sleep(PAUSE);
                    self.producer.poll(Duration::ZERO);
                    out = again;
                }
                Err((error, _)) => return Err(of_transaction(error)),
            }
        }
    }

    fn settle(&mut self) -> Result<(), PortError> {
        let began = Instant::now();
        while self.producer.in_flight_count() > 0 {
            thread::sleep(PAUSE);
            self.producer.poll(Duration::ZERO);
            if began.elapsed() > TRANSACTION_TIME_MAX {
                return Err(PortError::Aborted("the broker took too long to take the records".to_owned()));
            }
        }
        self.failed()
    }

    fn commit(&mut self) -> Result<(), PortError> {
        self.again_while_retriable(COMMIT_TIME_MAX, |producer| {
            producer.commit_transaction(TRANSACTION_TIME_MAX)
        })
    }
}

/// What a failed transaction means to the service.
fn of_transaction(error: KafkaError) -> PortError {
    let KafkaError::Transaction(cause) = &error else { return unavailable(error) };
    let is_fenced = matches!(
        cause.code(),
        RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::State
    );
    if cause.txn_requires_abort() {
        PortError::Aborted(cause.string())
    } else if is_fenced {
        PortError::Fenced(cause.string())
    } else {
        PortError::Unavailable(cause.string())
    }
}
