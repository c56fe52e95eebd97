//! The broker that the tests of this crate run on, and names of topics that no other test has.
//!
//! Invariant: without a broker a test says so, and under `CI=true` it fails.

#![allow(dead_code, clippy::print_stderr, reason = "each test file uses some of it")]

use std::{
    env,
    sync::atomic::{AtomicU32, Ordering},
};

use kafka::{ClientSettings, TopicNames};

/// The broker, or nothing where there is none.
pub(crate) fn broker() -> Option<ClientSettings> {
    match env::var("TARIFA_TEST_BROKERS") {
        Ok(brokers) if !brokers.is_empty() => Some(ClientSettings::plain(brokers)),
        _ => {
            assert_ne!(env::var("CI").as_deref(), Ok("true"), "no broker: set TARIFA_TEST_BROKERS");
            eprintln!("LEFT OUT, no broker: `cargo xtask kafka up` starts one and says what to set");
            None
        }
    }
}

/// Names for one test.
pub(crate) fn topics() -> TopicNames {
    TopicNames::with_prefix(&prefix())
}

/// A prefix for one test.
pub(crate) fn prefix() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros());
    format!("t{since}-{}-{}.", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
