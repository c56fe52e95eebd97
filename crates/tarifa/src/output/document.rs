//! A result of several parts: named records and lists.
//!
//! Knows nothing of what the parts mean. Invariant: JSON is one object with a member for each part; CSV has the one list
//! that is marked for it, since a CSV file is one table.

use std::io::Write;

use anstyle::Style;

use super::{
    Format, json,
    list::List,
    value::{Column, Value},
};
use crate::failure::Failure;

/// A document under way.
pub(crate) struct Document<'o> {
    out: &'o mut dyn Write,
    format: Format,
    heading: Style,
    any: bool,
}

/// Whether a list is the one that stands for the whole document in CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InCsv {
    /// It does.
    Yes,
    /// It is left out.
    No,
}

impl<'o> Document<'o> {
    pub(super) fn new(out: &'o mut dyn Write, format: Format, heading: Style) -> Self {
        Self { out, format, heading, any: false }
    }

    /// Writes a record: in a table one line for each field. `name` is its member in JSON.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn record(&mut self, name: &str, fields: &[(Column, Value<'_>)]) -> Result<(), Failure> {
        self.begin(name, None)?;
        let (columns, values): (Vec<Column>, Vec<Value<'_>>) = fields.iter().cloned().unzip();
        match self.format {
            Format::Csv => Ok(()),
            Format::Json => json::write_record(self.out, &columns, &values),
            Format::Table => {
                let width = columns.iter().map(|column| column.title.chars().count()).max().unwrap_or(0);
                columns.iter().zip(&values).try_for_each(|(column, value)| {
                    let padding = " ".repeat(width - column.title.chars().count());
                    let line = format!("{}{padding}  {}", column.title, value.for_people());
                    writeln!(self.out, "{}", line.trim_end())
                })
            }
        }
        .map_err(Failure::of_output)
    }

    /// Starts a list. `name` is its member in JSON, `title` stands over it in a table.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn list(
        &mut self,
        name: &str,
        title: &str,
        columns: Vec<Column>,
        in_csv: InCsv,
    ) -> Result<List<'_>, Failure> {
        self.begin(name, Some(title))?;
        match (self.format, in_csv) {
            (Format::Csv, InCsv::No) => Ok(List::left_out()),
            (format, _) => List::new(self.out, format, self.heading, columns, ""),
        }
    }

    /// Whether the result is a table.
    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// Writes a remark for people; it has no place in the other forms.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn remark(&mut self, text: &str) -> Result<(), Failure> {
        if !self.is_for_people() {
            return Ok(());
        }
        let gap = if self.any { "\n" } else { "" };
        self.any = true;
        writeln!(self.out, "{gap}{text}").map_err(Failure::of_output)
    }

    /// Ends the document.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match (self.format, self.any) {
            (Format::Json, true) => self.out.write_all(b"\n}\n"),
            (Format::Json, false) => self.out.write_all(b"{}\n"),
            (Format::Table | Format::Csv, _) => Ok(()),
        }
        .map_err(Failure::of_output)
    }

    fn begin(&mut self, name: &str, title: Option<&str>) -> Result<(), Failure> {
        let first = !self.any;
        self.any = true;
        match self.format {
            Format::Csv => Ok(()),
            Format::Json => self
                .out
                .write_all(if first { b"{" } else { b",\n" })
                .and_then(|()| json::write_text(self.out, name))
                .and_then(|()| self.out.write_all(b":")),
            Format::Table => {
                let gap = if first { "" } else { "\n" };
                let (start, end) = (self.heading.render(), self.heading.render_reset());
                match title {
                    Some(title) => writeln!(self.out, "{gap}{start}{title}{end}"),
                    None => write!(self.out, "{gap}"),
                }
            }
        }
        .map_err(Failure::of_output)
    }
}

impl std::fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("format", &self.format).finish_non_exhaustive()
    }
}
