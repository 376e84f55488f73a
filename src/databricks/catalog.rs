//! Unity Catalog and the warehouses, as lists and as one table with its columns and keys. Nothing is kept: who writes
//! rows must see the columns as they are now. The bodies are `catalog_wire.rs`.
//!
//! The API takes a table's full name as its parts with dots between, percent-encoded as one path segment and without
//! backticks: `main.s.a%23b` (databricks-sdk-py issue 1266: raw, `#` and `%` are a 404; quoted, they are found). No
//! name in Unity Catalog holds a dot (SQL reference, Names), so a part with one is never sent: it would be read as
//! another name.

use std::fmt;

use super::Databricks;
use super::catalog_wire::{CatalogsPage, SchemasPage, TableBody, TablesPage, WarehousesPage};
use super::error::DatabricksError;
use super::listed::{List, Listed};
use super::subject::Subject;
use crate::failure::Failure;
use crate::http::{Deadline, Outbound, RequestKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warehouse {
    pub id: String,
    pub name: String,
    /// `STARTING`, `RUNNING`, `STOPPING`, `STOPPED`, `DELETING`, `DELETED`; open.
    pub state: String,
    /// `2X-Small` to `4X-Large`.
    pub size: Option<String>,
    /// `PRO`, `CLASSIC`.
    pub kind: Option<String>,
    pub serverless: Option<bool>,
    pub auto_stop_minutes: Option<u64>,
}

/// A catalog, or a schema of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub comment: Option<String>,
}

/// A table as a list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSummary {
    pub name: String,
    pub full_name: String,
    /// `MANAGED`, `EXTERNAL`, `VIEW`, `MATERIALIZED_VIEW`, `STREAMING_TABLE`, …; open.
    pub table_type: Option<String>,
    /// `DELTA`, `ICEBERG`, …; views have none.
    pub format: Option<String>,
    pub comment: Option<String>,
}

/// A table with its columns and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    pub catalog: String,
    pub schema: String,
    pub name: String,
    /// The three with dots between, as Databricks wrote it; for SQL, quote each part.
    pub full_name: String,
    pub table_type: Option<String>,
    pub format: Option<String>,
    pub comment: Option<String>,
    /// In the order of the table.
    pub columns: Vec<TableColumn>,
    /// Columns of the primary key, empty without one. Informational: Databricks does not enforce it.
    pub primary_key: Vec<String>,
    pub foreign_keys: Vec<ForeignKey>,
    /// Rows that callers do not see.
    pub has_row_filter: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    pub name: String,
    /// SQL text in small letters: `decimal(18,2)`, `array<string>`.
    pub type_text: String,
    /// `DECIMAL`, `LONG`, `ARRAY`, …; open.
    pub type_name: String,
    /// Of a DECIMAL.
    pub precision: Option<u32>,
    pub scale: Option<u32>,
    pub nullable: bool,
    /// From 0.
    pub position: u32,
    /// Place among the columns that the table is partitioned by.
    pub partition_index: Option<u32>,
    pub comment: Option<String>,
    /// What is read may not be what is stored.
    pub masked: bool,
    /// Filled by the table: GENERATED ALWAYS AS, or an identity that takes no values.
    pub generated: bool,
    /// May be left out of a row although it is not nullable.
    pub has_default: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: Option<String>,
    pub columns: Vec<String>,
    pub parent_table: String,
    pub parent_columns: Vec<String>,
}

impl TableInfo {
    /// The column of this name; Databricks compares names without case.
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        let same = |column: &&TableColumn| column.name == name;
        self.columns
            .iter()
            .find(same)
            .or_else(|| self.columns.iter().find(|column| column.name.to_lowercase() == name.to_lowercase()))
    }
}

impl Databricks {
    pub async fn warehouses(
        &self,
        most: usize,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<Listed<Warehouse>, DatabricksError> {
        let mut url = self.address(&["api", "2.0", "sql", "warehouses"])?;
        url.query_pairs_mut().append_pair("page_size", &most.to_string());
        let list = List { kind: RequestKind::WarehouseGet, url, subject: Subject::Workspace, page: None };
        self.list::<WarehousesPage>(&list, most, from, deadline).await
    }

    pub async fn catalogs(
        &self,
        most: usize,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<Listed<Place>, DatabricksError> {
        let list = self.unity("catalogs", &[], Subject::Workspace)?;
        self.list::<CatalogsPage>(&list, most, from, deadline).await
    }

    pub async fn schemas(
        &self,
        catalog: &str,
        most: usize,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<Listed<Place>, DatabricksError> {
        let subject = Subject::Catalog(catalog.to_owned());
        sound(catalog, &subject)?;
        let list = self.unity("schemas", &[("catalog_name", catalog)], subject)?;
        self.list::<SchemasPage>(&list, most, from, deadline).await
    }

    pub async fn tables(
        &self,
        catalog: &str,
        schema: &str,
        most: usize,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<Listed<TableSummary>, DatabricksError> {
        sound(catalog, &Subject::Catalog(catalog.to_owned()))?;
        let subject = Subject::Schema(format!("{catalog}.{schema}"));
        sound(schema, &subject)?;
        let bare = [("omit_columns", "true"), ("omit_properties", "true")];
        let place = [("catalog_name", catalog), ("schema_name", schema)];
        let list = self.unity("tables", &[place, bare].concat(), subject)?;
        self.list::<TablesPage>(&list, most, from, deadline).await
    }

    /// One table as it is now.
    pub async fn table(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
        deadline: Deadline,
    ) -> Result<TableInfo, DatabricksError> {
        sound(catalog, &Subject::Catalog(catalog.to_owned()))?;
        sound(schema, &Subject::Schema(format!("{catalog}.{schema}")))?;
        let full_name = format!("{catalog}.{schema}.{table}");
        let subject = Subject::Table(full_name.clone());
        sound(table, &subject)?;
        let url = self.address(&["api", "2.1", "unity-catalog", "tables", &full_name])?;
        let body: TableBody = self.ask(RequestKind::CatalogGet, Outbound::get(url), &subject, deadline).await?;
        Ok(body.into_table(catalog, schema, table))
    }

    fn unity(&self, what: &str, place: &[(&str, &str)], subject: Subject) -> Result<List, DatabricksError> {
        let mut url = self.address(&["api", "2.1", "unity-catalog", what])?;
        url.query_pairs_mut().extend_pairs(place);
        Ok(List { kind: RequestKind::CatalogGet, url, subject, page: Some(("max_results", usize::MAX)) })
    }
}

/// A name with a dot would be read as another name, which the caller did not write.
fn sound(name: &str, subject: &Subject) -> Result<(), Failure> {
    if name.is_empty() || name.contains('.') {
        let why = "no name in Unity Catalog holds a dot";
        return Err(Failure::new(subject.missing(), format!("There is no {subject}: {why}.")));
    }
    Ok(())
}

impl fmt::Display for TableInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full_name)
    }
}
