//! Runs a scenario file: every way of cutting the log and carrying the state must book the same, and what is written.
//!
//! Knows no rules. Invariant: a difference is told with file and line, what was expected and what was found.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use model::{ConversationId, Entry, EntryBody, Offset, RecordContent, UnixMillis};
use sim::reference::{self, Step, net_result};
use tariff::Window;

use super::{
    line::{self, Content, Line},
    render::{Context, outcome},
    settings::Settings,
};
use crate::{
    Handling, LedgerReader, Log, plain_of_ledger, plain_of_reference,
    seal::{message_ref, user_ref},
};

const ARROW: &str = "->";
/// Column from which expectations are written, if no line is longer.
const EXPECTATIONS_FROM: usize = 28;

/// A scenario that was run.
#[derive(Debug)]
pub struct Outcome {
    /// Where text and outcome differ, for a person to read; empty if nowhere.
    pub differences: String,
    /// The file as it would have to be.
    pub rewritten: String,
}

/// A piece of the file, in order.
enum Piece {
    /// Comment, setting or empty line, kept as it is.
    Text(String),
    /// A record: its place among the records, its line in the file, its words, what is expected.
    Record { place: usize, line: usize, words: String, expected: Vec<String> },
}

struct Scenario {
    settings: Settings,
    pieces: Vec<Piece>,
    lines: Vec<Line>,
}

/// Runs the scenario of a file, whose text is given; its path is only for messages.
///
/// # Errors
/// The text is no scenario, or the ways of running it differ from one another, or its entries make no sense.
pub fn check_file(path: &Path, text: &str) -> Result<Outcome, String> {
    let scenario = read(text).map_err(|(line, what)| format!("{}:{line}: {what}", path.display()))?;
    let found = scenario.run().map_err(|what| format!("{}: {what}", path.display()))?;
    Ok(scenario.compare(path, &found))
}

fn read(text: &str) -> Result<Scenario, (usize, String)> {
    let mut scenario = Scenario { settings: Settings::default(), pieces: Vec::new(), lines: Vec::new() };
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        let wrong = |what| (number, what);
        if let Some(expectation) = trimmed.strip_prefix(ARROW) {
            let Some(Piece::Record { expected, .. }) = scenario.pieces.last_mut() else {
                return Err(wrong("an expectation belongs below a record".to_owned()));
            };
            expected.push(expectation.trim().to_owned());
        } else if trimmed.is_empty()
            || trimmed.starts_with('#')
            || scenario.settings.take(trimmed).map_err(wrong)?
        {
            scenario.pieces.push(Piece::Text(line.to_owned()));
        } else {
            let (words, expected) = trimmed.split_once(ARROW).unwrap_or((trimmed, ""));
            let place = scenario.lines.len();
            scenario.lines.push(line::read(&scenario.settings, place + 1, words).map_err(wrong)?);
            let expected = Some(expected.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
            let words = words.trim_end().to_owned();
            scenario.pieces.push(Piece::Record {
                place,
                line: number,
                words,
                expected: expected.into_iter().collect(),
            });
        }
    }
    Ok(scenario)
}

