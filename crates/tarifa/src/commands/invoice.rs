//! `tarifa invoice`: what an account owes for a month.
//!
//! Knows nothing of rates and rounding, which are the ledger's and finance's. Invariant: reads the sums that the ledger
//! keeps, so that it takes as long for ten million entries as for ten.

use finance::{Bill, Grouping, Invoice, LedgerHead, LedgerSums};
use ledger::{
    LedgerReader,
    rollup::{AccountPeriod, PeriodSummary, QuarantineCounts},
    store::SledStore,
};
use model::Period;
use tariff::Configuration;

use crate::{
    commands::directory::{DataArgs, failure},
    config::{Config, nearest},
    failure::Failure,
    output::{Column, Document, Format, InCsv, Out, Value},
};

/// So many accounts are named where a wrong one was asked for.
const LISTED: usize = 20;

/// Print the invoice of an account and month: lines, what is open, unpriced or quarantined, and the total
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa invoice --data ./books --account 102290129340398 --period 2022-02 --by tag

Each line is rounded once, half away from zero, to what can be paid in the currency; the total is the sum of the
lines, and the difference to the exact sum is shown. As CSV it gives the lines alone, with whole millionths.")]
pub(crate) struct InvoiceArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Account that is billed
    #[arg(long, value_name = "ID")]
    account: String,
    /// Month in which the conversations opened, in the account's time zone
    #[arg(long, value_name = "YYYY-MM", value_parser = Period::parse)]
    period: Period,
    /// What divides the lines, beside market, initiator and rate
    #[arg(long, value_enum, default_value_t = By::Market)]
    by: By,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = InvoiceFormat::Table)]
    format: InvoiceFormat,
}

/// See [`Grouping`].
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum By {
    /// Nothing else.
    Market,
    /// The business's number id.
    Phone,
    /// Template of the message that earned the charge.
    Template,
    /// Tag of the message that earned the charge.
    Tag,
}

/// The form of an invoice.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum InvoiceFormat {
    /// Aligned columns, for people.
    Table,
    /// JSON: one object.
    Json,
    /// CSV with a header: the lines alone.
    Csv,
    /// A page that prints well.
    Html,
}

/// Prints it.
pub(crate) fn run(args: &InvoiceArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let books = args.data.books(config, out)?;
    let by = match args.by {
        By::Market => Grouping::Market,
        By::Phone => Grouping::Phone,
        By::Template => Grouping::Template,
        By::Tag => Grouping::Tag,
    };
    let known = accounts_and_periods(books.ledger())?;
    let wanted = AccountPeriod::of(&args.account, args.period);
    let Some((place, summary)) = known.iter().find(|(place, _)| *place == wanted) else {
        return Err(unknown(&wanted, &known));
    };
    let invoice = make(books.ledger(), &*books.configuration()?, place, *summary, by)?;
    let format = match args.format {
        InvoiceFormat::Table => Format::Table,
        InvoiceFormat::Json => Format::Json,
        InvoiceFormat::Csv => Format::Csv,
        InvoiceFormat::Html => {
            let page = invoice.to_html(|at| Value::Time(at).plain().into_owned());
            return out.raw().write_all(page.as_bytes()).map_err(Failure::of_output);
        }
    };
    let mut document = out.document(format);
    print(&invoice, &mut document)?;
    document.finish()
}

/// All accounts and months that there can be an invoice of.
pub(crate) fn accounts_and_periods(
    ledger: &LedgerReader<SledStore>,
) -> Result<Vec<(AccountPeriod, PeriodSummary)>, Failure> {
    ledger.accounts_and_periods().map_err(|error| failure(error.into()))
}

