//! What the tasks of a run gave back, one call a task: the API refuses the run as a whole when it has several. The bodies
//! are `outputs_wire.rs`.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::job_runs::{JobRun, TaskRun};
use super::outputs_wire::OutputBody;
use super::subject::Subject;
use super::{Databricks, DatabricksError};
use crate::http::{Deadline, Outbound, RequestKind};

/// Outputs asked for at a time.
pub(super) const AT_ONCE: usize = 4;
/// Bytes of text of all outputs of a run that are held: each may have 5 MB, and a run 1,000 tasks.
const MOST_TEXT: usize = 16 * 1024 * 1024;

/// What a task gave back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskOutput {
    pub task_key: String,
    /// Of the task's latest attempt.
    #[serde(default)]
    pub run_id: String,
    /// `SUCCESS`, `FAILED`, …; of a task that has not ended its state, such as `RUNNING`.
    #[serde(default)]
    pub state: String,
    /// `notebook`, `sql`, `dbt`, `run_job`, `logs`, …, `none`.
    pub kind: String,
    pub text: Option<String>,
    /// `text` parsed, when it is JSON.
    pub json: Option<serde_json::Value>,
    /// `text` is not all that there was: Databricks keeps 5 MB of a result, and all of a run may have 16 MiB here.
    #[serde(default)]
    pub truncated: bool,
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_trace: Option<String>,
}

impl Databricks {
    /// Outputs of all tasks of a run, in the order of its tasks.
    pub async fn job_outputs(&self, run: &JobRun, deadline: Deadline) -> Result<Vec<TaskOutput>, DatabricksError> {
        let asked: Vec<_> = run.tasks.iter().map(|task| self.task_output(task, deadline)).collect();
        let mut left = MOST_TEXT;
        // Cut as they come, so that no more than a few whole ones are held.
        stream::iter(asked).buffered(AT_ONCE).map_ok(|output| output.within(&mut left)).try_collect().await
    }

    pub(super) async fn task_output(&self, task: &TaskRun, deadline: Deadline) -> Result<TaskOutput, DatabricksError> {
        if !task.ended {
            return Ok(empty(task));
        }
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

impl TaskOutput {
    /// The same with no more text than is left.
    fn within(mut self, left: &mut usize) -> Self {
        if let Some(text) = &mut self.text
            && text.len() > *left
        {
            text.truncate(text.floor_char_boundary(*left));
            self.truncated = true;
            self.json = None;
        }
        *left -= self.text.as_ref().map_or(0, String::len);
        self
    }
}

fn empty(task: &TaskRun) -> TaskOutput {
    TaskOutput {
        task_key: task.task_key.clone(),
        run_id: task.run_id.clone(),
        state: task.result_state.clone().unwrap_or_else(|| task.state.clone()),
        kind: "none".to_owned(),
        ..TaskOutput::default()
    }
}

pub(super) fn output(task: &TaskRun, body: OutputBody) -> TaskOutput {
    let (error, error_trace) = (body.error.as_deref().map(plain), body.error_trace.as_deref().map(plain));
    let found = body.into_found();
    let parsed = found.text.as_deref().filter(|_| found.kind.ends_with("notebook") || found.kind == "logs");
    let json = found.json.or_else(|| serde_json::from_str(parsed?).ok());
    TaskOutput {
        kind: found.kind.to_owned(),
        text: found.text,
        json,
        truncated: found.truncated,
        error,
        error_trace: error_trace.filter(|trace| !trace.is_empty()),
        ..empty(task)
    }
}

/// Without the colours of a terminal, which notebooks put into their traces.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        // A sequence ends with its first letter (ECMA-48, CSI).
        let end = behind.find(|c: char| ('@'..='~').contains(&c));
        rest = end.map_or("", |end| &behind[end + 1..]);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_loses_its_colours_and_nothing_else() {
        let trace = "\u{1b}[0;31mValueError\u{1b}[0m: a [1] is ü\u{1b}[1;32m";
        assert_eq!(plain(trace), "ValueError: a [1] is ü");
        assert_eq!(plain("none [0m"), "none [0m");
    }

    #[test]
    fn texts_beyond_what_is_held_are_cut_and_say_so() {
        let output = |text: &str| TaskOutput {
            text: Some(text.to_owned()),
            json: Some(serde_json::json!(1)),
            ..TaskOutput::default()
        };
        let mut left = 5;
        let whole = output("abc").within(&mut left);
        assert_eq!((whole.text.as_deref(), whole.truncated, whole.json.is_some()), (Some("abc"), false, true));
        let cut = output("üü").within(&mut left);
        assert_eq!((cut.text.as_deref(), cut.truncated, cut.json), (Some("ü"), true, None));
        assert_eq!(output("x").within(&mut left).text.as_deref(), Some(""));
        assert!(!output("").within(&mut left).truncated);
    }
}
