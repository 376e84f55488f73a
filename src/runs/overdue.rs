//! A step that is not done after its `timeout`: its neighbour is asked to stop it, once, and its end awaited, since work that
//! may still happen is no known failure. What cannot be told in the end is left to a human, unless doing it twice does no
//! harm.

use jiff::Timestamp;
use serde_json::Value;

use super::advance::{Flow, Worker};
use super::cancel::STOPS_WITHIN;
use super::fate::is_lost;
use super::follow::followed;
use crate::failure::{Code, Failure};
use crate::operations::Step;
use crate::steps::{Kind, Recovery, is_end_of_work};

impl Worker<'_> {
    pub(super) fn timed_out(&self, index: usize, step: &Step) -> bool {
        self.due(index, step).is_some_and(|due| self.engine.clock.now() > due)
    }

    /// When the step is to be done at the latest.
    fn due(&self, index: usize, step: &Step) -> Option<Timestamp> {
        Some(self.record.steps[index].started_at? + step.timeout?)
    }

    /// The step has taken too long. `None` while its end is awaited.
    pub(super) async fn overdue(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        inputs: &Value,
        id: &str,
    ) -> Result<Option<Flow>, Failure> {
        let mut why = too_long(step);
        // What others may wait for too is a run, and none of its neighbour's work is known by the run's id.
        if let Some(run) = followed(id) {
            let goes_on = format!("What it waited for goes on for whoever else wants it (run {}).", run.run);
            why.detail = format!("{} {goes_on}", why.detail);
            return self.failed(index, step, why).await.map(Some);
        }
        let asked = self.record.steps[index].stop_asked_at.is_some();
        if !asked && let Err(failure) = kind.cancel(&self.engine.neighbours, inputs, id, self.deadline).await {
            let failure = self.scrub.failure(failure);
            tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "cancelling a step");
            if failure.code == Code::NotCancellable {
                return self.goes_on(index, step, kind, inputs, why).await.map(Some);
            }
            // It is away; it is asked again at the next look.
            if is_end_of_work(&failure) {
                self.stop_asked(index);
            }
        } else if !asked {
            self.stop_asked(index);
        }
        if !self.record.steps[index].effect {
            return self.failed(index, step, why).await.map(Some);
        }
        if self.due(index, step).is_none_or(|due| due.duration_until(self.engine.clock.now()) <= STOPS_WITHIN) {
            return Ok(None);
        }
        self.goes_on(index, step, kind, inputs, why).await.map(Some)
    }

    pub(super) fn stop_asked(&mut self, index: usize) {
        self.record.steps[index].stop_asked_at = Some(self.engine.clock.now());
        self.record.steps[index].polls = 0;
    }

    /// Its neighbour says that the work has ended badly.
    pub(super) async fn ended_there(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        inputs: &Value,
        failure: Failure,
    ) -> Result<Flow, Failure> {
        if self.record.cancel.is_some() || self.record.steps[index].stop_asked_at.is_none() {
            return self.failed(index, step, failure).await;
        }
        let (detail, cause) = (format!("{} {}", too_long(step).detail, failure.detail), failure.chain());
        let gone = is_lost(failure.code);
        let why = Failure { code: Code::StepTimeout, detail, ..failure }.caused_by(cause);
        if gone {
            return self.goes_on(index, step, kind, inputs, why).await;
        }
        self.failed(index, step, why).await
    }

    /// Nobody has said that it will not happen any more.
    async fn goes_on(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        inputs: &Value,
        why: Failure,
    ) -> Result<Flow, Failure> {
        // A new attempt has a new key: only what may be done twice may be begun anew.
        if !self.record.steps[index].effect || kind.recovery(inputs) == Recovery::LookUpFirst {
            return self.failed(index, step, why).await;
        }
        self.unknown(index, why.effect_possible()).await
    }
}

/// What a step ends with that took longer than its `timeout`.
pub(super) fn too_long(step: &Step) -> Failure {
    let after = step.timeout.unwrap_or_default();
    Failure::new(Code::StepTimeout, format!("Step \"{}\" did not end within {after:?}.", step.id))
}
