//! What a check has against a file: where, what, and what to do about it.
//!
//! Knows no file format.
//! Invariant: lines and columns count from 1, columns in characters, as editors do.

use std::fmt;

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Name of the file inside the tariff, such as `markets.csv`.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}; {}", self.file, self.line, self.column, self.problem, self.advice)
    }
}

/// All that is wrong, by file, line and column. As an error it shows the first and counts the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("nothing is wrong"),
            [only] => write!(f, "{only}"),
            [first, others @ ..] => write!(f, "{first} (and {} more)", others.len()),
        }
    }
}

impl std::error::Error for Findings {}

impl Findings {
    /// Puts them in the order in which a reader meets them.
    pub(crate) fn sorted(mut list: Vec<Finding>) -> Self {
        list.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        Self(list)
    }
}

/// Where in a text something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A text with its name: what findings are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// Line and column of a byte; a byte beyond the end counts as the end.
    pub(crate) fn place(&self, byte: usize) -> Place {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            line: count(before.bytes().filter(|byte| *byte == b'\n').count()).saturating_add(1),
            column: count(before[line_start..].chars().count()).saturating_add(1),
        }
    }

    /// A finding about what stands at a byte.
    pub(crate) fn finding_at(
        &self,
        byte: usize,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        self.finding(self.place(byte), problem, advice)
    }

    pub(crate) fn finding(
        &self,
        place: Place,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            problem: problem.into(),
            advice: advice.into(),
        }
    }
}

/// The known word that looks most like a wrong one, if any is near enough to be what was meant.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong.to_lowercase(), &word.to_lowercase());
    let best = known.into_iter().map(|word| (distance(word), word)).min()?;
    (best.0 <= 1 + wrong.chars().count() / 3).then_some(best.1)
}

/// Advice that names the nearest known word, or all of them if none is near.
pub(crate) fn did_you_mean(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let source = Source { file: "x", text: "añb\ncd" };
        let at = |byte| (source.place(byte).line, source.place(byte).column);
        assert_eq!([at(0), at(3), at(5), at(6), at(99)], [(1, 1), (1, 3), (2, 1), (2, 2), (2, 3)]);
    }

    #[test]
    fn a_near_word_is_named_and_a_far_one_is_not() {
        assert_eq!(nearest("windows", ["unit", "window"]), Some("window"));
        assert_eq!(nearest("Brasil", ["Brazil", "Chile"]), Some("Brazil"));
        assert_eq!(nearest("qqqqqq", ["unit", "window"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
