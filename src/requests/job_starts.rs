//! Starting a job, and following what has begun to its answer.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answers::Going;
use super::callbacks::CALLBACK_URL;
use super::claim::{Claimant, Claimed, Ours};
use super::job_run_body::{Body, Wanted};
use super::token::{Signer, Target};
use super::{Answer, Call, Mode, Requests};
use crate::databricks::JobRun;
use crate::failure::Failure;
use crate::http::Deadline;
use crate::steps::{Followed, Recovery};

/// A run that somebody has started, or a repair of one.
#[derive(Debug)]
pub(super) struct Begun {
    pub id: String,
    pub repair: Option<String>,
    pub replayed: bool,
}

impl Requests {
    /// `POST /api/jobs/{job}/runs`; `job` is an id or a unique name. The claim's key is the `idempotency_token`.
    pub async fn start_job_run(&self, call: &Call, job: &str, body: Bytes) -> Result<Answer, Failure> {
        let wait = super::wait_of(call)?;
        let signer = self.signer(call.deadline).await?;
        let claimant =
            Claimant { call, route: "job-runs", target: job, body: &body, recovery: |_| Recovery::SendAgain };
        let mut url = None;
        let inputs = super::body::inputs(&body, |mut body: Body| {
            url = self.callback_url(body.callback_url.take())?;
            super::to_value(&body.wanted()?)
        })?;
        let inputs = self.with_callback(call, "job-runs", inputs, url).await?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = self.send_job_run(job, &ours).await;
                self.had(ours, call, sent).await?
            }
        };
        let id = effected.upstream.as_str().unwrap_or_default().to_owned();
        if effected.inputs().get(CALLBACK_URL).is_some() {
            let result_url = self.url(call, &format!("/api/jobs/runs/{id}/output"));
            let followed = Followed::JobRun { id: id.clone(), repair: None, result_url };
            let going = Going {
                id: json!(id),
                state: "PENDING",
                resource: String::new(),
                target: Target::JobRun { id: id.clone(), repair: None },
                replayed: effected.replayed,
            };
            return self.followed(call, &effected, &followed, going, &signer).await;
        }
        self.follow_job_run(call, &signer, Begun { id, repair: None, replayed: effected.replayed }, wait).await
    }

    /// Waits for the end of what has begun, and answers.
    pub(super) async fn follow_job_run(
        &self,
        call: &Call,
        signer: &Signer,
        begun: Begun,
        wait: Deadline,
    ) -> Result<Answer, Failure> {
        let run = if call.mode == Mode::Start || wait.has_passed() { None } else { self.wait_for(&begun, wait).await };
        if let Some(run) = &run {
            match self.job_result(call, run, begun.repair.as_deref()).await {
                Ok(None) => {}
                Ok(Some(answer)) => return Ok(Answer { replayed: begun.replayed, ..answer }),
                // The run is done; its outputs can be had again.
                Err(failure) if super::is_transient(&failure) => {
                    tracing::warn!(job_run_id = begun.id, error = failure.chain(), "could not read the outputs");
                }
                Err(failure) => return Err(failure.settled()),
            }
        }
        let going = Going {
            id: json!(begun.id),
            state: run.as_ref().map_or("PENDING", |run| &run.standing.state),
            resource: format!("/api/jobs/runs/{}", begun.id),
            target: Target::JobRun { id: begun.id.clone(), repair: begun.repair },
            replayed: begun.replayed,
        };
        self.going(call, signer, going, call.mode == Mode::Start)
    }

    async fn send_job_run(&self, job: &str, ours: &Ours) -> Result<Value, Failure> {
        let wanted: Wanted = super::from_value(&ours.inputs)?;
        let databricks = &self.0.neighbours.databricks;
        // What was perhaps started must be found again, also when the definition has changed since: the token finds it.
        let perhaps = |failure: Failure| if ours.perhaps_sent() { failure.effect_possible() } else { failure };
        let job_id = databricks.resolve_job(job, ours.window).await.map_err(|error| perhaps(error.into()))?;
        if !ours.perhaps_sent() {
            self.check_job_names(&job_id, &wanted.parameters, &wanted.only, ours.window).await?;
        }
        let started = databricks.run_now(&wanted.run_now(job_id, &ours.key), ours.window).await;
        started.map(|id| json!(id)).map_err(|error| perhaps(error.into()))
    }

    /// Not being able to look is no failure of the run.
    async fn wait_for(&self, begun: &Begun, wait: Deadline) -> Option<JobRun> {
        let Begun { id, repair, .. } = begun;
        match self.0.neighbours.databricks.wait_for_job_run(id, repair.as_deref(), wait).await {
            Ok(run) => Some(run),
            Err(error) => {
                tracing::warn!(job_run_id = id, error = Failure::from(error).chain(), "could not look at the job run");
                None
            }
        }
    }
}
