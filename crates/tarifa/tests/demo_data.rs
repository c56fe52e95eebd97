//! The sample that the demo is made of: it has one torn line, and everything else in it can be read.
//!
//! Knows nothing of the rules. Invariant: the sample shows what its description promises: several markets, two accounts,
//! statuses that contradict each other, repeats, lines out of order.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use model::{Currency, EventBody, LeadingDigits, StatusKind};
use tariff::{AccountSettings, AccountsFile};
use wire::{Piece, WebhookDefaults, decode_json_line};

fn sample(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("demo").join(file)).unwrap()
}

#[test]
fn the_sample_traffic_has_what_a_demo_should_show() {
    let text = sample("traffic.jsonl");
    let (mut malformed, mut ignored, mut referrals, mut repeats, mut backwards) = (0, 0, 0, 0, 0);
    let mut accounts = BTreeSet::new();
    let mut countries = BTreeSet::new();
    let mut statuses: BTreeMap<String, Vec<StatusKind>> = BTreeMap::new();
    let mut lines = BTreeSet::new();
    let mut newest = None;
    for line in text.lines() {
        repeats += usize::from(!lines.insert(line));
        decode_json_line(line.as_bytes(), &WebhookDefaults::default(), &mut |piece| match piece {
            Piece::Malformed(_) => malformed += 1,
            Piece::Ignored(_) => ignored += 1,
            Piece::Tick(_) => panic!("a tick in the sample"),
            Piece::Event(event) => {
                accounts.insert(event.account.to_string());
                countries.insert(LeadingDigits::of(&event.user).as_str()[..2].to_owned());
                backwards += usize::from(newest > Some(event.occurred_at));
                newest = newest.max(Some(event.occurred_at));
                match event.body {
                    EventBody::UserMessage(message) => referrals += usize::from(message.referral),
                    EventBody::MessageStatus(status) => {
                        statuses.entry(status.message_id.to_string()).or_default().push(status.status);
                    }
                    EventBody::BusinessMessage(_) | EventBody::UserCall | EventBody::Consent(_) => {}
                }
            }
        });
    }
    assert_eq!((malformed, ignored, referrals, repeats), (1, 1, 2, 3));
    assert_eq!(accounts.len(), 2);
    assert_eq!(countries.into_iter().collect::<Vec<_>>(), ["49", "52", "55", "91", "IN"]);
    assert!(backwards >= 5, "{backwards}");
    assert_eq!(statuses["wamid.demo-de2-1"], [StatusKind::Failed, StatusKind::Delivered, StatusKind::Read]);
    assert!((60..=100).contains(&text.lines().count()), "{}", text.lines().count());
}

#[test]
fn the_sample_accounts_are_those_of_the_traffic() {
    let base = AccountSettings {
        currency: Currency::parse("USD").unwrap(),
        zone: "UTC".to_owned(),
        tracks_consent: false,
    };
    let file = AccountsFile::parse("accounts.toml", &sample("accounts.toml"), &base).unwrap();
    let currencies: Vec<String> =
        file.accounts.iter().map(|(id, settings)| format!("{id} {}", settings.currency)).collect();
    assert_eq!(currencies, ["200000000000001 USD", "200000000000002 EUR"]);
    let traffic = sample("traffic.jsonl");
    assert!(file.accounts.iter().all(|(id, _)| traffic.contains(id.as_str())));
}
