//! Results: JSON_ARRAY and Arrow in; objects, arrays, NDJSON, CSV and Arrow out. Which rule writes a value stands in
//! `column.rs`. Pure, no I/O.

mod chunk;
mod column;
mod moment;
mod scalar;
#[cfg(test)]
mod tests;
mod values;
mod write;
mod writer;

pub use chunk::{BinaryForm, ChunkData, ChunkRows};
pub(crate) use column::unique_names;
pub use column::{Column, Conversion};
pub use values::to_values;
pub use write::{Shape, ValueOptions, write_rows};
pub use writer::{Format, Output, Piece, RowWriter};
