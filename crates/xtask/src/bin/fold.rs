//! The fold alone: all events of a file sealed in memory, then projected; and the chain alone over what that booked.
//!
//! Touches no disk but to read the file. Invariant: only the projector's work is timed, then only BLAKE3's.
#![expect(clippy::print_stdout, reason = "its result is for the bench")]

use std::{
    collections::HashMap,
    fs::File,
    hint::black_box,
    io::{BufRead as _, BufReader},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use model::{
    Configured, ConsentFact, ContentHash, Currency, EntryHash, Event, EventBody, LeadingDigits, MessageRef,
    Offset, PartitionId, Record, RecordContent, SealedBody, SealedEvent, SealedStatus, SealedTemplate,
    Symbol, UnixMillis, UserRef,
};
use projector::{Projected, Projector};
use tariff::{AccountSettings, Configuration, Tariff};
use wire::{Piece, WebhookDefaults, chain_hash, decode_json_line, encode_entry};

/// Records in one call of the projector, as the pipeline has it within a factor of two.
const BATCH: usize = 16_384;

/// Words and their numbers.
#[derive(Debug, Default)]
struct Words(HashMap<String, Symbol>);

impl Words {
    fn symbol(&mut self, word: &str, projector: &mut Projector) -> Symbol {
        if word.is_empty() {
            return Symbol::EMPTY;
        }
        if let Some(symbol) = self.0.get(word) {
            return *symbol;
        }
        let symbol = Symbol(u32::try_from(self.0.len() + 1).unwrap_or(u32::MAX));
        self.0.insert(word.to_owned(), symbol);
        projector.define(symbol, word);
        symbol
    }
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("which file? give one of JSON Lines")?;
    let mut projector = Projector::new(PartitionId(0));
    // Nothing else runs here: every core may have a lane.
    projector.spread_over(std::thread::available_parallelism().map_or(1, usize::from), 1);
    let mut records = read(&path, &mut projector)?;
    let newest = records.iter().map(|record| record.record_time).max().unwrap_or(UnixMillis(0));
    let last = Offset(records.len() as u64);
    records.push(Record { offset: last, record_time: newest, content: RecordContent::Tick(newest) });

    let mut apply = Duration::ZERO;
    let mut encode = Duration::ZERO;
    let mut projected = Projected::default();
    let mut entries: Vec<Vec<u8>> = Vec::new();
    for batch in records.chunks(BATCH) {
        let begun = Instant::now();
        projector.apply(batch, &mut |_| ContentHash([0; 32]), &mut |_| {}, &mut projected)?;
        apply += begun.elapsed();
        let begun = Instant::now();
        for entry in &projected.entries {
            let mut bytes = Vec::new();
            encode_entry(entry, &mut bytes);
            bytes.shrink_to_fit();
            entries.push(bytes);
        }
        encode += begun.elapsed();
    }
    let begun = Instant::now();
    let mut head = EntryHash::ZERO;
    for entry in &entries {
        head = chain_hash(&head, entry);
    }
    let chain = begun.elapsed();
    black_box(head);
    println!("records={}", records.len());
    println!("entries={}", entries.len());
    println!("entry_bytes={}", entries.iter().map(Vec::len).sum::<usize>());
    println!("apply_seconds={}", apply.as_secs_f64());
    println!("encode_seconds={}", encode.as_secs_f64());
    println!("chain_seconds={}", chain.as_secs_f64());
    Ok(())
}

/// All events of a file, sealed, behind a record that adopts the default tariff.
fn read(path: &str, projector: &mut Projector) -> Result<Vec<Record>> {
    let tariff = Tariff::builtin("whatsapp-2022").context("the tariff whatsapp-2022 is not built in")?;
    let currency = Currency::parse("USD").map_err(|error| anyhow!("{error}"))?;
    let defaults = AccountSettings { currency, zone: "UTC".to_owned(), tracks_consent: false };
    let configuration = Arc::new(Configuration::new(defaults, Vec::new(), tariff)?);
    let configured = Configured { content: configuration.content_hash(), effective_from: UnixMillis(0) };
    projector.provide(configuration);
    let adoption = RecordContent::Configuration(configured);
    let mut records = vec![Record { offset: Offset(0), record_time: UnixMillis(0), content: adoption }];

    let mut lines =
        BufReader::with_capacity(1 << 20, File::open(path).with_context(|| format!("cannot open {path}"))?);
    let (mut line, mut words) = (Vec::new(), Words::default());
    let mut problem = None;
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        decode_json_line(text, &WebhookDefaults::default(), &mut |piece| {
            let offset = Offset(records.len() as u64);
            match piece {
                Piece::Event(event) => {
                    let record_time = event.occurred_at;
                    let content = RecordContent::Event(seal(&event, &mut words, projector));
                    records.push(Record { offset, record_time, content });
                }
                Piece::Malformed(found) => problem = Some(found.message),
                Piece::Ignored(_) | Piece::Tick(_) => {}
            }
        });
        if let Some(problem) = problem.take() {
            anyhow::bail!("{path}, event {}: {problem}", records.len());
        }
        line.clear();
    }
    Ok(records)
}

/// Ids as the first half of their hash: as long as in the pipeline and as evenly spread, without a secret.
fn half_hash(text: &str) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    half
}

fn seal(event: &Event<'_>, words: &mut Words, projector: &mut Projector) -> SealedEvent {
    let mut message = &event.event_id;
    let body = match &event.body {
        EventBody::UserMessage(user) => SealedBody::UserMessage { kind: user.kind, referral: user.referral },
        EventBody::BusinessMessage(business) => {
            let template = business.template.as_ref().map(|template| SealedTemplate {
                name: words.symbol(&template.name, projector),
                category: template.category,
            });
            SealedBody::BusinessMessage { kind: business.kind, template }
        }
        EventBody::MessageStatus(status) => {
            message = &status.message_id;
            let verdict = status.provider.clone();
            SealedBody::Status(SealedStatus { status: status.status, error_code: status.error_code, verdict })
        }
        EventBody::UserCall => SealedBody::UserCall,
        EventBody::Consent(consent) => {
            let source = words.symbol(&consent.source, projector);
            SealedBody::Consent(ConsentFact { granted: consent.granted, source })
        }
    };
    SealedEvent {
        occurred_at: event.occurred_at,
        message: MessageRef(half_hash(message)),
        user: UserRef(half_hash(&event.user)),
        leading_digits: LeadingDigits::of(&event.user),
        business_phone: words.symbol(&event.business_phone, projector),
        account: words.symbol(&event.account, projector),
        tag: words.symbol(event.tag.as_deref().unwrap_or(""), projector),
        body,
    }
}
