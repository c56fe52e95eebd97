//! How long reading and writing take: `cargo bench -p wire`. Prints nanoseconds an item, best of several rounds.
//!
//! Invariant: measures the public API alone, over different items, so that no branch is learnt by heart.

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../tests/common/entries.rs"]
mod entries;

use std::{hint::black_box, time::Instant};

use model::{Entry, EntryBody};
use wire::{
    EntryWriter, Piece, WebhookDefaults, Words, chain_hash, decode_entry, decode_json_line, decode_protobuf,
    encode_entry, event_to_json, event_to_protobuf,
};

const ITEMS: u64 = 20_000;
const ROUNDS: usize = 12;

fn main() {
    let lines: Vec<Vec<u8>> = (0..ITEMS).map(|number| line(number).into_bytes()).collect();
    let messages: Vec<Vec<u8>> = lines.iter().map(|line| to_protobuf(line)).collect();
    let defaults = WebhookDefaults::default();
    measure("decode an event in JSON", || {
        for line in &lines {
            decode_json_line(line, &defaults, &mut |piece| {
                black_box(&piece);
            });
        }
    });
    measure("decode an event in protobuf", || {
        for message in &messages {
            black_box(&decode_protobuf(message));
        }
    });
    let mut out = Vec::with_capacity(1 << 24);
    measure("write an event in JSON", || write_events(&messages, &mut out, true));
    measure("write an event in protobuf", || write_events(&messages, &mut out, false));
    let body = include_bytes!("../tests/webhooks/status_2023.json");
    measure("decode a webhook body", || {
        for _ in 0..ITEMS {
            decode_json_line(body, &defaults, &mut |piece| {
                black_box(&piece);
            });
        }
    });
    measure_entries();
}

/// Openings and charges, as a ledger holds them.
fn measure_entries() {
    let kinds: Vec<Entry> = entries::entries()
        .into_iter()
        .map(|(_, entry)| entry)
        .filter(|entry| {
            matches!(entry.body, EntryBody::ConversationOpened(_) | EntryBody::ConversationCharged(_))
        })
        .collect();
    let ledger: Vec<Entry> = (0..ITEMS)
        .zip(kinds.iter().cycle())
        .map(|(number, entry)| Entry { sequence: model::Sequence(number), ..entry.clone() })
        .collect();
    let mut writer = EntryWriter::default();
    measure("encode an entry", || {
        for entry in &ledger {
            black_box(writer.write(entry, &entry.previous_hash));
        }
    });
    let encoded: Vec<Vec<u8>> = ledger
        .iter()
        .map(|entry| {
            let mut bytes = Vec::new();
            encode_entry(entry, &mut bytes);
            bytes
        })
        .collect();
    let mut words = Words::new();
    measure("decode an entry", || {
        for bytes in &encoded {
            black_box(&decode_entry(bytes, &mut words).is_ok());
        }
    });
    measure("chain an entry", || {
        let mut previous = model::EntryHash::ZERO;
        for bytes in &encoded {
            previous = chain_hash(&previous, bytes);
        }
        black_box(&previous);
    });
}

fn measure(name: &str, mut work: impl FnMut()) {
    let mut best_ns = u128::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        work();
        best_ns = best_ns.min(start.elapsed().as_nanos());
    }
    println!("{name:<28} {:>6} ns", best_ns / u128::from(ITEMS));
}

fn write_events(messages: &[Vec<u8>], out: &mut Vec<u8>, json: bool) {
    out.clear();
    for message in messages {
        if let Piece::Event(event) = decode_protobuf(message) {
            if json { event_to_json(&event, out) } else { event_to_protobuf(&event, out) }
        }
    }
    black_box(out);
}

fn to_protobuf(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    decode_json_line(line, &WebhookDefaults::default(), &mut |piece| {
        if let Piece::Event(event) = piece {
            event_to_protobuf(&event, &mut out);
        }
    });
    assert!(!out.is_empty(), "a line of the bench is no event");
    out
}

fn line(number: u64) -> String {
    let body = match number % 4 {
        0 | 1 => r#""userMessage":{"kind":"TEXT"}"#,
        2 => r#""businessMessage":{"kind":"TEXT"}"#,
        _ => r#""businessMessage":{"kind":"TEMPLATE","template":{"name":"oferta","category":"MARKETING"}}"#,
    };
    format!(
        r#"{{"eventId":"wamid.HBgNNTUxMTk4NzY1NDMyMRUCABIYFDNB{number:08X}A=","occurredAt":"2022-02-03T10:{:02}:{:02}.{:03}Z","accountId":"102290129340398","businessPhone":"106540352242922","userPhone":"5511{:09}",{body}}}"#,
        number / 60 % 60,
        number % 60,
        number % 1_000,
        number * 7_919 % 1_000_000_000,
    )
}
