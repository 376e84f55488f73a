//! The bodies of job runs in Jobs API 2.2 as they come. How they stand is `job_state.rs`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::job_runs::{Durations, JobRun, RepairEntry, TaskRun, between};
use super::job_state::Model;
use super::jobs_wire::{DependencyBody, id, moment, task_kind};
use super::listed::{ListPage, Part};

#[derive(Serialize)]
pub(super) struct CancelBody {
    pub(super) run_id: u64,
}

#[derive(Deserialize)]
pub(super) struct RunsPage {
    #[serde(default)]
    runs: Vec<RunBody>,
    next_page_token: Option<String>,
}

impl ListPage for RunsPage {
    type Item = JobRun;

    fn into_parts(self) -> (Vec<JobRun>, Option<String>) {
        (self.runs.into_iter().filter_map(RunBody::into_run).collect(), self.next_page_token)
    }
}

#[derive(Deserialize)]
pub(super) struct RunBody {
    #[serde(default, deserialize_with = "id")]
    run_id: Option<String>,
    #[serde(default, deserialize_with = "id")]
    job_id: Option<String>,
    run_name: Option<String>,
    trigger: Option<String>,
    #[serde(flatten)]
    model: Model,
    #[serde(flatten)]
    times: Times,
    run_page_url: Option<String>,
    #[serde(default)]
    job_parameters: Vec<ParameterBody>,
    #[serde(default)]
    tasks: Vec<TaskBody>,
    #[serde(default)]
    repair_history: Vec<RepairBody>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct TaskBody {
    #[serde(default, deserialize_with = "id")]
    run_id: Option<String>,
    #[serde(default)]
    task_key: String,
    #[serde(flatten)]
    model: Model,
    #[serde(flatten)]
    times: Times,
    attempt_number: Option<u32>,
    #[serde(default)]
    depends_on: Vec<DependencyBody>,
    run_page_url: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct ParameterBody {
    name: String,
    value: Option<String>,
    default: Option<String>,
}

#[derive(Deserialize)]
struct RepairBody {
    #[serde(default, deserialize_with = "id")]
    id: Option<String>,
    #[serde(flatten)]
    model: Model,
    start_time: Option<i64>,
    end_time: Option<i64>,
    #[serde(default)]
    task_run_ids: Vec<u64>,
}

/// Milliseconds, 0 for none; the durations are 0 where they do not apply.
#[derive(Default, Deserialize)]
struct Times {
    start_time: Option<i64>,
    end_time: Option<i64>,
    run_duration: Option<u64>,
    queue_duration: Option<u64>,
    setup_duration: Option<u64>,
    execution_duration: Option<u64>,
    cleanup_duration: Option<u64>,
}

impl Times {
    fn durations(&self) -> Durations {
        let some = |millis: Option<u64>| millis.filter(|millis| *millis > 0);
        let parts = [self.setup_duration, self.execution_duration, self.cleanup_duration];
        // "The duration of a task run is the sum" of its three; that of a run of several tasks is `run_duration` (SDK, Run).
        let sum = || some(Some(parts.iter().flatten().sum())).filter(|_| parts[1].is_some_and(|millis| millis > 0));
        let total = some(self.run_duration).or_else(|| between(moment(self.start_time), moment(self.end_time)));
        Durations {
            total: total.or_else(sum),
            queue: some(self.queue_duration),
            setup: some(self.setup_duration),
            execution: some(self.execution_duration),
            cleanup: some(self.cleanup_duration),
        }
    }
}

impl Part for RunBody {
    fn next(&mut self) -> Option<String> {
        self.next_page_token.take()
    }

    fn append(&mut self, mut page: Self) {
        self.tasks.append(&mut page.tasks);
        self.job_parameters.append(&mut page.job_parameters);
        self.repair_history.append(&mut page.repair_history);
    }
}

impl RunBody {
    /// The run, its tasks being the latest attempts; `None` when it has no id.
    pub(super) fn into_run(self) -> Option<JobRun> {
        let value = |parameter: ParameterBody| Some((parameter.name, parameter.value.or(parameter.default)?));
        Some(JobRun {
            run_id: self.run_id?,
            job_id: self.job_id.unwrap_or_default(),
            name: self.run_name,
            trigger: self.trigger,
            standing: self.model.standing(),
            start_time: moment(self.times.start_time),
            end_time: moment(self.times.end_time),
            durations: self.times.durations(),
            run_page_url: self.run_page_url,
            parameters: self.job_parameters.into_iter().filter_map(value).collect(),
            tasks: latest_attempts(self.tasks),
            repairs: self.repair_history.into_iter().filter_map(RepairBody::into_entry).collect(),
        })
    }
}

impl RepairBody {
    /// The history begins with the run itself, which has no id.
    fn into_entry(self) -> Option<RepairEntry> {
        Some(RepairEntry {
            repair_id: self.id?,
            standing: self.model.standing(),
            start_time: moment(self.start_time),
            end_time: moment(self.end_time),
            task_run_ids: self.task_run_ids.iter().map(u64::to_string).collect(),
        })
    }
}

impl TaskBody {
    fn into_task(self) -> TaskRun {
        let standing = self.model.standing();
        TaskRun {
            run_id: self.run_id.unwrap_or_default(),
            state: standing.state,
            ended: standing.ended,
            result_state: standing.result_state,
            termination_code: standing.termination_code,
            termination_type: standing.termination_type,
            message: standing.message,
            attempt: self.attempt_number.unwrap_or(0),
            kind: task_kind(&self.rest),
            depends_on: self.depends_on.into_iter().map(DependencyBody::into_dependency).collect(),
            start_time: moment(self.times.start_time),
            end_time: moment(self.times.end_time),
            durations: self.times.durations(),
            run_page_url: self.run_page_url,
            task_key: self.task_key,
        }
    }
}

/// One task a key: after retries and repairs its latest attempt counts.
fn latest_attempts(bodies: Vec<TaskBody>) -> Vec<TaskRun> {
    let mut tasks: Vec<TaskRun> = Vec::with_capacity(bodies.len());
    for task in bodies.into_iter().map(TaskBody::into_task) {
        match tasks.iter_mut().find(|known| known.task_key == task.task_key) {
            Some(known) if task.attempt >= known.attempt => *known = task,
            Some(_) => {}
            None => tasks.push(task),
        }
    }
    tasks
}
