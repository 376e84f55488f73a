//! Job runs: look, wait, list, cancel, and how one has ended. The bodies are `job_runs_wire.rs`; what tasks give back is
//! `outputs.rs`; starting and repairing is `job_start.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::call::body;
use super::job_runs_wire::{CancelBody, RunBody, RunsPage};
use super::job_state::Standing;
use super::jobs::Dependency;
use super::listed::{List, Listed};
use super::pause::Pauses;
use super::subject::Subject;
use super::{Databricks, DatabricksError};
use crate::http::{Deadline, Outbound, RequestKind};

/// Runs of a page: "greater than 0 and less than 25" (Databricks SDK, jobs.list_runs).
const RUNS_PAGE: usize = 24;

/// One task of a run: its latest attempt.
#[derive(Clone, Debug, Default)]
pub struct TaskRun {
    pub task_key: String,
    pub run_id: String,
    pub state: String,
    pub ended: bool,
    /// `SUCCESS`, `FAILED`, `UPSTREAM_FAILED`, …, else the new model's code.
    pub result_state: Option<String>,
    pub termination_code: Option<String>,
    pub termination_type: Option<String>,
    pub message: Option<String>,
    /// From 0; retries and repairs count.
    pub attempt: u32,
    /// As of [`super::jobs::JobTask`].
    pub kind: Option<String>,
    pub depends_on: Vec<Dependency>,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub durations: Durations,
    pub run_page_url: Option<String>,
}

/// Milliseconds that something took; all but `total` are Databricks' own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Durations {
    pub total: Option<u64>,
    pub queue: Option<u64>,
    pub setup: Option<u64>,
    pub execution: Option<u64>,
    pub cleanup: Option<u64>,
}

/// A repair of a run, from its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairEntry {
    pub repair_id: String,
    pub standing: Standing,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub task_run_ids: Vec<String>,
}

/// A job run as Databricks sees it.
#[derive(Clone, Debug, Default)]
pub struct JobRun {
    pub run_id: String,
    pub job_id: String,
    pub name: Option<String>,
    /// `ONE_TIME`, `PERIODIC`, `RETRY`, …; open.
    pub trigger: Option<String>,
    pub standing: Standing,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub durations: Durations,
    pub run_page_url: Option<String>,
    /// The values of the job's parameters in this run.
    pub parameters: BTreeMap<String, String>,
    pub tasks: Vec<TaskRun>,
    /// Oldest first; empty unless asked for.
    pub repairs: Vec<RepairEntry>,
}

/// Which runs of a job are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunFilter {
    /// Active ones alone, or completed ones alone.
    pub active: Option<bool>,
    /// Milliseconds; both ends belong to it.
    pub started_from: Option<i64>,
    pub started_to: Option<i64>,
}

impl Databricks {
    /// A run with its tasks, however many pages they take.
    pub async fn job_run(&self, run_id: &str, deadline: Deadline) -> Result<JobRun, DatabricksError> {
        self.look_at_run(run_id, false, deadline).await
    }

    /// The same with the repairs that it had.
    pub async fn job_run_with_repairs(&self, run_id: &str, deadline: Deadline) -> Result<JobRun, DatabricksError> {
        self.look_at_run(run_id, true, deadline).await
    }

    async fn look_at_run(&self, run_id: &str, repairs: bool, deadline: Deadline) -> Result<JobRun, DatabricksError> {
        let subject = Subject::JobRun(run_id.to_owned());
        subject.number(run_id)?;
        let mut url = self.address(&["api", "2.2", "jobs", "runs", "get"])?;
        url.query_pairs_mut().append_pair("run_id", run_id);
        if repairs {
            url.query_pairs_mut().append_pair("include_history", "true");
        }
        let body: RunBody = self.whole(RequestKind::JobRunGet, &url, &subject, deadline).await?;
        body.into_run().ok_or_else(|| DatabricksError::nonsense(&subject, "it has no run_id"))
    }

