//! Runs that act as their caller. Only the invocation that holds the caller's token moves one: it ends there, one way or
//! the other, and never sleeps. A worker that finds one without its caller ends it.

use std::time::Duration;

use super::advance::{Advance, Flow, Worker};
use super::record::{Pinned, StepState};
use super::{Engine, Runs};
use crate::failure::{Code, Failure};
use crate::operations::{Operation, RunAs, Step};
use crate::steps::{Kind, Neighbours, Polled, is_end_of_work};

/// How long a step that was asked to stop is looked at for its end.
const STOP_SHOWS: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(200);
/// Kept for the last records of a run.
const LAST_WRITES: Duration = Duration::from_secs(1);

impl Runs {
    /// The same engine, calling its neighbours in another name.
    #[must_use]
    pub fn with_neighbours(&self, neighbours: Neighbours) -> Self {
        Self(std::sync::Arc::new(Engine { neighbours, ..(*self.0).clone() }), self.1.clone())
    }
}

impl Engine {
    /// Whether this engine may do what the operation says for `caller`.
    pub(super) fn acts_for(&self, operation: &Operation, caller: &str) -> bool {
        operation.run_as == RunAs::App || self.neighbours.on_behalf_of() == Some(caller)
    }

    /// Refuses to begin a run as a caller whose token is not here.
    pub(super) fn may_begin(&self, operation: &Operation, caller: &str) -> Result<(), Failure> {
        if self.acts_for(operation, caller) {
            return Ok(());
        }
        let detail = format!(
            "The operation {} runs as its caller: it can only be called over HTTP, with the caller's Entra token.",
            operation.name
        );
        Err(Failure::new(Code::CallerIdentityMissing, detail))
    }

    /// Why a run ends that this engine may not move.
    pub(super) fn abandoned(&self, operation: &Operation, pinned: &Pinned) -> Option<Failure> {
        (!self.acts_for(operation, &pinned.caller)).then(|| {
            let detail =
                "The run acts as its caller, and whoever held the caller's token is gone. Nothing more was done.";
            Failure::new(Code::TooLongForCallerIdentity, detail)
        })
    }
}

impl Worker<'_> {
    /// Whether the run acts as its caller.
    pub(super) fn is_as_caller(&self) -> bool {
        self.operation.run_as == RunAs::Caller
    }

    /// Ends a run whose caller is not here: what may be under way cannot be asked after.
    pub(super) async fn forsaken(mut self, why: Failure) -> Result<Advance, Failure> {
        while let Some(index) =
            self.record.steps.iter().position(|step| matches!(step.state, StepState::Started | StepState::Submitted))
        {
            let doubt = Failure::new(Code::OutcomeUnknown, format!("{} A step was under way.", why.detail));
            if self.ended_badly(index, StepState::Unknown, doubt).await? == Flow::Overtaken {
                return Ok(Advance::Overtaken);
            }
        }
        self.refused(why).await
    }

    /// The wait is over: what the step has under way is stopped, and the run ends.
    pub(super) async fn out_of_time(&mut self, index: usize) -> Result<Flow, Failure> {
        let step = self.declared(index);
        let kind = self.engine.kinds.of(&step.kind);
        match self.record.steps[index].state {
            StepState::Submitted => self.stopped(index, &step, kind).await,
            StepState::Started => self.unknown(index, took_too_long(&step).effect_possible()).await,
            _ => self.ended_badly(index, StepState::Failed, took_too_long(&step)).await,
        }
    }

    async fn stopped(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Flow, Failure> {
        let record = &self.record.steps[index];
        let inputs = record.rendered_inputs.clone().unwrap_or_default();
        let (id, effect) = (record.upstream_id.clone().unwrap_or_default(), record.effect);
        let at = &self.engine.neighbours;
        if let Err(failure) = kind.cancel(at, &inputs, &id, self.deadline).await {
            let failure = self.scrub.failure(failure);
            tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "cancelling a step");
        }
        // A cancel may come too late: how the step ended is what counts.
        let until = self.deadline.less(LAST_WRITES).within(STOP_SHOWS);
        while !until.has_passed() {
            match kind.poll(at, &inputs, &id, until).await {
                Ok(Polled::Done { output }) => return self.done(index, step, output).await,
                Err(failure) if failure.code == Code::StatementCanceled => {
                    return self.ended_badly(index, StepState::Failed, took_too_long(step)).await;
                }
                Err(failure) if is_end_of_work(&failure) => {
                    return self.ended_badly(index, StepState::Failed, failure).await;
                }
                Ok(Polled::Running) | Err(_) => {}
            }
            tokio::time::sleep(LOOK.min(until.remaining())).await;
        }
        if effect {
            return self.unknown(index, took_too_long(step).effect_possible()).await;
        }
        self.ended_badly(index, StepState::Failed, took_too_long(step)).await
    }
}

pub(super) fn took_too_long(step: &Step) -> Failure {
    let detail = format!(
        "The operation runs as its caller and did not end within `waitSeconds`: step \"{}\" was stopped.",
        step.id
    );
    Failure::new(Code::TooLongForCallerIdentity, detail)
}
