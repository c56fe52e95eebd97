//! Records that come again from quarantine, mended or as they were: one batch of one record each.
//!
//! Knows no rules. Invariant: a resubmission goes through the same log, projector and commit as everything else, names
//! the place of its original, and moves no clock.

use std::collections::BTreeMap;

use ledger::{QuarantinedOriginal, log::LoggedRecord, store::Store};
use model::{Disposition, Event, Offset, Record, RecordContent, Sequence, Text, UnixMillis};
use wire::{Piece, WebhookDefaults, decode_record_value};

use crate::{
    EMBEDDED_PARTITION,
    commit::Committer,
    encoding::{AHEAD_BYTES, encode_and_commit},
    error::PipelineError,
    installation::Installation,
    intake::Batch,
    progress::OnProgress,
    project::Projecting,
    seal::Sealer,
};

/// What comes again, and how.
#[derive(Debug, Clone, Default)]
pub struct ResubmitOptions {
    /// Name and content of the mended document; absent to take the original as it was.
    pub mended: Option<(String, Vec<u8>)>,
    /// Account and business phone of bare webhook bodies.
    pub webhook_defaults: WebhookDefaults,
    /// The clock: no record time is later.
    pub imported_at: UnixMillis,
}

/// What became of one resubmission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resubmitted {
    /// Place of the record that is in quarantine.
    pub original: Offset,
    /// Place of the resubmission.
    pub offset: Offset,
    /// Its fate: `control` where it was taken in.
    pub disposition: Disposition,
    /// The first entry that it booked, and how many.
    pub entries: (Sequence, u64),
}

/// Why a record cannot be resubmitted. Nothing has been appended then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResubmitError {
    /// No such record.
    #[error("record {offset} is not in quarantine: `tarifa quarantine list` shows those that are", offset = .0.0)]
    NotQuarantined(Offset),
    /// Its bytes are kept for 30 days only.
    #[error("the original of record {offset} has expired: give the event with --mended FILE", offset = .0.0)]
    Expired(Offset),
    /// As it was, it cannot be read.
    #[error("record {offset} cannot be resubmitted as it was ({problem}): mend it and give it with --mended FILE", offset = .offset.0)]
    Unreadable {
        /// The record.
        offset: Offset,
        /// What is wrong with it.
        problem: String,
    },
    /// The mended document cannot be read.
    #[error("{name} is not readable ({problem}): mend it further")]
    MendedUnreadable {
        /// The file.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It is well-formed, but no billing event.
    #[error("{what} is no billing event ({reason}): there is nothing to book")]
    NoEvent {
        /// Which.
        what: String,
        /// Why it is none.
        reason: &'static str,
    },
    /// A document of several events was given for one record.
    #[error(
        "{name} holds {events} events, but a record stands for one: give that one alone, or project the file"
    )]
    Several {
        /// The file.
        name: String,
        /// How many it holds.
        events: usize,
    },
}

/// A document and which event of it is meant.
pub(crate) struct Document<'a> {
    /// For people.
    name: String,
    bytes: &'a [u8],
    line: u64,
    piece: usize,
}

/// A resubmission before its place in the log is known.
struct Prepared {
    original: Offset,
    batch: Batch,
    event: model::SealedEvent,
}

