//! Jobs API 2.2: run-now, runs/get, cancel, wait. Ids are strings here, numbers on the wire.
//!
//! What the bodies look like is `jobs_wire.rs`; what tasks give back is `outputs.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::call::{body, read};
use super::jobs_wire::{CancelBody, JobsPage, RunBody, RunNowBody, RunNowReply};
use super::pause::Pauses;
use super::refusal::unexpected;
use super::subject::Subject;
use super::{Databricks, DatabricksError};
use crate::failure::{Code, Failure, Upstream};
use crate::http::{Deadline, Outbound, Reply, RequestKind};

/// Pages of a run's tasks or of jobs that are followed: 100 entries each.
const MOST_PAGES: usize = 100;
/// Characters of an idempotency token (Databricks SDK, run_now).
const LONGEST_TOKEN: usize = 64;
/// Failed tasks that a failure names.
const NAMED_TASKS: usize = 10;
/// Characters of a task's message in a failure.
const TASK_MESSAGE: usize = 300;

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
    pub async fn run_now(&self, start: &RunNow, deadline: Deadline) -> Result<String, DatabricksError> {
        let subject = Subject::Job(start.job_id.clone());
        if start.idempotency_token.is_empty() || start.idempotency_token.len() > LONGEST_TOKEN {
            return Err(Failure::new(Code::Internal, "A job's idempotency token must have 1 to 64 characters.").into());
        }
        let request = Outbound::post(self.address(&["api", "2.2", "jobs", "run-now"])?).json(body(&RunNowBody {
            job_id: number(&start.job_id, &subject)?,
            job_parameters: &start.parameters,
            only: &start.only,
            idempotency_token: &start.idempotency_token,
        })?);
        let reply = self.call(RequestKind::JobRunNow, request, &subject, deadline).await?;
        run_id_in(&reply, &subject)
    }

    /// A run with its tasks, however many pages they take.
    pub async fn job_run(&self, run_id: &str, deadline: Deadline) -> Result<JobRun, DatabricksError> {
        let subject = Subject::JobRun(run_id.to_owned());
        number(run_id, &subject)?;
        let mut first: Option<RunBody> = None;
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.address(&["api", "2.2", "jobs", "runs", "get"])?;
            url.query_pairs_mut().append_pair("run_id", run_id);
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("page_token", token);
            }
            let mut page: RunBody = self.ask(RequestKind::JobRunGet, Outbound::get(url), &subject, deadline).await?;
            token = page.next_page_token.take().filter(|token| !token.is_empty());
            match &mut first {
                None => first = Some(page),
                Some(first) => first.tasks.append(&mut page.tasks),
            }
            if token.is_none() {
                break;
            }
        }
        first.and_then(RunBody::into_run).ok_or_else(|| DatabricksError::UnexpectedReply {
            subject,
            what: "it has no run_id".to_owned(),
            request_id: None,
            effect: crate::failure::Effect::None,
            source: None,
        })
    }

    /// Asks for cancellation; the run ends a little later.
    pub async fn cancel_job_run(&self, run_id: &str, deadline: Deadline) -> Result<(), DatabricksError> {
        let subject = Subject::JobRun(run_id.to_owned());
        let request = Outbound::post(self.address(&["api", "2.2", "jobs", "runs", "cancel"])?)
            .json(body(&CancelBody { run_id: number(run_id, &subject)? })?);
        self.call(RequestKind::JobRunCancel, request, &subject, deadline).await?;
        Ok(())
    }

    /// Polls until the run has ended or the deadline comes, the pauses growing from 250 ms to 10 s. When the deadline
    /// comes first, the run as last seen: not an error.
    pub async fn wait_for_job_run(&self, run_id: &str, deadline: Deadline) -> Result<JobRun, DatabricksError> {
        let mut pauses = Pauses::new(Duration::from_millis(250), Duration::from_secs(10));
        let mut run = self.job_run(run_id, deadline).await?;
        while !run.ended {
            let pause = pauses.next_pause();
            if deadline.remaining() <= pause {
                break;
            }
            tokio::time::sleep(pause).await;
            match self.job_run(run_id, deadline).await {
                Ok(seen) => run = seen,
                Err(DatabricksError::Transport(lost)) if lost.timed_out && deadline.has_passed() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(run)
    }

    /// The id of a job given as digits or by its unique name. A name of digits only is taken for an id.
    pub async fn resolve_job(&self, id_or_name: &str, deadline: Deadline) -> Result<String, DatabricksError> {
        if !id_or_name.is_empty() && id_or_name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(id_or_name.to_owned());
        }
        let mut found: Vec<(String, bool)> = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.address(&["api", "2.2", "jobs", "list"])?;
            url.query_pairs_mut().append_pair("name", id_or_name).append_pair("limit", "100");
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("page_token", token);
            }
            let page: JobsPage =
                self.ask(RequestKind::JobGet, Outbound::get(url), &Subject::Workspace, deadline).await?;
            found.extend(page.jobs.into_iter().filter_map(|job| {
                let name = job.settings?.name?;
                let same = name == id_or_name;
                (same || name.to_lowercase() == id_or_name.to_lowercase()).then_some((job.job_id?, same))
            }));
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(only_one(id_or_name, found)?)
    }
}

