//! `tarifa conversations`: the net conversations, whatever the history of their corrections.

use model::Micros;

use crate::{
    commands::directory::{DataArgs, failure},
    config::Config,
    failure::Failure,
    output::{Column, FormatArgs, Out, Value},
};

/// List the conversations as they stand: opened, ended, charged, with their messages counted
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tarifa conversations --data ./books --format csv")]
pub(crate) struct ConversationsArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// Lists them; the order is the same for the same conversations, however their messages arrived.
pub(crate) fn run(args: &ConversationsArgs, config: &Config, out: &mut Out) -> Result<(), Failure> {
    let mut opened = args.data.open(config, out)?;
    let users = opened.users().map_err(failure)?;
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
    opened
        .net_conversations(&mut |net| {
            let user = users.get(&net.user).cloned().unwrap_or_else(|| net.user.to_string());
            let amount = net.charge.as_ref().and_then(|charge| charge.price.amount);
            let currency = net.charge.as_ref().map(|charge| charge.price.currency);
            list.row(&[
                Value::shown(&net.conversation),
                Value::text(&*net.account),
                Value::text(&*net.business_phone),
                Value::text(user),
                Value::text(net.initiator.as_str()),
                Value::Time(net.opened_at),
                Value::Time(net.expires_at),
                if net.closed { Value::Time(net.expires_at) } else { Value::Absent },
                net.charge.as_ref().map_or(Value::Absent, |charge| Value::Time(charge.at)),
                amount.map_or(Value::Absent, |Micros(micros)| Value::Money(Micros(micros))),
                Value::shown_if(currency.as_ref()),
                Value::text(&*net.market),
                Value::Count(u64::from(net.user_messages)),
                Value::Count(u64::from(net.business_messages)),
            ])
            .map_err(Stop::Output)
        })
        .map_err(Stop::into_failure)?;
    list.finish()
}

/// Why the listing ended early.
enum Stop {
    Pipeline(pipeline::PipelineError),
    Output(Failure),
}

impl From<pipeline::PipelineError> for Stop {
    fn from(error: pipeline::PipelineError) -> Self {
        Self::Pipeline(error)
    }
}

impl Stop {
    fn into_failure(self) -> Failure {
        match self {
            Self::Pipeline(error) => failure(error),
            Self::Output(failure) => failure,
        }
    }
}
