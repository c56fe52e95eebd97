//! `tarifa quarantine resubmit`: a record from quarantine into the log again, mended or as it was.

use std::{fs, path::PathBuf, str::FromStr};

use model::{Disposition, Offset, PartitionId, Sequence};
use pipeline::{EMBEDDED_PARTITION, PipelineError, ResubmitOptions};
use wire::WebhookDefaults;

use crate::{
    commands::{
        broker::KafkaArgs,
        directory::{DataArgs, now, show},
        entries,
        quarantine::again,
    },
    config::Config,
    failure::Failure,
    output::{Column, FormatArgs, InCsv, Out, Value},
};

/// Submit records from quarantine again, mended or as they were; lateness is waived
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tarifa quarantine resubmit 17 --mended record.json --data ./books
  tarifa quarantine resubmit 17 23 --data ./books
  tarifa quarantine resubmit 3/17 --mended event.json --brokers localhost:9092

The records in quarantine stay there. The same one twice is a duplicate. Nothing else moves: no time passes.

A record of the Kafka input topic is named by its partition and offset, as the header `tarifa_position` of its dead letter
has them. It is sent into the topic again, and the service decides what becomes of it; no data directory is needed.")]
pub(crate) struct ResubmitArgs {
    /// Places of the records in the log, as `tarifa quarantine list` shows them; PARTITION/OFFSET in Kafka
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<RecordName>,
    /// File with the mended document, for one record
    #[arg(long, value_name = "FILE")]
    mended: Option<PathBuf>,
    /// Account of webhook bodies that do not name one
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Business phone of webhook bodies that do not name one
    #[arg(long, value_name = "ID")]
    business_phone: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
    #[command(flatten)]
    pub(super) kafka: KafkaArgs,
}

/// Where a record lies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RecordName {
    /// In the embedded log.
    Embedded(Offset),
    /// In the input topic, which may be named too.
    Kafka(Option<String>, PartitionId, Offset),
}

impl FromStr for RecordName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give a number, or PARTITION/OFFSET for a record of the Kafka input topic".to_owned();
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let Some((before, offset)) = text.rsplit_once('/') else {
            return Ok(Self::Embedded(Offset(number(text)?)));
        };
        let (topic, partition) = match before.rsplit_once('/') {
            Some((topic, partition)) => (Some(topic.to_owned()), partition),
            None => (None, before),
        };
        let partition = partition.parse().map_err(|_| wrong())?;
        Ok(Self::Kafka(topic, PartitionId(partition), Offset(number(offset)?)))
    }
}

/// Resubmits, and tells what became of each and what it booked.
pub(super) fn run(args: &ResubmitArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let options = ResubmitOptions {
        mended: args.mended()?,
        webhook_defaults: WebhookDefaults {
            account: args.account.clone(),
            business_phone: args.business_phone.clone(),
        },
        imported_at: now(),
    };
    let originals = match args.places(config)? {
        Places::Embedded(originals) => originals,
        Places::Kafka(originals) => return again::run(args, &originals, &options, config, out),
    };
    let mut opened = args.data.open(config, out)?;
    let mut bar = out.bar();
    let done = opened.resubmit(&originals, &options, &mut |progress| show(&mut bar, &progress));
    drop(bar);
    let done = done?;

    let users = opened.users()?;
    let mut document = out.document(args.format.format);
    let columns = vec![
        Column::number("original"),
        Column::number("record"),
        Column::text("disposition"),
        Column::number("entries"),
        Column::text("meaning"),
    ];
    let mut list = document.list("resubmitted", "resubmitted", columns, InCsv::Yes)?;
    for one in &done {
        list.row(&[
            Value::Count(one.original.0),
            Value::Count(one.offset.0),
            Value::text(Disposition::WORDS[one.disposition.index()]),
            Value::Count(one.entries.1),
            Value::text(meaning(one.disposition, one.entries.1)),
        ])?;
    }
    list.finish()?;
    let format = args.format.format;
    if document.is_for_people() && done.iter().all(|one| one.entries.1 == 0) {
        return document.finish();
    }
    let mut list = document.list("booked", "booked", entries::columns(format), InCsv::No)?;
    let failed = |error| Failure::from(PipelineError::Ledger(error));
    let mut words = wire::Words::new();
    for one in &done {
        let (Sequence(first), count) = one.entries;
        let booked = opened.ledger().raw_entries(EMBEDDED_PARTITION, Sequence(first)).map_err(failed)?;
        for raw in booked.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            let raw = raw.map_err(failed)?;
            let entry = wire::decode_entry(&raw.bytes, &mut words).map_err(|error| {
                Failure::bad_data(format!("entry {} cannot be read", raw.sequence.0)).caused_by(error)
            })?;
            entries::row(&mut list, format, &entry, &raw.hash, &users)?;
        }
    }
    list.finish()?;
    document.finish()
}

