//! Rows as `serde_json` values, for expressions and for what a step keeps. Large results take `writer.rs` instead.

use serde_json::{Map, Value};

use super::chunk::BinaryForm;
use super::layout::Layout;
use super::resolve::Rules;
use super::write::cells_of;
use super::{Column, Conversion, ValueOptions};
use crate::failure::Failure;

/// One object a row, with the same keys and rules as [`super::RowWriter`].
///
/// One difference: `decimals=number` holds only where `f64` keeps every digit; a DECIMAL that it would change stays a
/// string, since a value in memory has no other way to keep it.
pub fn to_values(
    columns: &[Column],
    rows: &[Vec<Option<String>>],
    options: ValueOptions,
) -> Result<Vec<Map<String, Value>>, Failure> {
    let layout = Layout::new(columns);
    let conversions: Vec<_> = columns.iter().map(|column| column.conversion(options)).collect();
    let inner = match options.decimals_as_number {
        Some(true) => ValueOptions { decimals_as_number: None, ..options },
        _ => options,
    };
    let cells = cells_of(&layout, rows, |index| Rules {
        options: if layout.kinds.get(index).is_some_and(super::kind::Kind::is_complex) { inner } else { options },
        binary: BinaryForm::default(),
    })?;
    let mut buffer = Vec::new();
    let mut objects = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let mut object = Map::with_capacity(columns.len());
        for (index, cell) in row.iter().enumerate() {
            let value = match (cell, conversions[index]) {
                (None, _) => Value::Null,
                (Some(text), Conversion::String) => Value::String(text.clone()),
                (Some(text), Conversion::Number) if columns[index].is_decimal() && !survives_f64(text) => {
                    Value::String(text.clone())
                }
                (Some(_), _) => {
                    buffer.clear();
                    cells[index].write_json(&mut buffer, number);
                    serde_json::from_slice(&buffer).map_err(|_| layout.malformed(index, number as u64, "JSON"))?
                }
            };
            object.insert(layout.names[index].clone(), value);
        }
        objects.push(object);
    }
    Ok(objects)
}

/// At most 15 significant digits: those come back from `f64` unchanged.
fn survives_f64(text: &str) -> bool {
    let digits = text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).filter(u8::is_ascii_digit);
    digits.skip_while(|byte| *byte == b'0').count() <= 15
}
