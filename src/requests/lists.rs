//! Lists for dropdowns: warehouses, catalogs, schemas, tables, and one table with its columns and keys. Nothing is
//! kept between calls.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answers::done;
use super::token::Target;
use super::{Answer, Call, Requests};
use crate::databricks::{ForeignKey, Listed, Place, TableColumn, TableInfo, TableSummary, Warehouse};
use crate::failure::{Code, Failure};
use crate::settings::SqlMode;

/// Entries of a page when the call does not say (`top`), and at most.
const DEFAULT_TOP: usize = 1_000;
const MOST_TOP: usize = 10_000;

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "camelCase")]
pub(super) enum ListOf {
    Warehouses,
    Catalogs,
    Schemas { c: String },
    Tables { c: String, s: String },
}

impl Requests {
    /// `GET /api/sql/warehouses`.
    pub async fn list_warehouses(&self, call: &Call) -> Result<Answer, Failure> {
        self.list(call, ListOf::Warehouses, None, top(call)?).await
    }

    /// `GET /api/sql/catalogs`.
    pub async fn list_catalogs(&self, call: &Call) -> Result<Answer, Failure> {
        self.list(call, ListOf::Catalogs, None, top(call)?).await
    }

    /// `GET /api/sql/catalogs/{c}/schemas`.
    pub async fn list_schemas(&self, call: &Call, catalog: &str) -> Result<Answer, Failure> {
        self.list(call, ListOf::Schemas { c: catalog.to_owned() }, None, top(call)?).await
    }

    /// `GET /api/sql/catalogs/{c}/schemas/{s}/tables`.
    pub async fn list_tables(&self, call: &Call, catalog: &str, schema: &str) -> Result<Answer, Failure> {
        let tables = ListOf::Tables { c: catalog.to_owned(), s: schema.to_owned() };
        self.list(call, tables, None, top(call)?).await
    }

    /// `GET /api/sql/catalogs/{c}/schemas/{s}/tables/{t}`.
    pub async fn get_table(&self, call: &Call, catalog: &str, schema: &str, table: &str) -> Result<Answer, Failure> {
        self.sql_is_on()?;
        let table = self.0.neighbours.databricks.table(catalog, schema, table, call.deadline).await?;
        Ok(done(&table_json(&table)))
    }

    /// One page; from `from` on, which is Databricks' own token.
    pub(super) async fn list(
        &self,
        call: &Call,
        of: ListOf,
        from: Option<&str>,
        top: usize,
    ) -> Result<Answer, Failure> {
        self.sql_is_on()?;
        let databricks = &self.0.neighbours.databricks;
        let (value, next) = match &of {
            ListOf::Warehouses => written(databricks.warehouses(top, from, call.deadline).await?, warehouse_json),
            ListOf::Catalogs => written(databricks.catalogs(top, from, call.deadline).await?, place_json),
            ListOf::Schemas { c } => written(databricks.schemas(c, top, from, call.deadline).await?, place_json),
            ListOf::Tables { c, s } => written(databricks.tables(c, s, top, from, call.deadline).await?, summary_json),
        };
        self.listed(call, value, next.map(|from| Target::List { list: of, from, top })).await
    }

    fn sql_is_on(&self) -> Result<(), Failure> {
        if self.0.sql.mode == SqlMode::Off {
            let detail = "The function `sql` is switched off here (`CAUSEWAY_SQL_MODE`).";
            return Err(Failure::new(Code::StatementNotAllowed, detail));
        }
        Ok(())
    }
}

fn top(call: &Call) -> Result<usize, Failure> {
    Ok(call.whole("top", 1..=MOST_TOP)?.unwrap_or(DEFAULT_TOP))
}

fn written<T>(listed: Listed<T>, write: fn(&T) -> Value) -> (Vec<Value>, Option<String>) {
    (listed.items.iter().map(write).collect(), listed.next)
}

/// An object of what there is: connectors drop nulls anyway.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let there = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(there.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn warehouse_json(warehouse: &Warehouse) -> Value {
    object([
        ("id", json!(warehouse.id)),
        ("name", json!(warehouse.name)),
        ("state", json!(warehouse.state)),
        ("size", json!(warehouse.size)),
        ("type", json!(warehouse.kind)),
        ("serverless", json!(warehouse.serverless)),
        ("autoStopMinutes", json!(warehouse.auto_stop_minutes)),
    ])
}

fn place_json(place: &Place) -> Value {
    object([("name", json!(place.name)), ("comment", json!(place.comment))])
}

fn summary_json(table: &TableSummary) -> Value {
    object([
        ("name", json!(table.name)),
        ("fullName", json!(table.full_name)),
        ("type", json!(table.table_type)),
        ("format", json!(table.format)),
        ("comment", json!(table.comment)),
    ])
}

fn table_json(table: &TableInfo) -> Value {
    object([
        ("name", json!(table.name)),
        ("catalog", json!(table.catalog)),
        ("schema", json!(table.schema)),
        ("fullName", json!(table.full_name)),
        ("type", json!(table.table_type)),
        ("format", json!(table.format)),
        ("comment", json!(table.comment)),
        ("columns", table.columns.iter().map(column_json).collect()),
        ("primaryKey", json!(table.primary_key)),
        ("foreignKeys", table.foreign_keys.iter().map(foreign_key_json).collect()),
        ("hasRowFilter", json!(table.has_row_filter)),
        ("hasColumnMasks", json!(table.columns.iter().any(|column| column.masked))),
    ])
}

fn column_json(column: &TableColumn) -> Value {
    object([
        ("name", json!(column.name)),
        ("type", json!(column.type_text)),
        ("typeName", json!(column.type_name)),
        ("precision", json!(column.precision)),
        ("scale", json!(column.scale)),
        ("nullable", json!(column.nullable)),
        ("position", json!(column.position)),
        ("partitionIndex", json!(column.partition_index)),
        ("comment", json!(column.comment)),
        ("generated", json!(column.generated)),
        ("hasDefault", json!(column.has_default)),
        ("masked", json!(column.masked)),
    ])
}

fn foreign_key_json(key: &ForeignKey) -> Value {
    object([
        ("name", json!(key.name)),
        ("columns", json!(key.columns)),
        ("parentTable", json!(key.parent_table)),
        ("parentColumns", json!(key.parent_columns)),
    ])
}
