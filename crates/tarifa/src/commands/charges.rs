//! `tarifa charges`: the net charges, one line for each that stands.

use crate::{
    commands::directory::DataArgs,
    config::Config,
    failure::Failure,
    output::{Column, FormatArgs, Out, Value},
};

/// List the charges as they stand: those that were taken back are left out
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa charges --data ./books --format csv

The subject is what was charged: under whatsapp-2022 the conversation, by its id. A charge without an amount is
unpriced, and says why. The number of the booking goes up each time a charge is taken back and booked again.")]
pub(crate) struct ChargesArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Lists them; the order is the same for the same charges, however their messages arrived.
pub(crate) fn run(args: &ChargesArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let mut books = args.data.books(config, out)?;
    let users = books.users()?;
    let columns = vec![
        Column::text("chargeId").titled("charge"),
        Column::text("subject"),
        Column::text("accountId").titled("account"),
        Column::text("businessPhone"),
        Column::text("user"),
        Column::text("at"),
        Column::text("initiator"),
        Column::text("category"),
        Column::number("amountMicros").titled("amount"),
        Column::text("reason"),
        Column::text("currency"),
        Column::text("market"),
        Column::text("tariff"),
        Column::number("booking"),
    ];
    let mut list = out.list(args.format.format, columns)?;
    books.net_conversations(&mut |net| {
        let Some(charge) = &net.charge else { return Ok(()) };
        let user = users.get(&net.user).cloned().unwrap_or_else(|| net.user.to_string());
        let category = (charge.category != model::Category::Unspecified).then(|| charge.category.as_str());
        let reason = Some(&*charge.price.reason).filter(|reason| !reason.is_empty());
        list.row(&[
            Value::shown(&charge.charge),
            Value::shown(&net.conversation),
            Value::text(&*net.account),
            Value::text(&*net.business_phone),
            Value::text(user),
            Value::Time(charge.at),
            Value::text(net.initiator.as_str()),
            category.map_or(Value::Absent, Value::text),
            charge.price.amount.map_or(Value::Absent, Value::Money),
            reason.map_or(Value::Absent, Value::text),
            Value::shown(&charge.price.currency),
            Value::text(&*net.market),
            Value::text(&*charge.price.tariff),
            Value::Count(u64::from(charge.booking)),
        ])
    })?;
    list.finish()
}
