//! Rows of push datasets: pushing within the limits, clearing ("Push semantic model limitations", Power BI docs).
//! What a row may hold is `row.rs`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::Service;
use super::admission::At;
use super::limits::Over;
use super::model::{Model, Table};
use super::reply::{Reply, bad, done, error, retry_after, throttled};
use super::row::{self, split};
use super::sequence_numbers::given;

/// How many rows of a push the history shows.
const SHOWN: usize = 3;
/// How far over its 200,000 rows a table with `basicFIFO` grows before it is cut ("200k … 210k").
const FIFO_SLACK: usize = 20;

pub(super) async fn push(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let caller = service.admit_at(&headers, &at)?;
    let (columns, limits, number) = {
        let mut model = service.model();
        let number = if model.sequence_numbers { given(&headers)? } else { None };
        (model.table(&at)?.columns.clone(), model.limits, number)
    };
    if body.len() > limits.bytes_per_post {
        return Err(error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "The request is larger than 16 MB."));
    }
    let rows = split(&body)?;
    let count = rows.len();
    if count > limits.rows_per_post {
        return Err(bad(&format!("{count} rows are more than the {} of one request.", limits.rows_per_post)));
    }
    row::check(&rows, &columns, &at.table)?;
    let time = {
        let mut model = service.model();
        admit(&mut model, &at, count)?;
        model.push_time
    };
    // Even when the caller goes away while this waits, the push is no longer pending.
    let pending = Pending { service: service.clone(), dataset: at.dataset.clone() };
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
    drop(pending);
    let mut detail = json!({
        "workspace": at.workspace(), "dataset": at.dataset, "table": at.table, "count": count,
        "rows": rows.iter().take(SHOWN).map(|row| serde_json::from_slice(row).unwrap_or_default()).collect::<Vec<Value>>(),
    });
    if let Some(number) = number {
        detail["sequenceNumber"] = json!(number);
    }
    let kind = {
        let mut model = service.model();
        let first_in_first_out = model.dataset(&at)?.first_in_first_out;
        let table = model.table(&at)?;
        if number.is_none_or(|number| table.takes_number(&caller.client, number)) {
            table.rows.extend(rows);
            if first_in_first_out {
                cut(table, limits.rows_per_fifo_table);
            }
            "rows"
        } else {
            "rowsRepeated"
        }
    };
    service.history.record("powerBi", kind, detail);
    Ok(done())
}

fn cut(table: &mut Table, keep: usize) {
    if table.rows.len() > keep + keep / FIFO_SLACK {
        let extra = table.rows.len() - keep;
        table.rows.drain(..extra);
    }
}

struct Pending {
    service: Arc<Service>,
    dataset: String,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(dataset) = self.service.model().dataset_by_id(&self.dataset) {
            dataset.pushes.pending = dataset.pushes.pending.saturating_sub(1);
        }
    }
}

fn admit(model: &mut Model, at: &At, count: usize) -> Result<(), Response> {
    let (now, limits) = (model.now(), model.limits);
    let stored = model.table(at)?.rows.len();
    let dataset = model.push_dataset(at)?;
    if !dataset.first_in_first_out && stored + count > limits.rows_per_table {
        return Err(bad(&format!("The table would hold more than {} rows.", limits.rows_per_table)));
    }
    let over = match dataset.pushes.admit(now, count, stored >= limits.large_table, &limits) {
        Ok(()) => return Ok(()),
        Err(over) => over,
    };
    Err(match over {
        Over::Pending => {
            let seconds = model.time.retry_after(Duration::from_secs(1));
            throttled("You have exceeded the amount of pending requests for this dataset.", seconds)
        }
        Over::Requests(wait) => {
            let seconds = model.time.retry_after(wait);
            throttled("You have exceeded the amount of requests allowed in the current time frame.", seconds)
        }
        // "An OData error with the following message", and Retry-After ("Power BI REST API limitations", MSDN).
        Over::Rows(wait) => {
            let message = "You are over your rows per hour limit for this dataset. To push more rows per hour, upgrade \
                           your account to Power BI Pro or retry your push later.";
            let refusal = error(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
            retry_after(refusal, model.time.retry_after(wait))
        }
    })
}

pub(super) async fn clear(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let count = {
        let mut model = service.model();
        let rows = &mut model.table(&at)?.rows;
        let count = rows.len();
        rows.clear();
        count
    };
    let detail = json!({"workspace": at.workspace(), "dataset": at.dataset, "table": at.table, "count": count});
    service.history.record("powerBi", "rowsDeleted", detail);
    Ok(done())
}
