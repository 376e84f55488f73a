//! Jobs and their runs: what there is, what was started. How a run goes on is in `drive.rs`, how it looks in
//! `view.rs`, the calls are in `calls.rs`.

mod calls;
mod drive;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::watch;

use super::options::Clock;
use super::workspace::{Shared, lock};

/// The first run's id; real ones have 15 digits.
const FIRST_RUN: u64 = 402_718_006_115_001;

/// A job as `engine/jobs/jobs.json` declares it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Job {
    #[serde(rename = "job_id")]
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) parameters: Vec<JobParameter>,
    pub(super) tasks: Vec<Task>,
    /// Steps of the clock that a run stays RUNNING beyond the one of every run.
    #[serde(default)]
    pub(super) more_steps: u32,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct JobParameter {
    pub(super) name: String,
    pub(super) default: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TaskKind {
    Sql,
    Notebook,
    Python,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Task {
    #[serde(rename = "task_key")]
    pub(super) key: String,
    pub(super) kind: TaskKind,
    pub(super) file: String,
    #[serde(default)]
    pub(super) depends_on: Vec<String>,
}

/// What a task gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    /// `dbutils.notebook.exit`.
    pub(super) result: Option<String>,
    pub(super) logs: Option<String>,
    pub(super) error: Option<String>,
    pub(super) trace: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    Running,
    Succeeded,
    Failed,
    UpstreamFailed,
    Canceled,
}

impl Stage {
    pub(super) fn ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

#[derive(Clone, Debug)]
pub(super) struct TaskRun {
    pub(super) run_id: u64,
    pub(super) task: Task,
    pub(super) stage: Stage,
    pub(super) output: Output,
}

/// What changes while a run goes on.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) stage: Stage,
    pub(super) tasks: Vec<TaskRun>,
    pub(super) ended: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: u64,
    pub(super) job: Job,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) started: Timestamp,
    pub(super) progress: Mutex<Progress>,
    pub(super) cancel: watch::Sender<bool>,
}

/// All jobs and runs of a workspace.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) definitions: Vec<Job>,
    runs: Mutex<Runs>,
    clock: Mutex<Clock>,
    steps: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Runs {
    /// Oldest first.
    all: Vec<Arc<Run>>,
    by_token: HashMap<String, u64>,
    ids: u64,
}

impl Jobs {
    pub(super) fn new(clock: Clock) -> anyhow::Result<Self> {
        Ok(Self {
            definitions: serde_json::from_str(include_str!("../../../engine/jobs/jobs.json"))?,
            runs: Mutex::default(),
            clock: Mutex::new(clock),
            steps: watch::Sender::new(0),
        })
    }

    pub(super) fn set_clock(&self, clock: Clock) {
        *lock(&self.clock) = clock;
    }

    /// Lets every run go one state further.
    pub(super) fn step(&self) {
        self.steps.send_modify(|steps| *steps += 1);
    }

    fn job(&self, job_id: u64) -> Option<&Job> {
        self.definitions.iter().find(|job| job.id == job_id)
    }

    /// The run of that id, or the run that has a task run of that id.
    fn run(&self, run_id: u64) -> Option<Arc<Run>> {
        lock(&self.runs)
            .all
            .iter()
            .find(|run| run.id == run_id || lock(&run.progress).tasks.iter().any(|task| task.run_id == run_id))
            .cloned()
    }
}

pub(super) fn routes() -> Router<Shared> {
    // 2.1 is still served by the real service, with the same shapes for these sizes.
    let mut router = Router::new();
    for version in ["2.1", "2.2"] {
        let path = |call: &str| format!("/api/{version}/jobs/{call}");
        router = router
            .route(&path("list"), get(calls::list))
            .route(&path("get"), get(calls::get))
            .route(&path("run-now"), post(calls::run_now))
            .route(&path("runs/get"), get(calls::run))
            .route(&path("runs/list"), get(calls::runs))
            .route(&path("runs/get-output"), get(calls::output))
            .route(&path("runs/cancel"), post(calls::cancel));
    }
    router
}
