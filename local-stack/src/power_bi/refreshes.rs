//! Refreshes over the wire: start, history, cancel (swagger, `Datasets_RefreshDatasetInGroup` and its kin; "Enhanced
//! refresh with the Power BI REST API"). One looked at is `refresh_view.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::admission::{At, no_entity};
use super::asked::{Asked, doomed, enhanced};
use super::refresh::{Enhanced, Refresh, RefreshState};
use super::refresh_view::{entry, object};
use super::refreshing::{Wanted, begin, next};
use super::reply::{Reply, base, done, error, marked, new_id, ok};
use super::{Overlap, Service};

const DAY: Duration = Duration::from_hours(24);

pub(super) async fn start(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let caller = service.admit_at(&headers, &at)?;
    let asked: Asked = if body.iter().all(u8::is_ascii_whitespace) {
        Asked::default()
    } else {
        serde_json::from_slice(&body).map_err(|cause| invalid(&cause.to_string()))?
    };
    let mut model = service.model();
    let (now, limit, overlap) = (model.now(), model.limits.shared_refreshes_per_day, model.overlap);
    let shared = model.workspace(&at)?.capacity.is_none();
    let found = model.dataset(&at)?;
    if found.push {
        let message = "Invalid dataset. This API can only be called on a Model-based dataset";
        return Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "InvalidRequest", message));
    }
    let enhanced = enhanced(&asked, shared, caller.application)?;
    let is_enhanced = enhanced.is_some();
    let mut going = found.refreshes.iter().filter(|refresh| !refresh.state.ended());
    let (running, waiting) = (going.next().is_some(), going.next().is_some());
    if running && overlap == Overlap::BadRequest {
        return Err(invalid("Another refresh request is already executing"));
    }
    if running && overlap == Overlap::Conflict {
        let message = "Invalid dataset refresh request. Another refresh request is already executing";
        return Err(error(StatusCode::CONFLICT, "InvalidRequest", message));
    }
    let recent = found.refreshes.iter().filter(|refresh| now.duration_since(refresh.accepted) < DAY).count();
    if shared && recent >= limit {
        // Code and message as reported by users of Microsoft's own connector; no Retry-After was seen.
        let message = "Invalid dataset refresh request. Number of refresh requests in last 24 hours exceeded limit";
        return Err(error(StatusCode::TOO_MANY_REQUESTS, "Request Throttled", message));
    }
    let (kind, dataset) = (if is_enhanced { "ViaEnhancedApi" } else { "ViaApi" }, found.id.clone());
    let objects: Vec<Value> = enhanced.iter().flat_map(|enhanced| &enhanced.objects).map(object).collect();
    let doomed = enhanced.as_ref().and_then(|enhanced| doomed(enhanced, &asked, &found.tables));
    let (effect, id) = if running && waiting {
        // "Power BI does a refresh, queues the next request, and drops all others": nothing of it is ever seen again.
        ("refreshDropped", new_id())
    } else {
        let wanted = Wanted { kind: kind.into(), enhanced, doomed, queued: running };
        ("refresh", begin(&service, &mut model, &dataset, wanted).ok_or_else(no_entity)?)
    };
    drop(model);
    let detail = json!({
        "workspace": at.workspace(), "dataset": dataset, "requestId": id, "refreshType": kind, "objects": objects,
    });
    service.history.record("powerBi", effect, detail);
    Ok(accepted(&at, &headers, &id, is_enhanced))
}

/// Only an enhanced refresh tells where it can be looked at.
fn accepted(at: &At, headers: &HeaderMap, id: &str, enhanced: bool) -> Response {
    let mut response = marked(StatusCode::ACCEPTED.into_response(), id);
    if enhanced {
        let place = at.group.as_ref().map(|group| format!("/groups/{group}")).unwrap_or_default();
        let location = format!("{}{place}/datasets/{}/refreshes/{id}", base(headers), at.dataset);
        for (name, value) in [("location", location.as_str()), ("x-ms-request-id", id)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response
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

pub(super) async fn cancel(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let dataset_id = {
        let mut model = service.model();
        let clock = model.clock;
        let dataset = model.dataset(&at)?;
        let (refresh, _) = find(&mut dataset.refreshes, &at.refresh)?;
        if refresh.state.ended() {
            return Err(invalid("The refresh has ended and cannot be cancelled."));
        }
        refresh.finish(RefreshState::Cancelled);
        next(&service, clock, dataset);
        dataset.id.clone()
    };
    let detail = json!({
        "workspace": at.workspace(), "dataset": dataset_id, "requestId": at.refresh, "status": "Cancelled",
    });
    service.history.record("powerBi", "refreshEnded", detail);
    Ok(done())
}

/// Only enhanced refreshes can be looked at and cancelled by id.
pub(super) fn find<'a>(refreshes: &'a mut [Refresh], id: &str) -> Result<(&'a mut Refresh, Enhanced), Response> {
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
