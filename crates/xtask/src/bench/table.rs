//! A figure, its goal, and the table of all.
//!
//! Does not know how a figure is measured. Invariant: the ratio that is compared with the goal is the one that is shown,
//! before rounding.

/// What a ratio has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// For speeds.
    AtLeast(f64),
    /// For times and sizes.
    AtMost(f64),
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) what: &'static str,
    pub(super) goal: Goal,
    /// None if it could not be measured; why has been told.
    pub(super) measured: Option<Measured>,
}

/// Both sides of a ratio, in words with units and as numbers of one unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) value: String,
    pub(super) against: String,
    pub(super) ratio: f64,
}

impl Figure {
    /// Whether it was measured and the ratio is as it has to be.
    pub(super) fn is_met(&self) -> bool {
        self.measured.as_ref().is_some_and(|measured| match self.goal {
            Goal::AtLeast(least) => measured.ratio >= least,
            Goal::AtMost(most) => measured.ratio <= most,
        })
    }

    fn cells(&self) -> [String; 6] {
        let goal = match self.goal {
            Goal::AtLeast(least) => format!(">= {least:.2}"),
            Goal::AtMost(most) => format!("<= {most:.2}"),
        };
        let verdict = if self.is_met() { "ok" } else { "MISSED" };
        let (value, against, ratio) = match &self.measured {
            Some(measured) => {
                (measured.value.clone(), measured.against.clone(), format!("{:.2}", measured.ratio))
            }
            None => ("not measured".to_owned(), String::new(), "-".to_owned()),
        };
        [self.what.to_owned(), value, against, ratio, goal, verdict.to_owned()]
    }
}

/// The table as Markdown, aligned.
pub(super) fn render(figures: &[Figure]) -> String {
    let heading = ["what", "measured", "against", "ratio", "goal", ""].map(str::to_owned);
    let mut rows = vec![heading];
    rows.extend(figures.iter().map(Figure::cells));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut lines = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        lines.push(format!("| {} |", cells.join(" | ")));
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            lines.push(format!("| {} |", rules.join(" | ")));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(ratio: f64, goal: Goal) -> Figure {
        let measured = Measured { value: "8 s".to_owned(), against: "yardstick 4 s".to_owned(), ratio };
        Figure { what: "project", goal, measured: Some(measured) }
    }

    #[test]
    fn a_goal_is_met_at_its_edge_and_missed_beyond() {
        assert!(figure(0.75, Goal::AtLeast(0.75)).is_met());
        assert!(!figure(0.749, Goal::AtLeast(0.75)).is_met());
        assert!(figure(1.5, Goal::AtMost(1.5)).is_met());
        assert!(!figure(1.51, Goal::AtMost(1.5)).is_met());
        assert!(!figure(f64::NAN, Goal::AtLeast(0.0)).is_met());
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let figure = Figure { what: "verify", goal: Goal::AtLeast(0.4), measured: None };
        assert!(!figure.is_met());
        assert!(render(&[figure]).contains("| verify | not measured |"));
    }

    #[test]
    fn columns_are_aligned() {
        let table = render(&[figure(0.5, Goal::AtLeast(0.75)), figure(10.0, Goal::AtMost(20.0))]);
        let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
        assert!(table.contains("| 0.50  | >= 0.75  | MISSED |"), "{table}");
    }
}
