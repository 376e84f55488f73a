//! Cells to JSON text, straight into one buffer. What a single cell becomes is `scalar.rs`.

use super::Column;
use super::column::unique_names;
use super::scalar::{Writer, malformed, writer_of};
use crate::failure::{Code, Failure};

/// One object a row, or one array a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    #[default]
    Objects,
    Arrays,
}

/// What a caller may change about values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueOptions {
    /// `decimals=auto|number|string`: `None` is auto.
    pub decimals_as_number: Option<bool>,
    /// `bigints=number|string`.
    pub bigints_as_string: bool,
}

/// What stands before a cell, and what writes it.
struct Slot {
    /// Comma, and for objects the escaped key with its colon.
    prefix: Vec<u8>,
    write: Writer,
}

/// Appends the rows, separated by commas, without the enclosing brackets. Cells are the wire's strings; `None` is NULL.
///
/// Columns of one name get the keys `a`, `a_2`, `a_3`. Nothing is appended on failure.
pub fn write_rows(
    out: &mut Vec<u8>,
    columns: &[Column],
    rows: &[Vec<Option<String>>],
    shape: Shape,
    options: ValueOptions,
) -> Result<(), Failure> {
    let start = out.len();
    let slots = slots(columns, shape, options)?;
    let (open, close) = match shape {
        Shape::Objects => (b'{', b'}'),
        Shape::Arrays => (b'[', b']'),
    };
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.push(open);
        let written = write_row(out, columns, &slots, row, number);
        if let Err(failure) = written {
            out.truncate(start);
            return Err(failure);
        }
        out.push(close);
    }
    Ok(())
}

fn slots(columns: &[Column], shape: Shape, options: ValueOptions) -> Result<Vec<Slot>, Failure> {
    let keys = unique_names(columns.iter().map(|column| column.name.as_str()));
    let mut slots = Vec::with_capacity(columns.len());
    for (index, (column, key)) in columns.iter().zip(&keys).enumerate() {
        let mut prefix = Vec::new();
        if index > 0 {
            prefix.push(b',');
        }
        if shape == Shape::Objects {
            serde_json::to_writer(&mut prefix, key).map_err(|error| {
                Failure::new(Code::Internal, "A column's name could not be written.").caused_by(error)
            })?;
            prefix.push(b':');
        }
        slots.push(Slot { prefix, write: writer_of(column, options) });
    }
    Ok(slots)
}

fn write_row(
    out: &mut Vec<u8>,
    columns: &[Column],
    slots: &[Slot],
    row: &[Option<String>],
    number: usize,
) -> Result<(), Failure> {
    check_width(columns, row, number)?;
    for (index, (slot, cell)) in slots.iter().zip(row).enumerate() {
        out.extend_from_slice(&slot.prefix);
        match cell {
            None => out.extend_from_slice(b"null"),
            Some(text) => {
                (slot.write)(out, text).map_err(|why| malformed(&columns[index], number, why))?;
            }
        }
    }
    Ok(())
}

/// Every row has a cell for every column.
pub(super) fn check_width(columns: &[Column], row: &[Option<String>], number: usize) -> Result<(), Failure> {
    if row.len() == columns.len() {
        return Ok(());
    }
    Err(Failure::new(
        Code::UpstreamReplyInvalid,
        format!("Databricks sent {} values for the {} columns of row {number}.", row.len(), columns.len()),
    )
    .at(format!("rows[{number}]")))
}
