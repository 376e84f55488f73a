//! What tests in other processes tell the stand-in over HTTP, under `/__stand-in/`. The same can be done in process on
//! [`super::Databricks`].

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::generated::GeneratedReply;
use super::holds::CannedReply;
use super::jobs::JobDefinition;
use super::links::Blocked;
use super::options::{Binary, Clock};
use super::reply::{Reply, error, invalid, ok, parsed};
use super::workspace::{Shared, lock};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/__stand-in/hold", post(hold))
        .route("/__stand-in/release", post(release))
        .route("/__stand-in/fail", post(fail))
        .route("/__stand-in/canned", post(canned))
        .route("/__stand-in/generated", post(generated))
        .route("/__stand-in/storage", get(storage).post(storage_wish))
        .route("/__stand-in/traps", post(trap).delete(clear_traps))
        .route("/__stand-in/binary", post(binary))
        .route("/__stand-in/jobs", post(job))
        .route("/__stand-in/clock", post(clock))
        .route("/__stand-in/clock/step", post(step))
        .route("/__stand-in/history-lag", post(lag))
        .route("/__stand-in/warehouses/{id}", post(warehouse))
        .route("/__stand-in/statements/{id}/{what}", post(statement))
        .route("/__stand-in/tokens/revoke", post(revoke))
        .route("/__stand-in/tokens/add", post(add_token))
        .route("/__stand-in/tokens/rules", post(token_rules))
        .route("/__stand-in/rights/{what}", post(rights))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hold {
    statement_contains: String,
    /// Until released when absent.
    milliseconds: Option<u64>,
}

async fn hold(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let hold: Hold = parsed(&body)?;
    workspace.holds.add(&hold.statement_contains, hold.milliseconds.map(Duration::from_millis));
    Ok(ok(&json!({})))
}

async fn release(State(workspace): State<Shared>) -> Reply {
    workspace.holds.release();
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fail {
    statement_contains: String,
    message: String,
    sql_state: Option<String>,
    /// 1 when absent.
    times: Option<usize>,
}

async fn fail(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let fail: Fail = parsed(&body)?;
    let times = fail.times.unwrap_or(1);
    workspace.holds.fail(&fail.statement_contains, &fail.message, fail.sql_state.as_deref(), times);
    Ok(ok(&json!({})))
}

async fn canned(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let reply: CannedReply = parsed(&body)?;
    workspace.canned.add(&reply, workspace.options.chunk_rows).map_err(|cause| invalid(&cause.to_string()))?;
    Ok(ok(&json!({})))
}

async fn generated(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let reply: GeneratedReply = parsed(&body)?;
    let binary = *lock(&workspace.binary);
    workspace.generated.add(&reply, &workspace.options, binary).map_err(|cause| invalid(&cause.to_string()))?;
    Ok(ok(&json!({})))
}

/// Where the storage account is; its faults are asked for there.
async fn storage(State(workspace): State<Shared>) -> Reply {
    Ok(ok(&json!({"url": workspace.links.url.get()})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StorageWish {
    /// Whom it lets in from now on; as it was when absent.
    access: Option<Access>,
    /// Makes every link that was given too old.
    #[serde(default)]
    expire_links: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Access {
    Open,
    Firewall,
    Unreachable,
}

async fn storage_wish(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let wish: StorageWish = parsed(&body)?;
    match wish.access {
        Some(Access::Open) => workspace.links.block(None),
        Some(Access::Firewall) => workspace.links.block(Some(Blocked::Firewall)),
        Some(Access::Unreachable) => workspace.links.block(Some(Blocked::Unreachable)),
        None => {}
    }
    if wish.expire_links {
        workspace.links.expire_all();
    }
    Ok(ok(&json!({})))
}

async fn trap(State(workspace): State<Shared>, body: Bytes) -> Reply {
    workspace.links.trap(parsed(&body)?);
    Ok(ok(&json!({})))
}

async fn clear_traps(State(workspace): State<Shared>) -> Reply {
    workspace.links.clear_traps();
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BinaryWish {
    binary: Binary,
}

async fn binary(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let wish: BinaryWish = parsed(&body)?;
    *lock(&workspace.binary) = wish.binary;
    Ok(ok(&json!({})))
}

/// A job as `engine/jobs/jobs.json` has them.
async fn job(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let job: JobDefinition = parsed(&body)?;
    workspace.jobs.define(job).map_err(|cause| invalid(&cause.to_string()))?;
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockWish {
    /// Of each step; stepped by hand when absent.
    milliseconds: Option<u64>,
}

async fn clock(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let wish: ClockWish = parsed(&body)?;
    let each = wish.milliseconds.map(Duration::from_millis);
    workspace.jobs.set_clock(each.map_or(Clock::Stepped, Clock::Auto));
    Ok(ok(&json!({})))
}

async fn step(State(workspace): State<Shared>) -> Reply {
    workspace.jobs.step();
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Lag {
    milliseconds: u64,
}

async fn lag(State(workspace): State<Shared>, body: Bytes) -> Reply {
    let lag: Lag = parsed(&body)?;
    *lock(&workspace.history_lag) = Duration::from_millis(lag.milliseconds);
    Ok(ok(&json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WarehouseWish {
    state: Option<String>,
    start_milliseconds: Option<u64>,
    refuses_to_start: Option<bool>,
}

async fn warehouse(State(workspace): State<Shared>, Path(id): Path<String>, body: Bytes) -> Reply {
    let wish: WarehouseWish = parsed(&body)?;
    let delay = wish.start_milliseconds.map(Duration::from_millis);
    if workspace.warehouses.set(&id, wish.state.as_deref(), delay, wish.refuses_to_start) {
        Ok(ok(&json!({})))
    } else {
        Err(error(404, "RESOURCE_DOES_NOT_EXIST", "There is no such warehouse."))
    }
}

/// `expire`: the result is gone, as after an hour. `forget`: the statement is gone, as after half a day.
async fn statement(State(workspace): State<Shared>, Path((id, what)): Path<(String, String)>) -> Reply {
    let done = match what.as_str() {
        "expire" => workspace.expire(&id),
        "forget" => workspace.forget(&id),
        _ => return Err(invalid("expire or forget")),
    };
    if done { Ok(ok(&json!({}))) } else { Err(error(404, "NOT_FOUND", "There is no such statement.")) }
}

async fn revoke(State(workspace): State<Shared>, body: Option<Json<Vec<String>>>) -> Reply {
    match body {
        Some(Json(tokens)) => tokens.iter().for_each(|token| workspace.personal.remove(token)),
        None => workspace.tokens.forget_issued(),
    }
    Ok(ok(&json!({})))
}

/// A personal access token that is good from now on, as if made by hand.
async fn add_token(State(workspace): State<Shared>, Json(token): Json<String>) -> Reply {
    workspace.personal.add(token, "by hand", 86_400);
    Ok(ok(&json!({})))
}

/// All rules of tokens; the defaults of those that are left out.
async fn token_rules(State(workspace): State<Shared>, body: Bytes) -> Reply {
    workspace.personal.set_rules(parsed(&body)?);
    Ok(ok(&json!({})))
}

/// `revoke` or `grant`, with the place in the body: `main`, `main.gold` or `main.gold.t`.
async fn rights(State(workspace): State<Shared>, Path(what): Path<String>, Json(place): Json<String>) -> Reply {
    match what.as_str() {
        "revoke" => workspace.rights.revoke(&place),
        "grant" => workspace.rights.grant(&place),
        _ => return Err(invalid("revoke or grant")),
    }
    Ok(ok(&json!({})))
}
