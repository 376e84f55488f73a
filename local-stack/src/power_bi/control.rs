//! What tests and benchmarks in other processes say over HTTP, under `/__stand-in/`. The same can be done in process:
//! `steering.rs`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::reply::{Reply, bad, ok, parsed};
use super::{Callers, CannedQuery, Clock, FailedRefresh, Limits, Overlap, RefreshState, Service, refreshing, steering};

pub(super) fn routes() -> Router<Arc<Service>> {
    let dataset = "/__stand-in/datasets/{dataset}";
    Router::new()
        .route("/__stand-in/settings", post(settings))
        .route("/__stand-in/clock", post(clock))
        .route("/__stand-in/clock/step", post(step))
        .route("/__stand-in/queries", post(query))
        .route(&format!("{dataset}/fail"), post(fail))
        .route(&format!("{dataset}/tables/{{table}}/tally"), get(tally))
}

/// Each as it was when absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    sequence_numbers: Option<bool>,
    tables_show_columns: Option<bool>,
    time_scale: Option<f64>,
    /// Moves the clock of the limits on.
    advance_milliseconds: Option<u64>,
    push_milliseconds: Option<u64>,
    callers: Option<Callers>,
    /// Of refreshes.
    overlap: Option<Overlap>,
    /// Those that are not named are the service's.
    limits: Option<Limits>,
}

async fn settings(State(service): State<Arc<Service>>, body: Bytes) -> Reply {
    let wish: Settings = parsed(&body)?;
    let mut model = service.model();
    if let Some(on) = wish.sequence_numbers {
        model.sequence_numbers = on;
    }
    if let Some(on) = wish.tables_show_columns {
        model.tables_show_columns = on;
    }
    if let Some(scale) = wish.time_scale {
        model.time.set_scale(scale);
    }
    if let Some(time) = wish.advance_milliseconds {
        model.time.advance(Duration::from_millis(time));
    }
    if let Some(time) = wish.push_milliseconds {
        model.push_time = Duration::from_millis(time);
    }
    if let Some(callers) = wish.callers {
        model.callers = callers;
    }
    if let Some(overlap) = wish.overlap {
        model.overlap = overlap;
    }
    if let Some(limits) = wish.limits {
        model.limits = limits;
    }
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockWish {
    /// Of a refresh; stepped by hand when absent.
    milliseconds: Option<u64>,
}

async fn clock(State(service): State<Arc<Service>>, body: Bytes) -> Reply {
    let wish: ClockWish = parsed(&body)?;
    let time = wish.milliseconds.map(Duration::from_millis);
    service.model().clock = time.map_or(Clock::Stepped, Clock::Auto);
    Ok(ok(&json!({})))
}

async fn step(State(service): State<Arc<Service>>) -> Reply {
    refreshing::step_all(&service);
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fail {
    /// `Failed` when absent.
    state: Option<RefreshState>,
    code: String,
    description: String,
}

/// How the next refresh ends.
async fn fail(State(service): State<Arc<Service>>, Path(dataset): Path<String>, body: Bytes) -> Reply {
    let Fail { state, code, description } = parsed(&body)?;
    let failure = FailedRefresh { state: state.unwrap_or(RefreshState::Failed), code, description };
    let mut model = service.model();
    let dataset = model.dataset_by_id(&dataset).ok_or_else(|| bad("There is no such dataset."))?;
    dataset.failures.push_back(failure);
    Ok(ok(&json!({})))
}

async fn query(State(service): State<Arc<Service>>, body: Bytes) -> Reply {
    let canned: CannedQuery = parsed(&body)?;
    service.model().canned.push(canned);
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
struct TallyWish {
    column: String,
    from: i64,
    /// Not itself.
    to: i64,
}

async fn tally(
    State(service): State<Arc<Service>>,
    Path((dataset, table)): Path<(String, String)>,
    Query(wish): Query<TallyWish>,
) -> Reply {
    let tally = steering::tally(&service, &dataset, &table, &wish.column, wish.from..wish.to);
    serde_json::to_value(tally).map(|tally| ok(&tally)).map_err(|cause| bad(&cause.to_string()))
}
