//! SQL statements: submit and wait, look, cancel.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answers::{Going, done};
use super::claim::{Claimant, Claimed, Ours};
use super::follow::Follow;
use super::reads::Read;
use super::token::Target;
use super::values::Values;
use super::{Answer, Call, Requests, disposition, guard};
use crate::databricks::{Statement, SubmitStatement, is_surely_a_read};
use crate::failure::{Code, Failure};
use crate::steps::{Recovery, bind_parameters};

/// The longest that one submission may wait at Databricks.
const LONGEST_SUBMIT_WAIT: Duration = Duration::from_secs(50);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    statement: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warehouse_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalog: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row_limit: Option<u64>,
    #[serde(default)]
    on_timeout: OnTimeout,
}

/// What becomes of a statement that outlasts the wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum OnTimeout {
    /// It goes on, and the answer is 202.
    #[default]
    Continue,
    /// It is cancelled, and the answer is `statement-canceled`.
    Cancel,
}

impl Requests {
    /// `POST /api/sql/statements`. A read without a key makes no claim.
    pub async fn submit_statement(&self, call: &Call, body: Bytes) -> Result<Answer, Failure> {
        let values = Values::of(call)?;
        let wait = super::wait_of(call)?;
        if let Some(read) = plain_read(call, &body)? {
            let submit = self.prepared(&read, None, wait.remaining().min(LONGEST_SUBMIT_WAIT))?;
            let follow = Follow { wait, values, on_timeout: read.on_timeout, claimed: None };
            let ours = disposition::is_ours(None, &self.0.sql);
            return self.run_read(call, Read { submit, ours }, follow).await;
        }
        // Before the effect: afterwards nothing may fail for want of a key.
        let signer = self.signer(call.deadline).await?;
        let claimant = Claimant { call, route: "sql-statements", target: "", body: &body, recovery };
        let inputs = super::body::inputs(&body, |body: Body| {
            self.prepared(&body, None, Duration::ZERO)?;
            super::to_value(&body)
        })?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = self.send_statement(&ours).await;
                self.had(ours, call, sent).await?
            }
        };
        let inputs: Body = super::from_value(&effected.inputs)?;
        let id = effected.upstream.as_str().unwrap_or_default().to_owned();
        let claimed = Some((signer, effected.replayed));
        self.follow_statement(call, &id, Follow { wait, values, on_timeout: inputs.on_timeout, claimed }).await
    }

    /// `GET /api/sql/statements/{id}`: always 200 with the state, also of a failed one.
    pub async fn get_statement(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        let values = Values::of(call)?;
        let statement = self.0.neighbours.databricks.statement(id, call.deadline).await?;
        match statement.outcome() {
            Ok(Some(())) => self.result(call, &statement, values).await,
            Ok(None) => Ok(done(&json!({"statementId": id, "state": state_name(&statement)}))),
            Err(failure) => Ok(done(&json!({
                "statementId": id,
                "state": state_name(&statement),
                "error": {
                    "code": failure.code, "message": failure.detail,
                    "sqlState": failure.sql_state, "errorClass": failure.error_class,
                },
            }))),
        }
    }

    /// `POST /api/sql/statements/{id}/cancel`. The statement may still finish.
    pub async fn cancel_statement(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        self.0.neighbours.databricks.cancel_statement(id, call.deadline).await?;
        let seen = self.0.neighbours.databricks.statement(id, call.deadline).await;
        // The cancel has been taken: no answer may invite the caller to send it again.
        let statement = seen.map_err(|error| Failure::from(error).effect_possible())?;
        Ok(done(&json!({"statementId": id, "state": state_name(&statement)})))
    }

    async fn send_statement(&self, ours: &Ours) -> Result<Value, Failure> {
        let submit = self.prepared(&super::from_value(&ours.inputs)?, Some(&ours.key), Duration::ZERO)?;
        let statement = self.0.neighbours.databricks.submit(&submit, ours.window).await?;
        Ok(json!(statement.statement_id))
    }

    fn prepared(&self, body: &Body, key: Option<&str>, wait: Duration) -> Result<SubmitStatement, Failure> {
        if body.statement.trim().is_empty() {
            return Err(Failure::new(Code::BodyInvalid, "`statement` is empty.").at("statement"));
        }
        guard::allowed(&body.statement, &self.0.sql)?;
        let warehouse_id = body.warehouse_id.clone().or_else(|| self.0.neighbours.warehouse_id.clone());
        let statement = match key {
            Some(key) => format!("/* causeway-key: {key} */ {}", body.statement),
            None => body.statement.clone(),
        };
        Ok(SubmitStatement {
            statement,
            warehouse_id: warehouse_id.ok_or_else(no_warehouse)?,
            catalog: body.catalog.clone(),
            schema: body.schema.clone(),
            parameters: bind_parameters(&body.parameters)?,
            row_limit: body.row_limit,
            byte_limit: None,
            disposition: disposition::of(
                &body.statement,
                None,
                body.row_limit,
                None,
                &self.0.sql,
                &self.0.links,
            ),
            wait,
            query_tags: key.map(|key| ("causeway-key".into(), key.into())).into_iter().collect(),
            read: is_surely_a_read(&body.statement),
        })
    }
}

/// The body, when it is surely a read and carries no key.
fn plain_read(call: &Call, body: &Bytes) -> Result<Option<Body>, Failure> {
    if body.is_empty() || call.idempotency_key.is_some() {
        return Ok(None);
    }
    let body: Body = super::body::read(body)?;
    Ok(is_surely_a_read(&body.statement).then_some(body))
}

pub(super) fn going<'a>(id: &str, state: &'a str, values: Values, replayed: bool) -> Going<'a> {
    Going {
        id: json!(id),
        state,
        resource: format!("/api/sql/statements/{id}"),
        target: Target::Statement { id: id.to_owned(), q: values },
        replayed,
    }
}

/// The state in the vendor's own words.
pub(super) fn state_name(statement: &Statement) -> String {
    use crate::databricks::StatementState as State;
    match &statement.state {
        State::Pending => "PENDING",
        State::Running => "RUNNING",
        State::Succeeded => "SUCCEEDED",
        State::Failed => "FAILED",
        State::Canceled => "CANCELED",
        State::Closed => "CLOSED",
        State::Other(name) => name,
    }
    .to_owned()
}

/// What is surely a read may be sent again.
fn recovery(inputs: &Value) -> Recovery {
    let read = inputs["statement"].as_str().is_some_and(is_surely_a_read);
    if read { Recovery::SendAgain } else { Recovery::Unknown }
}

fn no_warehouse() -> Failure {
    Failure::new(
        Code::WarehouseMissing,
        "No warehouse is named: send `warehouseId`, or have CAUSEWAY_DATABRICKS_WAREHOUSE_ID set.",
    )
    .at("warehouseId")
}
