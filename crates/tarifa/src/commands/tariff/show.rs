//! `tarifa tariff show`: settings, months with rates, and the rates with where each comes from.
//!
//! Knows no rule of tariffs. Invariant: a filter that matches nothing is an error, never an empty answer.

use model::Currency;
use tariff::{RateRow, Tariff, TariffError, coverage};

use super::source::{TariffArg, anchor_word, currencies, unit_word, window_word};
use crate::{
    config::{Config, nearest},
    failure::Failure,
    output::{Column, Document, Format, FormatArgs, InCsv, Out, Value},
};

/// Show a tariff: its settings, which months have rates, and every rate with its source
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tarifa tariff show whatsapp-2022 --market Brazil --currency USD

As CSV it gives the rates alone.")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    tariff: TariffArg,

    /// Only the rates of this market
    #[arg(long)]
    market: Option<String>,

    /// Only the rates in this currency
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,

    #[command(flatten)]
    format: FormatArgs,
}

pub(super) fn run(args: &ShowArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let source = args.tariff.source(config)?;
    let tariff = Tariff::from_files(&source.files).map_err(|TariffError::Invalid(findings)| {
        Failure::bad_data(format!("the tariff {} cannot be used", source.name))
            .caused_by(findings)
            .hint(format!("see all that is wrong with it: tarifa tariff check {}", source.name))
    })?;
    let filter = Filter::new(args, &tariff)?;
    let mut document = out.document(args.format.format);
    settings(&tariff, &mut document)?;
    months(&tariff, &filter, args.format.format, &mut document)?;
    rates(&tariff, &filter, &mut document)?;
    document.finish()
}

/// Which rates are wanted.
struct Filter<'a> {
    market: Option<&'a str>,
    currency: Option<Currency>,
}

impl<'a> Filter<'a> {
    fn new(args: &'a ShowArgs, tariff: &Tariff) -> Result<Self, Failure> {
        let market = args.market.as_deref();
        if let Some(wanted) = market {
            let names: Vec<&str> = tariff.market_names().iter().map(|name| &**name).collect();
            if !names.contains(&wanted) {
                let hint = match nearest_name(wanted, &names) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("known: {}", names.join(", ")),
                };
                return Err(Failure::usage(format!("{} has no market `{wanted}`", tariff.id)).hint(hint));
            }
        }
        let known = currencies(tariff);
        let currency = args.currency.as_deref().map(|wanted| {
            let parsed =
                Currency::parse(wanted).ok().filter(|_| known.iter().any(|code| code.as_str() == wanted));
            parsed.ok_or_else(|| {
                Failure::usage(format!("{} has no rates in `{wanted}`", tariff.id))
                    .hint(format!("known: {}", known.join(", ")))
            })
        });
        Ok(Self { market, currency: currency.transpose()? })
    }

    fn takes(&self, row: &RateRow) -> bool {
        self.market.is_none_or(|market| *row.market == *market) && self.takes_currency(row.currency)
    }

    fn takes_currency(&self, currency: Currency) -> bool {
        self.currency.is_none_or(|wanted| wanted == currency)
    }
}

/// Markets have capital letters, which the common look-up does not expect.
fn nearest_name<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    let lowered: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let lowered: Vec<&str> = lowered.iter().map(String::as_str).collect();
    let found = nearest(wanted, &lowered)?;
    lowered.iter().position(|name| *name == found).map(|at| names[at])
}

fn settings(tariff: &Tariff, document: &mut Document<'_>) -> Result<(), Failure> {
    let window_hours = u64::try_from(tariff.window_length.0 / 3_600_000).unwrap_or(0);
    document.record(
        "tariff",
        &[
            (Column::text("id"), Value::text(&*tariff.id)),
            (Column::text("title"), Value::text(&*tariff.title)),
            (Column::text("unit"), Value::text(unit_word(tariff.unit))),
            (Column::text("anchor"), Value::text(anchor_word(tariff.anchor))),
            (Column::text("window"), Value::text(window_word(tariff.window))),
            (Column::number("windowHours").titled("window hours"), Value::Count(window_hours)),
            (Column::text("from"), Value::shown(&tariff.dates.from)),
            (Column::text("to").titled("until before"), Value::shown_if(tariff.dates.to.as_ref())),
        ],
    )
}

/// One line a month. For people a column for each currency and category; for programs a record for each.
fn months(
    tariff: &Tariff,
    filter: &Filter<'_>,
    format: Format,
    document: &mut Document<'_>,
) -> Result<(), Failure> {
    let coverage = coverage(tariff);
    let wanted: Vec<usize> =
        (0..coverage.columns.len()).filter(|at| filter.takes_currency(coverage.columns[*at].0)).collect();
    let title = "Markets with a rate on every day of the month, of those in force";
    if format == Format::Table {
        let mut columns = vec![Column::text("month")];
        for at in &wanted {
            let (currency, kind) = coverage.columns[*at];
            columns.push(Column::number(format!("{currency} {}", kind.as_str())));
        }
        let mut list = document.list("coverage", title, columns, InCsv::No)?;
        for (month, cells) in coverage.months.iter().zip(&coverage.cells) {
            let mut row = vec![Value::shown(month)];
            for cell in wanted.iter().map(|at| cells[*at]) {
                row.push(Value::text(format!("{} of {}", cell.whole, cell.whole + cell.part + cell.none)));
            }
            list.row(&row)?;
        }
        let goes_on = |at: &usize| Value::text(if coverage.goes_on[*at] { "goes on" } else { "no rates" });
        let mut last = vec![Value::text("later")];
        last.extend(wanted.iter().map(goes_on));
        list.row(&last)?;
        return list.finish();
    }
    let columns = vec![
        Column::text("month"),
        Column::text("currency"),
        Column::text("category"),
        Column::number("marketsWhole"),
        Column::number("marketsPart"),
        Column::number("marketsNone"),
    ];
    let mut list = document.list("coverage", title, columns, InCsv::No)?;
    for (month, cells) in coverage.months.iter().zip(&coverage.cells) {
        for at in &wanted {
            let ((currency, kind), cell) = (coverage.columns[*at], cells[*at]);
            list.row(&[
                Value::shown(month),
                Value::shown(&currency),
                Value::text(kind.as_str()),
                Value::count(cell.whole),
                Value::count(cell.part),
                Value::count(cell.none),
            ])?;
        }
    }
    list.finish()
}

fn rates(tariff: &Tariff, filter: &Filter<'_>, document: &mut Document<'_>) -> Result<(), Failure> {
    let columns = vec![
        Column::text("market"),
        Column::text("currency"),
        Column::text("category"),
        Column::number("rateMicros").titled("rate"),
        Column::text("from"),
        Column::text("to").titled("until before"),
        Column::text("status"),
        Column::text("card"),
        Column::number("line"),
        Column::text("source"),
    ];
    let mut list = document.list("rates", "Rates", columns, InCsv::Yes)?;
    for row in tariff.rates().iter().filter(|row| filter.takes(row)) {
        list.row(&[
            Value::text(&*row.market),
            Value::shown(&row.currency),
            Value::text(row.kind.as_str()),
            Value::Money(row.rate),
            Value::shown(&row.dates.from),
            Value::shown_if(row.dates.to.as_ref()),
            Value::text(row.status.as_str()),
            Value::text(&*row.card),
            Value::Count(row.line.into()),
            Value::text(&*row.source),
        ])?;
    }
    list.finish()
}
