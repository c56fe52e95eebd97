//! `tarifa conversations`: the net conversations, whatever the history of their corrections.

use model::Micros;

use crate::{
    commands::directory::DataArgs,
    config::Config,
    failure::Failure,
    output::{Column, FormatArgs, Out, Value},
};

/// List the conversations as they stand: opened, ended, charged, with their messages counted
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa conversations --data ./books --format csv

A book that `tarifa collect` made tells of an open conversation neither its end, which slides, nor its messages.")]
pub(crate) struct ConversationsArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Lists them; the order is the same for the same conversations, however their messages arrived.
pub(crate) fn run(args: &ConversationsArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let mut books = args.data.books(config, out)?;
    let users = books.users()?;
    let tells_open = books.tells_of_open_conversations();
    let columns = vec![
        Column::text("conversationId").titled("conversation"),
        Column::text("accountId").titled("account"),
        Column::text("businessPhone"),
        Column::text("user"),
        Column::text("initiator"),
        Column::text("openedAt"),
        Column::text("expiresAt"),
        Column::text("closedAt"),
        Column::text("chargedAt"),
        Column::number("amountMicros").titled("amount"),
        Column::text("currency"),
        Column::text("market"),
        Column::number("userMessages"),
        Column::number("businessMessages"),
    ];
    let mut list = out.list(args.format.format, columns)?;
    books.net_conversations(&mut |net| {
        let user = users.get(&net.user).cloned().unwrap_or_else(|| net.user.to_string());
        let amount = net.charge.as_ref().and_then(|charge| charge.price.amount);
        let currency = net.charge.as_ref().map(|charge| charge.price.currency);
        let told = |value: Value<'static>| if net.closed || tells_open { value } else { Value::Absent };
        list.row(&[
            Value::shown(&net.conversation),
            Value::text(&*net.account),
            Value::text(&*net.business_phone),
            Value::text(user),
            Value::text(net.initiator.as_str()),
            Value::Time(net.opened_at),
            told(Value::Time(net.expires_at)),
            if net.closed { Value::Time(net.expires_at) } else { Value::Absent },
            net.charge.as_ref().map_or(Value::Absent, |charge| Value::Time(charge.at)),
            amount.map_or(Value::Absent, |Micros(micros)| Value::Money(Micros(micros))),
            Value::shown_if(currency.as_ref()),
            Value::text(&*net.market),
            told(Value::Count(u64::from(net.user_messages))),
            told(Value::Count(u64::from(net.business_messages))),
        ])
    })?;
    list.finish()
}
