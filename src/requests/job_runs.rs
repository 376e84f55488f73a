//! Databricks job runs: start and wait, look.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::{Going, done};
use super::claim::{Claimant, Claimed, Ours};
use super::token::Target;
use super::{Answer, Call, Mode, Requests};
use crate::databricks::{JobRun, RunNow};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::steps::{Recovery, job_run_json, parameter_text};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    #[serde(default)]
    only: Vec<String>,
}

impl Requests {
    /// `POST /api/jobs/{id}/runs`; `job` is an id or a unique name. The claim's key is the `idempotency_token`.
    pub async fn start_job_run(&self, call: &Call, job: &str, body: Bytes) -> Result<Answer, Failure> {
        let wait = super::wait_of(call)?;
        let signer = self.signer(call.deadline).await?;
        let claimant =
            Claimant { call, route: "job-runs", target: job, body: &body, recovery: |_| Recovery::SendAgain };
        let inputs = super::body::inputs(&body, |body: Body| super::to_value(&body))?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = self.send_job_run(job, &ours).await;
                self.had(ours, call, sent).await?
            }
        };
        let id = effected.upstream.as_str().unwrap_or_default();
        let run =
            if call.mode == Mode::Start || wait.has_passed() { None } else { self.wait_for_job_run(id, wait).await };
        if let Some(run) = &run
            && run.outcome().map_err(Failure::settled)?.is_some()
        {
            match self.job_result(call, run).await {
                // The run is done; its outputs can be had again.
                Err(failure) if super::is_transient(&failure) => {
                    tracing::warn!(job_run_id = id, error = failure.chain(), "could not read the job run's outputs");
                }
                answer => {
                    let answer = answer.map_err(Failure::settled)?;
                    return Ok(Answer { replayed: effected.replayed, ..answer });
                }
            }
        }
        let going = Going {
            id: json!(id),
            state: run.as_ref().map_or("PENDING", |run| &run.state),
            resource: format!("/api/jobs/runs/{id}"),
            target: Target::JobRun { id: id.to_owned() },
            replayed: effected.replayed,
        };
        self.going(call, &signer, going, call.mode == Mode::Start)
    }

    async fn send_job_run(&self, job: &str, ours: &Ours) -> Result<Value, Failure> {
        let body: Body = super::from_value(&ours.inputs)?;
        let databricks = &self.0.neighbours.databricks;
        let start = RunNow {
            job_id: databricks.resolve_job(job, ours.window).await?,
            parameters: body.parameters.iter().map(|(name, value)| (name.clone(), parameter_text(value))).collect(),
            only: body.only,
            idempotency_token: ours.key.clone(),
        };
        Ok(json!(databricks.run_now(&start, ours.window).await?))
    }

    /// `GET /api/jobs/runs/{id}`: always 200 with the state.
    pub async fn get_job_run(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        let run = self.0.neighbours.databricks.job_run(id, call.deadline).await?;
        let outputs =
            if run.ended { self.0.neighbours.databricks.job_outputs(&run, call.deadline).await? } else { Vec::new() };
        let mut value = job_run_json(&run, &outputs);
        value["tasks"] = super::to_value(&run.tasks)?;
        if let Err(failure) = run.outcome() {
            value["error"] = json!({"code": failure.code, "message": failure.detail});
        }
        Ok(done(&value))
    }

    /// A job run that has succeeded, with the outputs of its tasks.
    pub(super) async fn job_result(&self, call: &Call, run: &JobRun) -> Result<Answer, Failure> {
        let outputs = self.0.neighbours.databricks.job_outputs(run, call.deadline).await?;
        Ok(done(&job_run_json(run, &outputs)))
    }

    /// Not being able to look is no failure of the run.
    async fn wait_for_job_run(&self, id: &str, wait: Deadline) -> Option<JobRun> {
        match self.0.neighbours.databricks.wait_for_job_run(id, wait).await {
            Ok(run) => Some(run),
            Err(error) => {
                tracing::warn!(job_run_id = id, error = Failure::from(error).chain(), "could not look at the job run");
                None
            }
        }
    }
}
