//! A list of rows in the form that was asked for, written as the rows come.
//!
//! Knows nothing of what the rows mean. Invariant: CSV and JSON hold no more than one row in memory.

use std::io::{self, Write};

use anstyle::Style;

use super::{
    Format, json,
    table::Table,
    value::{Column, Value},
};
use crate::failure::Failure;

/// A list under way. What was not ended with [`Self::finish`] is cut off.
pub(crate) struct List<'o> {
    form: Form<'o>,
}

enum Form<'o> {
    Table(Table<'o>),
    Json {
        out: &'o mut dyn Write,
        columns: Vec<Column>,
        tail: &'static str,
        any: bool,
    },
    Csv(Box<csv::Writer<&'o mut dyn Write>>),
    /// Not part of the result in this form.
    Left,
}

impl<'o> List<'o> {
    /// `tail` is what follows the closing bracket in JSON.
    pub(super) fn new(
        out: &'o mut dyn Write,
        format: Format,
        heading: Style,
        columns: Vec<Column>,
        tail: &'static str,
    ) -> Result<Self, Failure> {
        let form = match format {
            Format::Table => Form::Table(Table::new(out, heading, columns)),
            Format::Json => {
                out.write_all(b"[").map_err(Failure::of_output)?;
                Form::Json { out, columns, tail, any: false }
            }
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                let header = columns.iter().map(|column| column.name.as_bytes());
                writer.write_record(header).map_err(of_csv)?;
                Form::Csv(Box::new(writer))
            }
        };
        Ok(Self { form })
    }

    pub(super) fn left_out() -> Self {
        Self { form: Form::Left }
    }

    /// Writes a row: one value for each column.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn row(&mut self, values: &[Value<'_>]) -> Result<(), Failure> {
        match &mut self.form {
            Form::Table(table) => table.row(values).map_err(Failure::of_output),
            Form::Json { out, columns, any, .. } => {
                let separator: &[u8] = if *any { b",\n" } else { b"\n" };
                *any = true;
                out.write_all(separator)
                    .and_then(|()| json::write_record(*out, columns, values))
                    .map_err(Failure::of_output)
            }
            Form::Csv(writer) => {
                for value in values {
                    writer.write_field(value.plain().as_bytes()).map_err(of_csv)?;
                }
                writer.write_record(None::<&[u8]>).map_err(of_csv)
            }
            Form::Left => Ok(()),
        }
    }

    /// Ends the list.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.form {
            Form::Table(table) => table.finish(),
            Form::Json { out, tail, any, .. } => {
                let end = if any { "\n]" } else { "]" };
                write!(out, "{end}{tail}")
            }
            Form::Csv(mut writer) => writer.flush(),
            Form::Left => Ok(()),
        }
        .map_err(Failure::of_output)
    }
}

impl std::fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List").finish_non_exhaustive()
    }
}

fn of_csv(error: csv::Error) -> Failure {
    Failure::of_output(io::Error::from(error))
}

#[cfg(test)]
mod tests {
    use model::{Micros, UnixMillis};

    use super::*;

    fn shown(format: Format, rows: &[[Value<'_>; 5]]) -> String {
        let columns = vec![
            Column::text("tag"),
            Column::number("messages"),
            Column::number("amountMicros").titled("amount"),
            Column::text("openedAt"),
            Column::text("flagged"),
        ];
        let mut out = Vec::new();
        let mut list = List::new(&mut out, format, Style::new(), columns, "\n").unwrap();
        for row in rows {
            list.row(row).unwrap();
        }
        list.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn rows() -> [[Value<'static>; 5]; 2] {
        let at = UnixMillis(1_643_882_400_123);
        [
            [
                Value::text("a \"b\", c"),
                Value::Count(2),
                Value::Money(Micros(-30_000)),
                Value::Time(at),
                Value::Flag(true),
            ],
            [Value::Absent, Value::Count(0), Value::Absent, Value::Absent, Value::Flag(false)],
        ]
    }

    #[test]
    fn csv_has_whole_micros_and_empty_cells_for_what_is_absent() {
        assert_eq!(
            shown(Format::Csv, &rows()),
            "tag,messages,amountMicros,openedAt,flagged\n\
             \"a \"\"b\"\", c\",2,-30000,2022-02-03T10:00:00.123Z,true\n\
             ,0,,,false\n"
        );
        assert_eq!(shown(Format::Csv, &[]), "tag,messages,amountMicros,openedAt,flagged\n");
    }

    #[test]
    fn json_is_an_array_with_one_object_a_line() {
        assert_eq!(
            shown(Format::Json, &rows()),
            concat!(
                "[\n",
                r#"{"tag":"a \"b\", c","messages":2,"amountMicros":-30000,"openedAt":"2022-02-03T10:00:00.123Z","flagged":true},"#,
                "\n",
                r#"{"tag":null,"messages":0,"amountMicros":null,"openedAt":null,"flagged":false}"#,
                "\n]\n"
            )
        );
        assert_eq!(shown(Format::Json, &[]), "[]\n");
        let parsed: serde_json::Value = serde_json::from_str(&shown(Format::Json, &rows())).unwrap();
        assert_eq!(parsed[0]["amountMicros"], -30_000);
    }

    #[test]
    fn tables_have_decimals_under_their_own_heading() {
        let table = shown(Format::Table, &rows());
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "tag       messages   amount  openedAt                  flagged");
        assert_eq!(lines[1], "a \"b\", c         2  -0.0300  2022-02-03T10:00:00.123Z  yes");
    }
}
