//! One step of a run: intent before effect, then looking until it has ended or the run must sleep.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

use super::advance::{Flow, Worker};
use super::as_caller::took_too_long;
use super::children::has_children;
use super::follow::followed;
use super::log::fits;
use super::record::{Record, StepRecord, StepState, Transition};
use super::scope::scope;
use super::search::{LOOKS_BEFORE_SENDING, died};
use super::{Engine, insist};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::Step;
use crate::steps::{Kind, Polled, Prepared, Recovery, is_end_of_work};

/// Work that could not be looked at for this long is given up.
const LOST_SIGHT: SignedDuration = SignedDuration::from_hours(24);
/// Pauses of a sleeping run: the first, and the longest.
pub(super) const FIRST_SLEEP: Duration = Duration::from_secs(2);
pub(super) const LONGEST_SLEEP: Duration = Duration::from_mins(5);
/// Pauses between looks within one invocation: the first, and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(2);

impl Worker<'_> {
    /// Takes the step as far as it goes in this invocation.
    pub(super) async fn step(&mut self, index: usize) -> Result<Flow, Failure> {
        let step = self.declared(index);
        if has_children(&step) {
            return self.tend(index, &step).await;
        }
        let kind = self.engine.kinds.of(&step.kind);
        match self.record.steps[index].state {
            StepState::Submitted => self.look(index, &step, kind).await,
            StepState::Started => self.recover(index, &step, kind).await,
            StepState::Ready => self.go_on(index, &step, kind).await,
            _ => Box::pin(self.begin(index, &step, kind)).await,
        }
    }

    pub(super) fn declared(&self, index: usize) -> Step {
        let main = &self.operation.steps;
        main.get(index).cloned().unwrap_or_else(|| self.operation.on_failure[index - main.len()].clone())
    }

    async fn begin(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Flow, Failure> {
        if self.is_as_caller() && self.patience.has_passed() {
            return self.ended_badly(index, StepState::Failed, took_too_long(step)).await;
        }
        self.load_outputs().await?;
        let scope = scope(&self.record, &self.pinned, &self.outputs);
        let wanted = step.when.as_ref().map_or(Ok(true), |when| when.is_true(&scope));
        let prepared = match wanted {
            Ok(true) => kind.prepare(&step.kind, &scope, &self.engine.neighbours),
            Ok(false) => {
                self.record.steps[index].state = StepState::Skipped;
                return Ok(Flow::Next);
            }
            Err(error) => Err(Failure::new(Code::ExpressionFailed, error.to_string())),
        };
        match prepared {
            Ok(prepared) => {
                let now = self.engine.clock.now();
                let record = &mut self.record.steps[index];
                record.started_at.get_or_insert(now);
                record.rendered_inputs = Some(prepared.inputs.clone());
                record.effect = prepared.effect;
                if !fits(&self.record) {
                    self.record.steps[index].rendered_inputs = None;
                    return self.ended_badly(index, StepState::Failed, state_too_large()).await;
                }
                self.send(index, step, kind, prepared, false).await
            }
            Err(failure) => self.failed(index, step, failure).await,
        }
    }

    /// A step was `started` by a worker that is gone, and nobody knows whether it was sent.
    async fn recover(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Flow, Failure> {
        if let Some(flow) = self.noted(index, step, kind).await? {
            return Ok(flow);
        }
        let inputs = self.record.steps[index].rendered_inputs.clone().unwrap_or(Value::Null);
        match kind.recovery(&inputs) {
            Recovery::SendAgain => self.send(index, step, kind, Prepared { inputs, effect: true }, true).await,
            Recovery::LookUpFirst if self.record.steps[index].looks >= LOOKS_BEFORE_SENDING => {
                self.record.steps[index].looks = 0;
                self.send(index, step, kind, Prepared { inputs, effect: true }, true).await
            }
            Recovery::LookUp | Recovery::LookUpFirst => self.search(index, step, kind, died(step)).await,
            Recovery::Settle => self.settle(index, step, kind, None).await,
            Recovery::Unknown => self.unknown(index, died(step)).await,
        }
    }

    /// Looks until the step has ended, or patience has and the run sleeps.
    pub(super) async fn look(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Flow, Failure> {
        let StepRecord { rendered_inputs, upstream_id, .. } = self.record.steps[index].clone();
        let (inputs, id) = (rendered_inputs.unwrap_or(Value::Null), upstream_id.unwrap_or_default());
        let followed = followed(&id);
        let mut pause = FIRST_LOOK;
        loop {
            if self.cancel_seen().await
                && let Some(flow) = self.stop(index, step, kind, &inputs, &id).await?
            {
                return Ok(flow);
            }
            let ended = match &followed {
                Some(run) => self.look_at_run(index, step, run).await?,
                None => self.look_once(index, step, kind, &inputs, &id).await?,
            };
            if let Some(flow) = ended {
                return Ok(flow);
            }
            if self.record.cancel.is_none()
                && self.timed_out(index, step)
                && let Some(flow) = self.overdue(index, step, kind, &inputs, &id).await?
            {
                return Ok(flow);
            }
            if self.patience.remaining() <= pause {
                if followed.is_none() {
                    self.find_page(index, kind, &id).await;
                }
                let asleep = doubled(FIRST_SLEEP, self.record.steps[index].polls, LONGEST_SLEEP);
                self.record.steps[index].polls += 1;
                return self.sleep(index, asleep).await;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_LOOK);
        }
    }

    /// Looks at the neighbour; `None` while its work goes on.
    async fn look_once(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        inputs: &Value,
        id: &str,
    ) -> Result<Option<Flow>, Failure> {
        match kind.poll(&self.engine.neighbours, inputs, id, self.deadline).await {
            Ok(Polled::Done { output }) => return self.done(index, step, output).await.map(Some),
            Ok(Polled::Running) => self.record.steps[index].held_off_since = None,
            Err(failure) if is_end_of_work(&failure) => {
                return self.ended_there(index, step, kind, inputs, failure).await.map(Some);
            }
            // We could not look; the work goes on without us.
            Err(failure) => {
                let failure = self.scrub.failure(failure);
                tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "a look failed");
                if let Some(flow) = self.said(index, step, kind).await? {
                    return Ok(Some(flow));
                }
                let now = self.engine.clock.now();
                let since = *self.record.steps[index].held_off_since.get_or_insert(now);
                if since.duration_until(now) > LOST_SIGHT {
                    return self.unknown(index, failure).await.map(Some);
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn done(&mut self, index: usize, step: &Step, output: Value) -> Result<Flow, Failure> {
        // A neighbour may give back what it was sent.
        let output = self.scrub.value(output);
        let attempt = self.record.steps[index].attempt;
        let (engine, run, deadline) = (self.engine, self.record.run.clone(), self.deadline);
        let kept = insist(deadline, || engine.keep_output(&run, &step.id, attempt, output.clone(), deadline)).await;
        let (reference, output) = match kept {
            Ok(kept) => kept,
            Err(failure) if failure.code == Code::OutputTooLarge => return self.failed(index, step, failure).await,
            Err(failure) => return Err(failure),
        };
        let mut record = self.next(index, Transition::StepEnded, StepState::Succeeded);
        let page = output.get("runPageUrl").and_then(Value::as_str).map(str::to_owned);
        record.steps[index].upstream_url = page.or(record.steps[index].upstream_url.take());
        record.steps[index].output_ref = Some(reference);
        record.steps[index].ended_at = Some(record.at);
        self.outputs.insert(step.id.clone(), output);
        let flow = self.commit_or_overtaken(record).await?;
        if flow == Flow::Next {
            self.audit(index, self.outputs.get(&step.id));
            self.engine.put_away(&self.record.steps[index], step, deadline).await;
        }
        Ok(flow)
    }

    /// Sleeps: the message first, so that a lost write leaves one that finds nothing to do.
    pub(super) async fn sleep(&mut self, index: usize, after: Duration) -> Result<Flow, Failure> {
        if self.is_as_caller() {
            return Box::pin(self.out_of_time(index)).await;
        }
        let state = self.record.steps[index].state;
        let mut record = self.next(index, Transition::Waiting, state);
        let wake_at = record.at + after;
        record.wake_at = Some(wake_at);
        record.send_before = None;
        let (engine, deadline) = (self.engine, self.deadline);
        insist(deadline, || engine.wake(&record.run, record.seq, Some(wake_at), deadline)).await?;
        Ok(if self.commit(record).await? { Flow::Sleeps } else { Flow::Overtaken })
    }

    pub(super) fn next(&self, index: usize, transition: Transition, state: StepState) -> Record {
        let mut record = self.record.next(transition, self.engine.clock.now());
        record.steps[index].state = state;
        if state != StepState::Started {
            record.send_before = None;
            record.key = None;
        }
        record
    }

    /// Appends, through an outage if need be: what has been done must not be forgotten. `false`: overtaken.
    pub(super) async fn commit(&mut self, record: Record) -> Result<bool, Failure> {
        let (engine, deadline) = (self.engine, self.deadline);
        let ours = insist(deadline, || engine.append(&record, deadline)).await?;
        if ours {
            self.record = record.on_the_log();
            self.unsaved = false;
        } else {
            self.leave_late(&record).await;
        }
        Ok(ours)
    }

    pub(super) async fn load_outputs(&mut self) -> Result<(), Failure> {
        self.engine.load_outputs(&self.record, &mut self.outputs, self.deadline).await?;
        for (step, reference) in self.pinned.trigger.item().iter().flat_map(|(_, item)| &item.outputs) {
            if !self.outputs.contains_key(step) {
                let output = self.engine.output(&self.record.run, reference, self.deadline).await?;
                self.outputs.insert(step.clone(), output);
            }
        }
        Ok(())
    }

    pub(super) async fn commit_or_overtaken(&mut self, record: Record) -> Result<Flow, Failure> {
        Ok(if self.commit(record).await? { Flow::Next } else { Flow::Overtaken })
    }
}

impl Engine {
    /// The step has ended well, and that is on record.
    pub(super) async fn put_away(&self, record: &StepRecord, step: &Step, deadline: Deadline) {
        let Some(inputs) = record.rendered_inputs.as_ref().filter(|_| !has_children(step)) else { return };
        if let Err(failure) = self.kinds.of(&step.kind).put_away(&self.neighbours, inputs, deadline).await {
            tracing::warn!(step = record.id, error = failure.chain(), "what a step kept stays behind");
        }
    }
}

pub(super) fn pause_of(failure: &Failure) -> Duration {
    failure.retry_after_seconds.map_or(FIRST_SLEEP, Duration::from_secs)
}

pub(super) fn state_too_large() -> Failure {
    Failure::new(
        Code::OutputTooLarge,
        "With this step's parameters the run's state would grow beyond 1 MiB. Pass less from step to step.",
    )
}

/// `first` doubled `times` times, at most `longest`.
pub(super) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(16)).unwrap_or(u32::MAX)).min(longest)
}
