//! Lists as tables for people: aligned columns, numbers to the right.
//!
//! Knows nothing of where the text goes. Invariant: no more than [`ROWS_HELD`] rows are in memory; a longer list is
//! written with the widths that the first rows needed.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::value::{Column, Value};

/// Rows that decide the widths.
const ROWS_HELD: usize = 2_000;
/// Between two columns.
const GAP: &str = "  ";

/// A table under way.
pub(super) struct Table<'o> {
    out: &'o mut dyn Write,
    heading: Style,
    columns: Vec<Column>,
    widths: Vec<usize>,
    /// Absent once the widths are fixed and rows go straight through.
    held: Option<Vec<Vec<String>>>,
}

impl<'o> Table<'o> {
    pub(super) fn new(out: &'o mut dyn Write, heading: Style, columns: Vec<Column>) -> Self {
        let widths = columns.iter().map(|column| column.title.width()).collect();
        Self { out, heading, columns, widths, held: Some(Vec::new()) }
    }

    pub(super) fn row(&mut self, values: &[Value<'_>]) -> io::Result<()> {
        let cells: Vec<String> = values.iter().map(|value| value.for_people().into_owned()).collect();
        let Some(held) = &mut self.held else { return self.write_row(&cells) };
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.width());
        }
        held.push(cells);
        if held.len() >= ROWS_HELD { self.release() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.release()
    }

    fn release(&mut self) -> io::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.to_string()).collect();
        let (start, end) = (self.heading.render(), self.heading.render_reset());
        writeln!(self.out, "{start}{}{end}", self.line(&titles))?;
        held.iter().try_for_each(|cells| self.write_row(cells))
    }

    fn write_row(&mut self, cells: &[String]) -> io::Result<()> {
        let line = self.line(cells);
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// One line without white space at its end.
    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (at, ((cell, column), width)) in cells.iter().zip(&self.columns).zip(&self.widths).enumerate() {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            if at > 0 {
                line.push_str(GAP);
            }
            let (first, second) = if column.right { (&padding, cell) } else { (cell, &padding) };
            line.push_str(first);
            line.push_str(second);
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rows: &[[&str; 2]]) -> Vec<String> {
        let mut out = Vec::new();
        let mut table =
            Table::new(&mut out, Style::new(), vec![Column::text("market"), Column::number("rate")]);
        for row in rows {
            table.row(&row.map(Value::text)).unwrap();
        }
        table.finish().unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn words_stand_left_and_numbers_right_whatever_the_script() {
        assert_eq!(
            shown(&[["Brazil", "0.0300"], ["日本", "12.0000"], ["Türkiye", ""]]),
            ["market      rate", "Brazil    0.0300", "日本     12.0000", "Türkiye"]
        );
    }

    #[test]
    fn an_empty_list_has_its_heading() {
        assert_eq!(shown(&[]), ["market  rate"]);
    }

    #[test]
    fn a_long_list_is_written_through_with_the_widths_of_its_beginning() {
        let mut rows = vec![["a", "1"]; ROWS_HELD];
        rows.push(["wider than all before", "2"]);
        let lines = shown(&rows);
        assert_eq!(lines.len(), ROWS_HELD + 2);
        assert_eq!(lines[ROWS_HELD], "a          1");
        assert_eq!(lines[ROWS_HELD + 1], "wider than all before     2");
    }
}
