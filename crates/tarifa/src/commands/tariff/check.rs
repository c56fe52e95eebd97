//! `tarifa tariff check`: all that is wrong with the files of a tariff, and the months without a rate.
//!
//! Knows no rule of tariffs. Invariant: exit code 1 exactly if something was found; a month without a rate is told, but
//! is no mistake, since a card may end before the tariff does.

use tariff::{Finding, Tariff, TariffError, coverage};

use super::source::{Source, TariffArg};
use crate::{
    config::Config,
    failure::Failure,
    output::{Column, Document, Format, FormatArgs, InCsv, Out, Value},
};

/// Check the files of a tariff: overlaps, unknown names, missing sources, with file, line and column
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tarifa tariff check ./my-tariff

Ends with 1 if something is found. As CSV it gives the findings alone.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    tariff: TariffArg,

    #[command(flatten)]
    format: FormatArgs,
}

pub(super) fn run(args: &CheckArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let source = args.tariff.source(config)?;
    let (tariff, findings) = match Tariff::from_files(&source.files) {
        Ok(tariff) => (Some(tariff), Vec::new()),
        Err(TariffError::Invalid(findings)) => (None, findings.0),
    };
    let mut document = out.document(args.format.format);
    show_findings(&source, &findings, args.format.format, &mut document)?;
    if let Some(tariff) = &tariff {
        gaps(tariff, &mut document)?;
    }
    document.finish()?;
    match findings.len() {
        0 => Ok(()),
        1 => Err(Failure::differences(format!("one thing is wrong with {}", source.name))),
        count => Err(Failure::differences(format!("{count} things are wrong with {}", source.name))),
    }
}

/// For people in the form that editors turn into links; for programs as records.
fn show_findings(
    source: &Source,
    findings: &[Finding],
    format: Format,
    document: &mut Document<'_>,
) -> Result<(), Failure> {
    if format == Format::Table {
        if findings.is_empty() {
            return document.remark(&format!("{}: nothing is wrong", source.name));
        }
        let lines: Vec<String> =
            findings.iter().map(|finding| format!("{}{finding}", source.prefix)).collect();
        return document.remark(&lines.join("\n"));
    }
    let columns = vec![
        Column::text("file"),
        Column::number("line"),
        Column::number("column"),
        Column::text("problem"),
        Column::text("advice"),
    ];
    let mut list = document.list("findings", "Findings", columns, InCsv::Yes)?;
    for finding in findings {
        list.row(&[
            Value::text(format!("{}{}", source.prefix, finding.file)),
            Value::Count(finding.line.into()),
            Value::Count(finding.column.into()),
            Value::text(finding.problem.as_str()),
            Value::text(finding.advice.as_str()),
        ])?;
    }
    list.finish()
}

/// The months in which some market in force has no rate on some date.
fn gaps(tariff: &Tariff, document: &mut Document<'_>) -> Result<(), Failure> {
    let coverage = coverage(tariff);
    let mut incomplete = Vec::new();
    for (month, cells) in coverage.months.iter().zip(&coverage.cells) {
        for ((currency, kind), cell) in coverage.columns.iter().zip(cells) {
            if !cell.is_complete() {
                incomplete.push((*month, *currency, *kind, *cell));
            }
        }
    }
    if incomplete.is_empty()
        && let (Some(first), Some(last)) = (coverage.months.first(), coverage.months.last())
    {
        let goes_on = coverage.goes_on.iter().all(|goes_on| *goes_on);
        let span = if goes_on { format!("{first} and later") } else { format!("{first} to {last}") };
        document.remark(&format!("every market in force has a rate on every date of {span}"))?;
    }
    let columns = vec![
        Column::text("month"),
        Column::text("currency"),
        Column::text("category"),
        Column::number("marketsPart").titled("markets in part"),
        Column::number("marketsNone").titled("markets without"),
    ];
    // People read the remark where there is nothing to list; programs find an empty list.
    if incomplete.is_empty() && document.is_for_people() {
        return Ok(());
    }
    let mut list = document.list("gaps", "Months with dates without a rate", columns, InCsv::No)?;
    for (month, currency, kind, cell) in incomplete {
        list.row(&[
            Value::shown(&month),
            Value::shown(&currency),
            Value::text(kind.as_str()),
            Value::count(cell.part),
            Value::count(cell.none),
        ])?;
    }
    list.finish()
}