/// The server's filter ignores case; a name that is the same to the letter comes first.
fn only_one(name: &str, mut found: Vec<(String, bool)>) -> Result<String, Failure> {
    if found.iter().any(|(_, same)| *same) {
        found.retain(|(_, same)| *same);
    }
    match found.as_slice() {
        [] => Err(Failure::new(
            Code::JobNotFound,
            format!("No job named {name} is there, or this app may not see it (it needs CAN MANAGE RUN)."),
        )),
        [(id, _)] => Ok(id.clone()),
        several => {
            let ids: Vec<&str> = several.iter().map(|(id, _)| id.as_str()).collect();
            Err(Failure::new(
                Code::BodyInvalid,
                format!("{} jobs are named {name}; name one by its id: {}.", ids.len(), ids.join(", ")),
            ))
        }
    }
}

pub(super) fn run_id_in(reply: &Reply, subject: &Subject) -> Result<String, DatabricksError> {
    let body: RunNowReply = read(reply, RequestKind::JobRunNow, subject)?;
    body.run_id.ok_or_else(|| unexpected(reply, RequestKind::JobRunNow, subject, "it has no run_id"))
}

/// An id as the wire wants it; what is no number cannot exist.
fn number(id: &str, subject: &Subject) -> Result<u64, Failure> {
    let code = if matches!(subject, Subject::Job(_)) { Code::JobNotFound } else { Code::JobRunNotFound };
    id.parse().map_err(|_| Failure::new(code, format!("There is no {subject}: ids are numbers.")))
}

impl JobRun {
    /// Success; a failure with each failed task named; or not ended yet.
    pub fn outcome(&self) -> Result<Option<()>, Failure> {
        if !self.ended {
            return Ok(None);
        }
        if self.succeeded {
            return Ok(Some(()));
        }
        let failure = if self.canceled {
            Failure::new(Code::JobCanceled, format!("Job run {} was canceled.", self.run_id))
        } else {
            Failure::new(Code::JobFailed, self.reason())
        };
        Err(failure.from_upstream(Upstream {
            service: "databricks".to_owned(),
            status: None,
            code: self.termination_code.clone(),
            request_id: None,
        }))
    }

    fn reason(&self) -> String {
        let mut reason = format!("Job run {} failed", self.run_id);
        let failed: Vec<&TaskRun> = self.tasks.iter().filter(|task| task.failed()).collect();
        for (number, task) in failed.iter().take(NAMED_TASKS).enumerate() {
            let state = task.result_state.as_deref().unwrap_or(&task.state);
            let _ = write!(reason, "{} task {} {state}", if number == 0 { ":" } else { ";" }, task.task_key);
            if let Some(message) = &task.message {
                let message: String = message.trim().chars().take(TASK_MESSAGE).collect();
                let _ = write!(reason, " ({})", message.trim_end_matches('.'));
            }
        }
        if failed.len() > NAMED_TASKS {
            let _ = write!(reason, "; and {} more", failed.len() - NAMED_TASKS);
        }
        if failed.is_empty() {
            let why = self.message.as_deref().or(self.termination_code.as_deref()).unwrap_or(&self.state);
            let _ = write!(reason, ": {}", why.trim().trim_end_matches('.'));
        }
        reason.push('.');
        reason
    }
}

impl TaskRun {
    /// Ended without success; a task left out on purpose has not failed.
    fn failed(&self) -> bool {
        let fine = ["SUCCESS", "SUCCESS_WITH_FAILURES", "EXCLUDED", "DISABLED"];
        self.result_state.as_deref().is_some_and(|state| !fine.contains(&state)) || self.state == "INTERNAL_ERROR"
    }
}