impl<S: Store> Installation<S> {
    /// Resubmits records from quarantine, each as a batch of its own, and saves the state. All of them are looked at
    /// before the first is appended.
    ///
    /// # Errors
    /// A record that is not in quarantine or cannot be read; log, ledger or state fail.
    pub fn resubmit(
        &mut self,
        originals: &[Offset],
        options: &ResubmitOptions,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Vec<Resubmitted>, PipelineError> {
        self.configuration()?;
        let mut sealer = Sealer::new(self.secret.clone(), self.symbols.clone());
        let mut prepared = Vec::with_capacity(originals.len());
        for offset in originals {
            prepared.push(self.reread(*offset, options, &mut sealer)?);
        }
        let mut done = Vec::with_capacity(prepared.len());
        for prepared in prepared {
            done.push(self.resubmit_one(prepared, options.imported_at)?);
        }
        self.save_state(on_progress)?;
        Ok(done)
    }

    fn reread(
        &self,
        offset: Offset,
        options: &ResubmitOptions,
        sealer: &mut Sealer,
    ) -> Result<Prepared, PipelineError> {
        let kept = self.quarantine.get(EMBEDDED_PARTITION, offset)?;
        let kept = kept.ok_or(ResubmitError::NotQuarantined(offset))?;
        let (mut batch, event) =
            with_event(&kept, options, |document, event| (batch_of(document, event), sealer.seal(event)))?;
        batch.words = sealer.take_new_words();
        Ok(Prepared { original: offset, batch, event })
    }

    fn resubmit_one(
        &mut self,
        prepared: Prepared,
        imported_at: UnixMillis,
    ) -> Result<Resubmitted, PipelineError> {
        let Prepared { original, mut batch, event } = prepared;
        let (offset, before) = (self.projector.next_offset(), self.projector.sequence());
        let record_time = event.occurred_at.min(imported_at);
        let content = RecordContent::Resubmission { original, event };
        let record = Record { offset, record_time, content };
        batch.records.push(LoggedRecord { record, original: None });

        let encoder = self.ledger.encoder(EMBEDDED_PARTITION)?;
        let committer = Committer {
            ledger: &mut self.ledger,
            log: Some(&mut self.log),
            symbols: &mut self.symbols,
            users: &mut self.users,
            quarantine: &mut self.quarantine,
            started_from: BTreeMap::new(),
            checkpointed: std::sync::Arc::default(),
        };
        let (projector, state, configs) = (&mut self.projector, &mut self.state, &self.configs);
        let disposition = encode_and_commit(committer, encoder, AHEAD_BYTES, |onward| {
            let mut projecting = Projecting::new(projector, state, configs, onward);
            projecting.take(batch)?;
            projecting.hand_on()?;
            Ok(projecting.last_disposition())
        })?;
        let entries = (Sequence(before.0 + 1), self.projector.sequence().0 - before.0);
        // A record that was applied has a disposition.
        let disposition = disposition.ok_or(PipelineError::ThreadEnded("projecting thread"))?;
        Ok(Resubmitted { original, offset, disposition, entries })
    }
}

/// Shows the one event that is meant, of the original or of what was given in its place.
pub(crate) fn with_event<T>(
    kept: &QuarantinedOriginal,
    options: &ResubmitOptions,
    take: impl FnOnce(&Document<'_>, &Event<'_>) -> T,
) -> Result<T, ResubmitError> {
    let (document, offset) = (document_of(kept, options)?, kept.offset);
    let (mut take, mut taken, mut problem, mut number) = (Some(take), None, None, 0);
    decode_record_value(document.bytes, &options.webhook_defaults, &mut |piece| {
        if number == document.piece {
            match &piece {
                Piece::Event(event) => taken = take.take().map(|take| take(&document, event)),
                Piece::Ignored(_) | Piece::Malformed(_) | Piece::Tick(_) => {
                    problem = problem_of(&document, offset, options, piece);
                }
            }
        }
        number += 1;
    });
    if let Some(problem) = problem {
        return Err(problem);
    }
    taken.ok_or_else(|| ResubmitError::Unreadable {
        offset,
        problem: format!("event {} of it is gone", document.piece + 1),
    })
}

fn document_of<'a>(
    kept: &'a QuarantinedOriginal,
    options: &'a ResubmitOptions,
) -> Result<Document<'a>, ResubmitError> {
    let piece = usize::try_from(kept.piece).unwrap_or(usize::MAX);
    let Some((name, mended)) = &options.mended else {
        let bytes = kept.bytes.as_deref().ok_or(ResubmitError::Expired(kept.offset))?;
        return Ok(Document { name: kept.source.clone(), bytes, line: kept.line, piece });
    };
    let count = |bytes: &[u8]| {
        let mut pieces = 0;
        decode_record_value(bytes, &options.webhook_defaults, &mut |_| pieces += 1);
        pieces
    };
    // A mended webhook body has the same events as before; anything else has to be the one event.
    let (events, before) = (count(mended), kept.bytes.as_deref().map_or(1, count));
    let piece = match events {
        1 => 0,
        _ if events == before => piece,
        _ => return Err(ResubmitError::Several { name: name.clone(), events }),
    };
    Ok(Document { name: name.clone(), bytes: mended, line: 1, piece })
}

fn batch_of(document: &Document<'_>, event: &Event<'_>) -> Batch {
    let piece = u32::try_from(document.piece).unwrap_or(u32::MAX);
    Batch::of_one(document.bytes, (document.line, piece), Text::from(document.name.as_str()), &event.user)
}

fn problem_of(
    document: &Document<'_>,
    offset: Offset,
    options: &ResubmitOptions,
    piece: Piece<'_>,
) -> Option<ResubmitError> {
    let what = || match &options.mended {
        Some((name, _)) => name.clone(),
        None => format!("record {}", offset.0),
    };
    match piece {
        Piece::Event(_) => None,
        Piece::Ignored(reason) => Some(ResubmitError::NoEvent { what: what(), reason: reason.as_str() }),
        Piece::Tick(_) => Some(ResubmitError::NoEvent { what: what(), reason: "tick" }),
        Piece::Malformed(problem) if options.mended.is_some() => {
            Some(ResubmitError::MendedUnreadable { name: document.name.clone(), problem: problem.message })
        }
        Piece::Malformed(problem) => Some(ResubmitError::Unreadable { offset, problem: problem.message }),
    }
}
