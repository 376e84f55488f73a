//! DAX queries. What comes back is cut without a failing status when it is too much, so it is read to the last error
//! inside before anything is handed on (Microsoft's swagger, `Datasets_ExecuteQueriesInGroup`).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::call::body;
use super::dax_rows::DaxRows;
use super::item::Item;
use super::refusal::unexpected;
use super::{Place, PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// "Once 15MB is exceeded, the current row will be completed but no additional rows will be written."
const WHERE_ROWS_END: usize = 15_000_000;

/// A query and how its rows shall come.
#[derive(Clone, Debug)]
pub struct DaxQuery {
    pub query: String,
    /// Whether a blank is a `null` or is left out of its row.
    pub include_nulls: bool,
    /// Whose row-level security applies.
    pub impersonated_user_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestBody<'a> {
    queries: [QueryBody<'a>; 1],
    serializer_settings: SettingsBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonated_user_name: Option<&'a str>,
}

#[derive(Serialize)]
struct QueryBody<'a> {
    query: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsBody {
    include_nulls: bool,
}

/// Each level may carry an error of its own. The rows are text until somebody knows how their columns are called.
#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow, default)]
    results: Vec<Level<'a>>,
    #[serde(borrow, default)]
    tables: Vec<Level<'a>>,
    #[serde(borrow, default)]
    rows: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Value>,
}

impl PowerBi {
    /// Runs a query that the service then knows nothing more of.
    pub async fn query(
        &self,
        workspace: &str,
        dataset: &str,
        query: &DaxQuery,
        deadline: Deadline,
    ) -> Result<DaxRows, PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let sent = RequestBody {
            queries: [QueryBody { query: &query.query }],
            serializer_settings: SettingsBody { include_nulls: query.include_nulls },
            impersonated_user_name: query.impersonated_user_name.as_deref(),
        };
        let request = Outbound::post(self.address_in(&place, &["executeQueries"])?).json(body(&sent)?);
        let subject = Subject::Item(Item::Query(place));
        let kind = RequestKind::DaxQuery;
        let reply = self.call(kind, request, &subject, deadline).await?;
        let whole: Level<'_> = serde_json::from_slice(&reply.body)
            .map_err(|_| unexpected(&reply, kind, &subject, "its body is no result of a query"))?;
        if let Some(error) = whole.first_error() {
            return Err(inside(error).into());
        }
        if reply.body.len() >= WHERE_ROWS_END {
            return Err(
                too_much("The result has reached 15 MB, where Power BI leaves out the rows that follow.").into()
            );
        }
        let Some(rows) = whole.rows() else {
            return Err(unexpected(&reply, kind, &subject, "no table is in the result"));
        };
        DaxRows::read(reply.body.slice_ref(rows.get().as_bytes()))
            .map_err(|_| unexpected(&reply, kind, &subject, "its rows are no rows"))
    }
}

impl Level<'_> {
    fn first_error(&self) -> Option<&Value> {
        let below = self.results.iter().chain(&self.tables);
        self.error.as_ref().filter(|error| !error.is_null()).or_else(|| below.into_iter().find_map(Self::first_error))
    }

    fn rows(&self) -> Option<&RawValue> {
        self.rows.or_else(|| self.results.iter().chain(&self.tables).find_map(Self::rows))
    }
}

/// An error in an answer whose status is a success.
fn inside(error: &Value) -> Failure {
    let text = |pointer: &str| error.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let details = error.pointer("/details").or_else(|| error.pointer("/pbi.error/details")).and_then(Value::as_array);
    let detail = details
        .into_iter()
        .flatten()
        .find_map(|entry| entry.pointer("/detail/value").or_else(|| entry.pointer("/message")).and_then(Value::as_str));
    let said = detail.or_else(|| text("/message")).or_else(|| text("/code")).unwrap_or("it does not say why");
    // "More than one result table in a query" is the query's own fault, any other "More than …" its size.
    let lower = said.to_lowercase();
    if lower.contains("more than one result table") {
        let detail = format!("A query has one result: send each EVALUATE in a call of its own. Power BI says: {said}");
        return Failure::new(Code::QueryFailed, detail).at("query");
    }
    if ["more than", "exceed", "too large", "truncat"].iter().any(|word| lower.contains(word)) {
        return too_much(&format!("Power BI cut the result: {said}"));
    }
    Failure::new(Code::QueryFailed, format!("The DAX query failed. Power BI says: {said}")).at("query")
}

fn too_much(what: &str) -> Failure {
    let most = "A query answers at most 100,000 rows, 1,000,000 values and 15 MB: select less, or page with TOPN.";
    Failure::new(Code::ResultTooLarge, format!("{what} {most}")).at("query")
}
