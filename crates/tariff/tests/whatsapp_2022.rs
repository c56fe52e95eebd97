//! The default tariff as its users see it: which market, which month, which rate and which row.
//!
//! Knows only the public face of the crate.
//! Invariant: every figure here stands in a data file; none is computed by the test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{collections::BTreeMap, sync::Arc};

use model::{Currency, Initiator, LeadingDigits, Text, UnixMillis};
use tariff::{
    AccountRules, AccountSettings, Anchor, Configuration, CoverageCell, Date, NO_RATE, RateKind, RowStatus,
    Tariff, Unit, WhyUnpriced, Window, coverage,
};

fn tariff() -> Arc<Tariff> {
    Tariff::builtin("whatsapp-2022").unwrap()
}

fn account(currency: &str, zone: &str) -> Arc<AccountRules> {
    let currency = Currency::parse(currency).unwrap();
    let settings = AccountSettings { currency, zone: zone.to_owned(), tracks_consent: false };
    Configuration::new(settings, Vec::new(), tariff()).unwrap().account("any").clone()
}

fn at(text: &str) -> UnixMillis {
    UnixMillis(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

fn market(user: &str, time: &str) -> String {
    account("USD", "UTC").market(LeadingDigits::of(user), at(time)).to_string()
}

#[test]
fn every_builtin_tariff_passes_its_own_check() {
    for id in Tariff::builtin_ids() {
        let tariff = Tariff::builtin(id).unwrap();
        assert_eq!(&*tariff.id, *id);
        assert_eq!(tariff::check(tariff.files()), Vec::new());
    }
    assert!(Tariff::builtin("whatsapp-1999").is_none());
}

#[test]
fn the_settings_are_those_of_the_2022_rules() {
    let tariff = tariff();
    assert_eq!(tariff.unit, Unit::Conversation);
    assert_eq!(tariff.window, Window::Sliding);
    assert_eq!(tariff.anchor, Anchor::FirstMessage);
    assert_eq!(tariff.window_length.0, 24 * 60 * 60 * 1_000);
    assert_eq!(tariff.dates.to_string(), "from 2022-02-01 until before 2023-06-01");
}

#[test]
fn a_number_is_in_the_market_of_its_longest_prefix() {
    for (user, expected) in [
        ("5511987654321", "Brazil"),
        ("12125550123", "North America"),
        ("17875550123", "Rest of Latin America"),
        ("18095550123", "Rest of Latin America"),
        ("12425550123", "North America"),
        ("4930123456", "Germany"),
        ("49", "Germany"),
        ("35312345678", "Rest of Western Europe"),
        ("35212345678", "Other"),
        ("242061234567", "Rest of Africa"),
        ("243812345678", "Other"),
        ("79161234567", "Russia"),
        ("77011234567", "Russia"),
        ("3", "Other"),
        ("", "Other"),
    ] {
        assert_eq!(market(user, "2022-06-01T00:00:00Z"), expected, "{user}");
    }
}

#[test]
fn a_provider_id_is_in_the_market_of_its_country() {
    for (user, expected) in [
        ("US.13491208655302741918", "North America"),
        ("BR.13491208655302741918", "Brazil"),
        ("PR.13491208655302741918", "Rest of Latin America"),
        ("GB.1", "United Kingdom"),
        ("GG.1", "United Kingdom"),
        ("EE.1", "Other"),
        ("XX.1", "Other"),
    ] {
        assert_eq!(market(user, "2022-06-01T00:00:00Z"), expected, "{user}");
    }
}

#[test]
fn a_prefix_moves_to_another_market_at_midnight_of_the_account() {
    for (user, zone, last_before, first_after, before, after) in [
        (
            "263771234567",
            "UTC",
            "2025-09-30T23:59:59.999Z",
            "2025-10-01T00:00:00Z",
            "Other",
            "Rest of Africa",
        ),
        ("ZW.1", "UTC", "2025-09-30T23:59:59.999Z", "2025-10-01T00:00:00Z", "Other", "Rest of Africa"),
        (
            "263771234567",
            "America/Sao_Paulo",
            "2025-10-01T02:59:59.999Z",
            "2025-10-01T03:00:00Z",
            "Other",
            "Rest of Africa",
        ),
        (
            "263771234567",
            "Asia/Kolkata",
            "2025-09-30T18:29:59.999Z",
            "2025-09-30T18:30:00Z",
            "Other",
            "Rest of Africa",
        ),
        (
            "36301234567",
            "Europe/Berlin",
            "2026-06-30T21:59:59.999Z",
            "2026-06-30T22:00:00Z",
            "Rest of Central & Eastern Europe",
            "Hungary",
        ),
        ("77011234567", "UTC", "2026-09-30T23:59:59.999Z", "2026-10-01T00:00:00Z", "Russia", "Kazakhstan"),
        ("KZ.1", "UTC", "2026-09-30T23:59:59.999Z", "2026-10-01T00:00:00Z", "Russia", "Kazakhstan"),
    ] {
        let account = account("USD", zone);
        let digits = LeadingDigits::of(user);
        assert_eq!(&**account.market(digits, at(last_before)), before, "{user} {zone}");
        assert_eq!(&**account.market(digits, at(first_after)), after, "{user} {zone}");
        assert_eq!(&*account.market_row(digits, at(first_after)).unwrap().market, after);
    }
    assert!(account("USD", "UTC").market_row(LeadingDigits::of("372"), at("2022-06-01T00:00:00Z")).is_none());
}

#[test]
fn rates_differ_by_market_initiator_and_currency_and_name_their_row() {
    for (currency, market, initiator, micros, card, status) in [
        ("USD", "Brazil", Initiator::Business, 50_000, "rates/2022-02-01-USD.csv", RowStatus::CrossChecked),
        ("USD", "Brazil", Initiator::User, 30_000, "rates/2022-02-01-USD.csv", RowStatus::CrossChecked),
        ("EUR", "Brazil", Initiator::Business, 41_400, "rates/2022-02-01-EUR.csv", RowStatus::CrossChecked),
        ("EUR", "Germany", Initiator::User, 67_900, "rates/2022-02-01-EUR.csv", RowStatus::CrossChecked),
        ("USD", "Other", Initiator::User, 14_500, "rates/2022-02-01-USD.csv", RowStatus::Derived),
        (
            "EUR",
            "Rest of Central & Eastern Europe",
            Initiator::Business,
            60_200,
            "rates/2022-02-01-EUR.csv",
            RowStatus::Reported,
        ),
    ] {
        let account = account(currency, "UTC");
        let (market, opened) = (Text::from(market), at("2022-06-01T00:00:00Z"));
        let price = account.conversation_price(&market, initiator, opened);
        assert_eq!(price.amount.map(|amount| amount.0), Some(micros), "{currency} {market}");
        assert_eq!((price.currency.as_str(), &*price.tariff), (currency, "whatsapp-2022"));
        assert_eq!((&*price.card, &*price.reason), (card, ""));
        let row = account.rate_row(&market, initiator, opened).unwrap();
        assert_eq!((&row.card, row.line, row.status), (&price.card, price.row, status));
        let line = tariff().files()[card].lines().nth(price.row as usize - 1).unwrap().to_owned();
        let kind = RateKind::of(initiator).as_str();
        assert!(line.starts_with(&format!("{market},{currency},{kind},{}", row.rate)), "{line}");
        assert_eq!(account.why_unpriced(&market, initiator, opened), None);
    }
}

#[test]
fn a_card_holds_from_its_first_midnight_in_the_accounts_zone_until_its_last() {
    let brazil = Text::from("Brazil");
    for (zone, first, end) in [
        ("UTC", "2022-02-01T00:00:00Z", "2023-06-01T00:00:00Z"),
        ("America/Sao_Paulo", "2022-02-01T03:00:00Z", "2023-06-01T03:00:00Z"),
        ("Asia/Kolkata", "2022-01-31T18:30:00Z", "2023-05-31T18:30:00Z"),
        ("Europe/Berlin", "2022-01-31T23:00:00Z", "2023-05-31T22:00:00Z"),
    ] {
        let account = account("USD", zone);
        let amount = |at: i64| {
            account.conversation_price(&brazil, Initiator::User, UnixMillis(at)).amount.map(|amount| amount.0)
        };
        let (first, end) = (at(first).0, at(end).0);
        assert_eq!(
            [amount(first - 1), amount(first), amount(end - 1), amount(end)],
            [None, Some(30_000), Some(30_000), None],
            "{zone}"
        );
    }
}

#[test]
fn what_has_no_rate_is_unpriced_with_the_reason_and_never_zero() {
    let usd = account("USD", "UTC");
    let (during, after) = (at("2022-06-01T00:00:00Z"), at("2023-06-01T00:00:00Z"));
    let brazil_dates = usd.rate_row("Brazil", Initiator::User, during).unwrap().dates;
    let date = Date::parse("2023-06-01").unwrap();
    let gbp = Currency::parse("GBP").unwrap();
    let usd_code = usd.currency();
    for (currency, market, opened, why) in [
        ("USD", "Brazil", after, WhyUnpriced::OtherDates(date, vec![brazil_dates])),
        ("USD", "Atlantis", during, WhyUnpriced::UnknownMarket),
        ("USD", "Hungary", during, WhyUnpriced::NoRow(usd_code, RateKind::UserInitiated)),
        ("GBP", "Brazil", during, WhyUnpriced::NoCard(gbp)),
    ] {
        let account = account(currency, "UTC");
        let price = account.conversation_price(&market.into(), Initiator::User, opened);
        assert_eq!((price.amount, &*price.reason, &*price.card, price.row), (None, NO_RATE, "", 0));
        assert_eq!((price.currency.as_str(), &*price.tariff), (currency, "whatsapp-2022"));
        assert_eq!(account.why_unpriced(market, Initiator::User, opened), Some(why), "{currency} {market}");
    }
}

#[test]
fn every_market_that_a_number_can_have_while_the_cards_hold_has_both_rates_in_both_currencies() {
    let mut markets = BTreeMap::new();
    for currency in ["USD", "EUR"] {
        let account = account(currency, "UTC");
        for opened in ["2022-02-01T00:00:00Z", "2022-11-15T12:00:00Z", "2023-05-31T23:59:59Z"].map(at) {
            for number in 0..10_000 {
                let market = account.market(LeadingDigits::of(&format!("{number:04}")), opened);
                for initiator in [Initiator::User, Initiator::Business] {
                    let price = account.conversation_price(market, initiator, opened);
                    assert!(price.amount.is_some_and(|amount| amount.0 > 0), "{currency} {market}");
                }
                markets.insert(market.to_string(), ());
            }
        }
    }
    assert_eq!(markets.len(), 32);
}

#[test]
fn the_coverage_shows_sixteen_whole_months_in_two_currencies() {
    let coverage = coverage(&tariff());
    let months: Vec<String> = coverage.months.iter().map(ToString::to_string).collect();
    assert_eq!((months.len(), &*months[0], &*months[15]), (16, "2022-02", "2023-05"));
    let columns: Vec<String> =
        coverage.columns.iter().map(|(currency, kind)| format!("{currency} {}", kind.as_str())).collect();
    assert_eq!(
        columns,
        ["EUR business-initiated", "EUR user-initiated", "USD business-initiated", "USD user-initiated"]
    );
    assert_eq!(coverage.goes_on, [false; 4]);
    let whole = CoverageCell { whole: 32, part: 0, none: 0 };
    assert!(coverage.cells.iter().all(|row| *row == [whole; 4]));
}

#[test]
fn every_country_has_its_number_and_every_row_its_source() {
    let tariff = tariff();
    assert_eq!(tariff.rates().len(), 2 * 2 * 32);
    assert!(tariff.rates().iter().all(|row| !row.source.is_empty()));
    assert!(tariff.markets().iter().all(|row| !row.source.is_empty()));
    assert!(tariff.countries().len() > 240);
    let account = account("USD", "UTC");
    for row in tariff.countries() {
        let id = format!("{}{}.1", row.country[0] as char, row.country[1] as char);
        for time in ["2022-06-01T00:00:00Z", "2025-12-01T00:00:00Z", "2026-12-01T00:00:00Z"].map(at) {
            let by_number = account.market(LeadingDigits::of(&format!("{}5550", row.prefix)), time);
            assert_eq!(account.market(LeadingDigits::of(&id), time), by_number, "{id}");
        }
    }
}
