//! Rows of push datasets: pushing within the limits, clearing ("Push semantic model limitations", Power BI docs).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Service;
use super::lists::not_push;
use super::model::{Model, Table};
use super::reply::{Reply, entity_error, error, marked, new_id, throttled};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// How many rows of a push the history shows.
const SHOWN: usize = 3;

#[derive(Deserialize)]
struct Pushed {
    rows: Vec<Map<String, Value>>,
}

pub(super) async fn push(
    State(service): State<Arc<Service>>,
    Path((group, dataset, table)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit(&headers)?;
    let (rows, time) = {
        let mut model = service.model();
        let rows = checked(&mut model, &group, &dataset, &table, &body)?;
        model.dataset(&group, &dataset)?.pending += 1;
        (rows, model.push_time)
    };
    // Even when the caller goes away while this waits, the push is no longer pending.
    let pending = Pending { service: service.clone(), dataset: dataset.clone() };
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
    drop(pending);
    let detail = {
        let mut model = service.model();
        let (now, dataset) = (model.now(), model.dataset(&group, &dataset)?);
        let first_in_first_out = dataset.first_in_first_out;
        dataset.pushes.push_back((now, rows.len()));
        let detail = json!({
            "workspace": group, "dataset": dataset.id, "table": table, "count": rows.len(),
            "rows": rows.iter().take(SHOWN).collect::<Vec<_>>(),
        });
        let table = dataset.table(&table).ok_or_else(no_table)?;
        table.rows.extend(rows);
        if first_in_first_out {
            let extra = table.rows.len().saturating_sub(200_000);
            table.rows.drain(..extra);
        }
        detail
    };
    service.history.record("powerBi", "rows", detail);
    Ok(marked(StatusCode::OK.into_response(), &new_id()))
}

struct Pending {
    service: Arc<Service>,
    dataset: String,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(dataset) = self.service.model().dataset_by_id(&self.dataset) {
            dataset.pending = dataset.pending.saturating_sub(1);
        }
    }
}

fn checked(
    model: &mut Model,
    group: &str,
    dataset: &str,
    table: &str,
    body: &[u8],
) -> Result<Vec<Map<String, Value>>, Response> {
    let (now, limits) = (model.now(), model.limits);
    let dataset = model.dataset(group, dataset)?;
    if !dataset.push {
        return Err(not_push(dataset));
    }
    if body.len() > limits.bytes_per_post {
        return Err(error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "The request is larger than 16 MB."));
    }
    let pushed: Pushed = serde_json::from_slice(body)
        .map_err(|cause| error(StatusCode::BAD_REQUEST, "BadRequest", &format!("The body is not valid: {cause}")))?;
    let count = pushed.rows.len();
    let large_table = {
        let table = dataset.table(table).ok_or_else(no_table)?;
        if count > limits.rows_per_post {
            let message = format!("{count} rows are more than the {} of one request.", limits.rows_per_post);
            return Err(error(StatusCode::BAD_REQUEST, "BadRequest", &message));
        }
        check_types(table, &pushed.rows)?;
        table.rows.len() >= limits.large_table
    };
    if dataset.pending >= limits.pending_posts {
        return Err(throttled("You have exceeded the amount of pending requests for this dataset.", 1));
    }
    while dataset.pushes.front().is_some_and(|(at, _)| now.duration_since(*at) >= HOUR) {
        dataset.pushes.pop_front();
    }
    let wait = |window: Duration, at: &std::time::Instant| window.saturating_sub(now.duration_since(*at)).as_secs() + 1;
    let in_minute: Vec<_> = dataset.pushes.iter().filter(|(at, _)| now.duration_since(*at) < MINUTE).collect();
    if in_minute.len() + dataset.pending >= limits.posts_per_minute {
        let seconds = in_minute.first().map_or(1, |(at, _)| wait(MINUTE, at));
        return Err(throttled("You have exceeded the amount of requests allowed in the current time frame.", seconds));
    }
    if large_table && dataset.pushes.len() >= limits.large_table_posts_per_hour {
        let seconds = dataset.pushes.front().map_or(1, |(at, _)| wait(HOUR, at));
        return Err(throttled("You have exceeded the amount of requests allowed in the current time frame.", seconds));
    }
    let in_hour: usize = dataset.pushes.iter().map(|(_, rows)| rows).sum();
    if in_hour + count > limits.rows_per_hour {
        let seconds = dataset.pushes.front().map_or(3600, |(at, _)| wait(HOUR, at));
        return Err(throttled("You are over your rows per hour limit.", seconds));
    }
    let first_in_first_out = dataset.first_in_first_out;
    let rows = dataset.table(table).map_or(0, |table| table.rows.len());
    if !first_in_first_out && rows + count > limits.rows_per_table {
        let message = format!("The table would hold more than {} rows.", limits.rows_per_table);
        return Err(error(StatusCode::BAD_REQUEST, "BadRequest", &message));
    }
    Ok(pushed.rows)
}

fn check_types(table: &Table, rows: &[Map<String, Value>]) -> Result<(), Response> {
    let refused = |message: &str| Err(error(StatusCode::BAD_REQUEST, "BadRequest", message));
    for row in rows {
        for (name, value) in row {
            let Some(column) = table.columns.iter().find(|column| column.name == *name) else {
                return refused(&format!("The property '{name}' does not exist in the table '{}'.", table.name));
            };
            if let Some(why) = column.data_type.refuses(value) {
                let kind = column.data_type.name();
                return refused(&format!("The value of the column '{name}' ({kind}) {why}."));
            }
        }
    }
    Ok(())
}

pub(super) async fn clear(
    State(service): State<Arc<Service>>,
    Path((group, dataset, table)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Reply {
    service.admit(&headers)?;
    let count = {
        let mut model = service.model();
        let dataset = model.dataset(&group, &dataset)?;
        if !dataset.push {
            return Err(not_push(dataset));
        }
        let rows = &mut dataset.table(&table).ok_or_else(no_table)?.rows;
        let count = rows.len();
        rows.clear();
        count
    };
    let detail = json!({"workspace": group, "dataset": dataset, "table": table, "count": count});
    service.history.record("powerBi", "rowsDeleted", detail);
    Ok(marked(StatusCode::OK.into_response(), &new_id()))
}

fn no_table() -> Response {
    entity_error(StatusCode::NOT_FOUND, "TableNotFound")
}