/// Makes the invoice of an account and month that the ledger has, from all its partitions.
pub(crate) fn make(
    ledger: &LedgerReader<SledStore>,
    configuration: &Configuration,
    place: &AccountPeriod,
    summary: PeriodSummary,
    by: Grouping,
) -> Result<Invoice, Failure> {
    let failed = |error: ledger::LedgerError| failure(error.into());
    let mut heads = Vec::new();
    let mut quarantined = QuarantineCounts::default();
    for (partition, head) in ledger.heads().map_err(failed)? {
        heads.push(LedgerHead { partition, sequence: head.sequence, hash: head.hash });
        let here = ledger.quarantined(partition).map_err(failed)?;
        quarantined.0.iter_mut().zip(here.0).for_each(|(sum, count)| *sum += count);
    }
    let sums = LedgerSums {
        place,
        lines: &ledger.rollup_lines(place).map_err(failed)?,
        summary,
        quarantined,
        heads: &heads,
    };
    let rules = configuration.account(&place.account);
    Invoice::from_rollups(&sums, rules, by).map_err(|error| Failure::bad_data(error.to_string()))
}

/// Names the accounts or months that there are.
fn unknown(wanted: &AccountPeriod, known: &[(AccountPeriod, PeriodSummary)]) -> Failure {
    let account = &*wanted.account;
    let periods = |account: &str| {
        let periods: Vec<String> = known
            .iter()
            .filter(|(place, _)| *place.account == *account)
            .map(|(place, _)| place.period.to_string())
            .collect();
        periods.join(", ")
    };
    let of_account = periods(account);
    if !of_account.is_empty() {
        return Failure::usage(format!("account {account} has nothing in {}", wanted.period))
            .hint(format!("it has: {of_account}"));
    }
    let failure = Failure::usage(format!("no account {account} in this directory"));
    let mut accounts: Vec<&str> = known.iter().map(|(place, _)| &*place.account).collect();
    accounts.dedup();
    if accounts.is_empty() {
        return failure.hint("it holds no conversations yet");
    }
    let meant = nearest(account, &accounts).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    let mut listed: Vec<String> =
        accounts.iter().take(LISTED).map(|account| format!("{account} ({})", periods(account))).collect();
    if accounts.len() > LISTED {
        listed.push(format!("{} more", accounts.len() - LISTED));
    }
    failure.hint(format!("{meant}it has: {}", listed.join("; ")))
}

/// Prints an invoice as the parts of a document.
pub(crate) fn print(invoice: &Invoice, document: &mut Document<'_>) -> Result<(), Failure> {
    let counts = invoice.conversations;
    let mut fields = vec![
        (Column::text("accountId").titled("invoice of account"), Value::text(&*invoice.account)),
        (Column::text("period"), Value::shown(&invoice.period)),
        (Column::text("zone").titled("time zone"), Value::text(&invoice.zone)),
        (Column::text("beginsAt").titled("from"), Value::Time(invoice.begins_at)),
        (Column::text("endsAt").titled("before"), Value::Time(invoice.ends_at)),
        (Column::number("conversations"), Value::Net(counts.opened)),
        (Column::number("charged").titled("  charged"), Value::Net(counts.charged)),
        (Column::number("notCharged").titled("  not charged"), Value::Net(counts.not_charged)),
        (Column::number("open").titled("  still open"), Value::Net(counts.open)),
        (Column::number("unpriced").titled("charges without rate"), Value::Net(invoice.unpriced_quantity())),
        (
            Column::number("quarantined").titled("records in quarantine"),
            Value::Count(invoice.quarantined_records()),
        ),
    ];
    if !document.is_for_people() {
        fields.push((Column::text("by"), Value::text(invoice.by.as_str())));
        fields.push((Column::text("tax"), Value::text("excluded")));
    }
    document.record("invoice", &fields)?;
    lines(invoice, document)?;
    totals(invoice, document)?;
    unsettled(invoice, document)?;
    let columns = vec![
        Column::number("partition"),
        Column::number("sequence").titled("up to entry"),
        Column::text("hash"),
    ];
    let mut list = document.list("madeFrom", "made from the ledger", columns, InCsv::No)?;
    for head in &invoice.made_from {
        list.row(&[
            Value::Count(u64::from(head.partition.0)),
            Value::Count(head.sequence.0),
            Value::shown(&head.hash),
        ])?;
    }
    list.finish()
}

