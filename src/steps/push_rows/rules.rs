//! One row against its push table: every fault in it by column, or how it is pushed.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::value;
use crate::failure::FailedRow;
use crate::power_bi::{DataType, PushColumn, PushTable};
use crate::rows::given::{Members, quote};

/// Columns of a table ("Push semantic model limitations", Power BI docs).
const MOST_COLUMNS: usize = 75;

/// A push table, as rows are checked against it.
#[derive(Debug)]
pub struct Rules {
    columns: Vec<PushColumn>,
    /// By name, and by name in small letters. Empty when the service does not tell the columns: then values are checked
    /// alone.
    by_name: HashMap<String, usize>,
    /// Lists and objects become JSON text.
    nested: bool,
    /// They may have changed since they were told.
    pub may_be_old: bool,
}

impl Rules {
    /// For rows that a caller gave.
    pub fn of(table: &PushTable) -> Self {
        Self::new(table.columns.clone(), false, !table.fresh)
    }

    /// For rows of a statement, whose columns tell their types where the table does not.
    pub(super) fn of_result(table: &PushTable, result: Vec<PushColumn>) -> Self {
        let columns = if table.columns.is_empty() { result } else { table.columns.clone() };
        Self::new(columns, true, !table.fresh)
    }

    fn new(columns: Vec<PushColumn>, nested: bool, may_be_old: bool) -> Self {
        let mut by_name: HashMap<String, usize> = HashMap::new();
        for (index, column) in columns.iter().enumerate() {
            by_name.insert(column.name.to_lowercase(), index);
        }
        by_name.extend(columns.iter().enumerate().map(|(index, column)| (column.name.clone(), index)));
        Self { columns, by_name, nested, may_be_old }
    }

    /// The column of that name: names are compared without case, as the model compares them.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).or_else(|| self.by_name.get(&name.to_lowercase())).copied()
    }

    /// The row as JSON, or everything that is wrong with it.
    pub fn read(&self, number: u64, bytes: &[u8]) -> Result<String, Vec<FailedRow>> {
        let whole = |message: String| vec![FailedRow { row: number, column: None, message }];
        let members: Members<'_> = match std::str::from_utf8(bytes) {
            Ok(text) if !text.starts_with('{') => return Err(whole("is not an object of columns and values".into())),
            Ok(text) => serde_json::from_str(text).map_err(|error| whole(format!("is not JSON: {error}")))?,
            Err(_) => return Err(whole("is not UTF-8".into())),
        };
        if members.0.len() > MOST_COLUMNS {
            return Err(whole(format!("has {} columns; Power BI takes {MOST_COLUMNS}", members.0.len())));
        }
        let mut faults = Vec::new();
        let mut seen: Vec<&str> = Vec::with_capacity(members.0.len());
        let mut row = String::with_capacity(bytes.len() + 2);
        row.push('{');
        for (given, raw) in &members.0 {
            let mut fault = |message: String| {
                faults.push(FailedRow { row: number, column: Some(given.to_string()), message });
            };
            let (name, kind): (&str, Option<DataType>) = match self.find(given) {
                Some(index) => (&self.columns[index].name, self.columns[index].data_type),
                None if self.columns.is_empty() => (given, None),
                None => {
                    fault("is no column of the table".into());
                    continue;
                }
            };
            if seen.contains(&name) {
                fault("stands in the row twice".into());
                continue;
            }
            seen.push(name);
            if row.len() > 1 {
                row.push(',');
            }
            quote(name, &mut row);
            row.push(':');
            if let Err(wrong) = self.value(kind, raw, &mut row) {
                fault(wrong);
            }
        }
        row.push('}');
        if faults.is_empty() { Ok(row) } else { Err(faults) }
    }

    fn value(&self, kind: Option<DataType>, raw: &RawValue, out: &mut String) -> Result<(), String> {
        if raw.get() == "null" {
            out.push_str("null");
            return Ok(());
        }
        value::write(kind, raw, self.nested, out)
    }
}

#[cfg(test)]
mod tests;
