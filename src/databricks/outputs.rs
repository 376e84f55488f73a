//! What the tasks of an ended run gave back, one call a task: the API refuses the run as a whole when it has several.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::jobs::{JobRun, TaskOutput, TaskRun};
use super::jobs_wire::OutputBody;
use super::subject::Subject;
use super::{Databricks, DatabricksError};
use crate::http::{Deadline, Outbound, RequestKind};

/// Outputs asked for at a time.
const AT_ONCE: usize = 4;

impl Databricks {
    /// Outputs of all tasks of an ended run, in the order of its tasks.
    pub async fn job_outputs(&self, run: &JobRun, deadline: Deadline) -> Result<Vec<TaskOutput>, DatabricksError> {
        let asked: Vec<_> = run.tasks.iter().map(|task| self.task_output(task, deadline)).collect();
        stream::iter(asked).buffered(AT_ONCE).try_collect().await
    }

    async fn task_output(&self, task: &TaskRun, deadline: Deadline) -> Result<TaskOutput, DatabricksError> {
        let mut url = self.address(&["api", "2.2", "jobs", "runs", "get-output"])?;
        url.query_pairs_mut().append_pair("run_id", &task.run_id);
        let subject = Subject::JobRun(task.run_id.clone());
        let asked = self.ask(RequestKind::JobRunOutput, Outbound::get(url), &subject, deadline).await;
        match asked {
            Ok(body) => Ok(output(task, body)),
            // A task that never ran (skipped, excluded, upstream failed) has nothing to give; that is no fault.
            Err(DatabricksError::Refused(refused))
                if matches!(refused.status, 400 | 404) && task.result_state.as_deref() != Some("SUCCESS") =>
            {
                Ok(TaskOutput { error: task.message.clone(), ..empty(task) })
            }
            Err(error) => Err(error),
        }
    }
}

fn empty(task: &TaskRun) -> TaskOutput {
    TaskOutput {
        task_key: task.task_key.clone(),
        kind: "none".to_owned(),
        text: None,
        json: None,
        truncated: false,
        error: None,
    }
}

pub(super) fn output(task: &TaskRun, body: OutputBody) -> TaskOutput {
    let (kind, text, json, truncated) = match body {
        OutputBody { notebook_output: Some(notebook), .. } => ("notebook", notebook.result, None, notebook.truncated),
        OutputBody { run_job_output: Some(child), .. } => ("run_job", child.run_id, None, false),
        OutputBody { sql_output: Some(sql), .. } => ("sql", None, Some(sql), false),
        // The link to its artifacts is presigned, a secret; the log is what a caller may read.
        OutputBody { dbt_output: Some(_), logs, .. } => ("dbt", logs, None, body.logs_truncated),
        OutputBody { logs: Some(logs), .. } => ("logs", Some(logs), None, body.logs_truncated),
        _ => ("none", None, None, false),
    };
    let parsed = text.as_deref().filter(|_| kind == "notebook" || kind == "logs");
    let json = json.or_else(|| serde_json::from_str(parsed?).ok());
    TaskOutput { kind: kind.to_owned(), text, json, truncated, error: body.error, ..empty(task) }
}
