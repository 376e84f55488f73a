//! Unity Catalog's lists: catalogs, schemas, tables and one table with its columns, read from the lakehouse itself
//! (SDK, catalog.py). Writes nothing.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::engine::Answer;
use super::reply::{Reply, error, invalid, ok};
use super::workspace::Shared;

#[derive(Default, Deserialize)]
struct Found {
    #[serde(default)]
    catalogs: Vec<String>,
    #[serde(default)]
    schemas: Vec<String>,
    /// (name, kind)
    #[serde(default)]
    tables: Vec<(String, String)>,
    columns: Option<Vec<Value>>,
    kind: Option<String>,
}

async fn look(workspace: &Shared, place: Value) -> Result<Found, Response<Body>> {
    let Some(engine) = &workspace.engine else { return Ok(Found::default()) };
    let mut request = place;
    request["lakehouse"] = workspace.lakehouse.clone().into();
    match engine.call("metadata", request).answer().await {
        Answer::Done(text) => serde_json::from_str(text.get()).map_err(|cause| internal(&cause.to_string())),
        Answer::Failed(failure) => Err(internal(&failure.message)),
        Answer::Canceled => Err(internal("canceled")),
    }
}

fn internal(message: &str) -> Response<Body> {
    error(500, "INTERNAL_ERROR", message)
}

fn asked<'a>(query: &'a HashMap<String, String>, name: &str) -> Result<&'a str, Response<Body>> {
    query.get(name).map(String::as_str).ok_or_else(|| invalid(&format!("Missing required field: {name}")))
}

pub(super) async fn catalogs(State(workspace): State<Shared>) -> Reply {
    let found = look(&workspace, json!({})).await?;
    let shown = |name: &String| json!({"name": name, "catalog_type": "MANAGED_CATALOG", "owner": "maker@example.com"});
    Ok(ok(&json!({"catalogs": found.catalogs.iter().map(shown).collect::<Vec<_>>()})))
}

pub(super) async fn schemas(State(workspace): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Reply {
    let catalog = asked(&query, "catalog_name")?;
    known(&workspace, catalog).await?;
    let found = look(&workspace, json!({"catalog": catalog})).await?;
    let shown = |name: &String| {
        json!({"name": name, "catalog_name": catalog, "full_name": format!("{catalog}.{name}"),
            "owner": "maker@example.com"})
    };
    Ok(ok(&json!({"schemas": found.schemas.iter().map(shown).collect::<Vec<_>>()})))
}

async fn known(workspace: &Shared, catalog: &str) -> Result<(), Response<Body>> {
    let found = look(workspace, json!({})).await?;
    let known = found.catalogs.iter().any(|name| name == catalog);
    if known {
        Ok(())
    } else {
        Err(error(404, "CATALOG_DOES_NOT_EXIST", &format!("Catalog '{catalog}' does not exist.")))
    }
}

pub(super) async fn tables(State(workspace): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Reply {
    let (catalog, schema) = (asked(&query, "catalog_name")?, asked(&query, "schema_name")?);
    known(&workspace, catalog).await?;
    let schemas = look(&workspace, json!({"catalog": catalog})).await?.schemas;
    if !schemas.iter().any(|name| name == schema) {
        let message = format!("Schema '{catalog}.{schema}' does not exist.");
        return Err(error(404, "SCHEMA_DOES_NOT_EXIST", &message));
    }
    let found = look(&workspace, json!({"catalog": catalog, "schema": schema})).await?;
    let bare = query.get("omit_columns").is_some_and(|value| value == "true");
    let mut shown = Vec::with_capacity(found.tables.len());
    for (name, _) in &found.tables {
        let place = json!({"catalog": catalog, "schema": schema, "table": name});
        let Found { columns, kind, .. } = look(&workspace, place).await?;
        shown.push(table_info(catalog, schema, name, kind.as_deref(), columns.filter(|_| !bare)));
    }
    Ok(ok(&json!({"tables": shown})))
}

pub(super) async fn table(State(workspace): State<Shared>, Path(full_name): Path<String>) -> Reply {
    let parts: Vec<&str> = full_name.split('.').collect();
    let [catalog, schema, name] = parts[..] else {
        return Err(invalid(&format!("'{full_name}' is not a name of the form catalog.schema.table.")));
    };
    let found = look(&workspace, json!({"catalog": catalog, "schema": schema, "table": name})).await?;
    match found.columns {
        Some(columns) => Ok(ok(&table_info(catalog, schema, name, found.kind.as_deref(), Some(columns)))),
        None => Err(error(404, "TABLE_DOES_NOT_EXIST", &format!("Table '{full_name}' does not exist."))),
    }
}

fn table_info(catalog: &str, schema: &str, name: &str, kind: Option<&str>, columns: Option<Vec<Value>>) -> Value {
    let mut shown = json!({
        "name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "full_name": format!("{catalog}.{schema}.{name}"),
        "table_type": kind.unwrap_or("MANAGED"),
        "data_source_format": "DELTA",
        "owner": "maker@example.com",
    });
    if let Some(mut columns) = columns {
        for column in &mut columns {
            // Here type texts are small letters, as opposed to a result's manifest.
            let text = column["type_text"].as_str().unwrap_or_default().to_lowercase();
            column["type_text"] = text.into();
        }
        shown["columns"] = columns.into();
    }
    shown
}
