//! Records as JSON objects, one on a line.
//!
//! Knows nothing of lists and documents. Invariant: integers are written as integers and texts escaped by `serde_json`.

use std::io::{self, Write};

use super::value::{Column, Value};

/// Writes one object; `columns` and `values` go together.
pub(super) fn write_record(out: &mut dyn Write, columns: &[Column], values: &[Value<'_>]) -> io::Result<()> {
    out.write_all(b"{")?;
    for (at, (column, value)) in columns.iter().zip(values).enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        write_text(out, &column.name)?;
        out.write_all(b":")?;
        match value {
            Value::Absent => out.write_all(b"null")?,
            Value::Count(_) | Value::Net(_) | Value::Flag(_) | Value::Money(_) | Value::Payable(..) => {
                out.write_all(value.plain().as_bytes())?
            }
            Value::Text(_) | Value::Time(_) => write_text(out, &value.plain())?,
        }
    }
    out.write_all(b"}")
}

/// Writes a text in quotes.
pub(super) fn write_text(out: &mut dyn Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}
