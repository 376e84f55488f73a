//! Rows as `serde_json` values, for expressions and for what a step keeps. Large results take `write.rs` instead.

use serde_json::{Map, Number, Value};

use super::column::unique_names;
use super::scalar::{malformed, writer_of};
use super::write::check_width;
use super::{Column, Conversion, ValueOptions};
use crate::failure::Failure;

/// One object a row, with the same keys and rules as [`super::write_rows`].
///
/// One difference: `decimals=number` holds only where `f64` keeps every digit; a DECIMAL that it would change stays a
/// string, since a value in memory has no other way to keep it.
pub fn to_values(
    columns: &[Column],
    rows: &[Vec<Option<String>>],
    options: ValueOptions,
) -> Result<Vec<Map<String, Value>>, Failure> {
    let keys = unique_names(columns.iter().map(|column| column.name.as_str()));
    let writers: Vec<_> =
        columns.iter().map(|column| (column.conversion(options), writer_of(column, options))).collect();
    let mut buffer = Vec::new();
    let mut objects = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        check_width(columns, row, number)?;
        let mut object = Map::with_capacity(columns.len());
        for (index, cell) in row.iter().enumerate() {
            let value = match (cell, writers[index].0) {
                (None, _) => Value::Null,
                (Some(text), Conversion::String) => Value::String(text.clone()),
                (Some(text), conversion) => {
                    buffer.clear();
                    let column = &columns[index];
                    (writers[index].1)(&mut buffer, text).map_err(|why| malformed(column, number, why))?;
                    if column.is_floating() {
                        // A DOUBLE stays one, also where the wire says `1`: expressions tell the two apart.
                        text.parse::<f64>().ok().and_then(Number::from_f64).map_or_else(
                            || serde_json::from_slice(&buffer).map_err(|_| malformed(column, number, "JSON")),
                            |number| Ok(Value::Number(number)),
                        )?
                    } else if conversion == Conversion::Number && column.is_decimal() && !survives_f64(text) {
                        Value::String(text.clone())
                    } else {
                        serde_json::from_slice(&buffer).map_err(|_| malformed(column, number, "JSON"))?
                    }
                }
            };
            object.insert(keys[index].clone(), value);
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
