//! Inputs read for passing on: each document's parts as they are, in clear, for another log to take.
//!
//! Knows no ledger and no topic. Invariant: every part of every document is shown once, in the order of the inputs.

use std::ops::ControlFlow;

use model::{Event, IgnoredReason};
use wire::{Format, Piece, WebhookDefaults, decode_json_line, decode_protobuf};

use crate::{
    error::PipelineError,
    progress::{OnProgress, Progress, Stage},
    source::{self, DocumentReader},
};

/// How inputs are to be read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// What a bare webhook body does not say itself.
    pub webhook_defaults: WebhookDefaults,
    /// The form of the inputs; none means what their first bytes say.
    pub format: Option<Format>,
}

/// A part of a document.
#[derive(Debug)]
pub enum Part<'a> {
    /// An event.
    Event(&'a Event<'a>),
    /// Well-formed, but no billing event.
    Ignored(IgnoredReason),
    /// A tick of an embedded log.
    Tick,
    /// Not readable as what it should be; with the bytes of the whole document.
    Malformed(&'a [u8]),
    /// Not even a document: too long, cut off, or damaged.
    Fault(&'static str),
}

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The input as the user named it.
    pub input: &'a str,
    /// Line, or message of a protobuf file, from 1.
    pub line: u64,
}

/// Shows each part of each input, until told to break. Gives the number of parts shown.
///
/// # Errors
/// An input cannot be opened or read on.
pub fn read_parts(
    inputs: &[String],
    options: &ReadOptions,
    each: &mut dyn FnMut(Place<'_>, Part<'_>) -> ControlFlow<()>,
    on_progress: &mut OnProgress<'_>,
) -> Result<u64, PipelineError> {
    let mut parts = 0;
    let mut read_before = 0;
    let total = total_bytes(inputs)?;
    for name in inputs {
        let input = source::open(name)?;
        let read_bytes = input.read_bytes;
        let mut reader = DocumentReader::new(input.content, name != "-", options.format);
        let failed = |source| PipelineError::Read { name: name.clone(), source };
        while let Some(chunk) = reader.next_chunk().map_err(failed)? {
            for (number, document) in (chunk.first_number..).zip(&chunk.documents) {
                let place = Place { input: name, line: number };
                let bytes = &chunk.bytes[document.start as usize..document.end as usize];
                let mut stop = false;
                let mut show = |part: Part<'_>| {
                    if !stop {
                        parts += 1;
                        stop = each(place, part).is_break();
                    }
                };
                match document.fault {
                    Some(fault) => show(Part::Fault(crate::intake::fault_text(fault))),
                    None => split(bytes, reader.format(), &options.webhook_defaults, &mut show),
                }
                if stop {
                    return Ok(parts);
                }
            }
            let done = read_before + read_bytes.load(std::sync::atomic::Ordering::Relaxed);
            on_progress(Progress {
                stage: Stage::Projecting,
                records: parts,
                entries: 0,
                work_done: done,
                work_total: total,
            });
        }
        read_before += read_bytes.load(std::sync::atomic::Ordering::Relaxed);
    }
    Ok(parts)
}

fn split(bytes: &[u8], format: Format, defaults: &WebhookDefaults, show: &mut impl FnMut(Part<'_>)) {
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Event(event) => show(Part::Event(&event)),
        Piece::Ignored(reason) => show(Part::Ignored(reason)),
        Piece::Malformed(_) => show(Part::Malformed(bytes)),
        Piece::Tick(_) => show(Part::Tick),
    };
    match format {
        Format::JsonLines => decode_json_line(bytes, defaults, &mut sink),
        Format::Protobuf => sink(decode_protobuf(bytes)),
    }
}

/// Bytes of all inputs, if all are files.
fn total_bytes(inputs: &[String]) -> Result<Option<u64>, PipelineError> {
    let mut total = Some(0);
    for name in inputs {
        // Standard input can be opened only once, and has no size.
        let size = if name == "-" { None } else { source::open(name)?.size_bytes };
        total = total.zip(size).map(|(sum, size)| sum + size);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str) -> Vec<String> {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a.jsonl");
        fs::write(&file, text).unwrap();
        let mut told = Vec::new();
        let mut each = |place: Place<'_>, part: Part<'_>| {
            let what = match part {
                Part::Event(event) => event.event_id.to_string(),
                Part::Ignored(reason) => reason.as_str().to_owned(),
                Part::Tick => "tick".to_owned(),
                Part::Malformed(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Part::Fault(why) => why.to_owned(),
            };
            told.push(format!("{}: {what}", place.line));
            ControlFlow::Continue(())
        };
        let names = [file.display().to_string()];
        read_parts(&names, &ReadOptions::default(), &mut each, &mut |_| {}).unwrap();
        told
    }

    const EVENT: &str = r#"{"eventId":"w1","occurredAt":"2022-02-03T10:00:00Z","accountId":"1","businessPhone":"2","userPhone":"5511987654321","userCall":{}}"#;

    #[test]
    fn good_lines_and_bad_lines_are_shown_with_their_place() {
        let text = format!("{EVENT}\nhello\n{}\n", r#"{"tick":{"until":"2022-02-03T10:00:00Z"}}"#);
        assert_eq!(read(&text), ["1: w1", "2: hello", "3: tick"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_a_fault_and_the_next_is_read() {
        let told = read(&format!("{}\n{EVENT}\n", "x".repeat((1 << 20) + 1)));
        assert!(told[0].starts_with("1: longer than 1 MiB"), "{told:?}");
        assert_eq!(told[1..], ["2: w1"]);
    }
}
