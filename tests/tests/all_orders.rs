//! Every order of small histories comes to one net result: the naive model's.
//!
//! Knows no rules. Invariant: a failing order is named by its letters. All histories of up to four letters are tried,
//! and a share of the longer ones; with `TARIFA_SOAK` set, all of up to six.

use std::collections::BTreeMap;

use model::UserRef;
use sim::{
    histories::{Letter, boundary_letters, evidence_letters, multisets, orders, spell},
    reference::{Settings, net_result},
};
use tests::{
    LedgerReader, Plain, Ticks, message_ref, plain_of_ledger, plain_of_reference, project_orders, user_at,
};

/// So many events go into one log before it is compared.
const EVENTS_A_LOG: usize = 20_000;

/// Of the histories of a length, every `n`th is tried.
fn one_in(length: usize) -> usize {
    let soak = std::env::var_os("TARIFA_SOAK").is_some();
    match length {
        _ if soak => 1,
        0..=4 => 1,
        5 => 31,
        _ => 601,
    }
}

fn check_all(letters: &[Letter], length: usize) {
    let mut gathered: Vec<Vec<usize>> = Vec::new();
    // The longest are millions: each log of them meets one way of ticking, in turns.
    let mut turns = Ticks::ALL.iter().cycle();
    let mut compare = |orders: &[Vec<usize>]| match turns.next() {
        Some(ticks) if length > 5 => compare(letters, orders, *ticks),
        _ => Ticks::ALL.iter().for_each(|ticks| compare(letters, orders, *ticks)),
    };
    for choice in multisets(letters.len(), length).step_by(one_in(length)) {
        gathered.extend(orders(&choice));
        if gathered.len() * length >= EVENTS_A_LOG {
            compare(&gathered);
            gathered.clear();
        }
    }
    compare(&gathered);
}

fn compare(letters: &[Letter], orders: &[Vec<usize>], ticks: Ticks) {
    let run = project_orders(letters, orders, ticks);
    let reader = LedgerReader::over(&run.entries).unwrap_or_else(|what| panic!("{ticks:?}: {what}"));
    reader.agrees_with(&run.net).unwrap_or_else(|what| panic!("{ticks:?}: {what}"));
    let mut by_user: BTreeMap<UserRef, Vec<Plain>> = BTreeMap::new();
    for plain in plain_of_ledger(&reader).unwrap_or_else(|what| panic!("{ticks:?}: {what}")) {
        by_user.entry(plain.user).or_default().push(plain);
    }
    // Orders of one choice stand together and come to the same: the naive model is asked once for each choice.
    let mut asked: Option<(Vec<usize>, Vec<Plain>)> = None;
    for (place, order) in orders.iter().enumerate() {
        let mut choice = order.clone();
        choice.sort_unstable();
        let known = asked.take().filter(|(before, _)| *before == choice);
        let (choice, expected) = known.unwrap_or_else(|| (choice.clone(), naive(letters, &choice)));
        let user = user_at(place);
        let found = by_user.remove(&user).unwrap_or_default();
        let expected_here = expected.iter().cloned().map(|plain| Plain { user, ..plain });
        if !expected_here.clone().eq(found.iter().cloned()) {
            let names: Vec<&str> = order.iter().map(|letter| letters[*letter].name).collect();
            let expected: Vec<Plain> = expected_here.collect();
            panic!("{ticks:?}, {names:#?} comes to {found:#?}\nand should come to {expected:#?}");
        }
        asked = Some((choice, expected));
    }
}

fn naive(letters: &[Letter], order: &[usize]) -> Vec<Plain> {
    let result = net_result(&spell(letters, order), &Settings::default(), &|id| message_ref(id).0);
    plain_of_reference(&result.conversations)
}

#[test]
fn messages_around_the_ends_of_windows() {
    let letters = boundary_letters();
    (1..=6).for_each(|length| check_all(&letters, length));
}

#[test]
fn reports_of_a_reply_and_a_template() {
    let letters = evidence_letters();
    (1..=6).for_each(|length| check_all(&letters, length));
}

#[test]
fn the_naive_model_itself_does_not_depend_on_the_order() {
    for letters in [boundary_letters(), evidence_letters()] {
        for choice in multisets(letters.len(), 4).step_by(7) {
            let expected = naive(&letters, &choice);
            for order in orders(&choice) {
                assert_eq!(naive(&letters, &order), expected);
            }
        }
    }
}
