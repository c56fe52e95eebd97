//! Traffic into bytes, chunk by chunk, on a thread of its own.
//!
//! Knows nothing of where the bytes go. Invariant: a chunk ends where a line or a message does.

use std::sync::mpsc::{Receiver, SyncSender};

use sim::traffic::{Traffic, WebhookLines, write_json_line};
use wire::event_to_delimited;

use super::TrafficFormat;

/// A chunk is handed on when it is at least this long.
const CHUNK_BYTES: usize = 1 << 18;

/// Bytes on their way to the output.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// Events in it.
    pub(super) events: u64,
}

/// Writes all the traffic into chunks; stops early if nobody takes them any more. Used buffers come back by `spare`.
pub(super) fn encode(
    mut traffic: Traffic,
    format: TrafficFormat,
    seed: u64,
    chunks: &SyncSender<Chunk>,
    spare: &Receiver<Vec<u8>>,
) {
    let mut bodies = WebhookLines::new(seed);
    loop {
        let mut bytes = spare.try_recv().unwrap_or_default();
        bytes.clear();
        bytes.reserve(CHUNK_BYTES + (CHUNK_BYTES >> 3));
        let mut events = 0;
        // A chunk of webhooks ends the body under way, so that no line is torn apart.
        while bytes.len() < CHUNK_BYTES
            && let Some(next) = traffic.next()
        {
            let event = next.event();
            match format {
                TrafficFormat::Events => write_json_line(&event, &mut bytes),
                TrafficFormat::Webhooks => {
                    bodies.push(&event, &mut bytes);
                }
                TrafficFormat::Protobuf => event_to_delimited(&event, &mut bytes),
            }
            events += 1;
        }
        bodies.finish(&mut bytes);
        let is_last = bytes.len() < CHUNK_BYTES;
        if chunks.send(Chunk { bytes, events }).is_err() || is_last {
            return;
        }
    }
}