impl Scenario {
    /// What each record came to, in words.
    fn run(&self) -> Result<Vec<Vec<String>>, String> {
        let configuration = self.settings.configuration()?;
        let mut log = Log::new(configuration.clone());
        let mut steps = Vec::new();
        let mut names: BTreeMap<&str, Offset> = BTreeMap::new();
        let mut now = UnixMillis::MIN;
        for line in &self.lines {
            let record_time = line.recorded.unwrap_or(now.max(line.at));
            now = now.max(record_time);
            let offset = match &line.content {
                Content::Event(event) => {
                    steps.push(Step::Event { event: event.clone(), record_time });
                    log.event(event, record_time)
                }
                Content::Resubmission(original, event) => {
                    let original = names
                        .get(original.as_str())
                        .ok_or_else(|| format!("no record is called {original}"))?;
                    // A resubmission waives lateness, which the naive model does not know otherwise.
                    steps.push(Step::Event { event: event.clone(), record_time: event.occurred_at });
                    log.resubmission(*original, event, record_time)
                }
                Content::Tick => log.tick(line.at),
                Content::Malformed(reason) => log.push(RecordContent::Malformed(*reason), record_time),
                Content::Misrouted => log.push(RecordContent::Misrouted, record_time),
                Content::Ignored(reason) => log.push(RecordContent::Ignored(*reason), record_time),
            };
            names.extend(line.name.as_deref().map(|name| (name, offset)));
        }
        let run = log.project(Handling::OneByOne);
        for handling in [
            Handling::OneBatch,
            Handling::Batches(3),
            Handling::RestoreEvery(1),
            Handling::RestoreEvery(2),
            Handling::Lanes { lanes: 4, restore_every: 5 },
        ] {
            let other = log.project(handling);
            if (&other.entries, &other.dispositions, &other.net)
                != (&run.entries, &run.dispositions, &run.net)
            {
                return Err(format!(
                    "{handling:?} books {:#?}\nbut one by one {:#?}",
                    other.entries, run.entries
                ));
            }
        }
        let reader = LedgerReader::over(&run.entries)?;
        reader.agrees_with(&run.net)?;
        self.compare_with_naive(&log, &steps, configuration.tariff().window)?;

        let threads = self.threads(&run.entries);
        let names: BTreeSet<&String> = threads.values().collect();
        let accounts: BTreeSet<&str> = self.events().map(|event| &*event.account).collect();
        let found =
            (1..).zip(self.lines.iter().zip(&run.dispositions)).map(|(offset, (line, disposition))| {
                let context = Context {
                    settings: &self.settings,
                    at: line.at,
                    names_threads: names.len() > 1 && matches!(line.content, Content::Tick),
                    names_accounts: accounts.len() > 1,
                };
                let entries: Vec<&Entry> =
                    run.entries.iter().filter(|entry| entry.offset == Offset(offset)).collect();
                outcome(&context, &threads, *disposition, &entries)
            });
        Ok(found.collect())
    }

    /// The naive model says what holds once everything is over.
    fn compare_with_naive(&self, log: &Log, steps: &[Step<'_>], window: Window) -> Result<(), String> {
        if self.settings.tariff.contains_key("anchor") {
            return Ok(());
        }
        let tracked = self.events().map(|event| event.account.clone().into_owned());
        let tracks = |account: &String| {
            let own = self.settings.accounts.iter().find(|(name, _)| name == account);
            own.map_or(&self.settings.default_account, |(_, own)| own).tracks_consent
        };
        let settings = reference::Settings {
            window: match window {
                Window::Sliding => reference::Window::Sliding,
                Window::Fixed => reference::Window::Fixed,
            },
            consent_accounts: tracked.filter(tracks).collect(),
            horizon: Some(projector::HORIZON),
        };
        let expected =
            plain_of_reference(&net_result(steps, &settings, &|id| message_ref(id).0).conversations);
        let run = log.with_tick(crate::END).project(Handling::OneBatch);
        let found = plain_of_ledger(&LedgerReader::over(&run.entries)?)?;
        if found == expected {
            Ok(())
        } else {
            Err(format!("comes to {found:#?}\nbut the naive model to {expected:#?}"))
        }
    }

    fn events(&self) -> impl Iterator<Item = &model::Event<'static>> {
        self.lines.iter().filter_map(|line| match &line.content {
            Content::Event(event) | Content::Resubmission(_, event) => Some(event),
            Content::Tick | Content::Malformed(_) | Content::Misrouted | Content::Ignored(_) => None,
        })
    }

