//! `tarifa project`: files into the embedded log and ledger.

use std::collections::BTreeMap;

use model::{Disposition, Micros, UnixMillis};
use pipeline::{ProjectOptions, ProjectSummary};

use crate::{
    commands::{
        directory::{AdoptArgs, DataArgs, Opened, failure, now, show},
        input::InputArgs,
    },
    config::Config,
    failure::Failure,
    output::{Column, Format, FormatArgs, InCsv, Out, Value},
};

/// Project files of events or webhooks into a directory with log and ledger
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa project webhooks.jsonl.gz --data ./books --currency EUR --zone Europe/Berlin

Files may be JSON Lines (events, or webhook bodies) or length-delimited protobuf, plain, .gz or .zst, in any
order and split in any way; `-` is standard input. A file that was read before changes nothing; one that has
grown is read on. Records that cannot be billed go to quarantine: see `tarifa quarantine list`.")]
pub(crate) struct ProjectArgs {
    /// Files to read, in this order; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    adopt: AdoptArgs,
    /// Time of the tick at the end, which closes conversations [default: the newest event read]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<UnixMillis>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    format: FormatArgs,
}

fn parse_time(text: &str) -> Result<UnixMillis, String> {
    let time = chrono::DateTime::parse_from_rfc3339(text);
    time.map(|time| UnixMillis(time.timestamp_millis()))
        .map_err(|_| "give a time as in RFC 3339, such as 2022-03-01T00:00:00Z".to_owned())
}

/// Projects, and tells what happened.
pub(crate) fn run(args: &ProjectArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let options = ProjectOptions {
        configuration: Some(args.adopt.configuration(config)?),
        configuration_is_explicit: args.adopt.is_explicit(config),
        webhook_defaults: args.input.webhook_defaults(),
        format: args.input.form(),
        until: args.until,
        imported_at: now(),
        commit_records: None,
        checkpoint_records: None,
        ahead_bytes: None,
    };
    let mut bar = out.bar();
    let mut opened = args.data.open_or_create(config, &mut bar)?;
    let summary = opened.project(&args.files, &options, &mut |progress| show(&mut bar, &progress));
    drop(bar);
    let summary = summary.map_err(failure)?;
    report(&opened, &summary, args.format.format, out)?;
    opened.leave();
    Ok(())
}

/// What happened, and what to do next.
pub(crate) fn report(
    opened: &Opened,
    summary: &ProjectSummary,
    format: Format,
    out: &mut Out,
) -> Result<(), Failure> {
    for input in &summary.unchanged_inputs {
        out.note(&format!("{input}: read before, nothing new in it"));
    }
    let totals = Totals::of(opened)?;
    let mut document = out.document(format);
    let mut fields = vec![
        (Column::number("records"), Value::Count(summary.dispositions.total())),
        (Column::number("entries"), Value::Count(summary.entries)),
    ];
    let counted = Disposition::WORDS.iter().zip(summary.dispositions.by_disposition);
    fields.extend(
        counted
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| (Column::number(*word), Value::Count(count))),
    );
    fields.push((
        Column::number("openedConversations").titled("conversations in all"),
        Value::Net(totals.conversations),
    ));
    fields.push((Column::number("openConversations").titled("of these open"), Value::Count(totals.open)));
    fields.push((Column::text("partitionTime").titled("closed up to"), Value::Time(summary.partition_time)));
    document.record("run", &fields)?;
    let columns = vec![
        Column::text("account"),
        Column::text("period"),
        Column::text("currency"),
        Column::number("charges"),
        Column::number("unpriced"),
        Column::number("amountMicros").titled("amount"),
    ];
    let mut list = document.list("charged", "charged so far", columns, InCsv::Yes)?;
    for ((account, period, currency), (charges, unpriced, amount)) in &totals.charged {
        list.row(&[
            Value::text(account),
            Value::text(period),
            Value::text(currency),
            Value::Count(*charges),
            Value::Count(*unpriced),
            money(*amount)?,
        ])?;
    }
    list.finish()?;
    if let (Some(((account, period, _), _)), true) =
        (totals.charged.first_key_value(), document.is_for_people())
    {
        let data = opened.dir().root().display();
        document
            .remark(&format!("next: tarifa invoice --data {data} --account {account} --period {period}"))?;
    }
    document.finish()
}

/// Sums beyond nine million million units of a currency are a mistake, not a bill.
fn money(micros: i128) -> Result<Value<'static>, Failure> {
    let fits = i64::try_from(micros)
        .map_err(|_| Failure::bad_data("the charges add up to more than money can be"))?;
    Ok(Value::Money(Micros(fits)))
}

/// What the whole directory holds.
struct Totals {
    /// Opened, less those that were withdrawn.
    conversations: i64,
    open: u64,
    /// By account, period, currency: charges, unpriced ones, micros.
    charged: BTreeMap<(String, String, String), (u64, u64, i128)>,
}

impl Totals {
    /// From the rollups: nothing is scanned.
    fn of(opened: &Opened) -> Result<Self, Failure> {
        let failed = |error: ledger::LedgerError| failure(error.into());
        let mut totals = Self { conversations: 0, open: 0, charged: BTreeMap::new() };
        for (place, summary) in opened.ledger().accounts_and_periods().map_err(failed)? {
            totals.open += u64::try_from(summary.open_conversations).unwrap_or(0);
            for line in opened.ledger().rollup_lines(&place).map_err(failed)? {
                totals.conversations += line.totals.opened - line.totals.withdrawn;
                let Some(price) = &line.key.price else { continue };
                let key = (place.account.to_string(), place.period.to_string(), price.currency.to_string());
                let sum = totals.charged.entry(key).or_default();
                let charges = u64::try_from(line.totals.charges).unwrap_or(0);
                sum.0 += charges;
                sum.1 += if price.unit.is_none() { charges } else { 0 };
                sum.2 += line.totals.amount_micros;
            }
        }
        Ok(totals)
    }
}
