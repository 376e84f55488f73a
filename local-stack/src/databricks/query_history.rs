//! Query history: newest first, in pages, with no filter by tag or text, and only after a lag, since no promise of
//! freshness is documented (SDK, QueryHistoryAPI). Also the caller's own identity, which its filter needs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use http::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::reply::{Reply, invalid, ok};
use super::statement::{Phase, Statement};
use super::workspace::{Shared, Workspace, lock};

/// The numeric id of the one principal that calls this stand-in.
const USER_ID: u64 = 7_340_881_216_550_943;

/// `GET /api/2.0/preview/scim/v2/Me` (SDK, CurrentUserAPI).
pub(super) async fn me(State(workspace): State<Shared>) -> Response<Body> {
    let name = user_name(&workspace);
    ok(&json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": USER_ID.to_string(),
        "userName": name,
        "displayName": "causeway",
        "active": true,
    }))
}

pub(super) fn user_name(workspace: &Workspace) -> String {
    workspace.options.clients.first().map_or_else(|| "maker@example.com".into(), |(id, _)| id.clone())
}

#[derive(Default)]
struct Wanted {
    statement_ids: Vec<String>,
    statuses: Vec<String>,
    user_ids: Vec<String>,
    warehouse_ids: Vec<String>,
    from: Option<i64>,
    to: Option<i64>,
    most: usize,
    offset: usize,
}

/// The filter stands in the query with dots (SDK, QueryHistoryAPI.list).
fn wanted(query: &str) -> Result<Wanted, Response<Body>> {
    let mut wanted = Wanted { most: 100, ..Wanted::default() };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let number = || value.parse::<i64>().map_err(|_| invalid(&format!("{name} must be a number.")));
        match name.as_ref() {
            "filter_by.statement_ids" => wanted.statement_ids.push(value.into_owned()),
            "filter_by.statuses" => wanted.statuses.push(value.into_owned()),
            "filter_by.user_ids" => wanted.user_ids.push(value.into_owned()),
            "filter_by.warehouse_ids" => wanted.warehouse_ids.push(value.into_owned()),
            "filter_by.query_start_time_range.start_time_ms" => wanted.from = Some(number()?),
            "filter_by.query_start_time_range.end_time_ms" => wanted.to = Some(number()?),
            "max_results" => {
                wanted.most = usize::try_from(number()?).unwrap_or(0);
                if !(1..1000).contains(&wanted.most) {
                    return Err(invalid("max_results must be between 1 and 999."));
                }
            }
            "page_token" => {
                wanted.offset = usize::try_from(number()?).map_err(|_| invalid("page_token is not valid."))?;
            }
            "include_metrics" => {}
            // Among them every wish for a filter by tag or text, which the service does not have.
            other => return Err(invalid(&format!("Unknown query parameter {other}."))),
        }
    }
    Ok(wanted)
}

impl Wanted {
    fn takes(&self, statement: &Statement, phase: &Phase) -> bool {
        let any = |list: &[String], value: &str| list.is_empty() || list.iter().any(|one| one == value);
        let at = statement.accepted.as_millisecond();
        any(&self.statement_ids, &statement.id)
            && any(&self.statuses, status(phase))
            && any(&self.user_ids, &USER_ID.to_string())
            && any(&self.warehouse_ids, &statement.request.warehouse_id)
            && self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at <= to)
    }
}

pub(super) async fn list(State(workspace): State<Shared>, RawQuery(query): RawQuery) -> Reply {
    let wanted = wanted(query.as_deref().unwrap_or_default())?;
    let known_before = Timestamp::now() - *lock(&workspace.history_lag);
    let statements: Vec<Arc<Statement>> = {
        let all = lock(&workspace.statements);
        all.order.iter().rev().filter_map(|id| all.by_id.get(id)).cloned().collect()
    };
    let name = user_name(&workspace);
    let mut rows: Vec<Value> = statements
        .iter()
        .filter(|statement| statement.accepted <= known_before)
        .filter_map(|statement| {
            let phase = statement.phase.borrow().clone();
            wanted.takes(statement, &phase).then(|| row(statement, &phase, &name))
        })
        .skip(wanted.offset)
        .take(wanted.most + 1)
        .collect();
    let more = rows.len() > wanted.most;
    rows.truncate(wanted.most);
    let mut shown = json!({"has_next_page": more, "res": rows});
    if more {
        shown["next_page_token"] = (wanted.offset + wanted.most).to_string().into();
    }
    Ok(ok(&shown))
}

fn status(phase: &Phase) -> &'static str {
    match phase {
        Phase::Pending => "QUEUED",
        Phase::Running => "RUNNING",
        Phase::Succeeded(_) | Phase::Closed => "FINISHED",
        Phase::Failed(_) => "FAILED",
        Phase::Canceled => "CANCELED",
    }
}

fn row(statement: &Statement, phase: &Phase, name: &str) -> Value {
    let request = &statement.request;
    let mut row = json!({
        "query_id": statement.id,
        "status": status(phase),
        "query_text": request.statement,
        "query_start_time_ms": statement.accepted.as_millisecond(),
        "user_id": USER_ID,
        "user_name": name,
        "executed_as_user_id": USER_ID,
        "executed_as_user_name": name,
        "warehouse_id": request.warehouse_id,
        "endpoint_id": request.warehouse_id,
        "lookup_key": statement.id,
        "is_final": phase.ended(),
        "client_application": "Databricks SQL Execution API",
    });
    if !request.query_tags.is_empty() {
        row["query_tags"] = json!(request.query_tags);
    }
    if let Some(ended) = *lock(&statement.ended) {
        row["query_end_time_ms"] = ended.as_millisecond().into();
        row["execution_end_time_ms"] = ended.as_millisecond().into();
        row["duration"] = (ended.as_millisecond() - statement.accepted.as_millisecond()).into();
    }
    match phase {
        Phase::Succeeded(rows) => row["rows_produced"] = rows.row_count.into(),
        Phase::Failed(failure) => row["error_message"] = failure.message.clone().into(),
        _ => {}
    }
    row
}
