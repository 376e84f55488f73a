//! SQL statements: submit and wait, look, cancel.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answers::{Going, done};
use super::claim::{Claimant, Claimed, Ours};
use super::token::{Signer, Target};
use super::values::Values;
use super::{Answer, Call, Mode, Requests};
use crate::databricks::{Statement, SubmitStatement, is_surely_a_read};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
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
enum OnTimeout {
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
        let wait = self.wait(call)?;
        if let Some(read) = self.plain_read(call, &body)? {
            let submit = self.prepared(&read, None, wait.remaining().min(LONGEST_SUBMIT_WAIT))?;
            let statement = self.0.neighbours.databricks.submit(&submit, call.deadline).await?;
            return self.settle(call, statement, wait, values, read.on_timeout, None, false).await;
        }
        // Before the effect: afterwards nothing may fail for want of a key.
        let signer = self.signer(call.deadline).await?;
        let claimant = Claimant { call, route: "sql-statements", target: "", body: &body, recovery: Recovery::Unknown };
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
        self.follow_statement(call, &id, wait, values, inputs.on_timeout, signer, effected.replayed).await
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
        let statement = self.0.neighbours.databricks.statement(id, call.deadline).await?;
        Ok(done(&json!({"statementId": id, "state": state_name(&statement)})))
    }

    async fn send_statement(&self, ours: &Ours) -> Result<Value, Failure> {
        let submit = self.prepared(&super::from_value(&ours.inputs)?, Some(&ours.key), Duration::ZERO)?;
        let statement = self.0.neighbours.databricks.submit(&submit, ours.window).await?;
        Ok(json!(statement.statement_id))
    }

    /// The body, when it is surely a read and carries no key.
    fn plain_read(&self, call: &Call, body: &Bytes) -> Result<Option<Body>, Failure> {
        if body.is_empty() || call.idempotency_key.is_some() {
            return Ok(None);
        }
        let body: Body = super::body::read(body)?;
        Ok(is_surely_a_read(&body.statement).then_some(body))
    }

    fn prepared(&self, body: &Body, key: Option<&str>, wait: Duration) -> Result<SubmitStatement, Failure> {
        if body.statement.trim().is_empty() {
            return Err(Failure::new(Code::BodyInvalid, "`statement` is empty.").at("statement"));
        }
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
            wait,
            query_tags: key.map(|key| ("causeway-key".into(), key.into())).into_iter().collect(),
            read: is_surely_a_read(&body.statement),
        })
    }

    /// Waits for a statement whose id is on record. Not being able to look is no failure of the work: 202.
    async fn follow_statement(
        &self,
        call: &Call,
        id: &str,
        wait: Deadline,
        values: Values,
        on_timeout: OnTimeout,
        signer: Signer,
        replayed: bool,
    ) -> Result<Answer, Failure> {
        if call.mode == Mode::Start {
            return self.going(call, &signer, going(id, "PENDING", values, replayed), true);
        }
        match self.0.neighbours.databricks.statement(id, call.deadline).await {
            Ok(statement) => self.settle(call, statement, wait, values, on_timeout, Some(signer), replayed).await,
            Err(error) => {
                let failure = Failure::from(error);
                if failure.code == Code::StatementNotFound {
                    return Err(failure);
                }
                tracing::warn!(statement_id = id, error = failure.chain(), "could not look at the statement");
                self.going(call, &signer, going(id, "PENDING", values, replayed), false)
            }
        }
    }

    async fn settle(
        &self,
        call: &Call,
        first: Statement,
        wait: Deadline,
        values: Values,
        on_timeout: OnTimeout,
        signer: Option<Signer>,
        replayed: bool,
    ) -> Result<Answer, Failure> {
        let databricks = &self.0.neighbours.databricks;
        let id = first.statement_id.clone();
        let statement = if call.mode == Mode::Start {
            first
        } else {
            match databricks.wait_for(first.clone(), wait).await {
                Ok(statement) => statement,
                Err(error) => {
                    let failure = Failure::from(error);
                    tracing::warn!(statement_id = id, error = failure.chain(), "could not look at the statement");
                    first
                }
            }
        };
        match statement.outcome() {
            Ok(Some(())) if call.mode != Mode::Start => {
                let answer = self.result(call, &statement, values).await;
                // The rows can be had again; the work is done and is not to be repeated.
                return match answer {
                    Err(failure) if signer.is_some() && is_transient(&failure) => {
                        let signer = signer.map_or_else(|| Err(failure), Ok)?;
                        self.going(call, &signer, going(&id, "SUCCEEDED", values, replayed), false)
                    }
                    other => other.map(|answer| Answer { replayed, ..answer }),
                };
            }
            Err(failure) if call.mode != Mode::Start => return Err(failure),
            _ => {}
        }
        if call.mode != Mode::Start && on_timeout == OnTimeout::Cancel {
            databricks.cancel_statement(&id, call.deadline).await.map_err(Failure::from)?;
            return Err(Failure::new(
                Code::StatementCanceled,
                "The statement did not finish within `waitSeconds` and was cancelled, as `onTimeout` says.",
            ));
        }
        let signer = match signer {
            Some(signer) => signer,
            None => self.signer(call.deadline).await?,
        };
        let state = state_name(&statement);
        self.going(call, &signer, going(&id, &state, values, replayed), call.mode == Mode::Start)
    }
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

fn is_transient(failure: &Failure) -> bool {
    failure.effect == Effect::None
        && matches!(
            failure.code,
            Code::UpstreamThrottled | Code::UpstreamUnavailable | Code::UpstreamTimeout | Code::IdentityUnavailable
        )
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

fn no_warehouse() -> Failure {
    Failure::new(
        Code::WarehouseMissing,
        "No warehouse is named: send `warehouseId`, or have CAUSEWAY_DATABRICKS_WAREHOUSE_ID set.",
    )
    .at("warehouseId")
}
