//! What every speed is held against: one thread decoding the same JSON Lines into owned values with serde_json.
//!
//! Does nothing with them. Invariant: every field that an event can have is decoded, so that the work is the same kind.
#![expect(clippy::print_stdout, reason = "its result is for the bench")]

use std::{
    fs::File,
    hint::black_box,
    io::{BufRead as _, BufReader},
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// An event, in the plainest way.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "decoded to be measured, never looked at")]
struct OwnedEvent {
    event_id: String,
    occurred_at: String,
    account_id: String,
    business_phone: String,
    user_phone: String,
    tag: Option<String>,
    user_message: Option<OwnedMessage>,
    business_message: Option<OwnedMessage>,
    message_status: Option<OwnedStatus>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "decoded to be measured, never looked at")]
struct OwnedMessage {
    kind: Option<String>,
    template: Option<OwnedTemplate>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "decoded to be measured, never looked at")]
struct OwnedTemplate {
    name: String,
    category: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "decoded to be measured, never looked at")]
struct OwnedStatus {
    message_id: String,
    status: String,
    error_code: Option<u32>,
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("which file? give one of JSON Lines")?;
    let file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
    let mut lines = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    let mut events = 0_u64;
    while lines.read_until(b'\n', &mut line)? > 0 {
        let event: OwnedEvent =
            serde_json::from_slice(&line).with_context(|| format!("line {} is no event", events + 1))?;
        black_box(&event);
        events += 1;
        line.clear();
    }
    println!("events={events}");
    Ok(())
}