/// Where all of the records lie.
enum Places {
    Embedded(Vec<Offset>),
    Kafka(Vec<(PartitionId, Offset)>),
}

impl ResubmitArgs {
    fn places(&self, config: &Config) -> Result<Places, Failure> {
        let (mut embedded, mut kafka) = (Vec::new(), Vec::new());
        let input = self.kafka.topics(config).input;
        for record in &self.records {
            match record {
                RecordName::Embedded(offset) => embedded.push(*offset),
                RecordName::Kafka(Some(topic), ..) if *topic != input => {
                    return Err(Failure::usage(format!("the input topic is {input}, and not {topic}"))
                        .hint("name what stands before it with --topic-prefix"));
                }
                RecordName::Kafka(_, partition, offset) => kafka.push((*partition, *offset)),
            }
        }
        match (embedded.is_empty(), kafka.is_empty()) {
            (false, true) => Ok(Places::Embedded(embedded)),
            (true, _) => Ok(Places::Kafka(kafka)),
            (false, false) => Err(Failure::usage("records of a directory and of Kafka were named together")
                .hint("resubmit the ones, then the others")),
        }
    }

    fn mended(&self) -> Result<Option<(String, Vec<u8>)>, Failure> {
        let Some(path) = &self.mended else { return Ok(None) };
        if self.records.len() > 1 {
            return Err(Failure::usage("--mended is for one record, and several were named")
                .hint("resubmit them one by one"));
        }
        let name = path.display().to_string();
        let content = fs::read(path).map_err(|error| {
            Failure::usage(format!("cannot read {name}"))
                .caused_by(error)
                .hint("check that the file exists and may be read")
        })?;
        Ok(Some((name, content)))
    }
}

fn meaning(disposition: Disposition, entries: u64) -> &'static str {
    match disposition {
        Disposition::Control if entries == 0 => "taken in; it changes nothing that was booked",
        Disposition::Control => "taken in",
        Disposition::Duplicate => "this original was resubmitted before",
        Disposition::Conflict => "still a conflict with what is known; it is in quarantine again",
        Disposition::Future => "still from the future; it is in quarantine again",
        Disposition::Malformed(_)
        | Disposition::Misrouted
        | Disposition::Ignored(_)
        | Disposition::Late
        | Disposition::Applied => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_kafka_is_named_as_its_dead_letter_names_it() {
        let kafka =
            |topic: Option<&str>| RecordName::Kafka(topic.map(str::to_owned), PartitionId(3), Offset(17));
        assert_eq!("17".parse(), Ok(RecordName::Embedded(Offset(17))));
        assert_eq!("3/17".parse(), Ok(kafka(None)));
        assert_eq!("whatsapp.events.v1/3/17".parse(), Ok(kafka(Some("whatsapp.events.v1"))));
        for wrong in ["", "3/", "/17", "three/17", "-1", "events/17"] {
            assert!(wrong.parse::<RecordName>().is_err(), "{wrong}");
        }
    }
}
