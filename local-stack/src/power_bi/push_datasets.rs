//! Making, changing and removing push datasets (swagger, `Datasets_PostDatasetInGroup`, `Datasets_PutTableInGroup`,
//! `Datasets_DeleteDatasetInGroup`; "Push semantic model limitations").

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::lists::{described, not_push};
use super::reply::{Reply, entity_error, error, marked, new_id, ok};
use super::{Column, DataType, Dataset, Service, Table};

/// Tables in a dataset, and columns in a table.
const MOST: usize = 75;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewDataset {
    name: String,
    tables: Vec<NewTable>,
    default_mode: Option<String>,
}

#[derive(Deserialize)]
struct NewTable {
    name: String,
    columns: Vec<NewColumn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewColumn {
    name: String,
    data_type: String,
}

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    Path(group): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit(&headers)?;
    let asked: NewDataset = parsed(&body)?;
    let retention = query.get("defaultRetentionPolicy").map_or("None", String::as_str);
    if asked.name.is_empty() || asked.tables.is_empty() || asked.tables.len() > MOST {
        return Err(bad("A dataset has a name and 1 to 75 tables."));
    }
    if asked.default_mode.as_deref().is_some_and(|mode| mode != "Push" && mode != "PushStreaming") {
        return Err(bad("This stand-in makes push datasets only."));
    }
    let tables = asked.tables.into_iter().map(table).collect::<Result<Vec<_>, _>>()?;
    let mut dataset = Dataset::new(&new_id(), &asked.name, true, tables);
    dataset.first_in_first_out = retention.eq_ignore_ascii_case("basicFIFO");
    let body = json!({"id": dataset.id, "name": dataset.name, "defaultRetentionPolicy": retention});
    service.model().workspace(&group)?.datasets.push(dataset);
    service.history.record(
        "powerBi",
        "dataset",
        json!({"workspace": group, "dataset": body["id"], "name": asked.name}),
    );
    Ok(marked((StatusCode::CREATED, Json(body)).into_response(), &new_id()))
}

/// Changes the columns of a table that is there; its rows stay.
pub(super) async fn put_table(
    State(service): State<Arc<Service>>,
    Path((group, dataset, name)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit(&headers)?;
    let asked: NewTable = parsed(&body)?;
    let new = table(asked)?;
    let mut model = service.model();
    let dataset = model.dataset(&group, &dataset)?;
    if !dataset.push {
        return Err(not_push(dataset));
    }
    let found = dataset.table(&name).ok_or_else(|| entity_error(StatusCode::NOT_FOUND, "TableNotFound"))?;
    found.columns = new.columns;
    Ok(ok(&described(found)))
}

pub(super) async fn delete(
    State(service): State<Arc<Service>>,
    Path((group, dataset)): Path<(String, String)>,
    headers: HeaderMap,
) -> Reply {
    service.admit(&headers)?;
    {
        let mut model = service.model();
        let id = model.dataset(&group, &dataset)?.id.clone();
        model.workspace(&group)?.datasets.retain(|dataset| dataset.id != id);
    }
    service.history.record("powerBi", "datasetDeleted", json!({"workspace": group, "dataset": dataset}));
    Ok(marked(StatusCode::OK.into_response(), &new_id()))
}

fn table(asked: NewTable) -> Result<Table, Response> {
    if asked.name.is_empty() || asked.columns.is_empty() || asked.columns.len() > MOST {
        return Err(bad("A table has a name and 1 to 75 columns."));
    }
    let mut table = Table::new(&asked.name, &[]);
    for column in asked.columns {
        let kind = DataType::named(&column.data_type);
        let data_type = kind.ok_or_else(|| bad(&format!("The data type '{}' is not known.", column.data_type)))?;
        table.columns.push(Column { name: column.name, data_type });
    }
    Ok(table)
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    let value: Result<Value, _> = serde_json::from_slice(body);
    value.and_then(serde_json::from_value).map_err(|cause| bad(&format!("The body is not valid: {cause}")))
}

fn bad(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "BadRequest", message)
}
