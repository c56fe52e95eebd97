//! Alerts, dashboard and runbook speak of metrics that there are, and the runbook of all of them.

use std::collections::BTreeSet;

use server::{Kind, METRICS};

const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../deploy/grafana/tarifa.json");
const RUNBOOK: &str = include_str!("../../../deploy/README.md");

/// Every word that looks like one of our metrics.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("tarifa_")).collect()
}

fn exists(word: &str) -> bool {
    METRICS.iter().any(|(name, kind, _)| match kind {
        Kind::Histogram => {
            word.strip_prefix(name).is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
        }
        Kind::Counter | Kind::Gauge => word == *name,
    })
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    for (file, text) in [("alerts", ALERTS), ("dashboard", DASHBOARD), ("runbook", RUNBOOK)] {
        let named = named(text);
        assert!(named.len() > 5, "{file} names hardly any metric");
        let unknown: Vec<_> = named.into_iter().filter(|word| !exists(word)).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}");
    }
}

#[test]
fn the_runbook_explains_every_metric() {
    let explained = named(RUNBOOK);
    let missing: Vec<_> =
        METRICS.iter().map(|(name, ..)| *name).filter(|name| !explained.contains(name)).collect();
    assert!(missing.is_empty(), "deploy/README.md says nothing of {missing:?}");
}
