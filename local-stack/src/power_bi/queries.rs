//! DAX queries (swagger, `Datasets_ExecuteQueriesInGroup`): small ones over the rows that are there, and replies that a
//! test gives. What a query may answer is `answered.rs`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Service;
use super::admission::{At, Caller};
use super::answered::{Answer, of_counts, of_table};
use super::dax::{self, Evaluate};
use super::model::{Dataset, Model};
use super::reply::{Reply, bad, entity_error, ok, parsed, throttled, with_status};

const MINUTE: Duration = Duration::from_mins(1);

/// A reply to every query that contains a text: rows, or an error of DAX.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CannedQuery {
    pub query_contains: String,
    #[serde(default)]
    pub rows: Vec<Map<String, Value>>,
    pub error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    queries: Vec<AskedQuery>,
    #[serde(default)]
    serializer_settings: SerializerSettings,
    impersonated_user_name: Option<String>,
}

#[derive(Deserialize)]
struct AskedQuery {
    query: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SerializerSettings {
    include_nulls: bool,
}

pub(super) async fn execute(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let caller = service.admit_at(&headers, &at)?;
    let asked: Asked = parsed(&body)?;
    let [AskedQuery { query }] = &asked.queries[..] else { return Err(bad("One query is allowed in a call.")) };
    let (answers, id, limits) = {
        let mut model = service.model();
        model.dataset(&at)?;
        admit(&mut model, &caller)?;
        let canned = model.canned.iter().rfind(|canned| query.contains(&canned.query_contains)).cloned();
        let limits = model.limits;
        let dataset = model.dataset(&at)?;
        if dataset.row_level_security && caller.application {
            // "Service principals aren't supported for datasets with RLS"; in which words is not known.
            return Err(entity_error(StatusCode::UNAUTHORIZED, "PowerBINotAuthorizedException"));
        }
        let answers = match canned {
            Some(canned) => canned.answer(),
            None => evaluate(dataset, query, asked.serializer_settings.include_nulls),
        };
        (answers.map_err(|why| query_failed(&why))?, dataset.id.clone(), limits)
    };
    let detail = json!({
        "workspace": at.workspace(), "dataset": id, "query": query, "impersonatedUserName": asked.impersonated_user_name,
    });
    service.history.record("powerBi", "query", detail);
    let several = answers.len() > 1;
    let tables: Vec<Value> = answers.into_iter().take(1).map(|answer| answer.cut(&limits)).collect();
    let mut result = json!({"tables": tables});
    if several {
        result["error"] = json!({"message": "More than one result table in a query"});
    }
    Ok(ok(&json!({"results": [result]})))
}

/// "120 query requests per minute per user, regardless of the dataset that's queried".
fn admit(model: &mut Model, caller: &Caller) -> Result<(), Response> {
    let now = model.now();
    let times = model.queries.entry(caller.client.clone()).or_default();
    while times.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
        times.pop_front();
    }
    if times.len() >= model.limits.queries_per_minute {
        let wait = times.front().map_or(MINUTE, |at| MINUTE.saturating_sub(now.duration_since(*at)));
        let seconds = model.time.retry_after(wait);
        return Err(throttled("You have exceeded the amount of requests allowed in the current time frame.", seconds));
    }
    times.push_back(now);
    Ok(())
}

fn evaluate(dataset: &mut Dataset, query: &str, include_nulls: bool) -> Result<Vec<Answer>, String> {
    let mut answers = Vec::new();
    for evaluate in dax::parse(query)? {
        answers.push(match evaluate {
            Evaluate::Rows { table, top } => of_table(dataset, &table, top, include_nulls)?,
            Evaluate::Counts(counts) => of_counts(dataset, &counts, include_nulls)?,
        });
    }
    Ok(answers)
}

impl CannedQuery {
    fn answer(self) -> Result<Vec<Answer>, String> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(vec![Answer::of(self.rows)]),
        }
    }
}

/// The text is in the details only (public code that reads such errors).
fn query_failed(why: &str) -> Response {
    let detail = |code: &str, value: &str| json!({"code": code, "detail": {"type": 1, "value": value}});
    let inner = json!({
        "code": "DatasetExecuteQueriesError",
        "parameters": {},
        "details": [detail("DetailsMessage", why), detail("AnalysisServicesErrorCode", "3241803789")],
        "exceptionCulprit": 1,
    });
    let body = json!({"error": {"code": "DatasetExecuteQueriesError", "pbi.error": inner}});
    with_status(StatusCode::BAD_REQUEST, &body)
}
