//! A refresh as the service shows it: in the history, and in its details (swagger, `Refresh`, `DatasetRefreshDetail` and
//! the examples of both).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Service;
use super::admission::At;
use super::refresh::{Refresh, RefreshState};
use super::refreshes::find;
use super::reply::{Reply, with_status};

/// An entry of the history; its times end in `Z`, unlike those of the details.
pub(super) fn entry(refresh: &Refresh) -> Value {
    let mut body = json!({
        "requestId": refresh.request_id,
        "id": refresh.id,
        "refreshType": refresh.kind,
        "startTime": format!("{}Z", time(refresh.start)),
        "status": refresh.state.status(),
    });
    if let Some(end) = refresh.end {
        body["endTime"] = json!(format!("{}Z", time(end)));
        body["refreshAttempts"] = attempts(refresh, "Z");
    }
    if let Some(failure) = refresh.failure() {
        body["serviceExceptionJson"] = json!(failure.exception());
    }
    if refresh.enhanced.is_some() {
        body["extendedStatus"] = json!(refresh.state.extended());
    }
    body
}

/// 202 while it goes, 200 once it has ended, well or not.
pub(super) async fn details(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let dataset = model.dataset(&at)?;
    let all = dataset.tables.iter().map(|table| (table.name.clone(), None)).collect();
    let (refresh, enhanced) = find(&mut dataset.refreshes, &at.refresh)?;
    let mut body = json!({
        "startTime": time(refresh.start),
        "type": enhanced.kind,
        "commitMode": enhanced.commit_mode,
        "status": refresh.state.status(),
        "extendedStatus": refresh.state.extended(),
        "currentRefreshType": enhanced.kind,
        // The examples have 0 beside one entry of `refreshAttempts`: it counts those after the first.
        "numberOfAttempts": refresh.attempts.len().saturating_sub(1),
    });
    if !refresh.state.ended() {
        return Ok(with_status(StatusCode::ACCEPTED, &body));
    }
    body["endTime"] = json!(refresh.end.map(time));
    body["refreshAttempts"] = attempts(refresh, "");
    if let Some(failure) = refresh.failure() {
        body["messages"] = json!([{"code": failure.code, "message": failure.description, "type": "Error"}]);
    }
    if refresh.state == RefreshState::Completed {
        let objects: Vec<(String, Option<String>)> = if enhanced.objects.is_empty() { all } else { enhanced.objects };
        let shown = objects.iter().map(|(table, partition)| {
            let partition = partition.as_ref().unwrap_or(table);
            json!({"table": table, "partition": partition, "status": "Completed"})
        });
        body["objects"] = shown.collect();
    }
    Ok(with_status(StatusCode::OK, &body))
}

pub(super) fn object((table, partition): &(String, Option<String>)) -> Value {
    let mut object = json!({"table": table});
    if let Some(partition) = partition {
        object["partition"] = json!(partition);
    }
    object
}

fn attempts(refresh: &Refresh, zone: &str) -> Value {
    let shown = refresh.attempts.iter().enumerate().map(|(at, attempt)| {
        let mut shown = json!({
            "attemptId": at + 1, "startTime": format!("{}{zone}", time(attempt.start)), "type": "Data",
        });
        if let Some(end) = attempt.end.or(refresh.end) {
            shown["endTime"] = json!(format!("{}{zone}", time(end)));
        }
        // One that was cancelled has not come to the failure that was planned for it.
        if let Some(failure) =
            attempt.failure.as_ref().filter(|failure| attempt.end.is_some() && !failure.code.is_empty())
        {
            shown["serviceExceptionJson"] = json!(failure.exception());
        }
        shown
    });
    shown.collect()
}

/// UTC with milliseconds and without a zone.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}
