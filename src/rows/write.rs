//! What a caller may choose about rows; and rows that came as text, as typed columns for `values.rs`.

use super::cells::Cells;
use super::layout::Layout;
use super::resolve::Rules;
use super::typed::Typed;
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

/// The columns of rows that came as text, each by its own rules.
pub(super) fn cells_of(
    layout: &Layout,
    rows: &[Vec<Option<String>>],
    rules: impl Fn(usize) -> Rules,
) -> Result<Vec<Cells>, Failure> {
    let mut columns: Vec<Typed> = layout.kinds.iter().map(|kind| Typed::new(kind, rules(0).binary)).collect();
    for (number, row) in rows.iter().enumerate() {
        layout.check_width(row.len(), number as u64)?;
        for (index, (column, cell)) in columns.iter_mut().zip(row).enumerate() {
            column.push(cell.as_deref()).map_err(|why| layout.malformed(index, number as u64, why))?;
        }
    }
    let arrays = columns.iter_mut().map(Typed::finish).enumerate();
    arrays
        .map(|(index, array)| {
            rules(index).cells(&array, &layout.kinds[index]).ok_or_else(|| layout.malformed(index, 0, "of its type"))
        })
        .collect()
}
