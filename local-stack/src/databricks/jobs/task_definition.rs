//! What a task is: its kind, what it does, after which others, and what goes wrong with it.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde::Deserialize;

/// A task of a job. Made with [`TaskDefinition::sql`] and its like.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskDefinition {
    #[serde(rename = "task_key")]
    pub(super) key: String,
    pub(super) kind: TaskKind,
    /// A file of `engine/jobs`, with the SQL statement or the script.
    pub(super) file: Option<String>,
    /// The SQL statement or the script itself.
    pub(super) source: Option<String>,
    /// What comes out; then nothing is run.
    pub(super) output: Option<String>,
    /// Of dbt.
    #[serde(default)]
    pub(super) commands: Vec<String>,
    /// The job that `run_job` runs.
    pub(super) job_id: Option<u64>,
    /// Base parameters of a notebook, parameters of SQL, or the job parameters that `run_job` hands on.
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) depends_on: Vec<String>,
    #[serde(default)]
    pub(super) run_if: RunIf,
    #[serde(default)]
    pub(super) max_retries: u32,
    /// Steps of the clock between a failed attempt and the next.
    #[serde(default)]
    pub(super) retry_steps: u64,
    /// Steps of the clock that it stays RUNNING at least.
    #[serde(default)]
    pub(super) more_steps: u64,
    /// 0 for none. A second is a step of the clock.
    #[serde(default)]
    pub(super) timeout_seconds: u64,
    #[serde(default)]
    pub(super) disabled: bool,
    /// How its first attempts fail, repairs and retries counted.
    #[serde(default)]
    pub(super) fails_first: Vec<TaskFailure>,
    /// How each attempt after those fails.
    pub(super) fails: Option<TaskFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TaskKind {
    Sql,
    Notebook,
    Python,
    Dbt,
    RunJob,
}

/// When a task runs once its dependencies have ended (SDK, RunIf).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunIf {
    #[default]
    AllSuccess,
    AtLeastOneSuccess,
    NoneFailed,
    AllDone,
    AtLeastOneFailed,
    AllFailed,
}

impl RunIf {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AllSuccess => "ALL_SUCCESS",
            Self::AtLeastOneSuccess => "AT_LEAST_ONE_SUCCESS",
            Self::NoneFailed => "NONE_FAILED",
            Self::AllDone => "ALL_DONE",
            Self::AtLeastOneFailed => "AT_LEAST_ONE_FAILED",
            Self::AllFailed => "ALL_FAILED",
        }
    }
}

/// How an attempt of a task fails without doing anything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskFailure {
    /// The code raised: `RUN_EXECUTION_ERROR`, with `error` and `error_trace` in the output.
    Workload {
        error: String,
        #[serde(default)]
        trace: String,
    },
    /// It went on for longer than it may.
    TimedOut,
    /// It never got so far as to run the code: a code and a type of `termination_details`, and why.
    Platform { code: String, kind: String, message: String },
}

impl TaskFailure {
    pub fn workload(error: &str) -> Self {
        Self::Workload { error: error.into(), trace: format!("Traceback (most recent call last):\n{error}\n") }
    }

    pub fn platform(code: &str, kind: &str, message: &str) -> Self {
        Self::Platform { code: code.into(), kind: kind.into(), message: message.into() }
    }

    /// The cloud has no machine to give (the words: a failed run quoted in public code, there with AWS's code).
    pub fn cluster() -> Self {
        Self::platform(
            "CLUSTER_ERROR",
            "CLOUD_FAILURE",
            "Cluster 1201-152702-6zjz069j was terminated while waiting on it to be ready: Cluster 1201-152702-6zjz069j \
             is in unexpected state Terminated: CLOUD_PROVIDER_RESOURCE_STOCKOUT(CLOUD_FAILURE): \
             azure_error_code:SkuNotAvailable,azure_error_message:The requested VM size is currently not available.",
        )
    }
}

impl TaskDefinition {
    fn new(key: &str, kind: TaskKind) -> Self {
        Self {
            key: key.into(),
            kind,
            file: None,
            source: None,
            output: None,
            commands: Vec::new(),
            job_id: None,
            parameters: BTreeMap::new(),
            depends_on: Vec::new(),
            run_if: RunIf::default(),
            max_retries: 0,
            retry_steps: 0,
            more_steps: 0,
            timeout_seconds: 0,
            disabled: false,
            fails_first: Vec::new(),
            fails: None,
        }
    }

