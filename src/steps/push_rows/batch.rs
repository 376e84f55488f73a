//! Rows gathered into batches that the service takes in one request.

use crate::power_bi::{MAX_BYTES_PER_BATCH, MAX_ROWS_PER_BATCH};

/// A batch that takes no more rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub rows: u64,
    /// A JSON array.
    pub text: String,
}

/// The batch in the making.
#[derive(Debug, Default)]
pub struct Batches {
    rows: usize,
    /// Without its last bracket.
    text: String,
}

/// What stands around the array in a request.
const AROUND: usize = br#"{"rows":[]}"#.len();

impl Batches {
    /// Takes a row, an object; the batch that had no room for it.
    pub fn add(&mut self, row: &str) -> Option<Batch> {
        let full = self.rows == MAX_ROWS_PER_BATCH || self.text.len() + row.len() + 1 + AROUND > MAX_BYTES_PER_BATCH;
        let closed = if full { self.end() } else { None };
        self.text.push(if self.rows == 0 { '[' } else { ',' });
        self.text.push_str(row);
        self.rows += 1;
        closed
    }

    /// What is left.
    pub fn end(&mut self) -> Option<Batch> {
        let Self { rows, mut text } = std::mem::take(self);
        text.push(']');
        (rows > 0).then_some(Batch { rows: rows as u64, text })
    }
}

#[cfg(test)]
mod tests;
