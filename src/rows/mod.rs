//! Results: JSON_ARRAY in; objects and arrays out. Which rule writes a value stands in `column.rs`. Pure, no I/O.

mod column;
mod moment;
mod scalar;
#[cfg(test)]
mod tests;
mod values;
mod write;

pub(crate) use column::unique_names;
pub use column::{Column, Conversion};
pub use values::to_values;
pub use write::{Shape, ValueOptions, write_rows};
