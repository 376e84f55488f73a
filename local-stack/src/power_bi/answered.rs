//! The rows that a query answers, as far as it may: 100,000 rows or 1,000,000 values or 15 MB, of which "the current row
//! will be completed". What was cut says so in an `error` beside the rows, under a 200 (swagger,
//! `Datasets_ExecuteQueriesInGroup`). That it stands in the table is how clients in public code read it; that it has no
//! code is assumed, as are the words about values and megabytes.

use serde_json::{Map, Value, json};

use super::limits::Limits;
use super::model::Dataset;

pub(super) struct Answer {
    columns: usize,
    rows: Vec<Map<String, Value>>,
}

impl Answer {
    pub(super) fn of(rows: Vec<Map<String, Value>>) -> Self {
        Self { columns: rows.iter().map(Map::len).max().unwrap_or(0), rows }
    }

    /// The table as the service writes it.
    pub(super) fn cut(mut self, limits: &Limits) -> Value {
        let of_values = limits.values_per_query / self.columns.max(1);
        let most = limits.rows_per_query.min(of_values);
        let mut why = None;
        if self.rows.len() > most {
            self.rows.truncate(most);
            why = Some(if most == limits.rows_per_query {
                format!("More than {most} rows in a query result")
            } else {
                format!("More than {} values in a query result", limits.values_per_query)
            });
        }
        let mut bytes = 0;
        let fits = self.rows.iter().take_while(|row| {
            let before = bytes;
            bytes += serde_json::to_vec(row).map_or(0, |text| text.len() + 1);
            before < limits.bytes_per_query
        });
        let fits = fits.count();
        if fits < self.rows.len() {
            self.rows.truncate(fits);
            why = Some(format!("More than {} bytes in a query result", limits.bytes_per_query));
        }
        match why {
            None => json!({"rows": self.rows}),
            Some(why) => json!({"rows": self.rows, "error": {"message": why}}),
        }
    }
}

/// Columns come back as `Table[Column]`.
pub(super) fn of_table(
    dataset: &mut Dataset,
    name: &str,
    top: Option<usize>,
    include_nulls: bool,
) -> Result<Answer, String> {
    let table = dataset.table(name).ok_or_else(|| no_table(name))?;
    let named: Vec<String> = table.columns.iter().map(|column| format!("{name}[{}]", column.name)).collect();
    let rows = table.read().take(top.unwrap_or(usize::MAX)).map(|row| {
        let cells = table.columns.iter().zip(&named).filter_map(|(column, named)| {
            let value = row.get(&column.name).map_or(Value::Null, |value| column.data_type.read(value));
            (include_nulls || !value.is_null()).then(|| (named.clone(), value))
        });
        cells.collect()
    });
    Ok(Answer { columns: named.len(), rows: rows.collect() })
}

/// Columns that the query made come back as `[Name]`.
pub(super) fn of_counts(
    dataset: &mut Dataset,
    counts: &[(String, String)],
    include_nulls: bool,
) -> Result<Answer, String> {
    let mut row = Map::new();
    for (name, table) in counts {
        let table = dataset.table(table).ok_or_else(|| no_table(table))?;
        // Of no rows it is blank ("COUNTROWS function (DAX)").
        let count = Some(table.rows.len()).filter(|count| *count > 0);
        if count.is_some() || include_nulls {
            row.insert(format!("[{name}]"), json!(count));
        }
    }
    Ok(Answer::of(vec![row]))
}

fn no_table(name: &str) -> String {
    format!("Query (1, 10) Cannot find table '{name}'.")
}