    /// One statement, which runs on the SQL engine as any other: it can be held, failed and canned. The run's
    /// parameters are its named parameters.
    pub fn sql(key: &str, statement: &str) -> Self {
        Self { source: Some(statement.into()), ..Self::new(key, TaskKind::Sql) }
    }

    /// A script with `spark.sql`, `dbutils.widgets.get` and `dbutils.notebook.exit`.
    pub fn notebook(key: &str, script: &str) -> Self {
        Self { source: Some(script.into()), ..Self::new(key, TaskKind::Notebook) }
    }

    /// A notebook that exits with this value at once. Needs no engine.
    pub fn notebook_exit(key: &str, value: &str) -> Self {
        Self { output: Some(value.into()), ..Self::new(key, TaskKind::Notebook) }
    }

    /// A script whose prints are the logs.
    pub fn python(key: &str, script: &str) -> Self {
        Self { source: Some(script.into()), ..Self::new(key, TaskKind::Python) }
    }

    /// A script that did nothing but print this. Needs no engine.
    pub fn python_logs(key: &str, logs: &str) -> Self {
        Self { output: Some(logs.into()), ..Self::new(key, TaskKind::Python) }
    }

    /// dbt commands; its logs say that each was fine, and there is a link to artifacts.
    pub fn dbt(key: &str, commands: &[&str]) -> Self {
        let commands = commands.iter().map(|command| (*command).to_owned()).collect();
        Self { commands, ..Self::new(key, TaskKind::Dbt) }
    }

    /// A run of another job, waited for.
    pub fn run_job(key: &str, job_id: u64) -> Self {
        Self { job_id: Some(job_id), ..Self::new(key, TaskKind::RunJob) }
    }

    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    #[must_use]
    pub fn after(mut self, keys: &[&str]) -> Self {
        self.depends_on.extend(keys.iter().map(|key| (*key).to_owned()));
        self
    }

    #[must_use]
    pub fn run_if(mut self, condition: RunIf) -> Self {
        self.run_if = condition;
        self
    }

    /// A failed attempt is made again so many times, after so many steps of the clock.
    #[must_use]
    pub fn retries(mut self, times: u32, steps: u64) -> Self {
        (self.max_retries, self.retry_steps) = (times, steps);
        self
    }

    /// It stays RUNNING for so many steps of the clock at least.
    #[must_use]
    pub fn lasting(mut self, steps: u64) -> Self {
        self.more_steps = steps;
        self
    }

    /// If it lasts longer than so many steps of the clock, it times out after them.
    #[must_use]
    pub fn timeout(mut self, steps: u64) -> Self {
        self.timeout_seconds = steps;
        self
    }

    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Each attempt fails so.
    #[must_use]
    pub fn fails(mut self, failure: TaskFailure) -> Self {
        self.fails = Some(failure);
        self
    }

    /// One more of its first attempts fails so; retries and repairs count.
    #[must_use]
    pub fn fails_once(mut self, failure: TaskFailure) -> Self {
        self.fails_first.push(failure);
        self
    }

    /// How this attempt fails, when it does.
    pub(super) fn failure(&self, attempt: u32) -> Option<&TaskFailure> {
        self.fails_first.get(attempt as usize).or(self.fails.as_ref())
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Self { key, .. } = self;
        match self.kind {
            TaskKind::Sql | TaskKind::Notebook | TaskKind::Python => {
                let ways = [&self.file, &self.source, &self.output].into_iter().flatten().count();
                ensure!(ways == 1, "the task {key} needs one of file, source and output");
            }
            // (SDK, DbtTask)
            TaskKind::Dbt => {
                ensure!((1..=10).contains(&self.commands.len()), "the task {key} needs one to ten commands");
                let dbt = self.commands.iter().all(|command| command.starts_with("dbt"));
                ensure!(dbt, "the commands of the task {key} must begin with dbt");
            }
            TaskKind::RunJob => ensure!(self.job_id.is_some(), "the task {key} needs the job_id of a job"),
        }
        Ok(())
    }
}
