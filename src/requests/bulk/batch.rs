//! Rows gathered into batches: each no larger than one statement's parameters, of one set of columns, and with each key
//! once. Never holds more than a few batches.

use std::collections::HashMap;

use super::row::Row;

/// Bytes of a batch's rows as JSON: Databricks takes 1 MB of parameter values (SQL connector, docs/parameters.md).
pub(super) const MOST_BYTES: usize = 1_000_000;
/// Bytes of all batches that are still open.
const MOST_OPEN_BYTES: usize = 4_000_000;
/// Sets of columns that are gathered beside each other.
const MOST_OPEN: usize = 16;

/// A batch that takes no more rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub columns: Vec<usize>,
    /// The lowest and the highest row in it.
    pub rows: (u64, u64),
    /// A JSON array.
    pub text: String,
}

#[derive(Debug)]
struct Open {
    columns: Vec<usize>,
    /// Brackets and commas included.
    bytes: usize,
    rows: Vec<(u64, String)>,
    by_key: HashMap<String, usize>,
}

/// Batches in the making.
///
/// An absent column is not NULL: it keeps its value, or gets its default. So rows with other columns go into batches of
/// their own. No two open batches hold the same key, so that rows with one key are written in the order they came.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: Vec<Open>,
    /// Rows that a later one with the same key stands for: a MERGE must not find two for one (SQLSTATE 21506).
    pub superseded: u64,
}

impl Batches {
    /// Takes a row; the batches that it filled or closed, in the order in which they must be written.
    pub(super) fn add(&mut self, row: Row) -> Vec<Batch> {
        let mut full = Vec::new();
        if let Some(key) = &row.key {
            let holds = |open: &Open| open.columns != row.columns && open.by_key.contains_key(key);
            if let Some(at) = self.open.iter().position(holds) {
                full.push(self.open.remove(at).close());
            }
        }
        let at = match self.open.iter().position(|open| open.columns == row.columns) {
            Some(at) => at,
            None => self.begin(row.columns.clone(), &mut full),
        };
        let open = &mut self.open[at];
        let earlier = row.key.as_ref().and_then(|key| open.by_key.get(key).copied());
        let replaced = earlier.map_or(0, |at| open.rows[at].1.len() + 1);
        if open.bytes - replaced + row.text.len() + 1 > MOST_BYTES && !open.rows.is_empty() {
            let columns = open.columns.clone();
            full.push(self.open.remove(at).close());
            let at = self.begin(columns, &mut full);
            self.open[at].push(row);
        } else if let Some(earlier) = earlier {
            open.bytes = open.bytes - replaced + row.text.len() + 1;
            open.rows[earlier] = (row.number, row.text);
            self.superseded += 1;
        } else {
            open.push(row);
        }
        if self.open.iter().map(|open| open.bytes).sum::<usize>() > MOST_OPEN_BYTES
            && let Some((at, _)) = self.open.iter().enumerate().max_by_key(|(_, open)| open.bytes)
        {
            full.push(self.open.remove(at).close());
        }
        full
    }

    /// What is left.
    pub(super) fn end(&mut self) -> Vec<Batch> {
        self.open.drain(..).map(Open::close).collect()
    }

    fn begin(&mut self, columns: Vec<usize>, full: &mut Vec<Batch>) -> usize {
        if self.open.len() == MOST_OPEN {
            full.push(self.open.remove(0).close());
        }
        self.open.push(Open { columns, bytes: 2, rows: Vec::new(), by_key: HashMap::new() });
        self.open.len() - 1
    }
}

impl Open {
    fn push(&mut self, row: Row) {
        self.bytes += row.text.len() + 1;
        if let Some(key) = row.key {
            self.by_key.insert(key, self.rows.len());
        }
        self.rows.push((row.number, row.text));
    }

    fn close(self) -> Batch {
        let numbers = || self.rows.iter().map(|(number, _)| *number);
        let range = (numbers().min().unwrap_or_default(), numbers().max().unwrap_or_default());
        let mut text = String::with_capacity(self.bytes);
        for (_, row) in &self.rows {
            text.push(if text.is_empty() { '[' } else { ',' });
            text.push_str(row);
        }
        text.push(']');
        Batch { columns: self.columns, rows: range, text }
    }
}

#[cfg(test)]
mod tests;