/// The column of the group, where lines are divided by one.
fn group_column(by: Grouping) -> Option<Column> {
    match by {
        Grouping::Market => None,
        Grouping::Phone => Some(Column::text("businessPhone").titled("business phone")),
        Grouping::Template | Grouping::Tag => Some(Column::text(by.as_str())),
    }
}

fn group_value(group: Option<&model::Text>) -> Option<Value<'_>> {
    group.map(|group| if group.is_empty() { Value::Absent } else { Value::text(&**group) })
}

fn lines(invoice: &Invoice, document: &mut Document<'_>) -> Result<(), Failure> {
    let mut columns: Vec<Column> = group_column(invoice.by).into_iter().collect();
    columns.extend([
        Column::text("market"),
        Column::text("initiator"),
        Column::text("tariff"),
        Column::number("quantity"),
        Column::number("unitRateMicros").titled("unit rate"),
        Column::number("grossMicros").titled("gross"),
        Column::number("netMicros").titled("net"),
        Column::text("currency"),
    ]);
    let mut list = document.list("lines", "lines", columns, InCsv::Yes)?;
    for bill in &invoice.bills {
        for line in &bill.lines {
            let mut row: Vec<Value<'_>> = group_value(line.group.as_ref()).into_iter().collect();
            row.extend([
                Value::text(&*line.market),
                Value::text(line.initiator.as_str()),
                Value::text(&*line.tariff),
                Value::Net(line.quantity),
                Value::Money(line.unit_rate),
                Value::Money(line.gross),
                Value::Payable(line.net, bill.minor),
                Value::shown(&bill.currency),
            ]);
            list.row(&row)?;
        }
    }
    list.finish()
}

fn totals(invoice: &Invoice, document: &mut Document<'_>) -> Result<(), Failure> {
    let columns = vec![
        Column::number("netMicros").titled("total"),
        Column::text("currency"),
        Column::number("exactMicros").titled("exact sum"),
        Column::number("roundingMicros").titled("added by rounding"),
    ];
    let mut list = document.list("totals", "total, excluding tax", columns, InCsv::No)?;
    for Bill { currency, minor, total, exact, rounding, .. } in &invoice.bills {
        list.row(&[
            Value::Payable(*total, *minor),
            Value::shown(currency),
            Value::Money(*exact),
            Value::Money(*rounding),
        ])?;
    }
    list.finish()
}

/// What is in no total: for people only if there is any.
fn unsettled(invoice: &Invoice, document: &mut Document<'_>) -> Result<(), Failure> {
    if !(document.is_for_people() && invoice.unpriced.is_empty()) {
        let mut columns: Vec<Column> = group_column(invoice.by).into_iter().collect();
        columns.extend([
            Column::text("market"),
            Column::text("initiator"),
            Column::text("currency"),
            Column::number("quantity"),
            Column::text("reason"),
        ]);
        let title = "in no total: charges without a rate";
        let mut list = document.list("unpricedCharges", title, columns, InCsv::No)?;
        for unpriced in &invoice.unpriced {
            let mut row: Vec<Value<'_>> = group_value(unpriced.group.as_ref()).into_iter().collect();
            row.extend([
                Value::text(&*unpriced.market),
                Value::text(unpriced.initiator.as_str()),
                Value::shown(&unpriced.currency),
                Value::Net(unpriced.quantity),
                Value::text(&*unpriced.reason),
            ]);
            list.row(&row)?;
        }
        list.finish()?;
    }
    if !(document.is_for_people() && invoice.quarantined.is_empty()) {
        let columns = vec![Column::text("reason"), Column::number("records")];
        let title = "in no total: records in quarantine, of all accounts";
        let mut list = document.list("quarantinedRecords", title, columns, InCsv::No)?;
        for (reason, count) in &invoice.quarantined {
            list.row(&[Value::text(reason.as_str()), Value::Count(*count)])?;
        }
        list.finish()?;
    }
    Ok(())
}
