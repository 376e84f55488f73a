//! The bodies of job definitions as they come (Databricks SDK, jobs.py: BaseJob, JobSettings, Task). What we do not
//! show is not read.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::jobs::{Dependency, Job, JobParameter, JobSchedule, JobTask, JobTrigger};
use super::listed::{ListPage, Part};

#[derive(Deserialize)]
pub(super) struct JobsPage {
    #[serde(default)]
    jobs: Vec<JobBody>,
    next_page_token: Option<String>,
}

impl ListPage for JobsPage {
    type Item = Job;

    fn into_parts(self) -> (Vec<Job>, Option<String>) {
        (self.jobs.into_iter().filter_map(JobBody::into_job).collect(), self.next_page_token)
    }
}

#[derive(Deserialize)]
pub(super) struct JobBody {
    #[serde(default, deserialize_with = "id")]
    job_id: Option<String>,
    creator_user_name: Option<String>,
    created_time: Option<i64>,
    #[serde(default)]
    settings: Settings,
    next_page_token: Option<String>,
}

#[derive(Default, Deserialize)]
struct Settings {
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    parameters: Vec<ParameterBody>,
    #[serde(default)]
    tasks: Vec<TaskBody>,
    schedule: Option<ScheduleBody>,
    trigger: Option<Map<String, Value>>,
    continuous: Option<ContinuousBody>,
    queue: Option<QueueBody>,
    max_concurrent_runs: Option<u32>,
    timeout_seconds: Option<u64>,
    performance_target: Option<String>,
}

#[derive(Deserialize)]
struct ParameterBody {
    name: String,
    #[serde(default)]
    default: String,
}

#[derive(Deserialize)]
struct TaskBody {
    #[serde(default)]
    task_key: String,
    #[serde(default)]
    depends_on: Vec<DependencyBody>,
    run_if: Option<String>,
    description: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Deserialize)]
pub(super) struct DependencyBody {
    task_key: String,
    outcome: Option<String>,
}

#[derive(Deserialize)]
struct ScheduleBody {
    quartz_cron_expression: Option<String>,
    timezone_id: Option<String>,
    pause_status: Option<String>,
}

#[derive(Deserialize)]
struct ContinuousBody {
    pause_status: Option<String>,
}

#[derive(Deserialize)]
struct QueueBody {
    enabled: Option<bool>,
}

/// Ids are 64-bit numbers on the wire, texts here: Power Platform reads numbers as doubles.
pub(super) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Number(u64),
        Text(String),
    }
    Ok(Option::<Id>::deserialize(from)?.map(|id| match id {
        Id::Number(number) => number.to_string(),
        Id::Text(text) => text,
    }))
}

/// A moment on the wire: milliseconds, 0 for none.
pub(super) fn moment(millis: Option<i64>) -> Option<jiff::Timestamp> {
    millis.filter(|millis| *millis > 0).and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
}

/// The kind of a task, which is the name of its one member that ends with `_task`.
pub(super) fn task_kind(members: &Map<String, Value>) -> Option<String> {
    let kind =
        |(name, value): (&String, &Value)| name.strip_suffix("_task").filter(|_| value.is_object()).map(str::to_owned);
    members.iter().find_map(kind)
}

impl DependencyBody {
    pub(super) fn into_dependency(self) -> Dependency {
        Dependency { task_key: self.task_key, outcome: self.outcome }
    }
}

impl Part for JobBody {
    fn next(&mut self) -> Option<String> {
        self.next_page_token.take()
    }

    fn append(&mut self, mut page: Self) {
        self.settings.parameters.append(&mut page.settings.parameters);
        self.settings.tasks.append(&mut page.settings.tasks);
    }
}

impl JobBody {
    /// `None` when it has no id.
    pub(super) fn into_job(self) -> Option<Job> {
        let settings = self.settings;
        Some(Job {
            job_id: self.job_id?,
            name: settings.name,
            description: settings.description,
            creator: self.creator_user_name,
            created_time: moment(self.created_time),
            parameters: settings.parameters.into_iter().map(ParameterBody::into_parameter).collect(),
            tasks: settings.tasks.into_iter().map(TaskBody::into_task).collect(),
            schedule: settings.schedule.and_then(ScheduleBody::into_schedule),
            trigger: trigger(settings.trigger.as_ref(), settings.continuous),
            queue: settings.queue.and_then(|queue| queue.enabled),
            max_concurrent_runs: settings.max_concurrent_runs,
            timeout_seconds: settings.timeout_seconds.filter(|seconds| *seconds > 0),
            performance_target: settings.performance_target,
        })
    }
}

impl ParameterBody {
    fn into_parameter(self) -> JobParameter {
        JobParameter { name: self.name, default: self.default }
    }
}

impl TaskBody {
    fn into_task(self) -> JobTask {
        JobTask {
            kind: task_kind(&self.rest),
            task_key: self.task_key,
            depends_on: self.depends_on.into_iter().map(DependencyBody::into_dependency).collect(),
            run_if: self.run_if,
            description: self.description,
        }
    }
}

impl ScheduleBody {
    fn into_schedule(self) -> Option<JobSchedule> {
        Some(JobSchedule {
            cron: self.quartz_cron_expression?,
            time_zone: self.timezone_id,
            paused: is_paused(self.pause_status.as_deref()),
        })
    }
}

/// A trigger has one member of its kind, beside `pause_status` and perhaps a condition; a continuous job has none.
fn trigger(trigger: Option<&Map<String, Value>>, continuous: Option<ContinuousBody>) -> Option<JobTrigger> {
    if let Some(trigger) = trigger {
        let of_kind = |(name, value): &(&String, &Value)| value.is_object() && *name != "sql_condition";
        let kind = trigger.iter().find(of_kind).map(|(name, _)| name.clone())?;
        return Some(JobTrigger { kind, paused: is_paused(trigger.get("pause_status").and_then(Value::as_str)) });
    }
    let paused = is_paused(continuous?.pause_status.as_deref());
    Some(JobTrigger { kind: "continuous".to_owned(), paused })
}

fn is_paused(status: Option<&str>) -> bool {
    status == Some("PAUSED")
}