    /// Runs of a job, newest first, without their tasks.
    pub async fn job_runs(
        &self,
        job_id: &str,
        filter: RunFilter,
        most: usize,
        from: Option<&str>,
        deadline: Deadline,
    ) -> Result<Listed<JobRun>, DatabricksError> {
        let subject = Subject::Job(job_id.to_owned());
        subject.number(job_id)?;
        let mut url = self.address(&["api", "2.2", "jobs", "runs", "list"])?;
        let mut query = vec![("job_id", job_id.to_owned())];
        if let Some(active) = filter.active {
            query.push((if active { "active_only" } else { "completed_only" }, "true".to_owned()));
        }
        query.extend(filter.started_from.map(|millis| ("start_time_from", millis.to_string())));
        query.extend(filter.started_to.map(|millis| ("start_time_to", millis.to_string())));
        url.query_pairs_mut().extend_pairs(query);
        let list = List { kind: RequestKind::JobRunGet, url, subject, page: Some(("limit", RUNS_PAGE)) };
        self.list::<RunsPage>(&list, most, from, deadline).await
    }

    /// Asks for cancellation; the run ends a little later.
    pub async fn cancel_job_run(&self, run_id: &str, deadline: Deadline) -> Result<(), DatabricksError> {
        let subject = Subject::JobRun(run_id.to_owned());
        let request = Outbound::post(self.address(&["api", "2.2", "jobs", "runs", "cancel"])?)
            .json(body(&CancelBody { run_id: subject.number(run_id)? })?);
        self.call(RequestKind::JobRunCancel, request, &subject, deadline).await?;
        Ok(())
    }

    /// How a run stands now; with `repair_id`, as of that repair.
    pub async fn job_run_or_repair(
        &self,
        run_id: &str,
        repair_id: Option<&str>,
        deadline: Deadline,
    ) -> Result<JobRun, DatabricksError> {
        let run = self.look_at_run(run_id, repair_id.is_some(), deadline).await?;
        Ok(match repair_id {
            Some(repair_id) => run.as_of_repair(repair_id),
            None => run,
        })
    }

    /// Polls until the run (or its repair) has ended or the deadline comes, the pauses growing from 250 ms to 10 s. When
    /// the deadline comes first, the run as last seen: not an error.
    pub async fn wait_for_job_run(
        &self,
        run_id: &str,
        repair_id: Option<&str>,
        deadline: Deadline,
    ) -> Result<JobRun, DatabricksError> {
        let mut pauses = Pauses::new(Duration::from_millis(250), Duration::from_secs(10));
        let mut run = self.job_run_or_repair(run_id, repair_id, deadline).await?;
        while !run.standing.ended {
            let pause = pauses.next_pause();
            if deadline.remaining() <= pause {
                break;
            }
            tokio::time::sleep(pause).await;
            match self.job_run_or_repair(run_id, repair_id, deadline).await {
                Ok(seen) => run = seen,
                Err(DatabricksError::Transport(lost)) if lost.timed_out && deadline.has_passed() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(run)
    }
}

impl JobRun {
    /// The run as one of its repairs has it: a run that was repaired stands at its former end until the repair begins.
    #[must_use]
    pub fn as_of_repair(mut self, repair_id: &str) -> Self {
        let entry = self.repairs.iter().find(|entry| entry.repair_id == repair_id).cloned();
        let pending = || Standing { state: "PENDING".to_owned(), ..Standing::default() };
        self.standing = entry.as_ref().map_or_else(pending, |entry| entry.standing.clone());
        self.start_time = entry.as_ref().and_then(|entry| entry.start_time);
        self.end_time = entry.as_ref().and_then(|entry| entry.end_time);
        self.durations = Durations { total: between(self.start_time, self.end_time), ..Durations::default() };
        self
    }

    /// The repair that began last.
    pub fn latest_repair(&self) -> Option<&RepairEntry> {
        // Of equals the later in the history.
        self.repairs.iter().max_by_key(|entry| entry.start_time)
    }
}

/// Milliseconds from one moment to another.
pub(super) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u64> {
    u64::try_from(to?.duration_since(from?).as_millis()).ok()
}
