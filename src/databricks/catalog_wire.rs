//! The bodies of Unity Catalog and of the list of warehouses as they come (Databricks SDK, catalog.py and sql.py).

use serde::Deserialize;
use serde_json::Value;

use super::catalog::{ForeignKey, Place, TableColumn, TableInfo, TableSummary, Warehouse};
use super::listed::ListPage;

macro_rules! page {
    ($name:ident, $field:ident: $body:ty => $item:ty) => {
        #[derive(Deserialize)]
        pub(super) struct $name {
            #[serde(default)]
            $field: Vec<$body>,
            next_page_token: Option<String>,
        }

        impl ListPage for $name {
            type Item = $item;

            fn into_parts(self) -> (Vec<$item>, Option<String>) {
                (self.$field.into_iter().filter_map(<$body>::into_item).collect(), self.next_page_token)
            }
        }
    };
}

page!(WarehousesPage, warehouses: WarehouseBody => Warehouse);
page!(CatalogsPage, catalogs: PlaceBody => Place);
page!(SchemasPage, schemas: PlaceBody => Place);
page!(TablesPage, tables: TableBody => TableSummary);

#[derive(Deserialize)]
struct WarehouseBody {
    id: Option<String>,
    name: Option<String>,
    state: Option<String>,
    cluster_size: Option<String>,
    warehouse_type: Option<String>,
    enable_serverless_compute: Option<bool>,
    auto_stop_mins: Option<u64>,
}

impl WarehouseBody {
    fn into_item(self) -> Option<Warehouse> {
        let id = self.id?;
        Some(Warehouse {
            name: self.name.unwrap_or_else(|| id.clone()),
            id,
            state: self.state.unwrap_or_else(|| "UNKNOWN".to_owned()),
            size: self.cluster_size,
            kind: self.warehouse_type,
            serverless: self.enable_serverless_compute,
            auto_stop_minutes: self.auto_stop_mins,
        })
    }
}

#[derive(Deserialize)]
struct PlaceBody {
    name: Option<String>,
    comment: Option<String>,
}

impl PlaceBody {
    fn into_item(self) -> Option<Place> {
        Some(Place { name: self.name?, comment: said(self.comment) })
    }
}

#[derive(Deserialize)]
pub(super) struct TableBody {
    name: Option<String>,
    catalog_name: Option<String>,
    schema_name: Option<String>,
    full_name: Option<String>,
    table_type: Option<String>,
    data_source_format: Option<String>,
    comment: Option<String>,
    #[serde(default)]
    columns: Vec<ColumnBody>,
    #[serde(default)]
    table_constraints: Vec<ConstraintBody>,
    row_filter: Option<Value>,
}

#[derive(Deserialize)]
struct ColumnBody {
    name: String,
    #[serde(default)]
    type_text: String,
    #[serde(default)]
    type_name: String,
    /// The column as a Spark field, with its metadata.
    type_json: Option<String>,
    type_precision: Option<u32>,
    type_scale: Option<u32>,
    position: Option<u32>,
    nullable: Option<bool>,
    partition_index: Option<u32>,
    comment: Option<String>,
    mask: Option<Value>,
}

#[derive(Deserialize)]
struct ConstraintBody {
    primary_key_constraint: Option<PrimaryKeyBody>,
    foreign_key_constraint: Option<ForeignKeyBody>,
}

#[derive(Deserialize)]
struct PrimaryKeyBody {
    #[serde(default)]
    child_columns: Vec<String>,
}

#[derive(Deserialize)]
struct ForeignKeyBody {
    name: Option<String>,
    #[serde(default)]
    child_columns: Vec<String>,
    #[serde(default)]
    parent_table: String,
    #[serde(default)]
    parent_columns: Vec<String>,
}

impl TableBody {
    fn into_item(self) -> Option<TableSummary> {
        let name = self.name?;
        Some(TableSummary {
            full_name: self.full_name.unwrap_or_else(|| name.clone()),
            name,
            table_type: self.table_type,
            format: self.data_source_format,
            comment: said(self.comment),
        })
    }

    /// The table; what the body does not say is as it was asked for.
    pub(super) fn into_table(self, catalog: &str, schema: &str, table: &str) -> TableInfo {
        let mut columns: Vec<TableColumn> =
            self.columns.into_iter().zip(0..).map(|(column, place)| column.into_column(place)).collect();
        columns.sort_by_key(|column| column.position);
        let (mut primary_key, mut foreign_keys) = (Vec::new(), Vec::new());
        for constraint in self.table_constraints {
            if let Some(key) = constraint.primary_key_constraint {
                primary_key = key.child_columns;
            }
            if let Some(key) = constraint.foreign_key_constraint {
                foreign_keys.push(ForeignKey {
                    name: key.name,
                    columns: key.child_columns,
                    parent_table: key.parent_table,
                    parent_columns: key.parent_columns,
                });
            }
        }
        let full_name = self.full_name.unwrap_or_else(|| format!("{catalog}.{schema}.{table}"));
        TableInfo {
            catalog: self.catalog_name.unwrap_or_else(|| catalog.to_owned()),
            schema: self.schema_name.unwrap_or_else(|| schema.to_owned()),
            name: self.name.unwrap_or_else(|| table.to_owned()),
            full_name,
            table_type: self.table_type,
            format: self.data_source_format,
            comment: said(self.comment),
            columns,
            primary_key,
            foreign_keys,
            has_row_filter: is_there(self.row_filter.as_ref()),
        }
    }
}

impl ColumnBody {
    fn into_column(self, place: u32) -> TableColumn {
        // The service writes 0 for both where they mean nothing.
        let decimal = self.type_name == "DECIMAL";
        let metadata = Metadata::of(self.type_json.as_deref());
        TableColumn {
            name: self.name,
            type_text: self.type_text,
            type_name: self.type_name,
            precision: self.type_precision.filter(|_| decimal),
            scale: self.type_scale.filter(|_| decimal),
            // "Whether field may be Null (default: true)" (SDK, ColumnInfo).
            nullable: self.nullable.unwrap_or(true),
            position: self.position.unwrap_or(place),
            partition_index: self.partition_index,
            comment: said(self.comment),
            masked: is_there(self.mask.as_ref()),
            generated: metadata.has("delta.generationExpression")
                || (metadata.has("delta.identity.start") && !metadata.is_true("delta.identity.allowExplicitInsert")),
            has_default: metadata.has("CURRENT_DEFAULT") || metadata.has("delta.identity.start"),
        }
    }
}

/// The metadata of a Spark field; its keys are those of Delta's protocol ("Generated Columns", "Identity Columns",
/// "Default Columns").
struct Metadata(Value);

impl Metadata {
    fn of(type_json: Option<&str>) -> Self {
        let field: Value = type_json.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self(field["metadata"].clone())
    }

    fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    fn is_true(&self, key: &str) -> bool {
        self.0[key] == true
    }
}

/// An empty comment is none.
fn said(comment: Option<String>) -> Option<String> {
    comment.filter(|comment| !comment.is_empty())
}

fn is_there(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null())
}
