//! Lines of Prometheus' text format.
//!
//! Knows no metric. Invariant: no float is made on the way; what is divided is divided in decimal.

use std::fmt::{Display, Write as _};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by class.
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A text under way.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    /// Begins a metric.
    pub(crate) fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()));
    }

    /// A value of it, with its labels as `name="value"` pairs.
    pub(crate) fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (number, (label, text)) in labels.iter().enumerate() {
            self.0.push(if number == 0 { '{' } else { ',' });
            self.write(format_args!("{label}=\"{}\"", escaped(text)));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        self.write(format_args!(" {value}\n"));
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }

    fn write(&mut self, what: std::fmt::Arguments<'_>) {
        // Memory does not refuse to be written to.
        self.0.write_fmt(what).ok();
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A number of thousandths or millionths as a decimal.
pub(crate) struct Fraction {
    pub(crate) parts: i128,
    /// How many parts make one: a power of ten.
    pub(crate) of: u32,
}

impl Display for Fraction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = u128::from(self.of);
        let (whole, rest) = (self.parts.unsigned_abs() / of, self.parts.unsigned_abs() % of);
        let sign = if self.parts < 0 { "-" } else { "" };
        let width = of.ilog10() as usize;
        write!(f, "{sign}{whole}.{rest:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_behind_its_labels() {
        let mut lines = Lines::default();
        lines.metric("tarifa_lag_records", Kind::Gauge, "Records to read.");
        lines.value("tarifa_lag_records", &[("partition", "3"), ("why", "a \"b\"\n\\")], 7);
        lines.value("tarifa_ready", &[], 1);
        assert_eq!(
            lines.into_text(),
            "# HELP tarifa_lag_records Records to read.\n# TYPE tarifa_lag_records gauge\n\
             tarifa_lag_records{partition=\"3\",why=\"a \\\"b\\\"\\n\\\\\"} 7\ntarifa_ready 1\n"
        );
    }

    #[test]
    fn thousandths_are_decimals_without_a_float() {
        for (parts, text) in [(0, "0.000"), (1_500, "1.500"), (-7, "-0.007"), (12_000_001, "12000.001")] {
            assert_eq!(Fraction { parts, of: 1_000 }.to_string(), text);
        }
    }
}
