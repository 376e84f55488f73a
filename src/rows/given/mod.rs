//! Rows that callers hand over: cut out of a body as it comes, read member by member without a loss, their numbers as
//! digits, their faults gathered. What a value must be is told by whoever takes the rows.

mod faults;
mod members;
mod plain;
mod raw;
mod split;

pub(crate) use faults::Faults;
pub(crate) use members::Members;
pub(crate) use plain::Plain;
pub(crate) use raw::{not, number, quote, text};
pub(crate) use split::{Part, Splitter};
