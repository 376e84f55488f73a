//! How a job run ended: success, or a failure with each failed task, its error and its trace.

use std::fmt::Write;

use futures_util::stream::{self, StreamExt};

use super::Databricks;
use super::job_runs::{JobRun, TaskRun};
use super::job_state::Standing;
use super::outputs::AT_ONCE;
use crate::failure::{Code, FailedTask, FailedTasks, Failure, Upstream};
use crate::http::Deadline;

/// Failed tasks that the text of a failure names.
const NAMED_TASKS: usize = 10;
/// Failed tasks that stand in a failure as members.
const TOLD_TASKS: usize = 100;
/// Failed tasks whose errors are asked for: a call each.
const ASKED_TASKS: usize = 20;
/// Characters of a task's message in the text of a failure.
const TASK_MESSAGE: usize = 300;
/// Characters of a task's error, and of its trace.
const LONGEST_ERROR: usize = 2_000;
const LONGEST_TRACE: usize = 4_000;
/// Bytes of all traces: a failure must fit the record of a run.
const MOST_TRACES: usize = 128 * 1024;

impl Databricks {
    /// As [`JobRun::outcome`], with the errors and traces of the failed tasks. Those that cannot be had are left out.
    pub async fn job_outcome(&self, run: &JobRun, deadline: Deadline) -> Result<Option<()>, Failure> {
        let failure = match run.outcome() {
            Err(failure) if failure.code == Code::JobFailed => failure,
            outcome => return outcome,
        };
        // What waited for a failed task has nothing of its own to say.
        let asked = run.tasks.iter().filter(|task| task.failed() && !task.waited_in_vain()).take(ASKED_TASKS);
        let asked: Vec<_> = asked.map(|task| async move { (task, self.task_output(task, deadline).await) }).collect();
        let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        let mut tasks = run.failed_tasks();
        let mut left = MOST_TRACES;
        for (task, answer) in answers {
            let output = match answer {
                Ok(output) => output,
                Err(error) => {
                    let failure = Failure::from(error);
                    tracing::warn!(
                        job_run_id = run.run_id,
                        task = task.task_key,
                        error = failure.chain(),
                        "could not read a failed task's output"
                    );
                    continue;
                }
            };
            let Some(told) = tasks.first.iter_mut().find(|told| told.run_id == task.run_id) else { continue };
            if let Some(error) = output.error {
                (told.error, told.error_cut) = cut(&error, LONGEST_ERROR);
            }
            if let Some(trace) = output.error_trace {
                let (trace, is_cut) = cut(&trace, LONGEST_TRACE);
                let bytes = trace.as_ref().map_or(0, String::len);
                told.error_trace = trace.filter(|_| bytes <= left);
                told.error_trace_cut = is_cut || bytes > left;
                left = left.saturating_sub(bytes);
            }
        }
        let detail = run.reason(&tasks);
        Err(Failure { detail, failed_tasks: Some(Box::new(tasks)), ..failure })
    }
}

impl JobRun {
    /// Success; a failure with each failed task named; or not ended yet.
    pub fn outcome(&self) -> Result<Option<()>, Failure> {
        if !self.standing.ended {
            return Ok(None);
        }
        if self.standing.succeeded {
            return Ok(Some(()));
        }
        let tasks = self.failed_tasks();
        let failure = if self.standing.canceled {
            Failure::new(Code::JobCanceled, format!("Job run {} was canceled.", self.run_id))
        } else {
            Failure::new(Code::JobFailed, self.reason(&tasks))
        };
        let failure = failure.from_upstream(Upstream {
            service: "databricks".to_owned(),
            status: None,
            code: self.standing.termination_code.clone(),
            request_id: None,
        });
        Err(if tasks.count == 0 { failure } else { Failure { failed_tasks: Some(Box::new(tasks)), ..failure } })
    }

    fn failed_tasks(&self) -> FailedTasks {
        let failed: Vec<&TaskRun> = self.tasks.iter().filter(|task| task.failed()).collect();
        FailedTasks { count: failed.len(), first: failed.into_iter().take(TOLD_TASKS).map(TaskRun::told).collect() }
    }

    fn reason(&self, tasks: &FailedTasks) -> String {
        let mut reason = format!("Job run {} failed", self.run_id);
        for (number, task) in tasks.first.iter().take(NAMED_TASKS).enumerate() {
            let _ = write!(reason, "{} task {} {}", if number == 0 { ":" } else { ";" }, task.task_key, task.state);
            if let Some(error) = &task.error {
                let error = error.trim();
                let mut short: String = error.chars().take(TASK_MESSAGE).collect();
                if short.len() < error.len() {
                    short.push('…');
                }
                let _ = write!(reason, " ({})", short.trim_end_matches('.'));
            }
        }
        if tasks.count > NAMED_TASKS {
            let _ = write!(reason, "; and {} more", tasks.count - NAMED_TASKS);
        }
        let Standing { message, termination_code, state, .. } = &self.standing;
        if tasks.count == 0 {
            let why = message.as_deref().or(termination_code.as_deref()).unwrap_or(state);
            let _ = write!(reason, ": {}", why.trim().trim_end_matches('.'));
        }
        reason.push('.');
        // Skipped for want of a place (both models' words).
        if matches!(
            termination_code.as_deref(),
            Some("MAX_CONCURRENT_RUNS_EXCEEDED" | "MAXIMUM_CONCURRENT_RUNS_REACHED")
        ) {
            reason.push_str(" Send `\"queue\": true`, so that a run waits for its turn.");
        }
        reason
    }
}

impl TaskRun {
    /// Ended without success; a task left out on purpose has not failed.
    pub fn failed(&self) -> bool {
        let fine = ["SUCCESS", "SUCCESS_WITH_FAILURES", "EXCLUDED", "DISABLED"];
        self.result_state.as_deref().is_some_and(|state| !fine.contains(&state)) || self.state == "INTERNAL_ERROR"
    }

    fn waited_in_vain(&self) -> bool {
        self.result_state.as_deref().is_some_and(|state| state.starts_with("UPSTREAM_"))
    }

    fn told(&self) -> FailedTask {
        let (error, error_cut) = self.message.as_deref().map_or((None, false), |text| cut(text, TASK_MESSAGE));
        FailedTask {
            task_key: self.task_key.clone(),
            run_id: self.run_id.clone(),
            state: self.result_state.clone().unwrap_or_else(|| self.state.clone()),
            termination_code: self.termination_code.clone(),
            termination_type: self.termination_type.clone(),
            error,
            error_cut,
            error_trace: None,
            error_trace_cut: false,
        }
    }
}

/// At most `most` characters: the beginning and the end, where a trace says what and where, with a mark between.
fn cut(text: &str, most: usize) -> (Option<String>, bool) {
    let text = text.trim();
    if text.is_empty() {
        return (None, false);
    }
    let count = text.chars().count();
    if count <= most {
        return (Some(text.to_owned()), false);
    }
    let head: String = text.chars().take(most / 2).collect();
    let tail: String = text.chars().skip(count - most / 2).collect();
    (Some(format!("{head}\n… [{} characters cut] …\n{tail}", count - most / 2 * 2)), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_keeps_its_beginning_and_its_end_and_says_so() {
        assert_eq!(cut(" short \n", 10), (Some("short".to_owned()), false));
        assert_eq!(cut(" ", 10), (None, false));
        let (text, is_cut) = cut(&format!("{}ü{}", "a".repeat(50), "b".repeat(50)), 10);
        assert_eq!((text.unwrap().as_str(), is_cut), ("aaaaa\n… [91 characters cut] …\nbbbbb", true));
    }
}
