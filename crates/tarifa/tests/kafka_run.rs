//! `tarifa run` on a real broker: what is published is what `project` books, each entry once, whatever happens meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod service;

use std::{env, fs, thread, time::Duration};

use model::EntryKind;
use service::Place;

/// How often the service is killed; the long run sets more.
const KILLS_VARIABLE: &str = "TARIFA_TEST_KILLS";

#[test]
fn the_same_traffic_gives_the_same_digests_as_project_does() {
    same_digests(3, 6_000);
}

#[test]
fn the_same_traffic_gives_the_same_digests_on_one_partition_and_on_sixty_four() {
    same_digests(1, 3_000);
    same_digests(64, if service::is_long() { 100_000 } else { 3_000 });
}

fn same_digests(partitions: u32, events: u32) {
    let Some(place) = Place::new(partitions) else { return };
    let files = place.traffic(events, 2);
    place.publish(&files[0]);
    let instance = place.start("one", &[]);
    instance.wait_until_ready();
    place.publish(&files[1]);
    place.close_all(&[&instance]);
    assert_eq!(instance.stop(), Some(0));

    let kinds = place.read_ledger();
    let adopted = kinds[&EntryKind::Configured];
    assert_eq!(adopted, u64::from(partitions), "each partition adopts the configuration once");
    place.assert_same_digests(&["one"]);
    place.assert_same_book();
    place.verify();
}

#[test]
fn killed_at_any_moment_it_publishes_each_entry_once() {
    let Some(place) = Place::new(4) else { return };
    let kills: usize = env::var(KILLS_VARIABLE).map_or(5, |text| text.parse().unwrap());
    let files = place.traffic(10_000, kills + 1);
    for (round, file) in files.iter().enumerate().take(kills) {
        let instance = place.start("one", &["--tick-interval-ms", "300"]);
        place.publish(file);
        // From before it is ready to long after, another moment each time.
        thread::sleep(Duration::from_millis(100 + (round as u64 * 617) % 2_500));
        instance.kill();
    }
    let instance = place.start("one", &[]);
    place.publish(&files[kills]);
    place.wait_until_published(&[&instance]);
    assert_eq!(instance.stop(), Some(0));

    place.read_ledger();
    place.assert_same_digests(&["one"]);
}

#[test]
fn an_instance_that_slept_through_its_session_publishes_nothing_of_what_it_lost() {
    let Some(place) = Place::new(4) else { return };
    let files = place.traffic(6_000, 4);
    let first = place.start("first", &["--tick-interval-ms", "500"]);
    first.wait_until_ready();
    place.publish(&files[0]);
    let second = place.start("second", &["--tick-interval-ms", "500"]);
    second.wait_until_ready();
    place.publish(&files[1]);
    first.signal("STOP");
    // The other one takes over what the sleeper had.
    second.wait_for("owner of all", |numbers| {
        numbers.keys().filter(|name| name.starts_with("tarifa_next_offset{")).count() == 4
    });
    place.publish(&files[2]);
    thread::sleep(Duration::from_secs(2));
    first.signal("CONT");
    place.publish(&files[3]);
    first.wait_for("owner again", |numbers| numbers.get("tarifa_ready") == Some(&1.0));
    place.wait_until_published(&[&first, &second]);
    assert_eq!((first.stop(), second.stop()), (Some(0), Some(0)));

    place.read_ledger();
    place.assert_same_digests(&["first", "second"]);
}

#[test]
fn instances_come_and_go_under_load() {
    let Some(place) = Place::new(6) else { return };
    let files = place.traffic(9_000, 5);
    let first = place.start("first", &[]);
    first.wait_until_ready();
    place.publish(&files[0]);
    let second = place.start("second", &[]);
    second.wait_until_ready();
    place.publish(&files[1]);
    let third = place.start("third", &[]);
    third.wait_until_ready();
    place.publish(&files[2]);
    assert_eq!(first.stop(), Some(0));
    place.publish(&files[3]);
    second.kill();
    place.publish(&files[4]);
    third.wait_for("owner of all", |numbers| {
        numbers.keys().filter(|name| name.starts_with("tarifa_next_offset{")).count() == 6
    });
    place.wait_until_published(&[&third]);
    assert_eq!(third.stop(), Some(0));

    place.read_ledger();
    place.assert_same_digests(&["third"]);
}

#[test]
fn a_lost_directory_is_rebuilt_from_the_input_and_nothing_is_published_twice() {
    let Some(place) = Place::new(2) else { return };
    let files = place.traffic(4_000, 2);
    place.publish(&files[0]);
    let instance = place.start("one", &[]);
    place.wait_until_published(&[&instance]);
    instance.kill();
    let before = place.read_ledger();

    fs::remove_dir_all(place.path("one")).unwrap();
    let instance = place.start("one", &[]);
    place.wait_until_published(&[&instance]);
    assert_eq!(place.read_ledger(), before);
    place.publish(&files[1]);
    place.wait_until_published(&[&instance]);
    assert_eq!(instance.stop(), Some(0));

    place.read_ledger();
    place.assert_same_digests(&["one"]);
}

#[test]
fn a_lost_ledger_store_is_rebuilt_while_the_rest_of_the_directory_stays() {
    let Some(place) = Place::new(2) else { return };
    let files = place.traffic(3_000, 2);
    place.publish(&files[0]);
    let instance = place.start("one", &[]);
    place.wait_until_published(&[&instance]);
    instance.kill();

    fs::remove_dir_all(place.path("one/ledger")).unwrap();
    let instance = place.start("one", &[]);
    place.publish(&files[1]);
    place.wait_until_published(&[&instance]);
    assert_eq!(instance.stop(), Some(0));

    place.read_ledger();
    place.assert_same_digests(&["one"]);
}
