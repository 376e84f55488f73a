//! Jobs and their runs: what there is and what was started. What a job is stands in `definition.rs`, how a run begins in
//! `start.rs`, how it goes on in `drive.rs`, how it looks in `view.rs` and `run_view.rs`.

mod cancel;
mod clock;
mod definition;
mod drive;
mod end;
mod execute;
mod graph;
mod lists;
mod output;
mod paging;
mod parameters;
mod queue;
mod repair;
mod run;
mod run_view;
mod selection;
mod start;
mod state_view;
mod task;
mod task_definition;
mod view;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::Response;
use serde_json::Value;
use tokio::sync::watch;

pub use definition::JobDefinition;
pub use task_definition::{RunIf, TaskDefinition, TaskFailure};

use super::options::Clock;
use super::reply::{error, invalid};
use super::workspace::{Shared, lock};
use clock::Ticks;
use run::Run;

/// The first run's id; real ones have 15 digits.
const FIRST_RUN: u64 = 402_718_006_115_001;

/// All jobs and runs of a workspace.
#[derive(Debug)]
pub(super) struct Jobs {
    /// Oldest first.
    definitions: Mutex<Vec<Arc<JobDefinition>>>,
    runs: Mutex<Runs>,
    clock: Ticks,
    /// Changes whenever there may be room for a run that is queued.
    room: watch::Sender<u64>,
    ids: AtomicU64,
}

#[derive(Debug, Default)]
struct Runs {
    /// Oldest first.
    all: Vec<Arc<Run>>,
    /// By the ids of runs and of their tasks.
    by_id: HashMap<u64, Arc<Run>>,
    by_token: HashMap<String, u64>,
}

impl Runs {
    fn add(&mut self, run: &Arc<Run>, tasks: impl Iterator<Item = u64>, token: Option<&str>) {
        self.all.push(run.clone());
        self.by_id.insert(run.id, run.clone());
        self.by_id.extend(tasks.map(|id| (id, run.clone())));
        if let Some(token) = token {
            self.by_token.insert(token.to_owned(), run.id);
        }
    }

    /// Runs that take a place: all, and those of a job.
    fn active(&self, job_id: u64) -> (usize, usize) {
        let active = |run: &&Arc<Run>| run.progress().active();
        self.all
            .iter()
            .filter(active)
            .fold((0, 0), |(all, of_job), run| (all + 1, of_job + usize::from(run.job.id == job_id)))
    }
}

impl Jobs {
    pub(super) fn new(clock: Clock) -> anyhow::Result<Self> {
        let jobs = Self {
            definitions: Mutex::default(),
            runs: Mutex::default(),
            clock: Ticks::new(clock),
            room: watch::Sender::new(0),
            ids: AtomicU64::new(FIRST_RUN),
        };
        for job in serde_json::from_str::<Vec<JobDefinition>>(include_str!("../../../engine/jobs/jobs.json"))? {
            jobs.define(job)?;
        }
        Ok(jobs)
    }

    /// Adds a job, or changes the one of that id for the runs that begin after this.
    pub(super) fn define(&self, job: JobDefinition) -> anyhow::Result<()> {
        job.check()?;
        let mut definitions = lock(&self.definitions);
        let job = Arc::new(job);
        match definitions.iter_mut().find(|other| other.id == job.id) {
            Some(other) => *other = job,
            None => definitions.push(job),
        }
        Ok(())
    }

    pub(super) fn set_clock(&self, clock: Clock) {
        self.clock.set(clock);
    }

    /// Lets every run go one state further.
    pub(super) fn step(&self) {
        self.clock.step();
    }

    fn job(&self, job_id: u64) -> Option<Arc<JobDefinition>> {
        lock(&self.definitions).iter().find(|job| job.id == job_id).cloned()
    }

    /// The run of that id, or the run that has a task run of that id.
    fn run(&self, id: u64) -> Option<Arc<Run>> {
        lock(&self.runs).by_id.get(&id).cloned()
    }

    fn started_by(&self, token: &str) -> Option<u64> {
        lock(&self.runs).by_token.get(token).copied()
    }

    fn new_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a new task run's id known.
    fn knows(&self, id: u64, run: &Arc<Run>) {
        lock(&self.runs).by_id.insert(id, run.clone());
    }
}

/// An id in a body: the service takes numbers also as text.
fn number_of(value: &Value, name: &str) -> Result<u64, Response<Body>> {
    if value.is_null() {
        return Err(invalid(&format!("Missing required field: {name}")));
    }
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| invalid(&format!("{name} must be a number.")))
}

/// (databricks/cli, libs/testserver/jobs.go)
fn no_job(job_id: u64) -> Response<Body> {
    error(404, "RESOURCE_DOES_NOT_EXIST", &format!("Job {job_id} does not exist."))
}

/// SDKs map this message of a 400 to not-found (SDK, errors/overrides.py).
fn no_run(run_id: u64) -> Response<Body> {
    invalid(&format!("Run {run_id} does not exist."))
}

pub(super) fn routes() -> Router<Shared> {
    // 2.1 is still served by the real service; that it does not page arrays is not copied.
    let mut router = Router::new();
    for version in ["2.1", "2.2"] {
        let path = |call: &str| format!("/api/{version}/jobs/{call}");
        router = router
            .route(&path("list"), get(lists::jobs))
            .route(&path("get"), get(view::get))
            .route(&path("run-now"), post(start::run_now))
            .route(&path("runs/get"), get(run_view::get))
            .route(&path("runs/list"), get(lists::runs))
            .route(&path("runs/get-output"), get(output::get))
            .route(&path("runs/cancel"), post(cancel::one))
            .route(&path("runs/cancel-all"), post(cancel::all))
            .route(&path("runs/repair"), post(repair::repair))
            .route(&path("runs/delete"), post(cancel::delete));
    }
    router
}
