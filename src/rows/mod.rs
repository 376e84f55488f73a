//! Results: JSON_ARRAY and Arrow in; objects, arrays, NDJSON, CSV and Arrow out. Pure, no I/O.
//!
//! There is one road. `chunk.rs` gives the rows of either form as typed Arrow columns, a batch at a time: Arrow is
//! decoded (`lz4.rs`, `arrow_stream.rs`), the text of JSON_ARRAY is read (`json_rows.rs`, `typed.rs`). `resolve.rs`
//! holds each column against its SQL type (`kind.rs`), and `cells.rs` writes its values; `json_tree.rs` does so for
//! complex values that are text. `writer.rs` puts rows together. Which rule a column has stands in `column.rs`.

mod arrow_out;
mod arrow_stream;
mod cells;
mod chunk;
mod column;
mod csv;
mod fixed;
pub(crate) mod given;
mod interval;
mod json_out;
mod json_rows;
mod json_text;
mod json_tree;
mod kind;
mod layout;
mod lz4;
mod moment;
mod number;
mod resolve;
mod scalar;
#[cfg(test)]
mod tests;
mod typed;
mod values;
mod write;
mod writer;

pub use chunk::{BinaryForm, ChunkData, ChunkRows};
pub(crate) use column::unique_names;
pub use column::{Column, Conversion};
pub use values::to_values;
pub use write::{Shape, ValueOptions};
pub use writer::{Format, Output, Piece, RowWriter};
