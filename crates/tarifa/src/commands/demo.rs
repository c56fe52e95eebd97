//! `tarifa demo`: the whole pipeline on the sample traffic that comes with the program, and what came of it.
//!
//! Knows no figures: everything printed is read from the directory that the demo made. Invariant: never writes into a
//! directory that another command made; the same program prints the same, but for ids, which depend on the secret.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use finance::Grouping;
use model::{ConversationId, Currency, Disposition, Initiator, Micros, Period, Sequence, Text, UnixMillis};
use pipeline::{Installation, PipelineError, ProjectOptions};
use tariff::{AccountSettings, AccountsFile, Configuration};

use crate::{
    commands::{
        directory::{Opened, failure, show},
        explain, invoice,
        tariff::source,
    },
    config::TARIFF_DEFAULT,
    failure::Failure,
    output::{Column, Document, Format, InCsv, Out, Value},
};

const TRAFFIC: &str = include_str!("../../demo/traffic.jsonl");
const ACCOUNTS: &str = include_str!("../../demo/accounts.toml");
/// Where the sample is laid in the directory, so that it can be read beside what came of it.
const SAMPLE: &str = "sample";
/// 2022-03-01, when the sample is said to be imported: a demo is the same on any day.
const IMPORTED_AT: UnixMillis = UnixMillis(1_646_092_800_000);
/// Opens the thread that is shown entry by entry.
const WORKED_EXAMPLE: &str = "wamid.demo-br1-1";

/// Run the whole pipeline on bundled sample traffic, and print what happened and the invoices
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa demo --data ./demo

Without --data it works in a temporary directory and keeps nothing. With it every other command can be tried on
the result; the sample itself lies in its folder `sample`.")]
pub(crate) struct DemoArgs {
    /// Directory to make and to keep: a new one, or that of a demo before
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &DemoArgs, out: &mut Out) -> Result<(), Failure> {
    let (path, temporary) = match &args.data {
        Some(path) => (path.clone(), None),
        None => {
            let made = tempfile::Builder::new().prefix("tarifa-demo-").tempdir().map_err(|error| {
                Failure::unavailable("cannot make a temporary directory")
                    .caused_by(error)
                    .hint("name one with --data")
            })?;
            (made.path().to_owned(), Some(made))
        }
    };
    let mut bar = out.bar();
    let mut opened =
        Installation::open(&path, true, &mut |progress| show(&mut bar, &progress)).map_err(failure)?;
    let traffic = lay_sample(&opened, &path)?;
    let options = ProjectOptions {
        configuration: Some(configuration()?),
        configuration_is_explicit: true,
        imported_at: IMPORTED_AT,
        ..ProjectOptions::default()
    };
    opened.project(&[traffic], &options, &mut |progress| show(&mut bar, &progress)).map_err(failure)?;
    drop(bar);
    // Without --data the commands are shown as they would be with it.
    let kept = args.data.as_deref().unwrap_or(Path::new("demo"));
    let commands = Commands { program: env::args().next().unwrap_or_else(|| "tarifa".to_owned()), kept };
    tell(&mut opened, &commands, temporary.is_none(), out)?;
    drop(opened);
    temporary.map_or(Ok(()), |made| {
        made.close()
            .map_err(|error| Failure::unavailable("cannot remove the temporary directory").caused_by(error))
    })
}

/// Lays the sample into the directory; refuses a directory that holds anything else.
fn lay_sample(opened: &Opened, path: &Path) -> Result<String, Failure> {
    let folder = path.join(SAMPLE);
    let file = folder.join("traffic.jsonl");
    if opened.configuration().is_ok() && !file.is_file() {
        let message = format!("{} holds other data, to which no sample is added", path.display());
        return Err(Failure::usage(message).hint("name a new directory"));
    }
    let laid = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&file, TRAFFIC))
        .and_then(|()| fs::write(folder.join("accounts.toml"), ACCOUNTS));
    laid.map_err(|error| {
        Failure::unavailable(format!("cannot write the sample into {}", folder.display())).caused_by(error)
    })?;
    Ok(file.display().to_string())
}

/// What the demo adopts.
fn configuration() -> Result<Arc<Configuration>, Failure> {
    let broken =
        |what: String| Failure::bad_data("the sample of this program cannot be used").caused_by(what);
    let currency = Currency::parse("USD").map_err(|error| broken(error.to_string()))?;
    let base = AccountSettings { currency, zone: "UTC".to_owned(), tracks_consent: false };
    let file =
        AccountsFile::parse("accounts.toml", ACCOUNTS, &base).map_err(|error| broken(error.to_string()))?;
    let made = Configuration::new(file.defaults, file.accounts, source::load(TARIFF_DEFAULT)?);
    made.map(Arc::new).map_err(|error| broken(error.to_string()))
}

/// How the commands are typed that the demo proposes.
struct Commands<'a> {
    program: String,
    kept: &'a Path,
}

impl Commands<'_> {
    fn command(&self, words: &str) -> String {
        format!("{} {words} --data {}", self.program, self.kept.display())
    }
}

