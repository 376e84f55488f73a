//! Jobs API 2.2: run-now, runs/get, get-output, cancel. Ids are strings here, numbers on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Databricks, DatabricksError};
use crate::failure::Failure;
use crate::http::Deadline;

/// What to start.
#[derive(Clone, Debug)]
pub struct RunNow {
    /// Digits.
    pub job_id: String,
    pub parameters: BTreeMap<String, String>,
    pub only: Vec<String>,
    /// 64 hex digits; the same token starts one run only.
    pub idempotency_token: String,
}

/// One task of a run: its latest attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRun {
    pub task_key: String,
    pub run_id: String,
    pub state: String,
    pub result_state: Option<String>,
    pub message: Option<String>,
    pub attempt: u32,
}

/// A job run as Databricks sees it.
#[derive(Clone, Debug)]
pub struct JobRun {
    pub run_id: String,
    pub job_id: String,
    /// `PENDING`, `RUNNING`, `TERMINATED`, … of the new `status`, else the legacy life-cycle state.
    pub state: String,
    /// Any of the terminal states of either model.
    pub ended: bool,
    pub succeeded: bool,
    pub canceled: bool,
    pub message: Option<String>,
    pub termination_code: Option<String>,
    pub start_time: Option<jiff::Timestamp>,
    pub end_time: Option<jiff::Timestamp>,
    pub duration_ms: Option<u64>,
    pub run_page_url: Option<String>,
    pub tasks: Vec<TaskRun>,
}

/// What a task gave back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskOutput {
    pub task_key: String,
    /// `notebook`, `sql`, `dbt`, `run_job`, `logs`, `none`.
    pub kind: String,
    pub text: Option<String>,
    /// `text` parsed, when it is JSON.
    pub json: Option<serde_json::Value>,
    #[serde(default)]
    pub truncated: bool,
    pub error: Option<String>,
}

impl Databricks {
    /// Starts a run, or finds the one that this token started; its id.
    pub async fn run_now(&self, _start: &RunNow, _deadline: Deadline) -> Result<String, DatabricksError> {
        unimplemented!()
    }

    pub async fn job_run(&self, _run_id: &str, _deadline: Deadline) -> Result<JobRun, DatabricksError> {
        unimplemented!()
    }

    /// Outputs of all tasks of an ended run.
    pub async fn job_outputs(&self, _run: &JobRun, _deadline: Deadline) -> Result<Vec<TaskOutput>, DatabricksError> {
        unimplemented!()
    }

    pub async fn cancel_job_run(&self, _run_id: &str, _deadline: Deadline) -> Result<(), DatabricksError> {
        unimplemented!()
    }

    /// Polls until the run has ended or the deadline comes, the pauses growing from 250 ms to 10 s.
    pub async fn wait_for_job_run(&self, _run_id: &str, _deadline: Deadline) -> Result<JobRun, DatabricksError> {
        unimplemented!()
    }

    /// The id of a job given as digits or by its unique name.
    pub async fn resolve_job(&self, _id_or_name: &str, _deadline: Deadline) -> Result<String, DatabricksError> {
        unimplemented!()
    }
}

impl JobRun {
    /// Success; a failure with each failed task named; or not ended yet.
    pub fn outcome(&self) -> Result<Option<()>, Failure> {
        unimplemented!()
    }
}
