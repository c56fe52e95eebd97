//! Consuming a topic and producing 0.4 records for each in transactions, and nothing else.
//!
//! Invariant: nothing is in flight when a transaction is ended, as the client would then wait in rounds of 100 ms.

use std::{
    thread,
    time::{Duration, Instant},
};

use kafka::{ClientSettings, TopicNames};
use rdkafka::{
    Message as _,
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::{Done, full};

const TRANSACTION_TIME: Duration = Duration::from_millis(100);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_micros(500);
/// Records between two looks at the clock.
const LOOK_EVERY: u64 = 256;
/// For so many records of input there are two of output.
const INPUTS: u64 = 5;
const OUTPUTS: u64 = 2;
const OUTPUT_BYTES: usize = 200;

/// Passes everything through. Gives how many records were read and written.
pub(crate) fn run(client: &ClientSettings, names: &TopicNames, out: &TopicNames) -> Done<(u64, u64)> {
    let mut output = Output::open(client, &out.ledger)?;
    let mut records = 0_u64;
    full::read(client, &names.input, |message| {
        records += 1;
        if records % INPUTS < OUTPUTS {
            output.send(message)?;
        }
        if records.is_multiple_of(LOOK_EVERY) {
            output.producer.poll(Duration::ZERO);
            if output.begun.elapsed() >= TRANSACTION_TIME {
                output.commit()?;
                output.begin()?;
            }
        }
        Ok(())
    })?;
    output.commit()?;
    Ok((records, output.sent))
}

struct Output {
    producer: BaseProducer,
    topic: String,
    begun: Instant,
    value: [u8; OUTPUT_BYTES],
    sent: u64,
}

impl Output {
    fn open(client: &ClientSettings, topic: &str) -> Done<Self> {
        // As the service's producer.
        let producer: BaseProducer = client
            .client_config("yardstick")
            .set("transactional.id", topic)
            .set("transaction.timeout.ms", "15000")
            .set("compression.codec", "lz4")
            .set("linger.ms", "2")
            .set("batch.num.messages", "20000")
            .set("queue.buffering.max.messages", "200000")
            .create()?;
        producer.init_transactions(ANSWER_TIME_MAX)?;
        let mut output = Self {
            producer,
            topic: topic.to_owned(),
            begun: Instant::now(),
            value: [0; OUTPUT_BYTES],
            sent: 0,
        };
        output.begin()?;
        Ok(output)
    }

    fn begin(&mut self) -> Done<()> {
        self.producer.begin_transaction()?;
        self.begun = Instant::now();
        Ok(())
    }

    /// What is sent compresses about as what was read: it begins with it, on what came before.
    fn send(&mut self, message: &BorrowedMessage<'_>) -> Done<()> {
        let payload = message.payload().unwrap_or_default();
        let length = payload.len().min(OUTPUT_BYTES);
        self.value[..length].copy_from_slice(&payload[..length]);
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic).payload(&self.value);
        record = record.partition(message.partition());
        if let Some(key) = message.key() {
            record = record.key(key);
        }
        while let Err((error, back)) = self.producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(error.into());
            }
            record = back;
            thread::sleep(PAUSE);
            self.producer.poll(Duration::ZERO);
        }
        self.sent += 1;
        Ok(())
    }

    fn commit(&self) -> Done<()> {
        while self.producer.in_flight_count() > 0 {
            thread::sleep(PAUSE);
            self.producer.poll(Duration::ZERO);
        }
        self.producer.commit_transaction(ANSWER_TIME_MAX)?;
        Ok(())
    }
}
