//! Small checks of the data that is kept beside the code: rate rows have a source, scenarios say what they show.
//!
//! Reads rate cards with code of its own, so that a fault of the tariff crate cannot hide here.
//! Invariant: a file that cannot be read is a finding.

use super::Finding;

/// Rows of a rate card that name no source, or lack a market, currency or rate.
pub(crate) fn rate_card(place: &str, text: &str) -> Vec<Finding> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => return vec![Finding::new(place, format!("is no CSV ({error}); mend it"))],
    };
    let mut findings = Vec::new();
    let mut needed = Vec::new();
    for column in ["market", "currency", "rate", "source"] {
        match headers.iter().position(|header| header == column) {
            Some(at) => needed.push((column, at)),
            None => findings.push(Finding::new(place, format!("has no column `{column}`; add it"))),
        }
    }
    let mut rows = 0;
    for row in reader.records() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                findings
                    .push(Finding::new(place, format!("has a row that cannot be read ({error}); mend it")));
                continue;
            }
        };
        rows += 1;
        let line = row.position().map_or(0, csv::Position::line);
        for (column, at) in &needed {
            if row.get(*at).is_none_or(|value| value.trim().is_empty()) {
                let what =
                    format!("the row has no {column}; say where the rate comes from, or remove the row");
                findings.push(Finding::new(format!("{place}:{line}"), what));
            }
        }
    }
    if rows == 0 {
        findings.push(Finding::new(place, "has no rows; remove the file or fill it"));
    }
    findings
}

/// A scenario file without a heading or without a step.
pub(crate) fn scenario(place: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let heading = text.lines().next().and_then(|line| line.strip_prefix('#'));
    if heading.is_none_or(|words| words.trim().is_empty()) {
        findings.push(Finding::new(
            format!("{place}:1"),
            "has no heading; begin with `# ` and what the scenario shows",
        ));
    }
    if !text.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        findings.push(Finding::new(place, "has no steps; remove the file or fill it"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "# Rates.\nmarket,currency,category,rate,from,to,status,source\n";

    #[test]
    fn a_rate_without_its_source_is_found_on_its_line() {
        let good = "Brazil,USD,user-initiated,0.0300,2022-02-01,,published,\"list, of the provider\"\n";
        assert_eq!(rate_card("usd.csv", &format!("{HEADER}{good}")), []);
        let bad = "India,USD,user-initiated,0.0042,2022-02-01,,published, \n";
        let found = rate_card("usd.csv", &format!("{HEADER}{good}{bad}"));
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("usd.csv:4: the row has no source"), "{}", found[0]);
    }

    #[test]
    fn a_card_without_the_column_or_without_rows_is_no_card() {
        let found = rate_card("usd.csv", "market,currency,rate\nBrazil,USD,0.0300\n");
        assert_eq!(found, [Finding::new("usd.csv", "has no column `source`; add it")]);
        assert_eq!(rate_card("usd.csv", HEADER).len(), 1);
        let uneven = format!("{HEADER}Brazil,USD\n");
        assert!(rate_card("usd.csv", &uneven)[0].what.contains("cannot be read"));
    }

    #[test]
    fn a_scenario_has_a_heading_and_steps() {
        assert_eq!(scenario("a.txt", "# A reply is charged once.\nd0 10:00  user  message  -> opened\n"), []);
        assert_eq!(scenario("a.txt", "d0 10:00  user  message  -> opened\n").len(), 1);
        assert_eq!(scenario("a.txt", "# Nothing happens.\n\n# Really.\n").len(), 1);
        assert_eq!(scenario("a.txt", "").len(), 2);
    }
}
