//! A run from PENDING to its end: the clock decides when a state may change, the tasks really run.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Jobs, Output, Run, Stage, TaskKind, TaskRun};
use crate::databricks::engine::{Answer, Call, Table};
use crate::databricks::options::Clock;
use crate::databricks::workspace::{Shared, lock};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/engine/jobs");

#[derive(Deserialize)]
struct ScriptOutcome {
    result: Option<String>,
    logs: Option<String>,
    error: Option<String>,
    trace: Option<String>,
}

pub(super) async fn drive(workspace: Shared, run: Arc<Run>) {
    let jobs = &workspace.jobs;
    let seen = *jobs.steps.borrow();
    let stage = tokio::select! {
        stage = go_on(&workspace, &run, seen) => stage,
        () = canceled(&run) => Stage::Canceled,
    };
    let mut progress = lock(&run.progress);
    for task in &mut progress.tasks {
        if !task.stage.ended() {
            task.stage = if stage == Stage::Canceled { Stage::Canceled } else { Stage::UpstreamFailed };
        }
    }
    progress.stage = stage;
    progress.ended = Some(jiff::Timestamp::now());
}

async fn go_on(workspace: &Shared, run: &Arc<Run>, seen: u64) -> Stage {
    workspace.jobs.pass(seen, 1).await;
    lock(&run.progress).stage = Stage::Running;
    let count = lock(&run.progress).tasks.len();
    // Steps that come while the tasks run count, so that stepping never depends on how fast they are.
    let time = workspace.jobs.pass(seen + 1, 1 + u64::from(run.job.more_steps));
    let work = async {
        let mut all = true;
        for index in 0..count {
            all &= task(workspace, run, index).await;
        }
        all
    };
    let ((), all) = tokio::join!(time, work);
    if all { Stage::Succeeded } else { Stage::Failed }
}

async fn canceled(run: &Run) {
    let mut cancel = run.cancel.subscribe();
    let _ = cancel.wait_for(|asked| *asked).await;
}

impl Jobs {
    /// Waits for `steps` steps of the clock after the step `seen`.
    async fn pass(&self, seen: u64, steps: u64) {
        let clock = *lock(&self.clock);
        match clock {
            Clock::Auto(each) => tokio::time::sleep(each * u32::try_from(steps).unwrap_or(u32::MAX)).await,
            Clock::Stepped => {
                let mut count = self.steps.subscribe();
                let _ = count.wait_for(|count| *count >= seen + steps).await;
            }
        }
    }
}

/// Runs one task; true when it succeeded.
async fn task(workspace: &Shared, run: &Run, index: usize) -> bool {
    let task = lock(&run.progress).tasks[index].clone();
    let blocked = {
        let progress = lock(&run.progress);
        let failed =
            |other: &TaskRun| task.task.depends_on.contains(&other.task.key) && other.stage != Stage::Succeeded;
        progress.tasks.iter().any(failed)
    };
    if blocked {
        lock(&run.progress).tasks[index].stage = Stage::UpstreamFailed;
        return false;
    }
    lock(&run.progress).tasks[index].stage = Stage::Running;
    let output = execute(workspace, run, &task).await;
    let succeeded = output.error.is_none();
    let mut progress = lock(&run.progress);
    progress.tasks[index].stage = if succeeded { Stage::Succeeded } else { Stage::Failed };
    progress.tasks[index].output = output;
    succeeded
}

async fn execute(workspace: &Shared, run: &Run, task: &TaskRun) -> Output {
    let Some(engine) = &workspace.engine else {
        return failed("This stand-in runs without its SQL engine.");
    };
    let file = Path::new(FOLDER).join(&task.task.file);
    let source = match tokio::fs::read_to_string(&file).await {
        Ok(source) => source,
        Err(error) => return failed(&format!("The task's file {} cannot be read: {error}", task.task.file)),
    };
    if task.task.kind == TaskKind::Sql {
        let named = |(name, value): (&String, &String)| json!({"name": name, "value": value});
        let parameters: Vec<Value> = run.parameters.iter().map(named).collect();
        let request = json!({"lakehouse": workspace.lakehouse, "statement": source, "parameters": parameters});
        return match engine.call("execute", request).answer().await {
            Answer::Done(text) => match serde_json::from_str::<Table>(text.get()) {
                Ok(table) => Output { logs: Some(format!("{} rows", table.row_count)), ..Output::default() },
                Err(error) => failed(&error.to_string()),
            },
            Answer::Failed(failure) => failed(&failure.message),
            Answer::Canceled => failed("canceled"),
        };
    }
    let request = json!({
        "lakehouse": workspace.lakehouse,
        "name": task.task.file,
        "source": source,
        "parameters": run.parameters,
    });
    script(engine.call("script", request)).await
}

async fn script(mut call: Call) -> Output {
    match call.answer().await {
        Answer::Done(text) => match serde_json::from_str::<ScriptOutcome>(text.get()) {
            Ok(outcome) => {
                Output { result: outcome.result, logs: outcome.logs, error: outcome.error, trace: outcome.trace }
            }
            Err(error) => failed(&error.to_string()),
        },
        Answer::Failed(failure) => failed(&failure.message),
        Answer::Canceled => failed("canceled"),
    }
}

fn failed(message: &str) -> Output {
    Output { error: Some(message.into()), ..Output::default() }
}
