//! `tarifa quarantine list`: what is in quarantine, why, and where it came from.

use crate::{
    commands::directory::DataArgs,
    config::Config,
    failure::Failure,
    output::{Column, FormatArgs, Out, Value},
};

/// List the records in quarantine: why each is there, and from which line of which file it came
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa quarantine list --data ./books

What the records say is left out, as it may hold numbers of users: see `tarifa quarantine show`.")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Lists them by their place in the log.
pub(super) fn run(args: &ListArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let opened = args.data.open(config, out)?;
    let originals = opened.quarantine().list().map_err(pipeline::PipelineError::from)?;
    let columns = vec![
        Column::number("offset").titled("record"),
        Column::text("reason"),
        Column::text("source"),
        Column::number("line"),
        Column::text("recordTime"),
        Column::number("bytes"),
        Column::text("resubmitted"),
        Column::text("detail"),
    ];
    let mut list = out.list(args.format.format, columns)?;
    for original in originals {
        let bytes = original.bytes.as_ref().map_or(Value::text("expired"), |bytes| Value::count(bytes.len()));
        list.row(&[
            Value::Count(original.offset.0),
            Value::text(original.reason.as_str()),
            Value::text(original.source),
            if original.line > 0 { Value::Count(original.line) } else { Value::Absent },
            Value::Time(original.record_time),
            bytes,
            Value::Flag(opened.projector().is_resubmitted(original.offset)),
            Value::text(original.detail),
        ])?;
    }
    list.finish()
}
