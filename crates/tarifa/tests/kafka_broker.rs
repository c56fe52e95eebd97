//! The service while its broker is killed, cannot be reached, or is slow: it goes on by itself, and each entry is published
//! once. A consumer reads along all the time.
//!
//! `TARIFA_TEST_LONG` has the long forms: a minute without a broker, and ten kills.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod service;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use service::{
    Place, dice, is_long,
    own_broker::{OwnBroker, SlowRoad},
};

#[test]
fn a_broker_that_is_killed_under_load_comes_back_to_a_service_that_goes_on() {
    let Some(broker) = OwnBroker::up("killed") else { return };
    let place = Place::on(broker.address.clone(), 4);
    let (kills, mut dice) = (if is_long() { 10 } else { 2 }, dice());
    let files = place.traffic(6_000 * kills, kills as usize + 1);
    let instance = place.start("one", &["--tick-interval-ms", "500"]);
    instance.wait_until_ready();
    place.publish(&files[0]);
    let reader = Reader::follow(&place);
    for file in &files[1..] {
        let publishing = Publishing::begin(&place, file);
        thread::sleep(Duration::from_millis(dice.below(1_500)));
        broker.kill();
        thread::sleep(Duration::from_millis(dice.below(2_000)));
        broker.up_again();
        publishing.finish(&place, file);
    }
    place.close_all(&[&instance]);
    assert_eq!(instance.stop(), Some(0));
    place.read_ledger();
    place.assert_same_digests(&["one"]);
    reader.has_seen_each_entry_once(&place);
    place.verify();
}

#[test]
fn a_broker_that_cannot_be_reached_for_longer_than_the_session_is_waited_for() {
    let Some(broker) = OwnBroker::up("away") else { return };
    let place = Place::on(broker.address.clone(), 4);
    let away = Duration::from_secs(if is_long() { 60 } else { 12 });
    let files = place.traffic(9_000, 3);
    let ticks = ["--tick-interval-ms", "500"];
    let (first, second) = (place.start("first", &ticks), place.start("second", &ticks));
    first.wait_until_ready();
    second.wait_until_ready();
    place.publish(&files[0]);
    let reader = Reader::follow(&place);
    let publishing = Publishing::begin(&place, &files[1]);
    thread::sleep(Duration::from_millis(dice().below(1_000)));
    broker.freeze();
    thread::sleep(away);
    broker.thaw();
    publishing.finish(&place, &files[1]);
    place.publish(&files[2]);
    place.close_all(&[&first, &second]);
    assert_eq!((first.stop(), second.stop()), (Some(0), Some(0)));
    place.read_ledger();
    place.assert_same_digests(&["first", "second"]);
    reader.has_seen_each_entry_once(&place);
    place.verify();
}

#[test]
fn a_slow_broker_is_kept_up_with_in_its_own_time() {
    let road = SlowRoad::open(Duration::from_millis(if is_long() { 200 } else { 50 }));
    let Some(broker) = OwnBroker::up_behind("slow", Some(&road)) else { return };
    let place = Place::on(broker.address.clone(), 2);
    let files = place.traffic(3_000, 2);
    let instance = place.start("one", &["--tick-interval-ms", "1000"]);
    place.publish(&files[0]);
    instance.wait_until_ready();
    let reader = Reader::follow(&place);
    place.publish(&files[1]);
    place.close_all(&[&instance]);
    // No transaction was given up for being slow.
    assert_eq!(instance.numbers()["tarifa_transactions_lost_total"], 0.0);
    assert_eq!(instance.stop(), Some(0));
    place.read_ledger();
    place.assert_same_digests(&["one"]);
    reader.has_seen_each_entry_once(&place);
    place.verify();
}

/// A file on its way into the input topic.
struct Publishing(Child);

impl Publishing {
    fn begin(place: &Place, file: &Path) -> Self {
        let mut publish = place.command(&["publish"]);
        Self(publish.arg(file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// If the broker was away for longer than a publisher waits, whoever publishes does so again; what was taken before is
    /// known as a repeat.
    fn finish(mut self, place: &Place, file: &Path) {
        if !self.0.wait().unwrap().success() {
            place.publish(file);
        }
    }
}

/// A consumer that reads the ledger topic as it grows, link by link.
struct Reader(Option<Child>);

impl Drop for Reader {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        if let Some(mut child) = self.0.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Reader {
    fn follow(place: &Place) -> Self {
        let mut collect = place.command(&["collect", "--follow", "--format", "json"]);
        collect.arg("--data").arg(place.path("book")).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(collect.spawn().unwrap()))
    }

    /// Nothing came to it twice, and with what was still on its way when it was told to stop, its book is that of the
    /// undisturbed projection.
    fn has_seen_each_entry_once(mut self, place: &Place) {
        thread::sleep(Duration::from_secs(1));
        let child = self.0.take().unwrap();
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(told.unwrap().success());
        let out = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
        assert!(said.contains("\"repeated\":0") && !said.contains("\"entries\":0,"), "{said}");
        place.assert_same_book();
    }
}
