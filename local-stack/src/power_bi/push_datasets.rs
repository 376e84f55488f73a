//! Making, changing and removing push datasets (swagger, `Datasets_PostDatasetInGroup`, `Datasets_PutTableInGroup`,
//! `Datasets_DeleteDatasetInGroup`). What a definition may be is `definition.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::json;

use super::admission::At;
use super::definition::{NewDataset, NewTable};
use super::lists::described;
use super::reply::{Reply, bad, context, done, new_id, ok, parsed, with_status};
use super::{Dataset, Service};

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit_at(&headers, &at)?;
    let asked: NewDataset = parsed(&body)?;
    let retention = query.get("defaultRetentionPolicy").map_or("None", String::as_str);
    let retention = ["None", "basicFIFO"].into_iter().find(|known| known.eq_ignore_ascii_case(retention));
    let retention = retention.ok_or_else(|| bad("The defaultRetentionPolicy is None or basicFIFO."))?;
    let mut dataset = Dataset::new(&new_id(), &asked.name, true, asked.tables()?);
    dataset.first_in_first_out = retention == "basicFIFO";
    let body = json!({
        "@odata.context": context(&headers, "datasets/$entity"),
        "id": dataset.id,
        "name": dataset.name,
        "defaultRetentionPolicy": retention,
    });
    // A second one of the same name is another dataset: names need not be unique.
    service.model().workspace(&at)?.datasets.push(dataset);
    let detail = json!({"workspace": at.workspace(), "dataset": body["id"], "name": asked.name});
    service.history.record("powerBi", "dataset", detail);
    Ok(with_status(StatusCode::CREATED, &body))
}

/// Changes the columns of a table that is there; its rows stay.
pub(super) async fn put_table(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit_at(&headers, &at)?;
    let asked: NewTable = parsed(&body)?;
    let new = asked.table()?;
    let body = {
        let mut model = service.model();
        let with_columns = model.tables_show_columns;
        let found = model.table(&at)?;
        // Whether the service renames a table so is written nowhere.
        if found.name != new.name {
            return Err(bad(&format!("The table '{}' cannot become '{}'.", found.name, new.name)));
        }
        found.columns = new.columns;
        described(found, with_columns)
    };
    let detail = json!({"workspace": at.workspace(), "dataset": at.dataset, "table": at.table});
    service.history.record("powerBi", "tableChanged", detail);
    Ok(ok(&body))
}

pub(super) async fn delete(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    {
        let mut model = service.model();
        let id = model.dataset(&at)?.id.clone();
        model.workspace(&at)?.datasets.retain(|dataset| dataset.id != id);
    }
    let detail = json!({"workspace": at.workspace(), "dataset": at.dataset});
    service.history.record("powerBi", "datasetDeleted", detail);
    Ok(done())
}
