//! A run from the queue to its end: the clock decides when a state may change, the tasks really run.

use std::pin::Pin;
use std::sync::Arc;

use super::clock::Hand;
use super::end::{End, Failed};
use super::graph;
use super::run::{Phase, Progress, Run};
use crate::databricks::workspace::Shared;

/// Drives a run, or a repair of it, to its end. Its type is spelled out because a run may start another one.
pub(super) fn drive(workspace: Shared, run: Arc<Run>, hand: Hand) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let end = tokio::select! {
            end = go_on(&workspace, &run, hand) => end,
            () = run.canceled(run.id) => cancel(&workspace, &run).await,
        };
        run.go_to(Phase::Ended(end));
        workspace.jobs.made_room();
    })
}

async fn go_on(workspace: &Shared, run: &Arc<Run>, hand: Hand) -> End {
    let jobs = &workspace.jobs;
    let queued = jobs.leave_queue(run, workspace.options.active_runs_limit).await;
    let hand = if queued { jobs.clock.now() } else { hand };
    let hand = jobs.clock.pass(hand, 1).await;
    run.go_to(Phase::Running);
    let (steps, limit) = (1 + run.job.more_steps, run.job.timeout_seconds);
    let longest = run.job.tasks.iter().map(|task| task.more_steps).fold(steps, u64::max);
    if limit > 0 && longest > limit {
        // Tasks that last longer than the run may end with it; see `task.rs`.
        tokio::join!(jobs.clock.pass(hand, limit), graph::run(workspace, run, hand));
        return End::TimedOut;
    }
    let time = jobs.clock.pass(hand, steps);
    tokio::join!(time, graph::run(workspace, run, hand));
    outcome(&run.progress())
}

/// Cancellation takes a while: what ran is TERMINATING before it ends.
async fn cancel(workspace: &Shared, run: &Run) -> End {
    let clock = &workspace.jobs.clock;
    run.go_to(Phase::Terminating);
    for task in &mut run.progress().tasks {
        if task.phase == Phase::Running {
            task.phase = Phase::Terminating;
        }
    }
    clock.pass(clock.now(), run.job.ending_steps).await;
    stop(run);
    End::Canceled
}

/// Cancels what has not ended.
fn stop(run: &Run) {
    for task in &mut run.progress().tasks {
        if !matches!(task.phase, Phase::Ended(_)) {
            (task.phase, task.ended) = (Phase::Ended(End::Canceled), Some(jiff::Timestamp::now()));
        }
    }
}

/// The last tasks decide: those that no other depends on (learn.microsoft.com/azure/databricks/jobs/run-if, "How does
/// Azure Databricks determine job run status").
fn outcome(progress: &Progress) -> End {
    let latest = progress.latest();
    let ends: Vec<(&str, &End)> = latest
        .iter()
        .filter_map(|task| match &task.phase {
            Phase::Ended(end) => Some((task.task.key.as_str(), end)),
            _ => None,
        })
        .collect();
    let is_last = |key: &str| !latest.iter().any(|task| task.task.depends_on.iter().any(|other| other == key));
    let last = || ends.iter().filter(|(key, _)| is_last(key)).map(|(_, end)| *end);
    if last().any(End::failed) {
        return End::Failed(failed(&ends));
    }
    if last().any(End::canceled) {
        return End::Canceled;
    }
    if ends.iter().any(|(_, end)| end.failed()) { End::SucceededWithFailures } else { End::Succeeded }
}

/// What is said of a run that tasks failed (recorded by users of the API, with one failed task).
fn failed(ends: &[(&str, &End)]) -> Failed {
    let own: Vec<&(&str, &End)> =
        ends.iter().filter(|(_, end)| matches!(end, End::Failed(_) | End::TimedOut)).collect();
    let skipped = ends.iter().any(|(_, end)| **end == End::UpstreamFailed);
    let said: Vec<String> = own
        .iter()
        .map(|(key, end)| format!("Task {key} failed with message: {}.", end.message().trim_end_matches('.')))
        .chain(skipped.then(|| "This caused all downstream tasks to get skipped.".to_owned()))
        .collect();
    let mut failed = Failed::workload(&said.join(" "));
    if let [(_, End::Failed(only))] = own.as_slice() {
        failed.code.clone_from(&only.code);
        failed.kind.clone_from(&only.kind);
    }
    failed
}
