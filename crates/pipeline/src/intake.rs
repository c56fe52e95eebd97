//! From chunks of documents to batches of sealed records, with what is needed to trace each back to its line.

use ledger::log::LoggedRecord;
use model::{MalformedReason, Offset, Record, RecordContent, Text, UnixMillis};
use wire::{Format, Piece, WebhookDefaults, decode_json_line, decode_protobuf};

use crate::{
    seal::Sealer,
    source::{Chunk, Document, SourceKey, SourceMark},
};

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Which document of the batch.
    pub(crate) document: u32,
    /// Which event of the document, from 0: a webhook body carries several.
    pub(crate) piece: u32,
    /// Where the user's number stands in the batch's bytes; empty if it is among the owned users, or there is none.
    user: (u32, u32),
}

/// Records and where they came from.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// In order; offsets without gaps.
    pub(crate) records: Vec<LoggedRecord>,
    /// One for each record.
    pub(crate) origins: Vec<Origin>,
    /// The documents and their bytes.
    pub(crate) chunk: Chunk,
    /// What is wrong with malformed records, for people: place in the batch, text.
    pub(crate) problems: Vec<(usize, String)>,
    /// Words numbered with this batch.
    pub(crate) words: Vec<(model::Symbol, Text)>,
    /// How far the input has been read with this batch.
    pub(crate) mark: Option<(SourceKey, SourceMark)>,
    /// Name of the input.
    pub(crate) source: Text,
    /// Bytes read from disk so far, over all inputs.
    pub(crate) read_bytes: u64,
    /// Users whose number does not stand in the bytes as it is.
    owned_users: Vec<(usize, String)>,
}

impl Batch {
    /// Around a record, still to be added, of one event of a document: with the number of its line and which event of
    /// that it is.
    #[must_use]
    pub(crate) fn of_one(document: &[u8], (line, piece): (u64, u32), source: Text, user: &str) -> Self {
        let bytes = document.to_vec();
        let documents = vec![Document { start: 0, end: to_u32(bytes.len()), fault: None }];
        Self {
            origins: vec![Origin { document: 0, piece, user: (0, 0) }],
            chunk: Chunk { bytes, documents, first_number: line, ..Chunk::default() },
            source,
            owned_users: vec![(0, user.to_owned())],
            ..Self::default()
        }
    }

    /// The number of the user of the record at `index`.
    #[must_use]
    pub(crate) fn user(&self, index: usize) -> Option<&str> {
        let (start, end) = self.origins.get(index)?.user;
        if start < end {
            return std::str::from_utf8(self.chunk.bytes.get(start as usize..end as usize)?).ok();
        }
        self.owned_users.iter().find(|(at, _)| *at == index).map(|(_, user)| user.as_str())
    }

    /// The original bytes of the record at `index`: of the whole document, for a webhook body that carries several.
    #[must_use]
    pub(crate) fn original(&self, index: usize) -> &[u8] {
        let document = self.origins.get(index).and_then(|origin| self.document_of(origin));
        document.map_or(&[], |document| &self.chunk.bytes[document.start as usize..document.end as usize])
    }

    /// The number of the line or message of the record at `index`, from 1; 0 for a record that no input holds.
    #[must_use]
    pub(crate) fn line(&self, index: usize) -> u64 {
        self.origins.get(index).map_or(0, |origin| self.chunk.first_number + u64::from(origin.document))
    }

    fn document_of(&self, origin: &Origin) -> Option<&Document> {
        self.chunk.documents.get(origin.document as usize)
    }
}

/// Turns chunks into batches.
#[derive(Debug)]
pub(crate) struct Intake {
    defaults: WebhookDefaults,
    records: Records,
}

/// Makes records of what was read.
#[derive(Debug)]
struct Records {
    sealer: Sealer,
    /// When the import began; no record time is later.
    imported_at: UnixMillis,
    next_offset: Offset,
}

impl Intake {
    /// Goes on at `next_offset`.
    #[must_use]
    pub(crate) fn new(
        sealer: Sealer,
        defaults: WebhookDefaults,
        imported_at: UnixMillis,
        next_offset: Offset,
    ) -> Self {
        Self { defaults, records: Records { sealer, imported_at, next_offset } }
    }

