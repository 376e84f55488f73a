//! Cancelling: whoever holds the run sees the note, asks the neighbour to stop what is under way, waits for its end, and
//! lets the rest be. What was perhaps sent is found first. Steps of `on_failure` do not run: nothing failed.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

use super::advance::{Flow, Worker};
use super::children::has_children;
use super::follow::followed;
use super::insist;
use super::record::{StepState, Transition};
use crate::failure::{Code, Failure};
use crate::operations::Step;
use crate::steps::{Kind, Recovery, is_end_of_work};

/// How often a worker looks for the note, at most: one read of the ledger, before an effect and while it waits. Work that
/// is over sooner never looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A neighbour that was asked to stop and does not is waited for this long.
pub(super) const STOPS_WITHIN: SignedDuration = SignedDuration::from_hours(1);

impl Worker<'_> {
    /// Whether the run is to be cancelled.
    pub(super) async fn cancel_asked(&mut self) -> Result<bool, Failure> {
        if self.record.cancel.is_none() && self.look_again.has_passed() {
            let (engine, deadline) = (self.engine, self.deadline);
            let record = &self.record;
            let note = insist(deadline, || engine.cancel_note(record, deadline)).await?;
            self.record.cancel = note;
            self.look_again = crate::http::Deadline::after(LOOK_EVERY);
        }
        Ok(self.record.cancel.is_some())
    }

    /// The same, of work that goes on however the ledger does.
    pub(super) async fn cancel_seen(&mut self) -> bool {
        if self.record.cancel.is_none() && self.look_again.has_passed() {
            match self.engine.cancel_note(&self.record, self.deadline).await {
                Ok(note) => {
                    self.record.cancel = note;
                    self.look_again = crate::http::Deadline::after(LOOK_EVERY);
                }
                // No look: the next effect must not count on it.
                Err(failure) => tracing::warn!(run = self.record.run, error = failure.chain(), "no look at the notes"),
            }
        }
        self.record.cancel.is_some()
    }

    /// A step that was about to be sent. `None`: to be sent all the same, since that is how it is found.
    pub(super) async fn not_sent(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        inputs: &Value,
        perhaps_before: bool,
    ) -> Result<Option<Flow>, Failure> {
        if !perhaps_before {
            return Ok(Some(Flow::Next));
        }
        if kind.found_by_sending() {
            return Ok(None);
        }
        let key = self.key(index);
        let since = self.record.steps[index].perhaps_since.unwrap_or(self.record.at);
        let found = match kind.recovery(inputs) {
            Recovery::Unknown => Ok(None),
            _ => kind.look_up(&self.engine.neighbours, inputs, &key, since, self.deadline).await,
        };
        let found = found.unwrap_or_else(|failure| {
            let failure = self.scrub.failure(failure);
            tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "a look failed");
            None
        });
        let Some(upstream_id) = found else {
            let detail = format!("Step \"{}\" was perhaps sent before the run was cancelled.", step.id);
            let why = Failure::new(Code::OutcomeUnknown, detail).effect_possible();
            return self.unknown(index, why).await.map(Some);
        };
        self.submitted(index, upstream_id);
        let record = self.next(index, Transition::Submitted, StepState::Submitted);
        if !self.commit(record).await? {
            return Ok(Some(Flow::Overtaken));
        }
        Box::pin(self.look(index, step, kind)).await.map(Some)
    }

    /// Asks the neighbour once to stop; `None` while its end is awaited.
    pub(super) async fn stop(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        inputs: &Value,
        id: &str,
    ) -> Result<Option<Flow>, Failure> {
        if followed(id).is_some() {
            // Others may wait for the same: it goes on for them.
            let why = Failure::new(Code::RunCanceled, "What this step waited for goes on for whoever else wants it.");
            return self.ended_badly(index, StepState::Failed, why).await.map(Some);
        }
        if let Some(asked) = self.record.steps[index].stop_asked_at {
            if asked.duration_until(self.engine.clock.now()) <= STOPS_WITHIN {
                return Ok(None);
            }
            let detail = format!("Step \"{}\" was asked to stop an hour ago and has not.", step.id);
            let why = Failure::new(Code::OutcomeUnknown, detail).effect_possible();
            return self.ended_badly(index, StepState::Unknown, why).await.map(Some);
        }
        match kind.cancel(&self.engine.neighbours, inputs, id, self.deadline).await {
            Err(failure) if failure.code == Code::NotCancellable => {
                self.ended_badly(index, StepState::Failed, failure).await.map(Some)
            }
            // It is away; it is asked again at the next look.
            Err(failure) if !is_end_of_work(&failure) => {
                let failure = self.scrub.failure(failure);
                tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "not asked to stop yet");
                Ok(None)
            }
            asked => {
                if let Err(failure) = asked {
                    let failure = self.scrub.failure(failure);
                    tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "it will not stop");
                }
                self.stop_asked(index);
                Ok(None)
            }
        }
    }

    /// Why a run that was to be cancelled ends as that; `None` when everything is done all the same, or it failed.
    pub(super) async fn cut_off(&mut self) -> Option<Failure> {
        let main = self.operation.steps.len();
        let undone = |state| !matches!(state, StepState::Succeeded | StepState::Skipped);
        let at = self.record.steps.iter().take(main).position(|step| undone(step.state))?;
        if self.record.cancel.is_none() || self.record.error.is_some() {
            return None;
        }
        // What waits at a neighbour's door lets go of its place.
        for (index, record) in self.record.steps.iter().enumerate() {
            let Some(inputs) = &record.rendered_inputs else { continue };
            let step = self.declared(index);
            if matches!(record.state, StepState::Pending | StepState::Ready)
                && !has_children(&step)
                && let Err(failure) =
                    self.engine.kinds.of(&step.kind).give_way(&self.engine.neighbours, inputs, self.deadline).await
            {
                let failure = self.scrub.failure(failure);
                tracing::warn!(run = self.record.run, error = failure.chain(), "a step still stands in the way");
            }
        }
        let step = &self.record.steps[at];
        let came = step.progress.as_ref().and_then(how_far).unwrap_or_default();
        let doubt = match step.state {
            StepState::Unknown => " Whether that step happened is not known.",
            _ => "",
        };
        let detail = format!("The run was cancelled at step \"{}\".{came}{doubt}", step.id);
        Some(Failure::new(Code::RunCanceled, detail).in_step(&step.id).in_run(&self.record.run))
    }

    /// Its page at the neighbour, looked for once, when a step takes longer.
    pub(super) async fn find_page(&mut self, index: usize, kind: &dyn Kind, id: &str) {
        if self.record.steps[index].upstream_url.is_none() && self.record.steps[index].polls == 0 {
            let page = kind.page(&self.engine.neighbours, id, self.deadline).await;
            self.record.steps[index].upstream_url = page;
        }
    }
}

/// How far rows have come, in words.
fn how_far(progress: &Value) -> Option<String> {
    let pushed = progress.get("rowsPushed")?.as_u64()?;
    let of = progress.get("ofRows").and_then(Value::as_u64).map(|rows| format!(" of {rows}")).unwrap_or_default();
    Some(format!(" The first {pushed}{of} rows are in the table."))
}
