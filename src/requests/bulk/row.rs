//! One row against its table: every fault in it by column, or how it is written for the warehouse.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::column::{Column, Type};
use super::value;
use crate::databricks::TableInfo;
use crate::failure::{Code, FailedRow, Failure};
use crate::rows::given::Members;
use crate::steps::write_rows::WriteMode;

/// The table as rows are checked against it, and what becomes of them.
#[derive(Debug)]
pub(super) struct Rules {
    pub columns: Vec<Column>,
    pub mode: WriteMode,
    /// Columns that rows are told apart by; none for an insert.
    pub keys: Vec<usize>,
    /// By name, and by name in small letters.
    by_name: HashMap<String, usize>,
}

/// A row that can be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// From 1.
    pub number: u64,
    /// Columns that it has, in the order of the table.
    pub columns: Vec<usize>,
    /// The same text for the same key.
    pub key: Option<String>,
    /// An object whose members are [`field`]s.
    pub text: String,
}

/// What stands for a column in the rows as they are sent. Names of columns may hold anything, also quotes.
pub(super) fn field(column: usize) -> String {
    format!("c{column}")
}

/// The same text for the same value. All but floating point are written in one way; of two rows whose keys are 1 and 1.0 a
/// MERGE that finds neither would insert both.
fn one_text<'a>(kind: &Type, text: &'a str) -> Cow<'a, str> {
    // With 0 added -0 is 0, as it is to the warehouse.
    match kind {
        Type::Float => text.parse::<f32>().map_or(text.into(), |number| format!("{:e}", number + 0.0).into()),
        Type::Double => text.parse::<f64>().map_or(text.into(), |number| format!("{:e}", number + 0.0).into()),
        _ => text.into(),
    }
}

impl Rules {
    /// `keys` are those that the caller names; else the primary key.
    pub(super) fn new(table: &TableInfo, mode: WriteMode, keys: Option<&[String]>) -> Result<Self, Failure> {
        if table.table_type.as_deref().is_some_and(|kind| kind.ends_with("VIEW")) {
            let detail = format!("{} is a view; rows are written into tables.", table.full_name);
            return Err(Failure::new(Code::BodyInvalid, detail));
        }
        let columns: Vec<Column> = table.columns.iter().map(Column::of).collect();
        let mut by_name = HashMap::new();
        for (index, column) in columns.iter().enumerate() {
            by_name.insert(column.name.to_lowercase(), index);
        }
        by_name.extend(columns.iter().enumerate().map(|(index, column)| (column.name.clone(), index)));
        let mut rules = Self { columns, mode, keys: Vec::new(), by_name };
        let named = keys.unwrap_or(&table.primary_key);
        if mode == WriteMode::Insert {
            if keys.is_some_and(|keys| !keys.is_empty()) {
                let detail = "An insert has no keys. Leave `keys` out, or use `upsert`.";
                return Err(Failure::new(Code::BodyInvalid, detail).at("keys"));
            }
            return Ok(rules);
        }
        if named.is_empty() {
            let detail = format!(
                "{} has no primary key in Unity Catalog. Name in `keys` the columns that tell its rows apart.",
                table.full_name
            );
            return Err(Failure::new(Code::BodyInvalid, detail).at("keys"));
        }
        for name in named {
            let index = rules.find(name).filter(|index| rules.columns[*index].can_be_key());
            let index = index.ok_or_else(|| {
                let detail = format!("`keys` names {name:?}, which is no column that can tell rows apart.");
                Failure::new(Code::BodyInvalid, detail).at("keys")
            })?;
            if !rules.keys.contains(&index) {
                rules.keys.push(index);
            }
        }
        Ok(rules)
    }

    /// Databricks compares names of columns without case.
    fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).or_else(|| self.by_name.get(&name.to_lowercase())).copied()
    }

    /// The row, or everything that is wrong with it.
    pub(super) fn read(&self, number: u64, bytes: &[u8]) -> Result<Row, Vec<FailedRow>> {
        let whole = |message: String| vec![FailedRow { row: number, column: None, message }];
        let members: Members<'_> = match std::str::from_utf8(bytes) {
            Ok(text) if !text.starts_with('{') => return Err(whole("is not an object of columns and values".into())),
            Ok(text) => serde_json::from_str(text).map_err(|error| whole(format!("is not JSON: {error}")))?,
            Err(_) => return Err(whole("is not UTF-8".into())),
        };
        let mut faults = Vec::new();
        let mut fault = |column: &str, message: String| {
            faults.push(FailedRow { row: number, column: Some(column.to_owned()), message });
        };
        let mut cells: Vec<Option<&RawValue>> = vec![None; self.columns.len()];
        for (name, value) in members.0 {
            match self.find(&name) {
                None => fault(&name, "is no column of the table".into()),
                Some(index) if cells[index].is_some() => fault(&name, "stands in the row twice".into()),
                Some(index) => cells[index] = Some(value),
            }
        }
        let mut row = Row { number, columns: Vec::new(), key: None, text: String::from("{") };
        let mut keys: Vec<Option<(usize, usize)>> = vec![None; self.keys.len()];
        for (index, (column, cell)) in self.columns.iter().zip(&cells).enumerate() {
            let key = self.keys.iter().position(|key| *key == index);
            // What is deleted is told by its keys alone; a flow may hand over the whole record.
            if self.mode == WriteMode::Delete && key.is_none() {
                continue;
            }
            let null = cell.is_none_or(|value| value.get() == "null");
            if let Some(wrong) = self.refused(column, key.is_some(), cell.is_some(), null) {
                fault(&column.name, wrong.to_owned());
                continue;
            }
            let Some(cell) = cell else { continue };
            if row.text.len() > 1 {
                row.text.push(',');
            }
            row.text.push('"');
            row.text.push_str(&field(index));
            row.text.push_str("\":");
            let from = row.text.len();
            if null {
                row.text.push_str("null");
            } else if let Err(wrong) = value::write(&column.kind, cell, &mut row.text) {
                fault(&column.name, wrong);
            }
            row.columns.push(index);
            if let Some(key) = key {
                keys[key] = Some((from, row.text.len()));
            }
        }
        row.text.push('}');
        if !faults.is_empty() {
            return Err(faults);
        }
        if row.columns.is_empty() {
            return Err(whole("names no column".into()));
        }
        if !self.keys.is_empty() {
            let text = |(from, to): (usize, usize)| &row.text[from..to];
            let parts: Vec<Cow<'_, str>> = keys
                .iter()
                .zip(&self.keys)
                .filter_map(|(at, column)| Some(one_text(&self.columns[*column].kind, text((*at)?))))
                .collect();
            // Each is a JSON value, so that no two keys give the same text.
            row.key = Some(parts.join(","));
        }
        Ok(row)
    }

    fn refused(&self, column: &Column, key: bool, given: bool, null: bool) -> Option<&'static str> {
        if key && null {
            return Some("is a key and has no value");
        }
        if given && column.generated && !key {
            return Some("is filled by the table and takes no values");
        }
        if given && null && !column.nullable {
            return Some("is null, and the column is NOT NULL");
        }
        // An upsert may find the row, and then changes only what is given.
        let wanted = self.mode == WriteMode::Insert && !column.nullable && !column.has_default && !column.generated;
        (!given && wanted).then_some("is missing, and the column is NOT NULL")
    }
}

#[cfg(test)]
mod tests;
