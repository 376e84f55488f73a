//! Declared operations and their runs, as HTTP calls see them.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::answers::{Going, done};
use super::claim::{Claimant, Claimed};
use super::token::Target;
use super::{Answer, Call, Mode, Requests};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Entry, Operation};
use crate::runs::{Begun, RunEnd, RunOutcome, identity, parameters_invalid};
use crate::steps::Recovery;

impl Requests {
    /// `GET /api/operations`: what is declared, also what is broken and where.
    pub fn list_operations(&self) -> Result<Answer, Failure> {
        let operations: Vec<Value> =
            self.0.runs.catalog().entries.iter().map(|(name, entry)| describe(name, entry, false)).collect();
        Ok(done(&json!({"value": operations})))
    }

    /// `GET /api/operations/{name}`: with its JSON Schemas.
    pub fn get_operation(&self, name: &str) -> Result<Answer, Failure> {
        Ok(done(&describe(name, self.entry(name)?, true)))
    }

    /// `POST /api/operations/{name}`: the parameters in, the output out.
    pub async fn run_operation(&self, call: &Call, name: &str, body: Bytes) -> Result<Answer, Failure> {
        let wait = super::wait_of(call)?;
        let entry = self.entry(name)?;
        let operation = runnable(entry)?;
        let signer = self.signer(call.deadline).await?;
        let claimant =
            Claimant { call, route: "operations", target: name, body: &body, recovery: |_| Recovery::SendAgain };
        let inputs = super::body::inputs(&body, |body: Map<String, Value>| {
            operation.accept(&body).map(Value::Object).map_err(|problems| parameters_invalid(&problems, ""))
        })?;
        let hold = call.mode != Mode::Start;
        let mut begun = None;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let run = identity::run_id(&["http", &ours.key]);
                let parameters = ours.inputs.as_object().cloned().unwrap_or_default();
                // The claim is about the run's existence alone; what it then does is the engine's to keep.
                let sent = self.0.runs.begin(entry, &run, parameters, &call.caller, hold, call.deadline).await;
                let sent = sent.map(|created| begun = Some(created)).map(|()| json!(run));
                self.had(ours, call, sent).await?
            }
        };
        let id = effected.upstream.as_str().unwrap_or_default();
        let begun = begun.unwrap_or_else(|| Begun::before(id));
        let answer = self.follow_run(call, begun, wait, &signer).await?;
        Ok(Answer { replayed: effected.replayed, ..answer })
    }

    /// Waits for a run and answers.
    pub(super) async fn follow_run(
        &self,
        call: &Call,
        begun: Begun,
        wait: Deadline,
        signer: &super::token::Signer,
    ) -> Result<Answer, Failure> {
        let id = begun.run().to_owned();
        let outcome = match self.0.runs.carry_on(begun, wait, call.deadline).await {
            Ok(outcome) => outcome,
            // The run stands in the ledger and goes on without us: not being able to look is no failure of it.
            Err(failure) if super::is_transient(&failure) => {
                tracing::warn!(run = id, error = failure.chain(), "could not follow the run");
                RunOutcome { run: id, state: RunEnd::Going { state: "running".into(), progress: None } }
            }
            Err(failure) => return Err(failure.effect_possible().in_run(id)),
        };
        self.run_answer(call, outcome, call.mode == Mode::Start, signer)
    }

    /// The output, a settled failure, or where to look.
    pub(super) fn run_answer(
        &self,
        call: &Call,
        outcome: RunOutcome,
        started: bool,
        signer: &super::token::Signer,
    ) -> Result<Answer, Failure> {
        let run = outcome.run.clone();
        let answer = match outcome.state {
            RunEnd::Failed { failure } if !started => return Err(failure.settled()),
            RunEnd::Succeeded { output } if !started => done(&output),
            RunEnd::Going { state, progress } => {
                self.going(call, signer, going(&run, &state), started)?.with_progress(progress)
            }
            RunEnd::Failed { failure } if failure.code == Code::RunCanceled => {
                self.going(call, signer, going(&run, "cancelled"), true)?
            }
            RunEnd::Failed { .. } => self.going(call, signer, going(&run, "failed"), true)?,
            RunEnd::Succeeded { .. } => self.going(call, signer, going(&run, "succeeded"), true)?,
        };
        Ok(Answer { run_id: Some(run), ..answer })
    }

    fn entry(&self, name: &str) -> Result<&Entry, Failure> {
        self.0.runs.catalog().get(name).ok_or_else(|| {
            let name: String = name.chars().take(100).collect();
            Failure::new(Code::OperationNotFound, format!("No operation is called \"{name}\"."))
        })
    }
}

pub(super) fn going<'a>(run: &str, state: &'a str) -> Going<'a> {
    Going {
        id: json!(run),
        state,
        resource: format!("/api/runs/{run}"),
        target: Target::Run { id: run.to_owned() },
        replayed: false,
    }
}

fn runnable(entry: &Entry) -> Result<&Operation, Failure> {
    crate::runs::runnable(entry)
}

fn describe(name: &str, entry: &Entry, whole: bool) -> Value {
    match &entry.operation {
        Ok(operation) => {
            let mut value = json!({
                "name": name,
                "summary": operation.summary,
                "description": operation.description,
                "schedule": operation.schedule.as_ref().map(|schedule| json!({
                    "cron": schedule.cron, "timeZone": schedule.time_zone,
                    "next": schedule.next(jiff::Timestamp::now()),
                })),
            });
            if whole {
                value["parameters"] = operation.parameters_schema();
                value["output"] = operation.output_schema();
                value["steps"] = operation.steps.iter().map(|step| json!(step.id)).collect();
                value["definitionHash"] = json!(entry.definition.content_hash());
            }
            value
        }
        Err(diagnostics) => json!({"name": name, "code": Code::OperationInvalid, "problems": diagnostics}),
    }
}
