//! Runs that others follow: a refresh that waits for its dataset is one run, whoever wants it.

use serde_json::{Map, Value, json};

use super::Engine;
use super::advance::{Flow, Worker};
use super::create::NewRun;
use super::record::{Record, StepState, Transition, Trigger};
use super::{RunEnd, not_found, outcome};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Step, undeclared};
use crate::steps::{InQueue, Kind, RefreshQueue, WantedRefresh};

/// Before the id of the run that a step follows, where others have an id of their neighbour.
const FIRST: &str = "run:";
/// The same, when the run was there before.
const JOINED: &str = "joined:";

impl Engine {
    /// Joins the refresh of this kind that waits for the dataset, or queues one. Its run exists, and will go on.
    pub(super) async fn queue_refresh(
        &self,
        wanted: &WantedRefresh,
        caller: &str,
        deadline: Deadline,
    ) -> Result<InQueue, Failure> {
        let queue = RefreshQueue::of(&self.ledger, wanted);
        let parameters = json!({"workspace": wanted.workspace, "dataset": wanted.dataset, "request": wanted.request});
        let Value::Object(parameters) = parameters else { return Err(not_found("")) };
        loop {
            let place = queue.join(deadline).await?;
            let record = self.create_queued(&place.run, parameters.clone(), caller, deadline).await?;
            // It left the queue after we had joined: it has seen what we want seen, however soon it ended.
            if !record.state.at_rest() || !queue.leave(&place.run, deadline).await? {
                return Ok(place);
            }
            tracing::warn!(run = place.run, "a run that has ended was still waiting for its dataset");
        }
    }

    /// Whoever joins creates the run: who queued it may have died before.
    async fn create_queued(
        &self,
        run: &str,
        parameters: Map<String, Value>,
        caller: &str,
        deadline: Deadline,
    ) -> Result<Record, Failure> {
        let new = NewRun { run: run.to_owned(), parameters, caller: caller.to_owned(), trigger: Trigger::Http };
        let (record, _) = self.create(undeclared::queued_refresh(), &new, false, deadline).await?;
        Ok(record)
    }

    /// How a run that is followed has ended; `None` while it goes on.
    async fn end_of(&self, followed: &InQueue, deadline: Deadline) -> Result<Option<Result<Value, Failure>>, Failure> {
        let newest = self.newest(&followed.run, deadline).await?.ok_or_else(|| not_found(&followed.run))?;
        Ok(match outcome(&newest).seen_by(followed.joined) {
            RunEnd::Going { .. } => None,
            RunEnd::Succeeded { output } => Some(Ok(output)),
            RunEnd::Failed { failure } => Some(Err(*failure)),
        })
    }
}

impl super::RunOutcome {
    /// Its end for whoever follows it: `coalesced` says that another had asked for it already.
    pub fn seen_by(self, joined: bool) -> RunEnd {
        match self.state {
            RunEnd::Succeeded { mut output } if joined => {
                if let Some(coalesced) = output.get_mut("coalesced") {
                    *coalesced = json!(true);
                }
                RunEnd::Succeeded { output }
            }
            other => other,
        }
    }
}

/// The run that a step follows, if its upstream id names one.
pub(super) fn followed(upstream_id: &str) -> Option<InQueue> {
    let named = |prefix: &str, joined| {
        let run = upstream_id.strip_prefix(prefix)?;
        Some(InQueue { run: run.to_owned(), joined })
    };
    named(FIRST, false).or_else(|| named(JOINED, true))
}

pub fn upstream_id(place: &InQueue) -> String {
    format!("{}{}", if place.joined { JOINED } else { FIRST }, place.run)
}

impl Worker<'_> {
    /// The step waits in its neighbour's queue, with whoever wants the same.
    pub(super) async fn queue_up(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        wanted: &WantedRefresh,
    ) -> Result<Flow, Failure> {
        let (engine, caller, deadline) = (self.engine, self.pinned.caller.clone(), self.deadline);
        let place = super::insist(deadline, || engine.queue_refresh(wanted, &caller, deadline)).await?;
        // From now on the step ends as that run does.
        tracing::info!(
            run = self.record.run,
            step = step.id,
            follows = place.run,
            joined = place.joined,
            "step follows"
        );
        self.submitted(index, upstream_id(&place));
        let record = self.next(index, Transition::Submitted, StepState::Submitted);
        if !self.commit(record).await? {
            return Ok(Flow::Overtaken);
        }
        self.look(index, step, kind).await
    }

    /// Looks at the run that the step follows; `None` while it goes on.
    pub(super) async fn look_at_run(
        &mut self,
        index: usize,
        step: &Step,
        followed: &InQueue,
    ) -> Result<Option<Flow>, Failure> {
        match self.engine.end_of(followed, self.deadline).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(output))) => self.done(index, step, output).await.map(Some),
            Ok(Some(Err(failure))) if failure.code == Code::OutcomeUnknown => {
                self.unknown(index, failure).await.map(Some)
            }
            Ok(Some(Err(failure))) => self.failed(index, step, failure).await.map(Some),
            Err(failure) if failure.code == Code::RunNotFound => self.unknown(index, failure).await.map(Some),
            Err(failure) => {
                tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "a look failed");
                Ok(None)
            }
        }
    }
}
