//! `tarifa quarantine resubmit`: a record from quarantine into the log again, mended or as it was.

use std::{fs, path::PathBuf};

use model::{Disposition, Offset, Sequence};
use pipeline::{EMBEDDED_PARTITION, PipelineError, ResubmitOptions};
use wire::WebhookDefaults;

use crate::{
    commands::{
        directory::{DataArgs, now, show},
        entries,
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

The records in quarantine stay there. The same one twice is a duplicate. Nothing else moves: no time passes.")]
pub(crate) struct ResubmitArgs {
    /// Places of the records in the log, as `tarifa quarantine list` shows them
    #[arg(required = true, value_name = "RECORD")]
    records: Vec<u64>,
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
    format: FormatArgs,
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
    let originals: Vec<Offset> = args.records.iter().copied().map(Offset).collect();
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

impl ResubmitArgs {
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
