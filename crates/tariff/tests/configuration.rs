//! What is adopted, from settings to bytes and back.
//!
//! Knows only the public face of the crate.
//! Invariant: the same content has the same hash, another content another.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::Arc;

use model::{Currency, Initiator, LeadingDigits, Period, UnixMillis};
use tariff::{AccountSettings, Configuration, ConfigurationError, RULES_VERSION, Tariff};

fn settings(currency: &str, zone: &str, tracks_consent: bool) -> AccountSettings {
    AccountSettings { currency: Currency::parse(currency).unwrap(), zone: zone.to_owned(), tracks_consent }
}

fn tariff() -> Arc<Tariff> {
    Tariff::builtin("whatsapp-2022").unwrap()
}

fn three_accounts() -> Vec<(String, AccountSettings)> {
    vec![
        ("waba-brasil".to_owned(), settings("USD", "America/Sao_Paulo", true)),
        ("waba-berlin".to_owned(), settings("EUR", "Europe/Berlin", false)),
        ("waba-india".to_owned(), settings("INR", "Asia/Kolkata", false)),
    ]
}

#[test]
fn listed_accounts_have_their_own_rules_and_all_others_the_defaults() {
    let configuration =
        Configuration::new(settings("EUR", "UTC", false), three_accounts(), tariff()).unwrap();
    let of = |account: &str| {
        let rules = configuration.account(account);
        (rules.currency().to_string(), rules.zone().name().to_owned(), rules.tracks_consent())
    };
    assert_eq!(of("waba-brasil"), ("USD".to_owned(), "America/Sao_Paulo".to_owned(), true));
    assert_eq!(of("waba-india"), ("INR".to_owned(), "Asia/Kolkata".to_owned(), false));
    assert_eq!(of("somebody"), ("EUR".to_owned(), "UTC".to_owned(), false));
    assert_eq!(of(""), of("somebody"));
    assert_eq!(configuration.rules_version(), RULES_VERSION);
    assert_eq!(&*configuration.account("waba-brasil").tariff().id, "whatsapp-2022");
    let listed: Vec<&str> = configuration.accounts().map(|(account, _)| account).collect();
    assert_eq!(listed, ["waba-berlin", "waba-brasil", "waba-india"]);
}

#[test]
fn one_instant_lies_in_different_months_of_different_accounts() {
    let configuration =
        Configuration::new(settings("EUR", "UTC", false), three_accounts(), tariff()).unwrap();
    let new_year = UnixMillis(1_640_995_200_000);
    let period = |account: &str, at| configuration.account(account).period(at).to_string();
    assert_eq!(period("waba-brasil", new_year), "2021-12");
    assert_eq!(period("somebody", new_year), "2022-01");
    assert_eq!(period("waba-india", UnixMillis(new_year.0 - 1)), "2022-01");
    let january = Period::parse("2022-01").unwrap();
    let (start, end) = configuration.account("waba-brasil").period_bounds(january);
    assert_eq!((start.0 - new_year.0, end.0 - start.0), (3 * 3_600_000, 31 * 86_400_000));
}

#[test]
fn the_bytes_are_the_same_for_the_same_content_in_any_order() {
    let defaults = || settings("EUR", "UTC", false);
    let one = Configuration::new(defaults(), three_accounts(), tariff()).unwrap();
    let turned = three_accounts().into_iter().rev().collect();
    let other = Configuration::new(defaults(), turned, tariff()).unwrap();
    assert_eq!(one.to_bytes(), other.to_bytes());
    assert_eq!(one.content_hash(), other.content_hash());
    for (defaults, accounts) in [
        (settings("USD", "UTC", false), three_accounts()),
        (settings("EUR", "Asia/Tokyo", false), three_accounts()),
        (settings("EUR", "UTC", true), three_accounts()),
        (defaults(), three_accounts()[1..].to_vec()),
    ] {
        let different = Configuration::new(defaults, accounts, tariff()).unwrap();
        assert_ne!(different.content_hash(), one.content_hash());
    }
    let mut files = tariff().files().clone();
    let card = files.get_mut("rates/2022-02-01-USD.csv").unwrap();
    *card = card.replacen("0.0526", "0.0527", 1);
    let dearer =
        Configuration::new(defaults(), three_accounts(), Arc::new(Tariff::from_files(&files).unwrap()))
            .unwrap();
    assert_ne!(dearer.content_hash(), one.content_hash());
}

