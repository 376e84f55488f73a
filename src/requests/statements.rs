//! SQL statements: submit and wait, look, cancel.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers::{Going, done};
use super::claim::{Claimant, Claimed, Ours, search_until};
use super::follow::Follow;
use super::reads::Read;
use super::statement_body::{Body, Wanted};
use super::token::Target;
use super::values::Values;
use super::{Answer, Call, Requests, disposition, guard, is_transient};
use crate::databricks::{MOST_TRIES, Statement, is_plain_dml, is_surely_a_read, pause_before};
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::operations::RunAs;
use crate::steps::Recovery;

/// The longest that one submission may wait at Databricks.
const LONGEST_SUBMIT_WAIT: Duration = Duration::from_secs(50);

impl Requests {
    /// `POST /api/sql/statements`. A read without a key makes no claim.
    pub async fn submit_statement(&self, call: &Call, body: Bytes) -> Result<Answer, Failure> {
        let values = Values::of(call)?;
        let wait = super::wait_of(call)?;
        guard::open(&self.0.sql)?;
        let _place = self.0.sql_places.take()?;
        if let Some((read, ours)) = self.plain_read(call, &body)? {
            let submit = read.submission(None, wait.remaining().min(LONGEST_SUBMIT_WAIT));
            let follow = Follow { wait, values, on_timeout: read.on_timeout, claimed: None };
            let this = self.running_as(read.run_as, call).await?;
            return this.run_read(call, Read { submit, ours }, follow).await;
        }
        // Before the effect: afterwards nothing may fail for want of a key.
        let signer = self.signer(call.deadline).await?;
        let claimant = Claimant { call, route: "sql-statements", target: "", body: &body, recovery };
        let inputs = super::body::inputs(&body, |body: Body| super::to_value(&self.wanted(body)?))?;
        if let Some(inputs) = &inputs {
            self.running_as(run_as_of(inputs), call).await?;
        }
        let mut claimed = self.claim(&claimant, inputs).await?;
        loop {
            let effected = match claimed {
                Claimed::Before(effected) => effected,
                Claimed::Ours(ours) => {
                    let sent = match self.running_as(run_as_of(&ours.inputs), call).await {
                        Ok(this) => this.send_statement(call, &ours).await,
                        Err(failure) => Err(failure),
                    };
                    self.had(ours, call, sent).await?
                }
            };
            let inputs: Wanted = super::from_value(effected.inputs()).map_err(Failure::settled)?;
            let id = effected.upstream.as_str().unwrap_or_default().to_owned();
            let follow = Follow {
                wait,
                values,
                on_timeout: inputs.on_timeout,
                claimed: Some((signer.clone(), effected.replayed)),
            };
            let tries = effected.attempt();
            let this = self.running_as(inputs.run_as, call).await.map_err(Failure::settled)?;
            match this.follow_statement(call, &id, follow).await {
                Err(conflict) if conflict.code == Code::WriteConflict => {
                    let pause = pause_before(tries + 1);
                    let again = tries < MOST_TRIES && is_plain_dml(&inputs.statement) && wait.remaining() > pause;
                    if !again {
                        return Err(after(conflict, tries));
                    }
                    tracing::info!(statement_id = id, tries, error = conflict.chain(), "another write came first");
                    tokio::time::sleep(pause).await;
                    claimed = self.claim_again(&claimant, &effected).await?;
                }
                answer => return Ok(answer?.after(tries)),
            }
        }
    }

    /// `GET /api/sql/statements/{id}`: always 200 with the state, also of a failed one, or of one whose rows cannot be had.
    pub async fn get_statement(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        guard::open(&self.0.sql)?;
        let values = Values::of(call)?;
        let this = self.running_as_asked(call).await?;
        let databricks = &this.0.neighbours.databricks;
        let statement = databricks.statement(id, call.deadline).await?;
        let failure = match statement.outcome() {
            Ok(Some(())) => match this.result(call, &statement, values).await {
                // How it stands is known, and its rows will not come by asking again.
                Err(failure) if !is_transient(&failure) => failure,
                answer => return answer,
            },
            Ok(None) => return Ok(done(&json!({"statementId": id, "state": state_name(&statement)}))),
            Err(failure) => databricks.with_near_names(failure, &statement, call.deadline).await,
        };
        Ok(done(&json!({
            "statementId": id,
            "state": state_name(&statement),
            "error": {
                "code": failure.code, "message": failure.detail,
                "sqlState": failure.sql_state, "errorClass": failure.error_class,
            },
        })))
    }

