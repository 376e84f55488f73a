//! One job with what it takes, its tasks and when it runs.

use serde_json::{Map, Value, json};

use super::answers::done;
use super::{Answer, Call, Requests};
use crate::databricks::{Job, JobTask};
use crate::failure::Failure;
use crate::steps::dependencies_json;

impl Requests {
    /// `GET /api/jobs/{job}`; `job` is an id or a unique name.
    pub async fn get_job(&self, call: &Call, job: &str) -> Result<Answer, Failure> {
        let databricks = &self.0.neighbours.databricks;
        let id = databricks.resolve_job(job, call.deadline).await?;
        Ok(done(&job_json(&databricks.job(&id, call.deadline).await?)))
    }
}

/// An object of what there is: connectors drop nulls anyway.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let there = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(there.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// A job as a list has it.
pub(super) fn summary_json(job: &Job) -> Value {
    object([
        ("jobId", json!(job.job_id)),
        ("name", json!(job.name)),
        ("description", json!(job.description)),
        ("creator", json!(job.creator)),
        ("createdTime", json!(job.created_time)),
        ("schedule", schedule_json(job)),
        ("trigger", trigger_json(job)),
        ("queue", json!(job.queue)),
        ("maxConcurrentRuns", json!(job.max_concurrent_runs)),
        ("timeoutSeconds", json!(job.timeout_seconds)),
        ("performanceTarget", json!(job.performance_target)),
    ])
}

fn job_json(job: &Job) -> Value {
    let mut view = summary_json(job);
    view["parameters"] = parameters_schema(job);
    view["tasks"] = job.tasks.iter().map(task_json).collect();
    view
}

/// JSON Schema of what `parameters` of a start takes: texts, none required, since each has a default; null is what flows
/// send for an empty field.
fn parameters_schema(job: &Job) -> Value {
    let properties = job.parameters.iter().map(|parameter| {
        let schema = json!({"type": ["string", "null"], "title": parameter.name, "default": parameter.default});
        (parameter.name.clone(), schema)
    });
    json!({"type": "object", "properties": properties.collect::<Map<_, _>>(), "additionalProperties": false})
}

fn task_json(task: &JobTask) -> Value {
    object([
        ("taskKey", json!(task.task_key)),
        ("kind", json!(task.kind)),
        ("dependsOn", dependencies_json(&task.depends_on)),
        ("runIf", json!(task.run_if)),
        ("description", json!(task.description)),
    ])
}

fn schedule_json(job: &Job) -> Value {
    job.schedule.as_ref().map_or(Value::Null, |schedule| {
        object([
            ("cron", json!(schedule.cron)),
            ("timeZone", json!(schedule.time_zone)),
            ("paused", json!(schedule.paused)),
        ])
    })
}

fn trigger_json(job: &Job) -> Value {
    job.trigger.as_ref().map_or(Value::Null, |trigger| json!({"kind": trigger.kind, "paused": trigger.paused}))
}
