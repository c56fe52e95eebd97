//! What the check of a tariff's files finds, seen from outside: whole files spoilt in one place.
//!
//! Knows only the public face of the crate.
//! Invariant: one mistake gives one finding, which names the file and the place.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;

use tariff::{Tariff, check};

fn files() -> BTreeMap<String, String> {
    Tariff::builtin("whatsapp-2022").unwrap().files().clone()
}

/// What is found after `old` became `new` in a file, once.
fn found(file: &str, old: &str, new: &str) -> Vec<String> {
    let mut files = files();
    let text = files.get_mut(file).unwrap();
    assert!(text.contains(old), "{old}");
    *text = text.replacen(old, new, 1);
    check(&files).iter().map(ToString::to_string).collect()
}

#[test]
fn one_mistake_gives_one_finding_with_its_place() {
    for (file, old, new, finding) in [
        ("tariff.toml", "window_hours", "window_hour", "tariff.toml:1:1: no key `window_hours`; add it"),
        (
            "rates/2022-02-01-USD.csv",
            "0.0526",
            "0.05260001",
            "rates/2022-02-01-USD.csv:3:34: `0.05260001`: more than six digits behind the point; \
             write at most six digits behind the point",
        ),
        (
            "rates/2022-02-01-USD.csv",
            "Chile,USD,user",
            "Chili,USD,user",
            "rates/2022-02-01-USD.csv:8:1: unknown market `Chili`; did you mean `Chile`?",
        ),
        (
            "rates/2022-02-01-EUR.csv",
            "Chile,EUR,user",
            "Chile,EUR,business",
            "rates/2022-02-01-EUR.csv:8:1: Chile, EUR, business-initiated has two rates on some dates: \
             0.0627 from 2022-02-01 until before 2023-06-01 in rates/2022-02-01-EUR.csv:7, \
             0.0376 from 2022-02-01 until before 2023-06-01 here; \
             remove one, or end the older where the newer begins",
        ),
        (
            "markets.csv",
            "263,Other,2022-02-01,2025-10-01",
            "263,Other,2022-02-01,2025-10-02",
            "markets.csv:50:1: prefix 263 has two markets on some dates: \
             Other from 2022-02-01 until before 2025-10-02 in line 49, Rest of Africa from 2025-10-01 here; \
             remove one, or end the older where the newer begins",
        ),
        ("markets.csv", ",status,", ",state,", "markets.csv:3:1: no column `status`"),
        (
            "countries.csv",
            "AE,971",
            "AD,971",
            "countries.csv:6:1: AD stands in line 5 too; remove one of the rows",
        ),
    ] {
        let all = found(file, old, new);
        assert!(all.iter().any(|one| one.contains(finding)), "{file} {new}: {all:#?}");
        let also = all.iter().filter(|one| !one.contains(finding)).filter(|one| !one.contains("unknown "));
        assert_eq!(also.collect::<Vec<_>>(), Vec::<&String>::new());
    }
}

#[test]
fn rates_that_overlap_in_two_cards_are_found() {
    let mut files = files();
    let second = "market,currency,category,rate,from,to,status,source\n\
                  Brazil,USD,user-initiated,0.04,2023-05-01,,reported,nobody\n";
    files.insert("rates/2023-05-01-USD.csv".to_owned(), second.to_owned());
    let findings = check(&files);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].file.as_str(), findings[0].line, findings[0].column),
        ("rates/2023-05-01-USD.csv", 2, 1)
    );
    files.insert("rates/2023-05-01-USD.csv".to_owned(), second.replace("2023-05-01", "2023-06-01"));
    assert_eq!(check(&files), Vec::new());
}

#[test]
fn files_that_are_missing_or_do_not_belong_are_found() {
    for file in ["tariff.toml", "markets.csv", "countries.csv"] {
        let mut files = files();
        files.remove(file);
        let findings = check(&files);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].to_string().starts_with(&format!("{file}:1:1: the file is missing")));
    }
    let mut without_cards = files();
    without_cards.retain(|file, _| !file.starts_with("rates/"));
    assert!(check(&without_cards)[0].problem.contains("no rate card"));
    let mut with_notes = files();
    with_notes.insert("notes.txt".to_owned(), "hello".to_owned());
    assert_eq!(
        check(&with_notes)[0].to_string().split(';').next(),
        Some("notes.txt:1:1: no file of a tariff")
    );
}

#[test]
fn all_findings_come_at_once_in_the_order_of_the_files() {
    let mut files = files();
    for (file, old, new) in [
        ("rates/2022-02-01-USD.csv", "Argentina", "Argentinia"),
        ("markets.csv", "verified", "certain"),
        ("rates/2022-02-01-EUR.csv", "EUR", "EUE"),
    ] {
        let text = files.get_mut(file).unwrap();
        *text = text.replacen(old, new, 1);
    }
    let found: Vec<String> = check(&files).iter().map(|finding| finding.file.clone()).collect();
    assert_eq!(found, ["markets.csv", "rates/2022-02-01-EUR.csv", "rates/2022-02-01-USD.csv"]);
    let error = Tariff::from_files(&files).unwrap_err().to_string();
    assert!(error.starts_with("markets.csv:4:") && error.ends_with("(and 2 more)"), "{error}");
}

#[test]
fn tables_too_large_for_memory_are_refused_before_they_are_made() {
    let mut many_dates = files();
    let mut rows = String::from("prefix,market,from,to,status,source\n");
    for year in 2000..2100 {
        for month in 1..=12 {
            rows += &format!("{},A,{year}-{month:02}-01,{year}-{month:02}-02,derived,s\n", year * 7 % 10_000);
        }
    }
    many_dates.insert("markets.csv".to_owned(), rows);
    let findings = check(&many_dates);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].problem, "2 markets in 1200 rows with 2400 dates");

    let mut many_markets = files();
    let row = |n: u32| format!("{n},Market {n},2022-02-01,,derived,s\n");
    let rows: String = (1_000..1_300).map(row).collect();
    many_markets.insert("markets.csv".to_owned(), format!("prefix,market,from,to,status,source\n{rows}"));
    assert_eq!(check(&many_markets)[0].problem, "301 markets in 300 rows with 1 dates");
}
