//! What a task does, by its kind: SQL is a statement like any other, scripts run in the engine's worker, another job is
//! another run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::end::{End, Failed};
use super::run::{Given, Output, Phase, Run};
use super::start::{self, Start};
use super::task_definition::{TaskDefinition, TaskKind};
use super::{parameters, selection};
use crate::databricks::engine::Answer;
use crate::databricks::options::WAREHOUSE;
use crate::databricks::principal::Principal;
use crate::databricks::statement::{Execute, Parameter, Phase as StatementPhase, Statement};
use crate::databricks::workspace::{Shared, lock};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/engine/jobs");

type Done = (End, Output);

#[derive(Deserialize)]
struct ScriptOutcome {
    result: Option<String>,
    logs: Option<String>,
    error: Option<String>,
    trace: Option<String>,
}

pub(super) async fn execute(workspace: &Shared, run: &Run, task: &TaskDefinition) -> Done {
    let given = run.progress().given.clone();
    match (task.kind, &task.output) {
        (TaskKind::Notebook, Some(output)) => done(Output { result: Some(output.clone()), ..Output::default() }),
        (TaskKind::Python, Some(output)) => done(Output { logs: Some(output.clone()), ..Output::default() }),
        (TaskKind::Sql, Some(_)) => done(Output::default()),
        (TaskKind::Dbt, _) => dbt(task, &given),
        (TaskKind::RunJob, _) => another(workspace, task, &given).await,
        (TaskKind::Sql | TaskKind::Notebook | TaskKind::Python, None) => match source(task).await {
            Ok(source) if task.kind == TaskKind::Sql => sql(workspace, task, &given, source).await,
            Ok(source) => script(workspace, task, &given, &source).await,
            Err(message) => failed(&message),
        },
    }
}

fn done(output: Output) -> Done {
    (End::Succeeded, output)
}

fn failed(error: &str) -> Done {
    (End::workload(), Output { error: Some(error.into()), ..Output::default() })
}

async fn source(task: &TaskDefinition) -> Result<String, String> {
    if let Some(source) = &task.source {
        return Ok(source.clone());
    }
    let file = task.file.as_deref().unwrap_or_default();
    let read = tokio::fs::read_to_string(Path::new(FOLDER).join(file)).await;
    read.map_err(|error| format!("The task's file {file} cannot be read: {error}"))
}

/// Job parameters win over those of the task, and what a call gives for this kind of task over both (SDK, run_now).
fn values(task: &TaskDefinition, given: &Given) -> BTreeMap<String, String> {
    let mut all = task.parameters.clone();
    all.extend(given.parameters.clone());
    match task.kind {
        TaskKind::Sql => all.extend(given.legacy.sql_params.clone()),
        TaskKind::Notebook => all.extend(given.legacy.notebook_params.clone()),
        _ => all.extend(given.legacy.python_named_params.clone()),
    }
    all
}

/// Cancels what nobody waits for any more.
struct Abandoned<F: FnMut()>(F);

impl<F: FnMut()> Drop for Abandoned<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

async fn sql(workspace: &Shared, task: &TaskDefinition, given: &Given, source: String) -> Done {
    let named = |(name, value): (String, String)| Parameter {
        name: Some(name),
        ordinal: None,
        value: Some(value),
        type_text: None,
    };
    let request = Execute {
        statement: source,
        warehouse_id: WAREHOUSE.into(),
        parameters: values(task, given).into_iter().map(named).collect(),
        // Of any size.
        disposition: Some("EXTERNAL_LINKS".into()),
        ..Execute::default()
    };
    let statement = Arc::new(Statement::new(request, Principal::service(&workspace.options)));
    {
        let mut statements = lock(&workspace.statements);
        statements.order.push(statement.id.clone());
        statements.by_id.insert(statement.id.clone(), statement.clone());
    }
    tokio::spawn(crate::databricks::drive::drive(workspace.clone(), statement.clone()));
    let _abandoned = Abandoned(|| {
        statement.cancel.send_replace(true);
    });
    statement.end().await;
    let phase = statement.phase.borrow().clone();
    let output = Output { statement: Some(statement.id.clone()), ..Output::default() };
    match phase {
        StatementPhase::Failed(failure) => (End::workload(), Output { error: Some(failure.message), ..output }),
        StatementPhase::Canceled => (End::Canceled, output),
        _ => done(output),
    }
}

async fn script(workspace: &Shared, task: &TaskDefinition, given: &Given, source: &str) -> Done {
    let Some(engine) = &workspace.engine else {
        return failed("This stand-in runs without its SQL engine.");
    };
    let name = task.file.clone().unwrap_or_else(|| format!("{}.py", task.key));
    let request = json!({
        "lakehouse": workspace.lakehouse,
        "name": name,
        "source": source,
        "parameters": values(task, given),
    });
    match engine.call("script", request).answer().await {
        Answer::Done(text) => match serde_json::from_str::<ScriptOutcome>(text.get()) {
            Ok(ScriptOutcome { result, logs, error, trace }) => {
                let end = if error.is_none() { End::Succeeded } else { End::workload() };
                (end, Output { result, logs, error, trace, ..Output::default() })
            }
            Err(error) => failed(&error.to_string()),
        },
        Answer::Failed(failure) => failed(&failure.message),
        Answer::Canceled => (End::Canceled, Output::default()),
    }
}

/// dbt itself is not here: each command is said to have gone well.
fn dbt(task: &TaskDefinition, given: &Given) -> Done {
    let commands = if given.legacy.dbt_commands.is_empty() { &task.commands } else { &given.legacy.dbt_commands };
    let logs: Vec<String> = commands.iter().map(|command| format!("+ {command}\nCompleted successfully\n")).collect();
    let logs = logs.concat();
    done(Output { logs: Some(logs), ..Output::default() })
}

async fn another(workspace: &Shared, task: &TaskDefinition, given: &Given) -> Done {
    let job_id = task.job_id.unwrap_or_default();
    let Some(job) = workspace.jobs.job(job_id) else {
        let message = format!("Job {job_id} does not exist.");
        let failed =
            Failed { code: "RESOURCE_NOT_FOUND".into(), kind: "CLIENT_ERROR".into(), message: message.clone() };
        return (End::Failed(failed), Output { error: Some(message), ..Output::default() });
    };
    // Job parameters are handed on to the job that is run (learn.microsoft.com/azure/databricks/jobs/run-job).
    let mut handed: BTreeMap<String, String> = given.parameters.clone();
    handed.retain(|name, _| job.parameters.iter().any(|parameter| parameter.name == *name));
    handed.extend(task.parameters.clone());
    let keys = selection::only(&job, &[]).unwrap_or_default();
    let given = Given { parameters: parameters::effective(&job, handed), ..Given::default() };
    let start = Start { keys, given, queue: None, token: None, trigger: "RUN_JOB_TASK" };
    let child = match start::begin(workspace, &job, start) {
        Ok(child) => child,
        Err(limit) => return failed(&limit.message()),
    };
    let output = Output { run_id: Some(child.id), ..Output::default() };
    let _abandoned = Abandoned(|| child.cancel(child.id));
    child.end().await;
    let phase = child.progress().phase.clone();
    match phase {
        Phase::Ended(End::Succeeded | End::SucceededWithFailures) => done(output),
        Phase::Ended(End::Canceled) => (End::Canceled, output),
        Phase::Ended(end) => {
            let message = format!("Run {} of job {job_id} failed: {}", child.id, end.message());
            (End::Failed(Failed::workload(&message)), Output { error: Some(message), ..output })
        }
        _ => failed("The run did not end."),
    }
}