    /// Reads the documents of a chunk, but for the first `skipped`, into a batch.
    pub(crate) fn read(&mut self, chunk: Chunk, format: Format, skipped: usize, source: &Text) -> Batch {
        let mut batch = Batch { source: source.clone(), ..Batch::default() };
        let capacity = chunk.documents.len();
        batch.records.reserve_exact(capacity);
        batch.origins.reserve_exact(capacity);
        let records = &mut self.records;
        let base = chunk.bytes.as_ptr().addr();
        let range = base..base + chunk.bytes.len();
        for (number, document) in (0..).zip(&chunk.documents).skip(skipped) {
            let bytes = &chunk.bytes[document.start as usize..document.end as usize];
            if let Some(fault) = document.fault {
                batch.problems.push((batch.records.len(), fault_text(fault).to_owned()));
                let origin = Origin { document: number, piece: 0, user: (0, 0) };
                records.add(&mut batch, origin, records.imported_at, RecordContent::Malformed(fault));
                continue;
            }
            let is_unfinished = chunk.unfinished && number as usize + 1 == capacity;
            let mut piece_number = 0;
            let mut sink = |piece: Piece<'_>| {
                let mut origin = Origin { document: number, piece: piece_number, user: (0, 0) };
                piece_number += 1;
                match piece {
                    Piece::Event(event) => {
                        let start = event.user.as_ptr().addr();
                        if range.contains(&start) {
                            let start = to_u32(start - base);
                            origin.user = (start, start + to_u32(event.user.len()));
                        } else {
                            batch.owned_users.push((batch.records.len(), event.user.clone().into_owned()));
                        }
                        let record_time = event.occurred_at.min(records.imported_at);
                        let sealed = records.sealer.seal_among(&event, batch.records.len());
                        records.add(&mut batch, origin, record_time, RecordContent::Event(sealed));
                        if records.sealer.is_full() {
                            records.sealer.finish(&mut batch.records);
                        }
                    }
                    Piece::Ignored(reason) => {
                        records.add(&mut batch, origin, records.imported_at, RecordContent::Ignored(reason));
                    }
                    Piece::Malformed(problem) => {
                        let reason = if is_unfinished { MalformedReason::CutOff } else { problem.reason };
                        let column =
                            problem.column.map_or_else(String::new, |column| format!("column {column}: "));
                        batch.problems.push((batch.records.len(), format!("{column}{}", problem.message)));
                        records.add(
                            &mut batch,
                            origin,
                            records.imported_at,
                            RecordContent::Malformed(reason),
                        );
                    }
                    Piece::Tick(time) => {
                        let record_time = time.min(records.imported_at);
                        records.add(
                            &mut batch,
                            origin,
                            record_time,
                            RecordContent::Tick(time.min(records.imported_at)),
                        );
                    }
                }
            };
            match format {
                Format::JsonLines => decode_json_line(bytes, &self.defaults, &mut sink),
                Format::Protobuf => sink(decode_protobuf(bytes)),
            }
        }
        self.records.sealer.finish(&mut batch.records);
        batch.chunk = chunk;
        batch.words = self.records.sealer.take_new_words();
        batch
    }

    /// A batch of one record that no input holds, such as the tick at the end.
    pub(crate) fn control(&mut self, record_time: UnixMillis, content: RecordContent) -> Batch {
        let mut batch = Batch::default();
        let record = self.records.record(record_time, content);
        batch.records.push(record);
        batch
    }
}

impl Records {
    fn add(&mut self, batch: &mut Batch, origin: Origin, record_time: UnixMillis, content: RecordContent) {
        let record = self.record(record_time, content);
        batch.records.push(record);
        batch.origins.push(origin);
    }

    fn record(&mut self, record_time: UnixMillis, content: RecordContent) -> LoggedRecord {
        let offset = self.next_offset;
        self.next_offset.0 += 1;
        LoggedRecord { record: Record { offset, record_time, content }, original: None }
    }
}

pub(crate) fn fault_text(fault: MalformedReason) -> &'static str {
    match fault {
        MalformedReason::TooLong => "longer than 1 MiB, which no event or webhook body is; split or mend it",
        MalformedReason::CutOff => "the input ends in the middle of a message; send it again whole",
        MalformedReason::Undecompressable => {
            "the compressed input is damaged or cut off here; what stood before it was read, send the rest again"
        }
        MalformedReason::UnreadableProtobuf => {
            "the length of a message cannot be, so that nothing behind it can be found; write the file again"
        }
        MalformedReason::UnreadableJson
        | MalformedReason::InvalidUtf8
        | MalformedReason::MissingField
        | MalformedReason::OutOfRange
        | MalformedReason::UnknownShape => "not readable",
    }
}

/// Chunks are far shorter than 4 GiB.
fn to_u32(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
