//! The bodies of `runs/get-output` as they come (Databricks SDK, jobs.py: RunOutput).

use serde::Deserialize;
use serde_json::Value;

use super::jobs_wire::id;

#[derive(Deserialize)]
pub(super) struct OutputBody {
    notebook_output: Option<NotebookOutput>,
    clean_rooms_notebook_output: Option<CleanRoomsOutput>,
    sql_output: Option<Value>,
    dbt_output: Option<serde::de::IgnoredAny>,
    dbt_cloud_output: Option<Value>,
    dbt_platform_output: Option<Value>,
    run_job_output: Option<RunJobOutput>,
    alert_output: Option<Value>,
    dashboard_output: Option<Value>,
    logs: Option<String>,
    #[serde(default)]
    logs_truncated: bool,
    pub(super) error: Option<String>,
    pub(super) error_trace: Option<String>,
}

#[derive(Deserialize)]
struct NotebookOutput {
    result: Option<String>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Deserialize)]
struct CleanRoomsOutput {
    notebook_output: Option<NotebookOutput>,
}

#[derive(Deserialize)]
struct RunJobOutput {
    #[serde(default, deserialize_with = "id")]
    run_id: Option<String>,
}

/// What an output is made of.
pub(super) struct Found {
    pub(super) kind: &'static str,
    pub(super) text: Option<String>,
    pub(super) json: Option<Value>,
    pub(super) truncated: bool,
}

impl OutputBody {
    pub(super) fn into_found(mut self) -> Found {
        let (text, truncated) = (self.logs.take(), self.logs_truncated);
        let notebook = |kind, notebook: NotebookOutput| Found {
            kind,
            text: notebook.result,
            json: None,
            truncated: notebook.truncated,
        };
        let value = |kind, json: Value| Found { kind, text: None, json: Some(json), truncated: false };
        let there = text.is_some();
        let logs = |kind| Found { kind, text, json: None, truncated };
        match self {
            Self { notebook_output: Some(output), .. } => notebook("notebook", output),
            Self { clean_rooms_notebook_output: Some(CleanRoomsOutput { notebook_output: Some(output) }), .. } => {
                notebook("clean_rooms_notebook", output)
            }
            Self { run_job_output: Some(child), .. } => {
                Found { kind: "run_job", text: child.run_id, json: None, truncated: false }
            }
            Self { sql_output: Some(output), .. } => value("sql", output),
            // The link to its artifacts is presigned, a secret; the log is what a caller may read.
            Self { dbt_output: Some(_), .. } => logs("dbt"),
            Self { dbt_cloud_output: Some(output), .. } => value("dbt_cloud", output),
            Self { dbt_platform_output: Some(output), .. } => value("dbt_platform", output),
            Self { alert_output: Some(output), .. } => value("alert", output),
            Self { dashboard_output: Some(output), .. } => value("dashboard", output),
            _ if there => logs("logs"),
            _ => Found { kind: "none", text: None, json: None, truncated: false },
        }
    }
}
