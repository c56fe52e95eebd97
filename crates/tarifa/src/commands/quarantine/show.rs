//! `tarifa quarantine show`: one record as it came, to the byte.

use ledger::QuarantinedOriginal;
use model::Offset;
use pipeline::{EMBEDDED_PARTITION, PipelineError, ResubmitError};

use crate::{
    commands::directory::DataArgs,
    config::Config,
    failure::Failure,
    output::{Column, Format, Out, Value},
};

/// Show a record in quarantine as it came: its bytes, and on standard error why it is there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa quarantine show 17 --data ./books > record.json

For a webhook body of several events that is the whole body. It may hold numbers of users.")]
pub(crate) struct ShowArgs {
    /// Place of the record in the log, as `tarifa quarantine list` shows it
    #[arg(value_name = "RECORD")]
    record: u64,
    #[command(flatten)]
    data: DataArgs,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = Form::Raw)]
    format: Form,
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// The bytes as they came
    Raw,
    /// JSON: the facts, with the bytes as text, or in hexadecimal where they are no UTF-8
    Json,
}

/// Shows it.
pub(super) fn run(args: &ShowArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let opened = args.data.open(config, out)?;
    let offset = Offset(args.record);
    let kept = opened.quarantine().get(EMBEDDED_PARTITION, offset).map_err(PipelineError::from)?;
    let kept = kept.ok_or(PipelineError::Resubmit(ResubmitError::NotQuarantined(offset)))?;
    match args.format {
        Form::Raw => raw(&kept, out),
        Form::Json => json(&kept, out),
    }
}

fn raw(kept: &QuarantinedOriginal, out: &mut Out) -> Result<(), Failure> {
    let line = if kept.line > 0 { format!(", line {}", kept.line) } else { String::new() };
    let event = if kept.piece > 0 { format!(", event {} of it", kept.piece + 1) } else { String::new() };
    out.note(&format!(
        "record {}: {}\n  {}\n  from {}{line}{event}\n  hash {}",
        kept.offset.0,
        kept.reason.as_str(),
        kept.detail,
        kept.source,
        kept.original
    ));
    let Some(bytes) = &kept.bytes else {
        return Err(Failure::bad_data(format!("the original of record {} has expired", kept.offset.0))
            .hint("originals are kept for 30 days; reason and hash remain"));
    };
    out.raw().write_all(bytes).map_err(Failure::of_output)
}

fn json(kept: &QuarantinedOriginal, out: &mut Out) -> Result<(), Failure> {
    let bytes = kept.bytes.as_deref();
    let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let hex = bytes
        .filter(|_| text.is_none())
        .map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let mut document = out.document(Format::Json);
    document.record(
        "record",
        &[
            (Column::number("offset"), Value::Count(kept.offset.0)),
            (Column::text("reason"), Value::text(kept.reason.as_str())),
            (Column::text("detail"), Value::text(kept.detail.as_str())),
            (Column::text("source"), Value::text(kept.source.as_str())),
            (Column::number("line"), if kept.line > 0 { Value::Count(kept.line) } else { Value::Absent }),
            (Column::number("event"), Value::Count(u64::from(kept.piece) + 1)),
            (Column::text("recordTime"), Value::Time(kept.record_time)),
            (Column::text("hash"), Value::shown(&kept.original)),
            (Column::text("text"), text.map_or(Value::Absent, Value::text)),
            (Column::text("hex"), hex.map_or(Value::Absent, Value::text)),
        ],
    )?;
    document.finish()
}
