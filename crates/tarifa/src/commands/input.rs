//! The options of every command that reads files of traffic.

use wire::{Format, WebhookDefaults};

/// How files are to be read.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct InputArgs {
    /// Account of webhook bodies that do not name one
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Business phone of webhook bodies that do not name one
    #[arg(long, value_name = "ID")]
    business_phone: Option<String>,
    /// Form of the files [default: what their first bytes say]
    #[arg(long, value_enum, value_name = "FORM")]
    input: Option<Input>,
}

/// The form of an input.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Input {
    /// One JSON document on each line.
    Json,
    /// Protobuf messages, each with its length before it.
    Protobuf,
}

impl InputArgs {
    pub(crate) fn webhook_defaults(&self) -> WebhookDefaults {
        WebhookDefaults { account: self.account.clone(), business_phone: self.business_phone.clone() }
    }

    pub(crate) fn form(&self) -> Option<Format> {
        self.input.map(|input| match input {
            Input::Json => Format::JsonLines,
            Input::Protobuf => Format::Protobuf,
        })
    }
}