    /// The name of the thread of each conversation: the user's, with that of the phone where it is not the main one.
    fn threads(&self, entries: &[Entry]) -> BTreeMap<ConversationId, String> {
        let opened = entries.iter().filter_map(|entry| match &entry.body {
            EntryBody::ConversationOpened(facts) => Some(facts),
            EntryBody::ConversationCharged(_)
            | EntryBody::MessageCharged(_)
            | EntryBody::ChargeReversed(_)
            | EntryBody::ConversationRevised(_)
            | EntryBody::ConversationWithdrawn(_)
            | EntryBody::ConversationClosed(_)
            | EntryBody::ProviderVerdict(_)
            | EntryBody::ConsentChanged { .. }
            | EntryBody::Configured { .. }
            | EntryBody::RecordQuarantined(_) => None,
        });
        let named = opened.map(|facts| {
            let user = self.settings.users.iter().find(|(_, number)| user_ref(number) == facts.subject.user);
            let phone =
                self.settings.phones.iter().find(|(_, number)| **number == *facts.subject.business_phone);
            let user = user.map_or("?", |(name, _)| name);
            let thread = match phone {
                Some((name, _)) if name != "main" => format!("{user} on {name}"),
                _ => user.to_owned(),
            };
            (facts.conversation, thread)
        });
        named.collect()
    }

    fn compare(&self, path: &Path, found: &[Vec<String>]) -> Outcome {
        let mut outcome = Outcome { differences: String::new(), rewritten: String::new() };
        let widths = self.pieces.iter().map(|piece| match piece {
            Piece::Text(_) => 0,
            Piece::Record { words, .. } => words.chars().count() + 2,
        });
        let column = widths.max().unwrap_or(0).max(EXPECTATIONS_FROM);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => outcome.rewritten += &format!("{text}\n"),
                Piece::Record { place, line, words, expected } => {
                    let found = &found[*place];
                    if found != expected {
                        outcome.differences += &format!("{}:{line}: {words}\n", path.display());
                        outcome.differences += &difference(expected, found);
                    }
                    for (number, text) in found.iter().enumerate() {
                        let words = if number == 0 { words.as_str() } else { "" };
                        outcome.rewritten += &format!("{words:column$}{ARROW} {text}\n");
                    }
                }
            }
        }
        outcome
    }
}

/// Lines that both have stand once; `-` is what was expected, `+` what was found.
fn difference(expected: &[String], found: &[String]) -> String {
    let mut text = String::new();
    for place in 0..expected.len().max(found.len()) {
        match (expected.get(place), found.get(place)) {
            (Some(a), Some(b)) if a == b => text += &format!("      {a}\n"),
            (a, b) => {
                text += &a.map_or(String::new(), |a| format!("    - {a}\n"));
                text += &b.map_or(String::new(), |b| format!("    + {b}\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
# One reply, one charge.
d0 10:00  user  message     -> opened user-initiated, ends d1 10:00
d0 10:05  biz   reply       -> charged 0.0300 USD Brazil, user-initiated
";

    #[test]
    fn a_scenario_that_holds_is_written_as_it_was() {
        let outcome = check_file(Path::new("good.txt"), GOOD).unwrap();
        assert_eq!((outcome.differences.as_str(), outcome.rewritten.as_str()), ("", GOOD));
    }

    #[test]
    fn a_changed_expectation_is_told_with_its_line() {
        let wrong = GOOD.replace("0.0300", "0.0500");
        let outcome = check_file(Path::new("wrong.txt"), &wrong).unwrap();
        assert_eq!(
            outcome.differences,
            "wrong.txt:3: d0 10:05  biz   reply\n    - charged 0.0500 USD Brazil, user-initiated\n    \
             + charged 0.0300 USD Brazil, user-initiated\n"
        );
        assert_eq!(outcome.rewritten, GOOD);
    }

    #[test]
    fn a_line_that_is_not_understood_is_refused_with_its_place() {
        for (line, what) in [
            ("d0 10:00  user  shouts", "nothing that can happen"),
            ("d0 10:00  user  message  colour=red", "`colour=` means nothing here"),
            ("d0 25  user  message", "no time"),
            ("-> opened", "below a record"),
            ("every account: colour red", "no setting of an account"),
        ] {
            let error = check_file(Path::new("bad.txt"), &format!("# bad\n{line}\n")).unwrap_err();
            assert!(error.starts_with("bad.txt:2: ") && error.contains(what), "{error}");
        }
    }
}
