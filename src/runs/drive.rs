//! Moving a run and its children from this very process: for a command, beside which perhaps nobody takes messages off
//! the work queue. Whoever else moves them does no harm: the lease decides.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};

use super::advance::Advance;
use super::children::has_children;
use super::record::{Record, RunState, StepState, Transition};
use super::{Engine, RunOutcome, Runs, not_found, outcome};
use crate::failure::Failure;
use crate::http::Deadline;

/// Children that are moved at once.
const AT_ONCE: usize = 10;
/// How long a step is waited for before the run sleeps.
const PATIENCE: Duration = Duration::from_secs(5);

impl Runs {
    /// Takes the run and its children as far as they go now.
    pub async fn drive(&self, run: &str, deadline: Deadline) -> Result<RunOutcome, Failure> {
        self.0.drive(run, deadline).await.map(|newest| outcome(&newest))
    }
}

impl Engine {
    /// Boxed, since it calls itself for the children.
    fn drive<'a>(&'a self, run: &'a str, deadline: Deadline) -> BoxFuture<'a, Result<Record, Failure>> {
        Box::pin(async move {
            let newest = self.newest(run, deadline).await?.ok_or_else(|| not_found(run))?;
            if newest.state.at_rest() {
                if newest.transition != Transition::Answered {
                    self.closed(newest.clone(), deadline).await?;
                }
                return Ok(newest);
            }
            let ended = self.drive_children(&newest, deadline).await;
            let due = newest.wake_at.is_none_or(|at| at <= self.clock.now());
            if newest.state == RunState::Waiting && !due && !ended {
                return Ok(newest);
            }
            let patience = if self.is_at_children(&newest, deadline).await? { Duration::ZERO } else { PATIENCE };
            match self.advance(newest, false, deadline.within(patience), deadline).await? {
                Advance::AtRest(record) => Ok(*record),
                Advance::Waiting | Advance::Overtaken | Advance::Busy(_) => {
                    self.newest(run, deadline).await?.ok_or_else(|| not_found(run))
                }
            }
        })
    }

    /// Whether what comes next is done by children: to wait for them would keep them from being moved.
    async fn is_at_children(&self, newest: &Record, deadline: Deadline) -> Result<bool, Failure> {
        let pinned = self.pinned_of(newest, deadline).await?;
        let operation = self.operation_of(&newest.run, &pinned)?;
        let mut all = operation.steps.iter().chain(&operation.on_failure).zip(&newest.steps);
        let next = all.find(|(_, record)| matches!(record.state, StepState::Pending | StepState::Submitted));
        Ok(next.is_some_and(|(step, _)| has_children(step)))
    }

    /// Whether one of them has ended.
    async fn drive_children(&self, parent: &Record, deadline: Deadline) -> bool {
        let children = self.children_under_way(parent, deadline).await.unwrap_or_default();
        let mut moved: Vec<BoxFuture<'_, bool>> = Vec::with_capacity(children.len());
        for child in &children {
            moved.push(Box::pin(async move {
                match self.drive(child, deadline).await {
                    Ok(record) => record.state.at_rest(),
                    Err(failure) => {
                        tracing::warn!(run = child, error = failure.chain(), "a child could not be moved");
                        false
                    }
                }
            }));
        }
        // All of them to their end: a worker that is dropped on its way leaves its lease behind.
        let ended: Vec<bool> = stream::iter(moved).buffer_unordered(AT_ONCE).collect().await;
        ended.contains(&true)
    }
}
