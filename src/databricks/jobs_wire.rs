//! The bodies of Jobs API 2.2 as they come, and the two models of a run's state made into one.
//!
//! A run has `status` (new) and `state` (deprecated, still sent). All enumerations are open: "additional codes might be
//! introduced" (Databricks SDK, jobs). A failed run may end as INTERNAL_ERROR, never TERMINATED.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::jobs::{JobRun, TaskRun};

#[derive(Serialize)]
pub(super) struct RunNowBody<'a> {
    pub(super) job_id: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) job_parameters: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) only: &'a [String],
    pub(super) idempotency_token: &'a str,
}

#[derive(Deserialize)]
pub(super) struct RunNowReply {
    #[serde(default, deserialize_with = "id")]
    pub(super) run_id: Option<String>,
}

#[derive(Serialize)]
pub(super) struct CancelBody {
    pub(super) run_id: u64,
}

#[derive(Deserialize)]
pub(super) struct JobsPage {
    #[serde(default)]
    pub(super) jobs: Vec<JobBody>,
    pub(super) next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct JobBody {
    #[serde(default, deserialize_with = "id")]
    pub(super) job_id: Option<String>,
    pub(super) settings: Option<JobSettings>,
}

#[derive(Deserialize)]
pub(super) struct JobSettings {
    pub(super) name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RunBody {
    #[serde(default, deserialize_with = "id")]
    run_id: Option<String>,
    #[serde(default, deserialize_with = "id")]
    job_id: Option<String>,
    #[serde(flatten)]
    model: Model,
    start_time: Option<i64>,
    end_time: Option<i64>,
    run_duration: Option<u64>,
    run_page_url: Option<String>,
    #[serde(default)]
    pub(super) tasks: Vec<TaskBody>,
    pub(super) next_page_token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct TaskBody {
    #[serde(default, deserialize_with = "id")]
    run_id: Option<String>,
    #[serde(default)]
    task_key: String,
    #[serde(flatten)]
    model: Model,
    attempt_number: Option<u32>,
}

#[derive(Default, Deserialize)]
struct Model {
    status: Option<NewStatus>,
    state: Option<LegacyState>,
}

#[derive(Deserialize)]
struct NewStatus {
    state: Option<String>,
    termination_details: Option<Termination>,
    queue_details: Option<Queue>,
}

#[derive(Deserialize)]
struct Termination {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Queue {
    message: Option<String>,
}

#[derive(Deserialize)]
struct LegacyState {
    life_cycle_state: Option<String>,
    result_state: Option<String>,
    state_message: Option<String>,
}

/// Ids are 64-bit numbers on the wire, texts here: Power Platform reads numbers as doubles.
fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
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

impl Model {
    fn new_state(&self) -> Option<&str> {
        self.status.as_ref()?.state.as_deref()
    }

    fn life_cycle(&self) -> Option<&str> {
        self.state.as_ref()?.life_cycle_state.as_deref()
    }

    fn result(&self) -> Option<&str> {
        self.state.as_ref()?.result_state.as_deref()
    }

    fn termination(&self) -> Option<&Termination> {
        self.status.as_ref()?.termination_details.as_ref()
    }

    fn termination_code(&self) -> Option<&str> {
        self.termination()?.code.as_deref()
    }

    fn state(&self) -> String {
        self.new_state().or(self.life_cycle()).unwrap_or("UNKNOWN").to_owned()
    }

    fn ended(&self) -> bool {
        self.new_state() == Some("TERMINATED")
            || matches!(self.life_cycle(), Some("TERMINATED" | "SKIPPED" | "INTERNAL_ERROR"))
    }

    fn succeeded(&self) -> bool {
        const GOOD: [&str; 2] = ["SUCCESS", "SUCCESS_WITH_FAILURES"];
        let told = self.termination().and_then(|details| details.kind.as_deref().or(details.code.as_deref()));
        self.ended() && told.or(self.result()).is_some_and(|end| GOOD.contains(&end))
    }

    fn canceled(&self) -> bool {
        self.ended()
            && (matches!(self.termination_code(), Some("USER_CANCELED" | "CANCELED"))
                || self.result() == Some("CANCELED"))
    }

    fn message(&self) -> Option<String> {
        let status = self.status.as_ref();
        let ended = self.termination().and_then(|details| details.message.as_ref());
        let legacy = self.state.as_ref().and_then(|state| state.state_message.as_ref());
        let queued = status.and_then(|status| status.queue_details.as_ref()).and_then(|queue| queue.message.as_ref());
        [ended, legacy, queued].into_iter().flatten().find(|message| !message.is_empty()).cloned()
    }
}

impl RunBody {
    /// The run, its tasks being the latest attempts; `None` when it has no id.
    pub(super) fn into_run(self) -> Option<JobRun> {
        let moment = |millis: Option<i64>| {
            millis.filter(|millis| *millis > 0).and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        };
        let (start_time, end_time) = (moment(self.start_time), moment(self.end_time));
        let between = || {
            let span = end_time?.duration_since(start_time?);
            u64::try_from(span.as_millis()).ok()
        };
        Some(JobRun {
            run_id: self.run_id?,
            job_id: self.job_id.unwrap_or_default(),
            state: self.model.state(),
            ended: self.model.ended(),
            succeeded: self.model.succeeded(),
            canceled: self.model.canceled(),
            message: self.model.message(),
            termination_code: self.model.termination_code().or(self.model.result()).map(str::to_owned),
            start_time,
            end_time,
            duration_ms: self.run_duration.filter(|duration| *duration > 0).or_else(between),
            run_page_url: self.run_page_url,
            tasks: latest_attempts(self.tasks),
        })
    }
}

/// One task a key: after retries and repairs its latest attempt counts.
fn latest_attempts(bodies: Vec<TaskBody>) -> Vec<TaskRun> {
    let mut tasks: Vec<TaskRun> = Vec::with_capacity(bodies.len());
    for body in bodies {
        let task = TaskRun {
            run_id: body.run_id.unwrap_or_default(),
            state: body.model.state(),
            result_state: body.model.result().or(body.model.termination_code()).map(str::to_owned),
            message: body.model.message(),
            attempt: body.attempt_number.unwrap_or(0),
            task_key: body.task_key,
        };
        match tasks.iter_mut().find(|known| known.task_key == task.task_key) {
            Some(known) if task.attempt >= known.attempt => *known = task,
            Some(_) => {}
            None => tasks.push(task),
        }
    }
    tasks
}

#[derive(Deserialize)]
pub(super) struct OutputBody {
    pub(super) notebook_output: Option<NotebookOutput>,
    pub(super) sql_output: Option<serde_json::Value>,
    pub(super) dbt_output: Option<serde::de::IgnoredAny>,
    pub(super) run_job_output: Option<RunJobOutput>,
    pub(super) logs: Option<String>,
    #[serde(default)]
    pub(super) logs_truncated: bool,
    pub(super) error: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NotebookOutput {
    pub(super) result: Option<String>,
    #[serde(default)]
    pub(super) truncated: bool,
}

#[derive(Deserialize)]
pub(super) struct RunJobOutput {
    #[serde(default, deserialize_with = "id")]
    pub(super) run_id: Option<String>,
}