    /// `POST /api/sql/statements/{id}/cancel`. The statement may still finish.
    pub async fn cancel_statement(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        guard::open(&self.0.sql)?;
        let this = self.running_as_asked(call).await?;
        let databricks = &this.0.neighbours.databricks;
        databricks.cancel_statement(id, call.deadline).await?;
        let seen = databricks.statement(id, call.deadline).await;
        // The cancel has been taken: no answer may invite the caller to send it again.
        let statement = seen.map_err(|error| Failure::from(error).effect_possible())?;
        Ok(done(&json!({"statementId": id, "state": state_name(&statement)})))
    }

    async fn send_statement(&self, call: &Call, ours: &Ours) -> Result<Value, Failure> {
        let wanted: Wanted = super::from_value(&ours.inputs)?;
        let submit = wanted.submission(Some(&ours.key), Duration::ZERO);
        let failure = match self.0.neighbours.databricks.submit(&submit, ours.window).await {
            Ok(statement) => return Ok(json!(statement.statement_id)),
            Err(error) => Failure::from(error),
        };
        if failure.effect == Effect::None || ours.recovery() != Recovery::LookUp {
            return Err(failure);
        }
        tracing::warn!(error = failure.chain(), "the answer to a write was lost; looking for it");
        let until = search_until(call);
        self.look_for_statement(&ours.inputs, &ours.key, ours.started_at(), until).await.ok_or(failure)
    }

    /// What a claim calls a statement that was perhaps submitted, if the query history shows it before `until`.
    pub(super) async fn look_for_statement(
        &self,
        inputs: &Value,
        key: &str,
        since: Timestamp,
        until: Deadline,
    ) -> Option<Value> {
        let warehouse = inputs["warehouseId"].as_str().unwrap_or_default();
        let found = self.0.neighbours.databricks.search_statement(warehouse, key, since, until).await;
        found.map(|id| json!(id))
    }

    fn wanted(&self, body: Body) -> Result<Wanted, Failure> {
        if body.statement.trim().is_empty() {
            return Err(Failure::new(Code::BodyInvalid, "`statement` is empty.").at("statement"));
        }
        guard::allowed(&body.statement, &self.0.sql)?;
        let (rows, bytes) = body.limits();
        let disposition = disposition::of(&body.statement, body.asked(), rows, bytes, &self.0.sql, &self.0.links);
        let ceilings = (self.0.sql.max_rows, self.0.sql.max_bytes);
        body.wanted(disposition, self.0.neighbours.warehouse_id.as_deref(), ceilings)
    }

    /// What is surely a read and carries no key, and whether its disposition is of our choosing.
    fn plain_read(&self, call: &Call, body: &Bytes) -> Result<Option<(Wanted, bool)>, Failure> {
        if body.is_empty() || call.idempotency_key.is_some() {
            return Ok(None);
        }
        let body: Body = super::body::read(body)?;
        if !is_surely_a_read(&body.statement) {
            return Ok(None);
        }
        let ours = disposition::is_ours(body.asked(), &self.0.sql);
        Ok(Some((self.wanted(body)?, ours)))
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

/// A conflict that stood in the way of every try.
fn after(conflict: Failure, tries: u32) -> Failure {
    if tries < 2 {
        return conflict;
    }
    let detail = format!("{} It was tried {tries} times.", conflict.detail);
    Failure { detail, ..conflict }
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

/// In whose name what a claim keeps is done.
pub(super) fn run_as_of(inputs: &Value) -> RunAs {
    inputs.get("runAs").and_then(|run_as| super::from_value(run_as).ok()).unwrap_or_default()
}

/// What is surely a read may be sent again; a write can be looked for.
fn recovery(inputs: &Value) -> Recovery {
    let read = inputs["statement"].as_str().is_some_and(is_surely_a_read);
    if read { Recovery::SendAgain } else { Recovery::LookUp }
}
