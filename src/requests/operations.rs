//! Declared operations and their runs, as HTTP calls see them.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::answers::{Going, done};
use super::callbacks::CALLBACK_URL;
use super::claim::{self, Claimant, Claimed, Ours};
use super::run_as::too_long;
use super::token::Target;
use super::{Answer, Call, Mode, Requests};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Entry, Operation, RunAs};
use crate::runs::{Begun, RunEnd, RunOutcome, TellAt, identity, parameters_invalid};
use crate::steps::Recovery;

/// The route's name in claims.
const ROUTE: &str = "operations";

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
        if operation.run_as == RunAs::Caller && !self.is_acting() {
            if call.mode == Mode::Start {
                let detail = "An operation that runs as its caller is done while the caller waits: leave `mode` out.";
                return Err(Failure::new(Code::QueryInvalid, detail).at("query.mode"));
            }
            let this = self.running_as(RunAs::Caller, call).await?;
            return Box::pin(this.run_operation(call, name, body)).await;
        }
        let signer = self.signer(call.deadline).await?;
        let claimant = Claimant { call, route: ROUTE, target: name, body: &body, recovery: |_| Recovery::SendAgain };
        let wanted = self.wanted_run(call, operation, &body).await?;
        let hold = call.mode != Mode::Start;
        let mut begun = None;
        let effected = match self.claim_digest(&claimant, wanted).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = match self.opened_run(call, operation, &ours).await {
                    Ok(wanted) => self.begin_run(call, entry, &ours, wanted, hold, &mut begun).await,
                    Err(failure) => Err(failure),
                };
                self.had(ours, call, sent).await?
            }
        };
        let id = effected.upstream.as_str().unwrap_or_default().to_owned();
        if effected.inputs().get(CALLBACK_URL).is_some() {
            return self.subscribed(call, going(&id, "running"), &id, effected.replayed, &signer);
        }
        let begun = begun.unwrap_or_else(|| Begun::before(&id));
        let answer = self.follow_run(call, begun, wait, &signer).await?;
        Ok(Answer { replayed: effected.replayed, ..answer })
    }

    /// The claim of the run's existence alone; what it then does is the engine's to keep.
    async fn begin_run(
        &self,
        call: &Call,
        entry: &Entry,
        ours: &Ours,
        (parameters, tell_at): (Map<String, Value>, Option<TellAt>),
        hold: bool,
        begun: &mut Option<Begun>,
    ) -> Result<Value, Failure> {
        let (run, runs) = (identity::run_id(&["http", &ours.key]), &self.0.runs);
        let caller = self.0.acting_for.as_deref().unwrap_or(&call.caller);
        match tell_at {
            Some(to) => runs.begin_telling(entry, &run, parameters, caller, &to, call.deadline).await?,
            None => *begun = Some(runs.begin(entry, &run, parameters, caller, hold, call.deadline).await?),
        }
        Ok(json!(run))
    }

    /// What a body asks for, as a claim keeps it: checked, with what is secret sealed. With its digest, which is keyed when
    /// it covers a sensitive value: a short one could be found by trying. `None` when the body is empty.
    async fn wanted_run(
        &self,
        call: &Call,
        operation: &Operation,
        body: &Bytes,
    ) -> Result<Option<(String, Value)>, Failure> {
        if body.is_empty() {
            return Ok(None);
        }
        let mut given: Map<String, Value> = super::body::read(body)?;
        let callback_url = self.callback_url(given.remove(CALLBACK_URL))?;
        if callback_url.is_some() && self.is_acting() {
            let detail = "An operation that runs as its caller is done while the caller waits: nobody is told later.";
            return Err(Failure::new(Code::BodyInvalid, detail).at(CALLBACK_URL));
        }
        let mut inputs = operation.accept(&given).map_err(|problems| parameters_invalid(&problems, ""))?;
        let log = claim::log_of(call, ROUTE);
        let sensitive = operation.sensitive();
        if !sensitive.is_empty() {
            let sealing = self.0.runs.sealer().sealing(call.deadline).await?;
            for name in &sensitive {
                if let Some(value) = inputs.get_mut(name) {
                    *value = json!(sealing.seal(&format!("{log}/{name}"), value)?);
                }
            }
        }
        if let Some(url) = callback_url {
            inputs.insert(CALLBACK_URL.to_owned(), self.sealed_callback(call, &log, &url).await?);
        }
        let whole = [operation.name.as_bytes(), b"\n", body.as_ref()].concat();
        let digest = if sensitive.is_empty() {
            identity::digest_of(&whole)
        } else {
            self.0.runs.sealer().digest(&whole, call.deadline).await?
        };
        Ok(Some((digest, Value::Object(inputs))))
    }

    /// What a claim keeps, opened again.
    async fn opened_run(
        &self,
        call: &Call,
        operation: &Operation,
        ours: &Ours,
    ) -> Result<(Map<String, Value>, Option<TellAt>), Failure> {
        let mut inputs = ours.inputs.as_object().cloned().unwrap_or_default();
        let tell_at = self.opened_callback(call, ours.log(), inputs.remove(CALLBACK_URL).as_ref()).await?;
        for name in operation.sensitive() {
            if let Some(Value::String(sealed)) = inputs.get(&name) {
                let place = format!("{}/{name}", ours.log());
                let value = self.0.runs.sealer().open(&place, sealed, call.deadline).await?;
                inputs.insert(name, value);
            }
        }
        Ok((inputs, tell_at))
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
            RunEnd::Going { .. } if self.is_acting() => {
                return Err(too_long("The run is still under way in the call that began it.").in_run(run));
            }
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
                "runAs": operation.run_as,
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