/// Prints what came of it.
fn tell(opened: &mut Opened, commands: &Commands<'_>, is_kept: bool, out: &mut Out) -> Result<(), Failure> {
    let examples = examples(opened)?;
    let worked = worked_example(opened)?;
    let mut document = out.document(Format::Table);
    document.remark(&format!(
        "{} lines of made-up traffic: webhook bodies and events of two accounts, some of it twice or out of order.",
        TRAFFIC.lines().count()
    ))?;
    read(opened, &mut document)?;
    quarantine(opened, &mut document)?;
    let title = format!("the entries of one thread, which begins with message {WORKED_EXAMPLE}");
    explain::entries(&worked, &title, &mut document)?;
    for (place, summary) in invoice::accounts_and_periods(opened.ledger())? {
        let made =
            invoice::make(opened.ledger(), opened.configuration()?, &place, summary, Grouping::Market)?;
        document.remark(&format!(
            "——— {} ———",
            commands.command(&format!("invoice --account {} --period {}", place.account, place.period))
        ))?;
        invoice::print(&made, &mut document)?;
        let mut list = document.list(
            "examples",
            "every line can be explained, by a conversation of it",
            vec![
                Column::text("market"),
                Column::text("initiator"),
                Column::number("rate"),
                Column::text("command"),
            ],
            InCsv::No,
        )?;
        for bill in &made.bills {
            for line in &bill.lines {
                let key: LineOf = (
                    place.account.clone(),
                    place.period,
                    line.market.clone(),
                    line.initiator,
                    bill.currency,
                    line.unit_rate,
                );
                let command = examples.get(&key).map(|id| commands.command(&format!("explain {id}")));
                list.row(&[
                    Value::text(&*line.market),
                    Value::text(line.initiator.as_str()),
                    Value::Money(line.unit_rate),
                    command.map_or(Value::Absent, Value::text),
                ])?;
            }
        }
        list.finish()?;
    }
    next(commands, is_kept, &mut document)?;
    document.finish()
}

/// What the log holds, by disposition.
fn read(opened: &Opened, document: &mut Document<'_>) -> Result<(), Failure> {
    let counts = opened.projector().counts();
    let columns = vec![Column::text("disposition"), Column::number("records"), Column::text("meaning")];
    let mut list = document.list("read", "what became of the records", columns, InCsv::No)?;
    for (word, count) in Disposition::WORDS.iter().zip(counts.by_disposition).filter(|(_, count)| *count > 0)
    {
        list.row(&[Value::text(*word), Value::Count(count), Value::text(meaning(word))])?;
    }
    list.finish()
}

fn meaning(disposition: &str) -> &'static str {
    match disposition {
        "malformed" => "cannot be read: in quarantine",
        "misrouted" => "not on its partition: in quarantine",
        "control" => "what was adopted, and the tick at the end",
        "ignored" => "well-formed, but no billing event",
        "future" => "later than it can be: in quarantine",
        "duplicate" => "known already: changes nothing",
        "conflict" => "contradicts what is known: in quarantine",
        "late" => "too old: in quarantine",
        _ => "led to entries, or to none",
    }
}

fn quarantine(opened: &Opened, document: &mut Document<'_>) -> Result<(), Failure> {
    let kept = opened.quarantine().list().map_err(|error| failure(error.into()))?;
    let columns = vec![
        Column::number("record"),
        Column::number("line"),
        Column::text("reason"),
        Column::text("detail"),
    ];
    let mut list = document.list("quarantine", "in quarantine: not billed, not lost", columns, InCsv::No)?;
    for original in kept {
        list.row(&[
            Value::Count(original.offset.0),
            Value::Count(original.line),
            Value::text(original.reason.as_str()),
            Value::text(&original.detail),
        ])?;
    }
    list.finish()
}

/// What tells the lines of all invoices apart.
type LineOf = (Text, Period, Text, Initiator, Currency, Micros);

/// For each line the first of its conversations.
fn examples(opened: &mut Opened) -> Result<BTreeMap<LineOf, ConversationId>, Failure> {
    let mut examples: BTreeMap<LineOf, (UnixMillis, ConversationId)> = BTreeMap::new();
    let visited: Result<(), PipelineError> = opened.net_conversations(&mut |net| {
        if let Some(charge) = &net.charge
            && let Some(rate) = charge.price.amount
        {
            let key = (net.account, net.period, net.market, net.initiator, charge.price.currency, rate);
            let found = (net.opened_at, net.conversation);
            let first = examples.entry(key).or_insert(found);
            *first = found.min(*first);
        }
        Ok(())
    });
    visited.map_err(failure)?;
    Ok(examples.into_iter().map(|(key, (_, conversation))| (key, conversation)).collect())
}

/// The entries of all conversations of the thread, as they were booked.
fn worked_example(opened: &mut Opened) -> Result<Vec<model::Entry>, Failure> {
    let id = opened.secret().seal_message(WORKED_EXAMPLE);
    let Some(history) = opened.history_of(id.0).map_err(failure)? else { return Ok(Vec::new()) };
    let held = history.conversations.iter().map(|net| net.last_entry);
    let withdrawn = history.withdrawn.iter().map(|gone| gone.last_entry);
    let last: Vec<Sequence> = held.chain(withdrawn).collect();
    let mut entries = Vec::new();
    for last in last {
        entries.extend(explain::entries_about(opened.ledger(), pipeline::EMBEDDED_PARTITION, last)?);
    }
    entries.sort_by_key(|entry| entry.sequence);
    Ok(entries)
}

fn next(commands: &Commands<'_>, is_kept: bool, document: &mut Document<'_>) -> Result<(), Failure> {
    let mut text = String::new();
    if !is_kept {
        let keep = commands.command("demo");
        text.push_str(&format!(
            "Nothing was kept. Keep it to try the commands, and those above:\n  {keep}\n"
        ));
    }
    text.push_str("What to run next:\n");
    let message = format!("explain {WORKED_EXAMPLE}");
    for (words, what) in [
        ("conversations", "the conversations as they stand"),
        (message.as_str(), "why the first of them was charged"),
        ("quarantine list", "what was not billed, and why"),
        ("entries", "the ledger, entry by entry"),
        ("verify", "check chain, sums and state"),
        ("replay --verify", "make every entry again from the log, and compare"),
    ] {
        text.push_str(&format!("  {}\n      {what}\n", commands.command(words)));
    }
    document.remark(text.trim_end())
}
