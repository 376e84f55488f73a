//! Cells to JSON text, straight into one buffer.

use super::Column;
use crate::failure::Failure;

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

/// Appends the rows, separated by commas, without the enclosing brackets. Cells are the wire's strings; `None` is NULL.
pub fn write_rows(
    _out: &mut Vec<u8>,
    _columns: &[Column],
    _rows: &[Vec<Option<String>>],
    _shape: Shape,
    _options: ValueOptions,
) -> Result<(), Failure> {
    unimplemented!()
}

/// Rows as JSON objects, for expressions.
pub fn to_values(
    _columns: &[Column],
    _rows: &[Vec<Option<String>>],
    _options: ValueOptions,
) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Failure> {
    unimplemented!()
}
