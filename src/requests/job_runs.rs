//! Databricks job runs: how they stand, their outputs, cancel. Starting them is `job_starts.rs`, repairing them
//! `job_repairs.rs`.

use serde_json::json;

use super::answers::done;
use super::{Answer, Call, Mode, Requests, TO_ANSWER};
use crate::databricks::JobRun;
use crate::failure::Failure;
use crate::steps::{job_run_head, job_run_json, job_run_with_tasks};

impl Requests {
    /// `GET /api/jobs/runs/{id}`: always 200 with the state, the tasks, and why it failed.
    pub async fn get_job_run(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        let run = self.0.neighbours.databricks.job_run(id, call.deadline).await?;
        Ok(done(&job_run_with_tasks(&run)))
    }

    /// `GET /api/jobs/runs/{id}/output`: what every task has given so far, however the run stands.
    pub async fn get_job_run_output(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        let databricks = &self.0.neighbours.databricks;
        let run = databricks.job_run(id, call.deadline).await?;
        let outputs = databricks.job_outputs(&run, call.deadline).await?;
        Ok(done(&json!({
            "runId": run.run_id,
            "jobId": run.job_id,
            "state": run.standing.state,
            "terminationCode": run.standing.termination_code,
            "truncated": outputs.iter().any(|output| output.truncated),
            "outputs": outputs,
        })))
    }

    /// `POST /api/jobs/runs/{id}/cancel`. With `waitSeconds` it waits for the run's end, which comes a little later; the
    /// state tells whether it came.
    pub async fn cancel_job_run(&self, call: &Call, id: &str) -> Result<Answer, Failure> {
        let databricks = &self.0.neighbours.databricks;
        databricks.cancel_job_run(id, call.deadline).await?;
        let seen = match call.mode {
            Mode::Wait(Some(wanted)) => {
                let wait = call.deadline.less(TO_ANSWER).within(wanted);
                databricks.wait_for_job_run(id, None, wait).await
            }
            _ => databricks.job_run(id, call.deadline).await,
        };
        // The cancel has been taken: no answer may invite the caller to send it again.
        let run = seen.map_err(|error| Failure::from(error).effect_possible())?;
        Ok(done(&job_run_head(&run)))
    }

    /// What a job run that has ended answers: the outputs of its tasks, or its failure; `None` of one that goes on.
    pub(super) async fn job_result(
        &self,
        call: &Call,
        run: &JobRun,
        repair: Option<&str>,
    ) -> Result<Option<Answer>, Failure> {
        let databricks = &self.0.neighbours.databricks;
        if databricks.job_outcome(run, call.deadline).await.map_err(Failure::settled)?.is_none() {
            return Ok(None);
        }
        let outputs = databricks.job_outputs(run, call.deadline).await?;
        let mut value = job_run_json(run, &outputs);
        if let Some(repair) = repair {
            value["repairId"] = json!(repair);
        }
        Ok(Some(done(&value)))
    }
}
