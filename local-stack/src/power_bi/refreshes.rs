//! Refreshes over the wire: start, history, details, cancel (swagger, `Datasets_RefreshDatasetInGroup` and its kin;
//! "Enhanced refresh with the Power BI REST API").

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Service;
use super::admission::{At, no_entity};
use super::asked::{Asked, doomed, enhanced};
use super::refresh::{Enhanced, Refresh, RefreshState, begin};
use super::reply::{Reply, base, done, error, marked, new_id, ok};

const DAY: Duration = Duration::from_hours(24);

pub(super) async fn start(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.admit_at(&headers, &at)?;
    let asked: Asked = if body.iter().all(u8::is_ascii_whitespace) {
        Asked::default()
    } else {
        serde_json::from_slice(&body).map_err(|cause| invalid(&cause.to_string()))?
    };
    let mut model = service.model();
    let (now, limit) = (model.now(), model.limits.shared_refreshes_per_day);
    let shared = model.workspace(&at)?.capacity.is_none();
    let found = model.dataset(&at)?;
    if found.push {
        let message = "Invalid dataset. This API can only be called on a Model-based dataset";
        return Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "InvalidRequest", message));
    }
    let enhanced = enhanced(&asked, shared)?;
    if found.refreshes.iter().any(|refresh| !refresh.state.ended()) {
        return Err(invalid("Another refresh request is already executing"));
    }
    let recent = found.refreshes.iter().filter(|refresh| now.duration_since(refresh.accepted) < DAY).count();
    if shared && recent >= limit {
        // Code and message as reported by users of Microsoft's own connector; no Retry-After was seen.
        let message = "Invalid dataset refresh request. Number of refresh requests in last 24 hours exceeded limit";
        return Err(error(StatusCode::TOO_MANY_REQUESTS, "Request Throttled", message));
    }
    let failure = enhanced.as_ref().and_then(|enhanced| doomed(enhanced, &asked, &found.tables));
    let (kind, dataset_id) = (if enhanced.is_some() { "ViaEnhancedApi" } else { "ViaApi" }, found.id.clone());
    let objects: Vec<Value> = enhanced.iter().flat_map(|enhanced| &enhanced.objects).map(object).collect();
    let is_enhanced = enhanced.is_some();
    let Some(id) = begin(&service, &mut model, &dataset_id, kind, enhanced, failure) else {
        return Err(no_entity());
    };
    drop(model);
    service.history.record(
        "powerBi",
        "refresh",
        json!({"workspace": at.workspace(), "dataset": dataset_id, "requestId": id, "refreshType": kind, "objects": objects}),
    );
    let mut response = marked(StatusCode::ACCEPTED.into_response(), &id);
    if is_enhanced {
        let place = at.group.as_ref().map(|group| format!("/groups/{group}")).unwrap_or_default();
        let location = format!("{}{place}/datasets/{dataset_id}/refreshes/{id}", base(&headers));
        for (name, value) in [("location", location), ("x-ms-request-id", id)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    Ok(response)
}

pub(super) async fn history(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Reply {
    service.admit_at(&headers, &at)?;
    let top = match query.get("$top").map(|text| text.parse::<usize>()) {
        None => 60,
        Some(Ok(top @ 1..)) => top,
        Some(_) => return Err(error(StatusCode::BAD_REQUEST, "InvalidRequest", "The value of $top is not valid.")),
    };
    let mut model = service.model();
    let dataset = model.dataset(&at)?;
    let value: Vec<Value> = dataset.refreshes.iter().rev().take(top).map(entry).collect();
    Ok(ok(&json!({"value": value})))
}

/// An entry of the history; its times end in `Z`, unlike those of the details (the swagger's examples).
fn entry(refresh: &Refresh) -> Value {
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
    if let Some(exception) = refresh.exception() {
        body["serviceExceptionJson"] = json!(exception);
    }
    if refresh.enhanced.is_some() {
        body["extendedStatus"] = json!(refresh.state.extended());
    }
    body
}

pub(super) async fn details(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let dataset = model.dataset(&at)?;
    let (refresh, enhanced) = find(&mut dataset.refreshes, &at.refresh)?;
    let mut body = json!({
        "startTime": time(refresh.start),
        "type": enhanced.kind,
        "commitMode": enhanced.commit_mode,
        "status": refresh.state.status(),
        "extendedStatus": refresh.state.extended(),
        "currentRefreshType": enhanced.kind,
        "numberOfAttempts": 0,
    });
    if refresh.state.ended() {
        body["endTime"] = json!(refresh.end.map(time));
        body["refreshAttempts"] = attempts(refresh, "");
        let named = enhanced.objects.iter().map(|(table, _)| table.clone());
        let all = dataset.tables.iter().map(|table| table.name.clone());
        let tables: Vec<String> = if enhanced.objects.is_empty() { all.collect() } else { named.collect() };
        if refresh.state == RefreshState::Completed {
            let objects = tables.iter().map(|table| json!({"table": table, "partition": table, "status": "Completed"}));
            body["objects"] = objects.collect();
        }
        if let Some(failure) = &refresh.failure {
            body["messages"] = json!([{"code": failure.code, "message": failure.description, "type": "Error"}]);
        }
    }
    let status = if refresh.state.ended() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(marked((status, Json(body)).into_response(), &new_id()))
}

pub(super) async fn cancel(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let dataset_id = {
        let mut model = service.model();
        let dataset = model.dataset(&at)?;
        let dataset_id = dataset.id.clone();
        let (refresh, _) = find(&mut dataset.refreshes, &at.refresh)?;
        if refresh.state.ended() {
            return Err(invalid("The refresh has ended and cannot be cancelled."));
        }
        refresh.state = RefreshState::Cancelled;
        refresh.end = Some(Timestamp::now());
        refresh.failure = None;
        dataset_id
    };
    let detail =
        json!({"workspace": at.workspace(), "dataset": dataset_id, "requestId": at.refresh, "status": "Cancelled"});
    service.history.record("powerBi", "refreshEnded", detail);
    Ok(done())
}

/// Only enhanced refreshes can be looked at and cancelled by id.
fn find<'a>(refreshes: &'a mut [Refresh], id: &str) -> Result<(&'a mut Refresh, Enhanced), Response> {
    let found = refreshes.iter_mut().find(|refresh| refresh.request_id.eq_ignore_ascii_case(id));
    let refresh = found.ok_or_else(no_entity)?;
    match refresh.enhanced.clone() {
        Some(enhanced) => Ok((refresh, enhanced)),
        None => Err(invalid("The refresh is not an enhanced refresh.")),
    }
}

pub(super) fn invalid(why: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "InvalidRequest", &format!("Invalid dataset refresh request. {why}"))
}

fn object((table, partition): &(String, Option<String>)) -> Value {
    let mut object = json!({"table": table});
    if let Some(partition) = partition {
        object["partition"] = json!(partition);
    }
    object
}

fn attempts(refresh: &Refresh, zone: &str) -> Value {
    let mut attempt = json!({"attemptId": 1, "startTime": format!("{}{zone}", time(refresh.start)), "type": "Data"});
    if let Some(end) = refresh.end {
        attempt["endTime"] = json!(format!("{}{zone}", time(end)));
    }
    if let Some(exception) = refresh.exception() {
        attempt["serviceExceptionJson"] = json!(exception);
    }
    json!([attempt])
}

/// UTC with milliseconds and without a zone.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}
