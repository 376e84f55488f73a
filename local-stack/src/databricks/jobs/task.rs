//! One task of a run, attempt after attempt: what is prepared to fail, time limits, cancellation, retries.

use std::sync::Arc;

use super::clock::Hand;
use super::end::{End, Failed};
use super::execute::execute;
use super::run::{Output, Phase, Run, TaskRun};
use super::task_definition::{TaskDefinition, TaskFailure};
use crate::databricks::workspace::Shared;

/// Carries a task out; its key, and when it ended for good.
pub(super) async fn carry_out(workspace: &Shared, run: &Arc<Run>, first: TaskRun, hand: Hand) -> (String, Hand) {
    let jobs = &workspace.jobs;
    let task = first.task;
    let (mut id, mut attempt, mut hand) = (first.id, first.attempt, hand);
    let mut retries = task.max_retries;
    loop {
        let done = tokio::select! {
            done = tried(workspace, run, &task, attempt, hand) => done,
            () = run.canceled(id) => (End::Canceled, Output::default(), jobs.clock.now()),
        };
        let (end, output, at) = done;
        hand = at;
        // (SDK, Task: max_retries; a time-out is not retried unless that is asked for.)
        let again = matches!(end, End::Failed(_)) && retries > 0;
        run.task_ends(id, end, output);
        if !again {
            return (task.key, hand);
        }
        retries -= 1;
        attempt += 1;
        id = jobs.new_id();
        run.progress().attempt(id, task.clone(), Phase::Waiting);
        jobs.knows(id, run);
        let waited = tokio::select! {
            hand = jobs.clock.pass(hand, task.retry_steps) => Some(hand),
            () = run.canceled(id) => None,
        };
        let Some(waited) = waited else {
            run.task_ends(id, End::Canceled, Output::default());
            return (task.key, jobs.clock.now());
        };
        hand = waited;
        run.task_goes_to(id, Phase::Running);
    }
}

/// One attempt.
async fn tried(
    workspace: &Shared,
    run: &Arc<Run>,
    task: &TaskDefinition,
    attempt: u32,
    hand: Hand,
) -> (End, Output, Hand) {
    let clock = &workspace.jobs.clock;
    let failure = task.failure(attempt);
    // Its own limit, and that of the run.
    let limits = [task.timeout_seconds, run.job.timeout_seconds];
    let limit = limits.into_iter().filter(|limit| *limit > 0).min().unwrap_or(0);
    let too_long = limit > 0 && task.more_steps > limit;
    if too_long || failure == Some(&TaskFailure::TimedOut) {
        let steps = if limit > 0 { limit } else { task.more_steps };
        return (End::TimedOut, Output::default(), clock.pass(hand, steps).await);
    }
    let work = async {
        match failure {
            None | Some(TaskFailure::TimedOut) => execute(workspace, run, task).await,
            Some(TaskFailure::Workload { error, trace }) => {
                let output = Output { error: Some(error.clone()), trace: Some(trace.clone()), ..Output::default() };
                (End::workload(), output)
            }
            Some(TaskFailure::Platform { code, kind, message }) => {
                let failed = Failed { code: code.clone(), kind: kind.clone(), message: message.clone() };
                (End::Failed(failed), Output { error: Some(message.clone()), ..Output::default() })
            }
        }
    };
    let (hand, (end, output)) = tokio::join!(clock.pass(hand, task.more_steps), work);
    (end, output, hand)
}
