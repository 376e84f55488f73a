//! What a job is: made in code with [`JobDefinition::new`], or read from `engine/jobs/jobs.json` and from the body of
//! `/__stand-in/jobs`, which have the same members. What becomes of a run is elsewhere.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use serde::Deserialize;

use super::task_definition::TaskDefinition;

/// Tasks of one job on the real service (learn.microsoft.com/azure/databricks/resources/limits).
const TASKS: usize = 1000;

/// A job of the workspace.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobDefinition {
    #[serde(rename = "job_id")]
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) parameters: Vec<JobParameter>,
    pub(super) tasks: Vec<TaskDefinition>,
    /// Steps of the clock that a run stays RUNNING beyond the one of every run.
    #[serde(default)]
    pub(super) more_steps: u64,
    /// Steps of the clock that a canceled run stays TERMINATING.
    #[serde(default)]
    pub(super) ending_steps: u64,
    #[serde(default = "one")]
    pub(super) max_concurrent_runs: usize,
    #[serde(default = "yes")]
    pub(super) queue: bool,
    /// 0 for none. A second is a step of the clock.
    #[serde(default)]
    pub(super) timeout_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobParameter {
    pub(super) name: String,
    pub(super) default: String,
}

/// What a job has when nothing is said (SDK, JobSettings).
fn one() -> usize {
    1
}

/// Jobs that were made by API 2.2 queue (learn.microsoft.com/azure/databricks/reference/jobs-api-2-2-updates).
fn yes() -> bool {
    true
}

impl JobDefinition {
    /// A job without tasks and parameters. One run at a time, more are queued.
    pub fn new(id: u64, name: &str) -> Self {
        Self {
            id,
            name: name.into(),
            description: None,
            parameters: Vec::new(),
            tasks: Vec::new(),
            more_steps: 0,
            ending_steps: 0,
            max_concurrent_runs: one(),
            queue: yes(),
            timeout_seconds: 0,
        }
    }

    #[must_use]
    pub fn parameter(mut self, name: &str, default: &str) -> Self {
        self.parameters.push(JobParameter { name: name.into(), default: default.into() });
        self
    }

    #[must_use]
    pub fn task(mut self, task: TaskDefinition) -> Self {
        self.tasks.push(task);
        self
    }

    #[must_use]
    pub fn max_concurrent_runs(mut self, most: usize) -> Self {
        self.max_concurrent_runs = most;
        self
    }

    /// A run that cannot begin at once is skipped instead of queued.
    #[must_use]
    pub fn without_queue(mut self) -> Self {
        self.queue = false;
        self
    }

    /// A run stays RUNNING for so many more steps of the clock.
    #[must_use]
    pub fn more_steps(mut self, steps: u64) -> Self {
        self.more_steps = steps;
        self
    }

    /// A canceled run stays TERMINATING for so many steps of the clock.
    #[must_use]
    pub fn ending_steps(mut self, steps: u64) -> Self {
        self.ending_steps = steps;
        self
    }

    /// A run that would stay RUNNING for more steps than this, by itself or by one of its tasks, ends as timed out.
    #[must_use]
    pub fn timeout(mut self, steps: u64) -> Self {
        self.timeout_seconds = steps;
        self
    }

    /// Whether the service would have taken it.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.tasks.is_empty(), "the job {} has no task", self.name);
        ensure!(self.tasks.len() <= TASKS, "the job {} has more than {TASKS} tasks", self.name);
        let mut known = BTreeSet::new();
        for task in &self.tasks {
            ensure!(known.insert(task.key.as_str()), "the job {} has two tasks {}", self.name, task.key);
            task.check()?;
        }
        // Every task whose dependencies were taken out can be taken out; what then is left goes round in a circle.
        let mut left: Vec<&TaskDefinition> = self.tasks.iter().collect();
        let mut done = BTreeSet::new();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|task| {
                let free = task.depends_on.iter().all(|key| done.contains(key.as_str()));
                if free {
                    done.insert(task.key.as_str());
                }
                !free
            });
            if left.len() == before {
                bail!("the tasks of the job {} depend on each other or on one that is not there", self.name);
            }
        }
        Ok(())
    }
}
