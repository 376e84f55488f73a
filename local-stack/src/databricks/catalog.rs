//! Unity Catalog: catalogs, schemas, tables and one table with its columns and keys, read from the lakehouse itself
//! (SDK, catalog.py). Writes nothing. Who may see what is `rights.rs`.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::engine::Answer;
use super::reply::{Reply, error, invalid, ok};
use super::workspace::Shared;

/// What a page holds when nobody says (SDK: "a server configured value").
const PAGE: usize = 10_000;

type Asked = Query<HashMap<String, String>>;

#[derive(Default, Deserialize)]
struct Found {
    #[serde(default)]
    catalogs: Vec<String>,
    #[serde(default)]
    schemas: Vec<String>,
    /// (name, kind)
    #[serde(default)]
    tables: Vec<(String, String)>,
    /// As `engine/unity.py` writes it.
    table: Option<Value>,
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

pub(super) async fn catalogs(State(workspace): State<Shared>, Query(query): Asked) -> Reply {
    let found = look(&workspace, json!({})).await?;
    let names: Vec<&String> = found.catalogs.iter().filter(|name| workspace.rights().may_use(&[name])).collect();
    let (names, next) = page(&names, &query)?;
    let shown = names
        .iter()
        .map(|name| json!({"name": name, "catalog_type": "MANAGED_CATALOG", "owner": "maker@example.com"}))
        .collect();
    Ok(list("catalogs", shown, next))
}

pub(super) async fn schemas(State(workspace): State<Shared>, Query(query): Asked) -> Reply {
    let catalog = known_catalog(&workspace, asked(&query, "catalog_name")?).await?;
    let found = look(&workspace, json!({"catalog": catalog})).await?;
    let rights = workspace.rights();
    // Without USE SCHEMA a schema is not shown (SDK, SchemasAPI.list).
    let names: Vec<&String> = found.schemas.iter().filter(|name| rights.may_use(&[&catalog, name])).collect();
    let (names, next) = page(&names, &query)?;
    let shown = names
        .iter()
        .map(|name| {
            json!({"name": name, "catalog_name": catalog, "full_name": format!("{catalog}.{name}"),
                "owner": "maker@example.com"})
        })
        .collect();
    Ok(list("schemas", shown, next))
}

/// The catalog as it is written; names compare without case.
async fn known_catalog(workspace: &Shared, catalog: &str) -> Result<String, Response<Body>> {
    let found = look(workspace, json!({})).await?;
    let known = found.catalogs.into_iter().find(|name| name.eq_ignore_ascii_case(catalog));
    let missing = || error(404, "CATALOG_DOES_NOT_EXIST", &format!("Catalog '{catalog}' does not exist."));
    let known = known.ok_or_else(missing)?;
    workspace.rights().allow(&[&known])?;
    Ok(known)
}

async fn known_schema(workspace: &Shared, catalog: &str, schema: &str) -> Result<String, Response<Body>> {
    let found = look(workspace, json!({"catalog": catalog})).await?;
    let known = found.schemas.into_iter().find(|name| name.to_lowercase() == schema.to_lowercase());
    let missing = || error(404, "SCHEMA_DOES_NOT_EXIST", &format!("Schema '{catalog}.{schema}' does not exist."));
    let known = known.ok_or_else(missing)?;
    workspace.rights().allow(&[catalog, &known])?;
    Ok(known)
}

pub(super) async fn tables(State(workspace): State<Shared>, Query(query): Asked) -> Reply {
    let catalog = known_catalog(&workspace, asked(&query, "catalog_name")?).await?;
    let schema = known_schema(&workspace, &catalog, asked(&query, "schema_name")?).await?;
    let found = look(&workspace, json!({"catalog": catalog, "schema": schema})).await?;
    let bare = query.get("omit_columns").is_some_and(|value| value == "true");
    let (tables, next) = page(&found.tables, &query)?;
    let mut shown = Vec::with_capacity(tables.len());
    for (name, _) in tables {
        let place = json!({"catalog": catalog, "schema": schema, "table": name});
        if let Some(mut table) = look(&workspace, place).await?.table {
            if bare && let Some(members) = table.as_object_mut() {
                members.remove("columns");
            }
            shown.push(table_info(&catalog, &schema, &table));
        }
    }
    Ok(list("tables", shown, next))
}

/// `GET /api/2.1/unity-catalog/tables/{full_name}`: the parts with dots between, percent-encoded and without backticks
/// (databricks-sdk-py issue 1266).
pub(super) async fn table(State(workspace): State<Shared>, Path(full_name): Path<String>) -> Reply {
    let (catalog, schema, found) = found(&workspace, &full_name).await?;
    let missing = || error(404, "TABLE_DOES_NOT_EXIST", &format!("Table '{full_name}' does not exist."));
    Ok(ok(&table_info(&catalog, &schema, &found.ok_or_else(missing)?)))
}

/// `GET …/tables/{full_name}/exists`.
pub(super) async fn exists(State(workspace): State<Shared>, Path(full_name): Path<String>) -> Reply {
    let (_, _, found) = found(&workspace, &full_name).await?;
    Ok(ok(&json!({"table_exists": found.is_some()})))
}

async fn found(workspace: &Shared, full_name: &str) -> Result<(String, String, Option<Value>), Response<Body>> {
    let parts: Vec<&str> = full_name.split('.').collect();
    let [catalog, schema, name] = parts[..] else {
        return Err(invalid(&format!("'{full_name}' is not a valid name of the form catalog.schema.table.")));
    };
    let catalog = known_catalog(workspace, catalog).await?;
    let schema = known_schema(workspace, &catalog, schema).await?;
    let place = json!({"catalog": catalog, "schema": schema, "table": name});
    let table = look(workspace, place).await?.table;
    if table.is_some() {
        workspace.rights().allow(&[&catalog, &schema, name])?;
    }
    Ok((catalog, schema, table))
}

/// One page: `max_results` 0 is the server's own size, below 0 an error (SDK, TablesAPI.list); `page_token` is opaque.
fn page<'a, T>(all: &'a [T], query: &HashMap<String, String>) -> Result<(&'a [T], Option<String>), Response<Body>> {
    let wanted = match query.get("max_results").map(|text| text.parse::<i64>()) {
        None | Some(Ok(0)) => PAGE,
        Some(Ok(wanted)) => usize::try_from(wanted).map_err(|_| invalid("max_results must not be below 0."))?.min(PAGE),
        Some(Err(_)) => return Err(invalid("max_results must be a number.")),
    };
    let from = match query.get("page_token").map(|token| token.strip_prefix("from-").map(str::parse::<usize>)) {
        None => 0,
        Some(Some(Ok(from))) if from <= all.len() => from,
        Some(_) => return Err(invalid("page_token is not valid.")),
    };
    let rest = &all[from..];
    let shown = &rest[..rest.len().min(wanted)];
    Ok((shown, (shown.len() < rest.len()).then(|| format!("from-{}", from + shown.len()))))
}

fn list(name: &str, shown: Vec<Value>, next: Option<String>) -> Response<Body> {
    let mut body = json!({});
    // An empty list is left out, as the service leaves out what is empty.
    if !shown.is_empty() {
        body[name] = shown.into();
    }
    if let Some(next) = next {
        body["next_page_token"] = next.into();
    }
    ok(&body)
}

fn table_info(catalog: &str, schema: &str, table: &Value) -> Value {
    let name = table["name"].as_str().unwrap_or_default();
    let kind = table["kind"].as_str().unwrap_or("MANAGED");
    let mut shown = json!({
        "name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "full_name": format!("{catalog}.{schema}.{name}"),
        "table_type": kind,
        "owner": "maker@example.com",
    });
    if kind != "VIEW" {
        shown["data_source_format"] = "DELTA".into();
    }
    for member in ["columns", "comment", "table_constraints", "row_filter"] {
        if let Some(value) = table.get(member) {
            shown[member] = value.clone();
        }
    }
    shown
}
