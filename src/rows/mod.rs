//! Results: JSON_ARRAY in; objects and arrays out. Values follow one table (design: Values). Pure, no I/O.

mod column;
mod write;

pub use column::{Column, Conversion};
pub use write::{Shape, ValueOptions, to_values, write_rows};
