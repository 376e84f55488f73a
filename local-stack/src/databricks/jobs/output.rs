//! `runs/get-output`: what one task gave, cut where the service cuts it.

use axum::extract::{Query, State};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use serde_json::{Value, json};

use super::no_run;
use super::paging::{self, required};
use super::run::{Phase, TaskRun};
use super::run_view::{Base, alone};
use super::task_definition::TaskKind;
use crate::databricks::options::WAREHOUSE;
use crate::databricks::reply::{Reply, invalid, ok};
use crate::databricks::workspace::Shared;

/// Of the whole run of a job with several tasks there is no output (docs.databricks.com, Jobs API).
const SEVERAL: &str = "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of \
                       each individual task run instead.";

pub(super) async fn get(
    State(workspace): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<paging::Query>,
) -> Reply {
    let run_id = required(&query, "run_id")?;
    let run = workspace.jobs.run(run_id).ok_or_else(|| no_run(run_id))?;
    let progress = run.progress().clone();
    let task = if run.id == run_id {
        match progress.latest().as_slice() {
            [only] => (*only).clone(),
            [] => return Err(no_run(run_id)),
            _ => return Err(invalid(SEVERAL)),
        }
    } else {
        progress.tasks.iter().find(|task| task.id == run_id).cloned().ok_or_else(|| no_run(run_id))?
    };
    let mut shown = output(&workspace, &task);
    shown["metadata"] = alone(&run, &progress, &task, &Base::of(&headers));
    Ok(ok(&shown))
}

fn output(workspace: &Shared, task: &TaskRun) -> Value {
    let limit = workspace.options.job_output_limit;
    let output = &task.output;
    let ended = matches!(task.phase, Phase::Ended(_));
    let mut shown = json!({});
    match task.task.kind {
        // Set, and empty, when the notebook did not exit with a value (recorded; SDK, RunOutput).
        TaskKind::Notebook => {
            shown["notebook_output"] = json!({});
            if let Some(result) = &output.result {
                let kept = beginning(result, limit);
                shown["notebook_output"] = json!({"result": kept, "truncated": kept.len() < result.len()});
            }
        }
        TaskKind::Sql => {
            let mut query = json!({"warehouse_id": WAREHOUSE, "endpoint_id": WAREHOUSE});
            if let Some(statement) = &output.statement {
                query["sql_statements"] = json!([{"lookup_key": lookup_key(statement)}]);
            }
            shown["sql_output"] = json!({"query_output": query});
        }
        TaskKind::Dbt if ended => {
            // After the run has finished (SDK, DbtOutput).
            let link = workspace.links.artifacts(task.id);
            shown["dbt_output"] = json!({"artifacts_link": link, "artifacts_headers": {}});
        }
        TaskKind::RunJob => {
            if let Some(run_id) = output.run_id {
                shown["run_job_output"] = json!({"run_id": run_id});
            }
        }
        TaskKind::Python | TaskKind::Dbt => {}
    }
    if let (TaskKind::Python | TaskKind::Dbt, Some(logs)) = (task.task.kind, &output.logs) {
        let kept = end(logs, limit);
        shown["logs"] = kept.into();
        shown["logs_truncated"] = (kept.len() < logs.len()).into();
    }
    if let Some(error) = &output.error {
        shown["error"] = error.clone().into();
    }
    if let Some(trace) = &output.trace {
        shown["error_trace"] = trace.clone().into();
    }
    shown
}

/// What leads to the statement in the query history; its form is not documented.
fn lookup_key(statement: &str) -> String {
    BASE64_STANDARD.encode(format!("{statement}|"))
}

/// The first bytes, at most so many, of whole characters.
fn beginning(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The last bytes, at most so many, of whole characters.
fn end(text: &str, most: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(most))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!((beginning("Zoë!", 3), beginning("Zoë!", 99)), ("Zo", "Zoë!"));
        assert_eq!((end("!ëoZ", 3), end("!ëoZ", 4), end("", 0)), ("oZ", "ëoZ", ""));
    }
}
