//! One step of a run: intent before effect, then looking until it has ended or the run must sleep.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::advance::{Flow, Worker};
use super::identity::hash;
use super::record::{Record, RunState, StepRecord, StepState, Transition};
use super::scope::scope;
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::operations::{Retry, Step};
use crate::steps::{Kind, Polled, Prepared, Recovery, Sent, is_end_of_work, kind_of};

/// A neighbour that cannot be reached is tried for this long, unless the step has a `timeout`.
const OUTAGE: SignedDuration = SignedDuration::from_hours(1);
/// Pauses of a sleeping run: the first, and the longest.
const FIRST_SLEEP: Duration = Duration::from_secs(2);
const LONGEST_SLEEP: Duration = Duration::from_mins(5);
/// Pauses between looks within one invocation: the first, and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(2);

impl Worker<'_> {
    /// Takes the step as far as it goes in this invocation.
    pub(super) async fn step(&mut self, index: usize) -> Result<Flow, Failure> {
        let step = self.declared(index);
        let kind = kind_of(&step.kind);
        match self.record.steps[index].state {
            StepState::Submitted => self.look(index, &step, kind).await,
            StepState::Started => self.recover(index, &step, kind).await,
            _ => self.begin(index, &step, kind).await,
        }
    }

    fn declared(&self, index: usize) -> Step {
        let main = &self.operation.steps;
        main.get(index).cloned().unwrap_or_else(|| self.operation.on_failure[index - main.len()].clone())
    }

    async fn begin(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Flow, Failure> {
        self.engine.load_outputs(&self.record, &mut self.outputs, self.deadline).await?;
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
                self.record.steps[index].started_at.get_or_insert_with(Timestamp::now);
                self.record.steps[index].rendered_inputs = Some(prepared.inputs.clone());
                self.send(index, step, kind, prepared).await
            }
            Err(failure) => self.failed(index, step, failure).await,
        }
    }

    /// A step was `started` by a worker that is gone, and nobody knows whether it was sent.
    async fn recover(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Flow, Failure> {
        let inputs = self.record.steps[index].rendered_inputs.clone().unwrap_or(Value::Null);
        match kind.recovery(&inputs) {
            Recovery::SendAgain => self.send(index, step, kind, Prepared { inputs, effect: true }).await,
            Recovery::Unknown => self.unknown(index, "the worker that sent it has died").await,
        }
    }

    async fn send(&mut self, index: usize, step: &Step, kind: &dyn Kind, prepared: Prepared) -> Result<Flow, Failure> {
        let attempt = self.record.steps[index].attempt.to_string();
        let key = hash(&[&self.record.run, &step.id, &attempt]);
        let mut until = self.deadline;
        if prepared.effect {
            let window = self.engine.settings.send_window;
            until = until.min(Deadline::after(window));
            let mut started = self.next(index, Transition::Started, StepState::Started);
            started.send_before = Some(started.at + window);
            started.key = Some(key.clone());
            if !self.commit(started).await? {
                return Ok(Flow::Overtaken);
            }
            // Either clock may say that the window has closed: a suspended process comes back with its own still open.
            if until.has_passed() || self.record.send_before.is_some_and(|before| before <= Timestamp::now()) {
                return self.not_yet(index, step, FIRST_SLEEP, window_closed()).await;
            }
        }
        match kind.send(&self.engine.neighbours, &prepared.inputs, &key, until).await {
            Ok(Sent::Submitted { upstream_id }) => {
                self.submitted(index, upstream_id);
                let record = self.next(index, Transition::Submitted, StepState::Submitted);
                if prepared.effect && !self.commit(record).await? {
                    return Ok(Flow::Overtaken);
                }
                self.look(index, step, kind).await
            }
            Ok(Sent::Done { upstream_id, output }) => {
                if let Some(upstream_id) = upstream_id {
                    self.submitted(index, upstream_id);
                }
                self.done(index, step, output).await
            }
            Ok(Sent::NotYet { after, because }) => self.not_yet(index, step, after, *because).await,
            Err(failure) if failure.effect == Effect::Possible && prepared.effect => {
                let why = failure.chain();
                self.unknown(index, &why).await
            }
            Err(failure) if is_outage(&failure) => {
                let after = failure.retry_after_seconds.map_or(FIRST_SLEEP, Duration::from_secs);
                self.not_yet(index, step, after, failure).await
            }
            Err(failure) => self.failed(index, step, failure).await,
        }
    }

    fn submitted(&mut self, index: usize, upstream_id: String) {
        let step = &mut self.record.steps[index];
        step.upstream_id = Some(upstream_id);
        step.state = StepState::Submitted;
        step.polls = 0;
    }

    /// Looks until the step has ended, or patience has and the run sleeps.
    async fn look(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Flow, Failure> {
        let StepRecord { rendered_inputs, upstream_id, .. } = self.record.steps[index].clone();
        let (inputs, id) = (rendered_inputs.unwrap_or(Value::Null), upstream_id.unwrap_or_default());
        let mut pause = FIRST_LOOK;
        loop {
            match kind.poll(&self.engine.neighbours, &inputs, &id, self.deadline).await {
                Ok(Polled::Done { output }) => return self.done(index, step, output).await,
                Ok(Polled::Running) => {}
                Err(failure) if is_end_of_work(&failure) => return self.failed(index, step, failure).await,
                // We could not look; the work goes on without us.
                Err(failure) => tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "look"),
            }
            if self.timed_out(index, step) {
                return self.give_up(index, step, kind, &inputs, &id).await;
            }
            if self.patience.remaining() <= pause {
                let asleep = doubled(FIRST_SLEEP, self.record.steps[index].polls, LONGEST_SLEEP);
                self.record.steps[index].polls += 1;
                return self.sleep(index, asleep).await;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_LOOK);
        }
    }

    fn timed_out(&self, index: usize, step: &Step) -> bool {
        let since = self.record.steps[index].started_at;
        let (Some(since), Some(timeout)) = (since, step.timeout) else { return false };
        Timestamp::now() > since + timeout
    }

    async fn give_up(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        inputs: &Value,
        id: &str,
    ) -> Result<Flow, Failure> {
        if let Err(failure) = kind.cancel(&self.engine.neighbours, inputs, id, self.deadline).await {
            tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "cancelling a step");
        }
        let after = step.timeout.unwrap_or_default();
        let failure = Failure::new(Code::StepTimeout, format!("Step \"{}\" did not end within {after:?}.", step.id));
        self.failed(index, step, failure).await
    }

    async fn done(&mut self, index: usize, step: &Step, output: Value) -> Result<Flow, Failure> {
        let attempt = self.record.steps[index].attempt;
        let kept = self.engine.keep_output(&self.record.run, &step.id, attempt, &output, self.deadline).await;
        let reference = match kept {
            Ok(reference) => reference,
            Err(failure) if failure.code == Code::OutputTooLarge => return self.failed(index, step, failure).await,
            Err(failure) => return Err(failure),
        };
        let mut record = self.next(index, Transition::StepEnded, StepState::Succeeded);
        record.steps[index].output_ref = Some(reference);
        record.steps[index].ended_at = Some(record.at);
        self.outputs.insert(step.id.clone(), output);
        self.commit_or_overtaken(record).await
    }

    /// A known failure: tried again while the step allows it, else the end of the step.
    async fn failed(&mut self, index: usize, step: &Step, failure: Failure) -> Result<Flow, Failure> {
        let attempt = self.record.steps[index].attempt;
        if let Some(retry) = step.retry.as_ref().filter(|retry| allows(retry, attempt, &failure)) {
            let after = doubled(retry.backoff, attempt - 1, LONGEST_SLEEP);
            return self.not_yet(index, step, after, failure).await;
        }
        self.ended_badly(index, StepState::Failed, failure).await
    }

    async fn unknown(&mut self, index: usize, why: &str) -> Result<Flow, Failure> {
        let id = &self.record.steps[index].id;
        let failure = Failure::new(
            Code::OutcomeUnknown,
            format!("Step \"{id}\" may or may not have happened: its answer was lost. Look, then start a new run."),
        )
        .caused_by(why.to_owned());
        self.ended_badly(index, StepState::Unknown, failure).await
    }

    async fn ended_badly(&mut self, index: usize, state: StepState, failure: Failure) -> Result<Flow, Failure> {
        let failure = failure.in_step(&self.record.steps[index].id).in_run(&self.record.run);
        tracing::warn!(run = self.record.run, step = failure.step, error = failure.chain(), "step failed");
        let mut record = self.next(index, Transition::StepEnded, state);
        record.steps[index].ended_at = Some(record.at);
        record.steps[index].error = Some(failure.clone());
        // The first failure is the run's; what `on_failure` fails at is the step's own.
        record.error.get_or_insert(failure);
        self.commit_or_overtaken(record).await
    }

    /// Known not to have happened, and worth trying again after a while.
    async fn not_yet(&mut self, index: usize, step: &Step, after: Duration, because: Failure) -> Result<Flow, Failure> {
        let since = self.record.steps[index].started_at.unwrap_or_else(Timestamp::now);
        let limit = step.timeout.map_or(OUTAGE, |timeout| SignedDuration::try_from(timeout).unwrap_or(OUTAGE));
        if since.duration_until(Timestamp::now()) > limit {
            return self.ended_badly(index, StepState::Failed, because).await;
        }
        tracing::info!(run = self.record.run, step = step.id, error = because.chain(), "step will be tried again");
        let record = &mut self.record.steps[index];
        let after = after.max(doubled(FIRST_SLEEP, record.polls, LONGEST_SLEEP));
        record.polls += 1;
        record.attempt += 1;
        record.state = StepState::Pending;
        record.upstream_id = None;
        self.sleep(index, after).await
    }

    /// Sleeps: the message first, so that a lost write leaves one that finds nothing to do.
    async fn sleep(&mut self, index: usize, after: Duration) -> Result<Flow, Failure> {
        let state = self.record.steps[index].state;
        let mut record = self.next(index, Transition::Waiting, state);
        let wake_at = record.at + after;
        record.state = RunState::Waiting;
        record.wake_at = Some(wake_at);
        record.lease_until = None;
        record.send_before = None;
        self.engine.wake(&record.run, record.seq, Some(wake_at), self.deadline).await?;
        Ok(if self.commit(record).await? { Flow::Sleeps } else { Flow::Overtaken })
    }

    fn next(&self, index: usize, transition: Transition, state: StepState) -> Record {
        let mut record = self.record.next(transition);
        record.steps[index].state = state;
        if state != StepState::Started {
            record.send_before = None;
            record.key = None;
        }
        record
    }

    async fn commit(&mut self, record: Record) -> Result<bool, Failure> {
        let ours = self.engine.append(&record, self.deadline).await?;
        if ours {
            self.record = record;
        }
        Ok(ours)
    }

    async fn commit_or_overtaken(&mut self, record: Record) -> Result<Flow, Failure> {
        Ok(if self.commit(record).await? { Flow::Next } else { Flow::Overtaken })
    }
}

fn allows(retry: &Retry, attempt: u32, failure: &Failure) -> bool {
    attempt < retry.attempts && (retry.on.is_empty() || retry.on.iter().any(|code| code == failure.code.as_str()))
}

/// A neighbour is away, as opposed to having refused.
fn is_outage(failure: &Failure) -> bool {
    matches!(
        failure.code,
        Code::UpstreamThrottled
            | Code::UpstreamUnavailable
            | Code::UpstreamTimeout
            | Code::IdentityUnavailable
            | Code::SecretUnavailable
    )
}

fn window_closed() -> Failure {
    Failure::new(Code::UpstreamTimeout, "The time to send the step had passed before it was sent.")
}

/// `first` doubled `times` times, at most `longest`.
fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(16)).unwrap_or(u32::MAX)).min(longest)
}
