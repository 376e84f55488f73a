//! Moving a run and its children from this very process: for a command, beside which perhaps nobody takes messages off
//! the work queue. Whoever else moves them does no harm: the lease decides.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};

use super::advance::Advance;
use super::record::{Record, RunState, Transition};
use super::{Engine, RunOutcome, Runs, not_found, outcome};
use crate::failure::Failure;
use crate::http::Deadline;

/// Children that are moved at once.
const AT_ONCE: usize = 10;
/// How long a step is waited for before the run sleeps.
const PATIENCE: Duration = Duration::from_secs(20);

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
            match self.advance(newest.clone(), false, deadline.within(PATIENCE), deadline).await? {
                Advance::AtRest(record) => Ok(*record),
                Advance::Waiting | Advance::Overtaken | Advance::Busy(_) => {
                    self.newest(run, deadline).await?.ok_or_else(|| not_found(run))
                }
            }
        })
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
        stream::iter(moved).buffer_unordered(AT_ONCE).any(async |ended| ended).await
    }
}
