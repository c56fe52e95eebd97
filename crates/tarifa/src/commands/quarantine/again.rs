//! `tarifa quarantine resubmit` of records of the Kafka input topic: sent into it again, for the service to decide.
//!
//! Invariant: all of the records are found and read before the first is sent.

use kafka::{Cluster, InputProducer};
use model::{Offset, PartitionId};
use pipeline::{
    ResubmitOptions,
    service::{
        ports::Broker as _,
        resubmission::{self, Again},
    },
};

use super::resubmit::ResubmitArgs;
use crate::{
    commands::{publish, run},
    config::Config,
    failure::Failure,
    output::{Column, Out, Value},
};

/// Sends them, and tells where each lies.
pub(super) fn run(
    args: &ResubmitArgs,
    originals: &[(PartitionId, Offset)],
    options: &ResubmitOptions,
    config: &Config,
    out: &mut Out,
) -> Result<(), Failure> {
    let (client, names) = (args.kafka.client(config)?, args.kafka.topics(config));
    // Looks at the topics without making or checking any; a name of its own, as it belongs to no installation.
    let cluster = Cluster::new(client.clone(), names.clone(), "tarifa-resubmit");
    let place = cluster.place().map_err(|error| run::failure(error.into()))?;
    let mut prepared: Vec<(&(PartitionId, Offset), Again)> = Vec::new();
    for original in originals {
        let again = resubmission::prepare(&cluster, &place, *original, options).map_err(run::failure)?;
        prepared.push((original, again));
    }
    let mut producer = InputProducer::connect(&client, &names).map_err(publish::sending)?;
    let columns = vec![
        Column::text("original"),
        Column::number("partition"),
        Column::number("record"),
        Column::text("meaning"),
    ];
    let mut list = out.list(args.format.format, columns)?;
    for ((partition, offset), again) in prepared {
        let sent = producer.place(again.partition, again.key.as_deref(), &again.value);
        let sent = sent.map_err(publish::sending)?;
        list.row(&[
            Value::text(format!("{}/{}", partition.0, offset.0)),
            Value::Count(u64::from(again.partition.0)),
            Value::Count(sent.0),
            Value::text(match again.is_resubmission() {
                true => "sent as a resubmission",
                false => "sent as an event of its own, as its thread has another partition",
            }),
        ])?;
    }
    list.finish()?;
    out.note("the service decides what becomes of them: see its ledger, and the dead letters");
    Ok(())
}
