//! Comma-separated tables with a header, every cell with its line and column.
//!
//! Knows no meaning of any column. Reads by itself because a finding must point at a cell, and the usual reader of such
//! files says where a record begins but not where its cells do.
//! Invariant: every row handed out has a cell for each column that was asked for.

use crate::finding::{Finding, Place, Source, did_you_mean};

/// One cell, trimmed of spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// The cells of one row, in the order of the columns that were asked for.
#[derive(Debug, Clone)]
pub(crate) struct Row<const N: usize> {
    pub(crate) cells: [Cell; N],
    /// Line on which the row begins.
    pub(crate) line: u32,
}

/// Reads the rows below the header. Empty lines and lines that begin with `#` are skipped; columns may stand in any
/// order. What is wrong goes into `findings`; a row with too few or too many cells is left out.
pub(crate) fn rows<const N: usize>(
    source: Source<'_>,
    columns: [&str; N],
    findings: &mut Vec<Finding>,
) -> Vec<Row<N>> {
    let mut records = Records::new(source);
    let Some(header) = records.next(findings) else {
        let advice = format!("begin the file with the header {}", columns.join(","));
        findings.push(source.finding(Place { line: 1, column: 1 }, "the file has no rows", advice));
        return Vec::new();
    };
    let Some(positions) = positions(source, &header, columns, findings) else { return Vec::new() };
    let mut rows = Vec::new();
    while let Some(record) = records.next(findings) {
        let Some(first) = record.first() else { continue };
        if record.len() == header.len() {
            rows.push(Row { cells: positions.map(|at| record[at].clone()), line: first.place.line });
        } else {
            let problem = format!("a row of {} cells under a header of {}", record.len(), header.len());
            let advice = "put cells that contain a comma into double quotes, and leave empty ones empty";
            findings.push(source.finding(first.place, problem, advice));
        }
    }
    rows
}

/// Where each asked-for column stands, unless the header lacks one.
fn positions<const N: usize>(
    source: Source<'_>,
    header: &[Cell],
    columns: [&str; N],
    findings: &mut Vec<Finding>,
) -> Option<[usize; N]> {
    for (at, cell) in header.iter().enumerate() {
        if !columns.contains(&cell.text.as_str()) {
            let problem = format!("unknown column `{}`", cell.text);
            findings.push(source.finding(cell.place, problem, did_you_mean(&cell.text, &columns)));
        } else if header[..at].iter().any(|earlier| earlier.text == cell.text) {
            let problem = format!("column `{}` stands twice", cell.text);
            findings.push(source.finding(cell.place, problem, "remove one of them"));
        }
    }
    let mut complete = true;
    let positions = columns.map(|column| {
        header.iter().position(|cell| cell.text == column).unwrap_or_else(|| {
            complete = false;
            let place = header.first().map_or(Place { line: 1, column: 1 }, |cell| cell.place);
            let advice = format!("the header is {}", columns.join(","));
            findings.push(source.finding(place, format!("no column `{column}`"), advice));
            0
        })
    });
    complete.then_some(positions)
}

/// Walks over a text record by record.
struct Records<'a> {
    source: Source<'a>,
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    place: Place,
}

impl<'a> Records<'a> {
    fn new(source: Source<'a>) -> Self {
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
        Self { source, rest: text.chars().peekable(), place: Place { line: 1, column: 1 } }
    }

    fn take(&mut self) -> Option<char> {
        let taken = self.rest.next()?;
        if taken == '\n' {
            self.place = Place { line: self.place.line.saturating_add(1), column: 1 };
        } else {
            self.place.column = self.place.column.saturating_add(1);
        }
        Some(taken)
    }

    fn next(&mut self, findings: &mut Vec<Finding>) -> Option<Vec<Cell>> {
        while let Some(first) = self.rest.peek() {
            match first {
                '#' => while self.take().is_some_and(|skipped| skipped != '\n') {},
                '\n' | '\r' => {
                    self.take();
                }
                _ => return Some(self.record(findings)),
            }
        }
        None
    }

    fn record(&mut self, findings: &mut Vec<Finding>) -> Vec<Cell> {
        let mut cells = Vec::new();
        loop {
            let (cell, more) = self.cell(findings);
            cells.push(cell);
            if !more {
                return cells;
            }
        }
    }

    /// One cell, and whether another follows in the same record.
    fn cell(&mut self, findings: &mut Vec<Finding>) -> (Cell, bool) {
        let place = self.place;
        let mut text = String::new();
        let mut quoted = false;
        let mut more = false;
        loop {
            match self.take() {
                None | Some('\n') if !quoted => break,
                None => {
                    let advice = "close it with a double quote; a quote inside a quoted cell is doubled";
                    findings.push(self.source.finding(place, "a quoted cell has no end", advice));
                    break;
                }
                Some(',') if !quoted => {
                    more = true;
                    break;
                }
                Some('"') if quoted && self.rest.peek() == Some(&'"') => {
                    self.take();
                    text.push('"');
                }
                Some('"') if quoted || text.trim().is_empty() => quoted = !quoted,
                Some(other) => text.push(other),
            }
        }
        (Cell { text: text.trim().to_owned(), place }, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Row<2>>, Vec<String>) {
        let mut findings = Vec::new();
        let rows = rows(Source { file: "t.csv", text }, ["a", "b"], &mut findings);
        (rows, findings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn cells_know_their_line_and_column() {
        let (rows, findings) = read(
            "\u{feff}# note, with a comma\r\n\r\nb, a\r\n1, \"x, \"\"y\"\"\"\r\n# more\n\"two\nlines\",z",
        );
        assert_eq!(findings, Vec::<String>::new());
        let seen: Vec<_> = rows
            .iter()
            .flat_map(|row| &row.cells)
            .map(|cell| (cell.text.as_str(), cell.place.line, cell.place.column))
            .collect();
        assert_eq!(seen, [("x, \"y\"", 4, 3), ("1", 4, 1), ("z", 7, 8), ("two\nlines", 6, 1)]);
        assert_eq!((rows[0].line, rows[1].line), (4, 6));
    }

    #[test]
    fn headers_that_lack_repeat_or_invent_a_column_are_found() {
        assert_eq!(read("").1.len(), 1);
        assert_eq!(read("a\n1\n").1, ["t.csv:1:1: no column `b`; the header is a,b"]);
        assert_eq!(read("a,b,bb\n").1, ["t.csv:1:5: unknown column `bb`; did you mean `b`?"]);
        assert_eq!(read("a,b,a\n").1, ["t.csv:1:5: column `a` stands twice; remove one of them"]);
    }

    #[test]
    fn rows_of_another_width_and_open_quotes_are_found_and_left_out() {
        let (rows, findings) = read("a,b\n1\n1,2,3\n4,5\n6,\"7\n8,9");
        assert_eq!(rows.len(), 2);
        assert!(findings[0].starts_with("t.csv:2:1: a row of 1 cells under a header of 2"), "{findings:?}");
        assert!(findings[1].starts_with("t.csv:3:1: a row of 3 cells"), "{findings:?}");
        assert!(findings[2].starts_with("t.csv:5:3: a quoted cell has no end"), "{findings:?}");
    }
}
