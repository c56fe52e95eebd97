//! `tarifa tariff list`: the tariffs that come with the program.

use tariff::Tariff;

use super::source::{currencies, unit_word};
use crate::{
    failure::Failure,
    output::{Column, FormatArgs, Out, Value},
};

/// List the tariffs that come with the program, the default first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tarifa tariff list")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    format: FormatArgs,
}

pub(super) fn run(args: &ListArgs, out: &mut Out) -> Result<(), Failure> {
    let columns = vec![
        Column::text("id"),
        Column::text("unit"),
        Column::text("from"),
        Column::text("to"),
        Column::text("currencies"),
        Column::number("markets"),
        Column::text("title"),
    ];
    let mut list = out.list(args.format.format, columns)?;
    for tariff in Tariff::builtin_ids().iter().filter_map(|id| Tariff::builtin(id)) {
        list.row(&[
            Value::text(&*tariff.id),
            Value::text(unit_word(tariff.unit)),
            Value::shown(&tariff.dates.from),
            Value::shown_if(tariff.dates.to.as_ref()),
            Value::text(currencies(&tariff).join(" ")),
            Value::count(tariff.market_names().len()),
            Value::text(&*tariff.title),
        ])?;
    }
    list.finish()
}