#[test]
fn a_configuration_read_from_its_bytes_answers_as_the_one_that_wrote_them() {
    let written = Configuration::new(settings("EUR", "UTC", true), three_accounts(), tariff()).unwrap();
    let read = Configuration::from_bytes(&written.to_bytes()).unwrap();
    assert_eq!(read.content_hash(), written.content_hash());
    assert_eq!(read.to_bytes(), written.to_bytes());
    assert_eq!(read.tariff().files(), written.tariff().files());
    assert_eq!(read.rules_version(), written.rules_version());
    for account in ["waba-brasil", "waba-berlin", "waba-india", "somebody"] {
        let (one, other) = (written.account(account), read.account(account));
        assert_eq!((one.settings(), one.zone()), (other.settings(), other.zone()));
        let mut at = UnixMillis(1_640_000_000_000);
        while at.0 < 1_800_000_000_000 {
            let digits = LeadingDigits::of(&(at.0 / 1_000).to_string());
            assert_eq!(one.period(at), other.period(at));
            let market = one.market(digits, at);
            assert_eq!(market, other.market(digits, at));
            let price = |rules: &tariff::AccountRules| rules.conversation_price(market, Initiator::User, at);
            assert_eq!(price(one), price(other));
            at.0 += 100_000_019;
        }
    }
}

#[test]
fn settings_that_nobody_could_be_billed_by_are_refused() {
    let fails = |defaults, accounts: Vec<(String, AccountSettings)>| {
        Configuration::new(defaults, accounts, tariff()).unwrap_err().to_string()
    };
    let good = || settings("USD", "UTC", false);
    assert_eq!(
        fails(settings("USD", "utx", false), Vec::new()),
        "the default account has an unknown time zone `utx`, perhaps UTC; \
         write an IANA name such as America/Sao_Paulo or UTC"
    );
    assert_eq!(
        fails(good(), vec![("a".to_owned(), settings("QQQ", "UTC", false))]),
        "account `a` has the unknown currency QQQ; write an ISO 4217 code such as USD"
    );
    let twice = vec![("a".to_owned(), good()), ("b".to_owned(), good()), ("a".to_owned(), good())];
    assert_eq!(fails(good(), twice), "account `a` is listed twice; remove one of them");
    assert_eq!(fails(good(), vec![(String::new(), good())]), "an account id has 0 bytes; ids have 1 to 128");
}

#[test]
fn bytes_that_are_no_configuration_or_ask_for_a_newer_release_are_refused() {
    let bytes = Configuration::new(settings("USD", "UTC", false), Vec::new(), tariff()).unwrap().to_bytes();
    let text = String::from_utf8(bytes).unwrap();
    let fails = |text: String| Configuration::from_bytes(text.as_bytes()).unwrap_err();
    assert_eq!(Configuration::from_bytes(&[0xff]).unwrap_err(), ConfigurationError::NotText);
    assert_eq!(fails(text.replacen("rules = 1", "rules = 2", 1)), ConfigurationError::Rules(2));
    assert_eq!(fails(text.replacen("rules = 1", "rules = 0", 1)), ConfigurationError::Rules(0));
    assert!(matches!(fails(String::new()), ConfigurationError::Document(_)));
    assert!(matches!(fails(text.replacen("0.0526", "0,0526", 1)), ConfigurationError::Tariff(_)));
    assert!(matches!(fails(text[..text.len() / 2].to_owned()), ConfigurationError::Document(_)));
}
