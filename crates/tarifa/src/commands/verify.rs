//! `tarifa verify`: does everything in a directory still say the same as everything else?

use std::path::Path;

use pipeline::{
    Check, Outcome, PeriodDigest, Verification,
    book::{Book, is_book},
    service::{ServiceBooks, is_service_directory},
};

use crate::{
    commands::directory::{DataArgs, show},
    config::Config,
    failure::Failure,
    output::{Column, Document, FormatArgs, InCsv, Out, Value},
};

/// Verify a directory: log, chain, dispositions, quarantine, rollups and state; print digests
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa verify --data ./books

Ends with 1 if a check finds differences, and says where the first is. Two directories with the same secret that were
made from the same events, in whatever order, have the same digests. As CSV it gives the digests alone. To fold the
whole log again and compare: tarifa replay --verify")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Verifies, and tells what was found.
pub(crate) fn run(args: &VerifyArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let path = args.data.path(config)?;
    if is_book(&path) {
        return verify_book(&Book::open(&path)?, args, out);
    }
    if is_service_directory(&path) {
        return verify_service(&path, args, out);
    }
    let opened = args.data.open(config, out)?;
    let mut bar = out.bar();
    let verified = opened.verify(&mut |progress| show(&mut bar, &progress));
    drop(bar);
    let verified = verified?;
    let mut document = out.document(args.format.format);
    checks(&mut document, &verified.checks)?;
    head(&mut document, &verified)?;
    digests(&mut document, &verified.digests)?;
    document.finish()?;
    if verified.holds() {
        return Ok(());
    }
    let different: Vec<&str> = verified
        .checks
        .iter()
        .filter(|check| matches!(check.outcome, Outcome::Differs(_)))
        .map(|check| check.name)
        .collect();
    Err(Failure::differences(format!("of the checks, {} found differences", different.join(" and "))))
}

/// Verifies what a service holds of its partitions; its log is in Kafka.
fn verify_service(path: &Path, args: &VerifyArgs, out: &mut Out) -> Result<(), Failure> {
    let books = ServiceBooks::read(path)?;
    let mut document = out.document(args.format.format);
    let columns = vec![
        Column::number("partition"),
        Column::number("sequence"),
        Column::text("hash"),
        Column::number("nextOffset").titled("next record"),
        Column::text("offsets"),
        Column::text("sums"),
        Column::number("stateAt").titled("state at"),
    ];
    let word = |holds: bool| Value::text(if holds { "ok" } else { "differs" });
    let mut list = document.list("partitions", "partitions", columns, InCsv::No)?;
    for one in &books.partitions {
        list.row(&[
            Value::Count(u64::from(one.partition.0)),
            Value::Count(one.head.0.0),
            Value::shown(&one.head.1),
            Value::Count(one.next_offset.0),
            word(one.accounts_for_every_offset),
            word(one.sums_agree),
            Value::Count(one.state_at.0),
        ])?;
    }
    list.finish()?;
    let holds = books.holds();
    digests(&mut document, &books.into_digests())?;
    document.finish()?;
    if holds { Ok(()) } else { Err(Failure::differences("of the partitions, some do not hold")) }
}

/// Verifies a book: its entries are all that it has.
fn verify_book(book: &Book, args: &VerifyArgs, out: &mut Out) -> Result<(), Failure> {
    let partitions = book.verify()?;
    let mut document = out.document(args.format.format);
    let columns = vec![
        Column::number("partition"),
        Column::number("sequence"),
        Column::text("hash"),
        Column::text("sums"),
    ];
    let mut list = document.list("partitions", "partitions", columns, InCsv::No)?;
    for one in &partitions {
        list.row(&[
            Value::Count(u64::from(one.partition.0)),
            Value::Count(one.head.0.0),
            Value::shown(&one.head.1),
            Value::text(if one.sums_agree { "ok" } else { "differs" }),
        ])?;
    }
    list.finish()?;
    let periods = book.digests()?;
    digests(&mut document, &periods)?;
    if periods.iter().any(|period| period.open > 0) {
        document.remark(
            "open conversations: what entries say of them is not all that the service knows, so the digests of their \
             months are not those of the service until they are closed",
        )?;
    }
    document.finish()?;
    let differ = partitions.iter().filter(|one| !one.sums_agree).count();
    match differ {
        0 => Ok(()),
        count => Err(Failure::differences(format!(
            "partitions whose sums are not those of their entries: {count}"
        ))),
    }
}

fn checks(document: &mut Document<'_>, checks: &[Check]) -> Result<(), Failure> {
    let columns =
        vec![Column::text("check"), Column::text("of"), Column::text("outcome"), Column::text("finding")];
    let mut list = document.list("checks", "checks", columns, InCsv::No)?;
    for check in checks {
        let (outcome, finding) = match &check.outcome {
            Outcome::Holds => ("ok", Value::Absent),
            Outcome::Differs(what) => ("differs", Value::text(what.as_str())),
            Outcome::NotTold => ("not told", Value::text("something before it differs")),
        };
        list.row(&[Value::text(check.name), Value::text(check.of.as_str()), Value::text(outcome), finding])?;
    }
    list.finish()
}

fn head(document: &mut Document<'_>, verified: &Verification) -> Result<(), Failure> {
    let columns = vec![Column::number("partition"), Column::number("sequence"), Column::text("hash")];
    let mut list = document.list("chain", "head of the chain", columns, InCsv::No)?;
    list.row(&[
        Value::Count(u64::from(verified.partition.0)),
        Value::Count(verified.sequence.0),
        Value::shown(&verified.hash),
    ])?;
    list.finish()
}

fn digests(document: &mut Document<'_>, digests: &[PeriodDigest]) -> Result<(), Failure> {
    let columns = vec![
        Column::text("accountId").titled("account"),
        Column::text("period"),
        Column::number("conversations"),
        Column::number("open"),
        Column::number("charges"),
        Column::number("unpriced"),
        Column::number("amountMicros").titled("amount"),
        Column::text("currency"),
        Column::text("digest"),
    ];
    let mut list = document.list("digests", "digests of the net result", columns, InCsv::Yes)?;
    for period in digests {
        let mut row = |amount, currency| {
            list.row(&[
                Value::text(&*period.place.account),
                Value::shown(&period.place.period),
                Value::Count(period.conversations),
                Value::Count(period.open),
                Value::Count(period.charges),
                Value::Count(period.unpriced),
                amount,
                currency,
                Value::shown(&period.digest),
            ])
        };
        if period.amounts.is_empty() {
            row(Value::Absent, Value::Absent)?;
        }
        for (currency, micros) in &period.amounts {
            // Beyond nine million million units of a currency it is shown without a decimal point.
            let amount = i64::try_from(*micros)
                .map_or_else(|_| Value::shown(micros), |fits| Value::Money(model::Micros(fits)));
            row(amount, Value::shown(currency))?;
        }
    }
    list.finish()
}
