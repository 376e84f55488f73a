//! Rows that cannot be written, gathered: how many, and the first of them by name.

use std::fmt::Write as _;

use crate::failure::{Code, FailedRow, FailedRows, Failure};

/// Faults that are told one by one.
const MOST_TOLD: usize = 100;
/// Of which this many stand in the message itself.
const IN_MESSAGE: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct Faults {
    count: u64,
    told: Vec<FailedRow>,
}

impl Faults {
    pub(crate) fn add(&mut self, faults: Vec<FailedRow>) {
        self.count += 1;
        let room = MOST_TOLD - self.told.len();
        self.told.extend(faults.into_iter().take(room));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Nothing has been `done`, such as written, when there is one.
    pub(crate) fn failure(self, rows: u64, done: &str) -> Failure {
        let mut detail = format!("{} of {rows} rows cannot be {done}, so nothing was {done}.", self.count);
        for FailedRow { row, column, message } in self.told.iter().take(IN_MESSAGE) {
            let column = column.as_ref().map(|name| format!("column {name:?} ")).unwrap_or_default();
            let _ = write!(detail, " Row {row}: {column}{message}.");
        }
        let place = self.told.first().map(|fault| format!("rows[{}]", fault.row.saturating_sub(1)));
        let failure = Failure::new(Code::RowsInvalid, detail).at(place.unwrap_or_default());
        Failure { failed_rows: Some(Box::new(FailedRows { count: self.count, first: self.told })), ..failure }
    }
}
