//! The order in which a run's tasks go: each when those before it have ended, if its condition then holds.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::clock::Hand;
use super::end::End;
use super::run::{Output, Phase, Progress, Run, TaskRun};
use super::task;
use super::task_definition::RunIf;
use crate::databricks::workspace::Shared;

enum Verdict {
    Runs,
    Skipped(End),
}

/// Runs every task that has not ended, from the place in time at which the run began to run.
pub(super) async fn run(workspace: &Shared, run: &Arc<Run>, start: Hand) {
    let mut under_way = FuturesUnordered::new();
    let mut hands: HashMap<String, Hand> = HashMap::new();
    loop {
        loop {
            // A statement of its own, so that the lock ends with it.
            let Some((task, verdict)) = next(&run.progress()) else { break };
            match verdict {
                Verdict::Skipped(end) => run.task_ends(task.id, end, Output::default()),
                Verdict::Runs => {
                    // It begins when the last of those before it has ended.
                    let before = task.task.depends_on.iter().filter_map(|key| hands.get(key)).max();
                    let hand = before.copied().unwrap_or(start);
                    run.task_goes_to(task.id, Phase::Running);
                    under_way.push(task::carry_out(workspace, run, task, hand));
                }
            }
        }
        match under_way.next().await {
            Some((key, hand)) => drop(hands.insert(key, hand)),
            None => return,
        }
    }
}

/// A task that waits and need wait no longer.
fn next(progress: &Progress) -> Option<(TaskRun, Verdict)> {
    let latest = progress.latest();
    let by_key: HashMap<&str, &TaskRun> = latest.iter().map(|task| (task.task.key.as_str(), *task)).collect();
    latest.iter().filter(|task| matches!(task.phase, Phase::Blocked | Phase::Pending)).find_map(|task| {
        if task.task.disabled {
            return Some(((*task).clone(), Verdict::Skipped(End::Disabled)));
        }
        // Tasks that `only` left out are not waited for.
        let before = task.task.depends_on.iter().filter_map(|key| by_key.get(key.as_str()));
        let ends: Option<Vec<&End>> =
            before.map(|other| if let Phase::Ended(end) = &other.phase { Some(end) } else { None }).collect();
        Some(((*task).clone(), judge(task.task.run_if, &ends?)))
    })
}

/// Whether a task runs after others that ended so (SDK, RunIf). A task that was disabled is no hindrance; that is not
/// documented.
fn judge(run_if: RunIf, ends: &[&End]) -> Verdict {
    let ends: Vec<&End> = ends.iter().filter(|end| **end != &End::Disabled).copied().collect();
    let succeeded = |end: &&End| **end == End::Succeeded;
    let failed = ends.iter().any(|end| end.failed());
    let canceled = ends.iter().any(|end| end.canceled());
    let holds = ends.is_empty()
        || match run_if {
            RunIf::AllSuccess => ends.iter().all(succeeded),
            RunIf::AtLeastOneSuccess => ends.iter().any(succeeded),
            RunIf::NoneFailed => !failed && !canceled && ends.iter().any(succeeded),
            RunIf::AllDone => true,
            RunIf::AtLeastOneFailed => failed,
            RunIf::AllFailed => ends.iter().all(|end| end.failed()),
        };
    if holds {
        return Verdict::Runs;
    }
    let after_success = matches!(run_if, RunIf::AllSuccess | RunIf::AtLeastOneSuccess | RunIf::NoneFailed);
    Verdict::Skipped(match (after_success, failed, canceled) {
        (true, true, _) => End::UpstreamFailed,
        (true, false, true) => End::UpstreamCanceled,
        _ => End::Excluded,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(run_if: RunIf, ends: &[&End]) -> &'static str {
        match judge(run_if, ends) {
            Verdict::Runs => "runs",
            Verdict::Skipped(end) => end.result(),
        }
    }

    #[test]
    fn a_condition_decides_by_how_the_tasks_before_ended() {
        let failed = End::workload();
        let (good, bad, out) = (&End::Succeeded, &failed, &End::Excluded);
        for (run_if, ends, expected) in [
            (RunIf::AllSuccess, vec![], "runs"),
            (RunIf::AllSuccess, vec![good, good], "runs"),
            (RunIf::AllSuccess, vec![good, bad], "UPSTREAM_FAILED"),
            (RunIf::AllSuccess, vec![good, &End::UpstreamFailed], "UPSTREAM_FAILED"),
            (RunIf::AllSuccess, vec![good, &End::Canceled], "UPSTREAM_CANCELED"),
            (RunIf::AllSuccess, vec![good, out], "EXCLUDED"),
            (RunIf::AllSuccess, vec![good, &End::Disabled], "runs"),
            (RunIf::AtLeastOneSuccess, vec![good, bad], "runs"),
            (RunIf::AtLeastOneSuccess, vec![bad, bad], "UPSTREAM_FAILED"),
            (RunIf::NoneFailed, vec![good, out], "runs"),
            (RunIf::NoneFailed, vec![out, out], "EXCLUDED"),
            (RunIf::NoneFailed, vec![good, bad], "UPSTREAM_FAILED"),
            (RunIf::AllDone, vec![bad, out], "runs"),
            (RunIf::AtLeastOneFailed, vec![good, bad], "runs"),
            (RunIf::AtLeastOneFailed, vec![good, good], "EXCLUDED"),
            (RunIf::AllFailed, vec![bad, &End::TimedOut], "runs"),
            (RunIf::AllFailed, vec![bad, good], "EXCLUDED"),
        ] {
            assert_eq!(judged(run_if, &ends), expected, "{run_if:?} {ends:?}");
        }
    }
}
