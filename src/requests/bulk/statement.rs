//! The statement of a batch. Names of columns and tables are quoted; values are in the parameter and nowhere else.

use super::column::Column;
use super::row::{Rules, field};
use crate::steps::write_rows::{ROWS_PARAMETER, WriteMode};

/// Aliases that no column has: a column of the table named as its alias would be taken for it.
const TABLE: &str = "causeway_table";
const ROWS: &str = "causeway_rows";

/// Writes rows of these columns.
pub(super) fn statement(table: [&str; 3], rules: &Rules, columns: &[usize]) -> String {
    let target = table.map(quoted).join(".");
    let of = |index: usize| &rules.columns[index];
    let names = list(columns.iter().map(|index| quoted(&of(*index).name)));
    let source = source(columns, &rules.columns);
    if rules.mode == WriteMode::Insert {
        return format!("INSERT INTO {target} ({names}) {source}");
    }
    let same = |index: &usize| format!("{TABLE}.{} = {ROWS}.{}", quoted(&of(*index).name), field(*index));
    let on = rules.keys.iter().map(same).collect::<Vec<_>>().join(" AND ");
    let merge = format!("MERGE INTO {target} AS {TABLE} USING ({source}) AS {ROWS} ON {on}");
    if rules.mode == WriteMode::Delete {
        return format!("{merge} WHEN MATCHED THEN DELETE");
    }
    let set = |index: &usize| format!("{} = {ROWS}.{}", quoted(&of(*index).name), field(*index));
    let changed: Vec<String> = columns.iter().filter(|index| !rules.keys.contains(index)).map(set).collect();
    let update = if changed.is_empty() {
        String::new()
    } else {
        format!(" WHEN MATCHED THEN UPDATE SET {}", changed.join(", "))
    };
    let values = list(columns.iter().map(|index| format!("{ROWS}.{}", field(*index))));
    format!("{merge}{update} WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})")
}

/// The rows of the parameter, each column with its type. `from_json` makes NULL of what it cannot read unless told to
/// fail (Spark, its mode PERMISSIVE).
fn source(columns: &[usize], all: &[Column]) -> String {
    let fields = columns.iter().map(|index| format!("{}: {}", field(*index), all[*index].wire_type()));
    let schema = literal(&format!("ARRAY<STRUCT<{}>>", list(fields)));
    let read = |index: &usize| format!("{} AS {}", all[*index].read(&format!("r.{}", field(*index))), field(*index));
    let values = list(columns.iter().map(read));
    format!(
        "SELECT {values} FROM (SELECT explode(from_json(:{ROWS_PARAMETER}, {schema}, map('mode', 'FAILFAST'))) AS r)"
    )
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// A name between backticks (SQL reference, Identifiers: a backtick inside is doubled).
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text between quotes (SQL reference, STRING: a backslash escapes).
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
