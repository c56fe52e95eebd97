//! `tarifa topics create|check`: the topics with the settings that exactly-once billing needs.
//!
//! Knows no setting; those are in the crate `kafka`. Invariant: a difference ends with 1, and is shown with the command
//! that mends it.

use kafka::{
    TopicNames,
    topics::{self, CreateOptions, Found, TopicsError, TopicsReport},
};

use crate::{
    commands::broker::KafkaArgs,
    config::Config,
    failure::Failure,
    output::{Column, Format, FormatArgs, InCsv, Out, Value},
};

/// Create the topics with the right settings, or check them
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TopicsCommand {
    Create(CreateArgs),
    Check(CheckArgs),
}

/// Create the topics that are not there, with the settings that they need; check those that are
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa topics create --brokers localhost:9092 --partitions 8

The number of partitions is for good: with another number threads would move, and be billed twice. A topic that is
there already is not changed; if it is set otherwise, the command that mends it is shown.")]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Partitions of each topic
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    partitions: u16,
    /// Copies of each record [default: 3, or as many as there are brokers]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    copies: Option<u16>,
    /// Days for which the input is kept; it holds phone numbers. What is older can only be restored from a snapshot
    /// [default: for ever]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    input_retention_days: Option<u32>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Check how the topics are set
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa topics check --brokers localhost:9092

Ends with 1 if a topic is set otherwise than it has to be, and shows the command that mends it. As CSV it gives these
differences alone.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Creates or checks.
pub(crate) fn run(command: TopicsCommand, config: &Config, out: &mut Out) -> Result<(), Failure> {
    match command {
        TopicsCommand::Create(args) => {
            let names = args.kafka.topics(config);
            let options = CreateOptions {
                partitions: usize::from(args.partitions),
                copies: args.copies.map(usize::from),
                input_retention_ms: args.input_retention_days.map_or(-1, |days| i64::from(days) * DAY_MS),
            };
            let report = topics::create(&args.kafka.client(config)?, &names, &options).map_err(failure)?;
            tell(&report, &names, args.format.format, out)
        }
        TopicsCommand::Check(args) => {
            let names = args.kafka.topics(config);
            let report = topics::check(&args.kafka.client(config)?, &names).map_err(failure)?;
            tell(&report, &names, args.format.format, out)
        }
    }
}

/// Topics that cannot be used are the cluster's fault or the user's, never the data's.
pub(crate) fn failure(error: TopicsError) -> Failure {
    let base = match &error {
        TopicsError::Settings(_) | TopicsError::ByToken => Failure::usage(error.to_string()),
        TopicsError::Away { .. } | TopicsError::Refused { .. } => Failure::unavailable(error.to_string()),
    };
    match std::error::Error::source(&error) {
        Some(source) => base.caused_by(source.to_string()),
        None => base,
    }
}

fn tell(report: &TopicsReport, names: &TopicNames, format: Format, out: &mut Out) -> Result<(), Failure> {
    let mut document = out.document(format);
    let columns = vec![
        Column::text("topic"),
        Column::number("partitions"),
        Column::number("copies"),
        Column::text("keptDays").titled("kept, days"),
        Column::text("created"),
    ];
    let mut list = document.list("topics", "topics", columns, InCsv::No)?;
    for topic in &report.found {
        list.row(&[
            Value::text(topic.name.as_str()),
            Value::count(topic.partitions),
            Value::count(topic.copies_min),
            kept_days(topic),
            Value::Flag(report.created.contains(&topic.name)),
        ])?;
    }
    list.finish()?;
    if !report.differences.is_empty() || !document.is_for_people() {
        let columns = ["topic", "setting", "found", "wanted", "why", "mend"].map(Column::text).to_vec();
        let title = "differences, each with the command that mends it";
        let mut list = document.list("differences", title, columns, InCsv::Yes)?;
        for it in &report.differences {
            let row = [&it.topic, &it.setting, &it.found, &it.wanted, &it.why, &it.mend];
            list.row(&row.map(|cell| Value::text(cell.as_str())))?;
        }
        list.finish()?;
    }
    if let Some(input) = report.found.iter().find(|topic| topic.name == names.input) {
        document.remark(&about_numbers(input))?;
    }
    document.finish()?;
    match report.differences.len() {
        0 => Ok(()),
        count => {
            Err(Failure::differences(format!("settings of topics that are not as they have to be: {count}"))
                .hint("run the commands shown, then `tarifa topics check` again"))
        }
    }
}

/// In whole days, or for ever.
fn kept_days(topic: &Found) -> Value<'static> {
    match retention_ms(topic) {
        Some(ms) if ms < 0 => Value::text("for ever"),
        Some(ms) => Value::shown(&(ms / DAY_MS)),
        None => Value::Absent,
    }
}

fn retention_ms(topic: &Found) -> Option<i64> {
    topic.settings.get("retention.ms")?.parse().ok()
}

/// Numbers of users stand in the input and nowhere else in Kafka but the dead letters.
fn about_numbers(input: &Found) -> String {
    match retention_ms(input) {
        Some(ms) if ms >= 0 => format!(
            "{} holds phone numbers for {} days; a ledger older than that is restored from a snapshot only",
            input.name,
            ms / DAY_MS
        ),
        _ => format!("{} holds phone numbers for as long as it is there", input.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(retention_ms: &str) -> Found {
        Found {
            name: "whatsapp.events.v1".to_owned(),
            partitions: 8,
            copies_min: 3,
            settings: [("retention.ms".to_owned(), retention_ms.to_owned())].into(),
        }
    }

    #[test]
    fn how_long_numbers_are_held_is_said() {
        assert!(about_numbers(&input("604800000")).contains("holds phone numbers for 7 days"));
        assert!(about_numbers(&input("-1")).ends_with("for as long as it is there"));
        assert_eq!(kept_days(&input("-1")), Value::text("for ever"));
    }
}
