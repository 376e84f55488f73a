//! Steps that are sent in parts: each part waits for its turn, is on record before it is sent, and is settled when its
//! answer is lost. What is left when an invocation's time is over is the next one's.

use std::time::Duration;

use serde_json::Value;

use super::advance::{Flow, Worker};
use super::log::fits;
use super::overdue::too_long;
use super::record::{StepState, Transition};
use super::scope::scope;
use super::step::{FIRST_SLEEP, LONGEST_SLEEP, doubled, pause_of, state_too_large};
use super::{insist, is_outage};
use crate::failure::{Code, Failure};
use crate::operations::Step;
use crate::steps::{Kind, PartTurn, Prepared, Sent, Settled};

/// A turn that comes this soon is waited for, also when the invocation has used up its patience.
const SOON: Duration = Duration::from_secs(2);
/// Pauses between looks within one invocation: the first, and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// After so many fruitless tries to settle a part only a human can tell.
const MOST_LOOKS: u32 = 10;

impl Worker<'_> {
    /// Sends what is on record as next.
    pub(super) async fn go_on(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Flow, Failure> {
        let inputs = self.record.steps[index].rendered_inputs.clone().unwrap_or(Value::Null);
        self.send(index, step, kind, Prepared { inputs, effect: true }, false).await
    }

    /// A part is done: the next is asked for its turn before anything is sent.
    pub(super) async fn part_done(
        &mut self,
        index: usize,
        step: &Step,
        inputs: Value,
        progress: Value,
    ) -> Result<Flow, Failure> {
        tracing::debug!(run = self.record.run, step = step.id, %progress, "a part is done");
        let record = &mut self.record.steps[index];
        record.rendered_inputs = Some(inputs);
        record.progress = Some(progress);
        record.state = StepState::Ready;
        (record.polls, record.looks, record.held_off_since) = (0, 0, None);
        self.unsaved = true;
        if !fits(&self.record) {
            return self.ended_badly(index, StepState::Failed, state_too_large()).await;
        }
        Ok(Flow::Next)
    }

    /// Waits for the turn of a part; `None` when it has come.
    pub(super) async fn await_turn(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        inputs: &mut Value,
    ) -> Result<Option<Flow>, Failure> {
        let mut look = FIRST_LOOK;
        loop {
            self.record.steps[index].state = StepState::Ready;
            if self.cancel_asked().await? {
                return Ok(Some(Flow::Next));
            }
            if self.timed_out(index, step) {
                // Between two parts nothing is under way.
                return self.failed(index, step, too_long(step)).await.map(Some);
            }
            if self.stint.has_passed() {
                return self.sleep(index, Duration::ZERO).await.map(Some);
            }
            let (wait, changed) = match kind.turn(&self.engine.neighbours, inputs, self.deadline).await {
                Ok(PartTurn::Now(changed)) => (None, changed),
                Ok(PartTurn::After(after, changed)) => (Some(after), changed),
                Ok(PartTurn::Seen { output, again, inputs }) => {
                    self.record.steps[index].held_off_since = None;
                    match self.is_met(index, step, kind, output).await? {
                        Ok(Some(output)) => return self.done(index, step, output).await.map(Some),
                        Ok(None) => (Some(again), Some(inputs)),
                        Err(failure) => return self.failed(index, step, failure).await.map(Some),
                    }
                }
                Ok(PartTurn::Look) if self.patience.remaining() > look => (Some(look), None),
                Ok(PartTurn::Look) => {
                    let record = &mut self.record.steps[index];
                    record.polls += 1;
                    let after = doubled(FIRST_SLEEP, record.polls - 1, LONGEST_SLEEP);
                    return self.sleep(index, after).await.map(Some);
                }
                Err(failure) if is_outage(&failure) => {
                    return self.not_yet(index, step, pause_of(&failure), failure, false).await.map(Some);
                }
                Err(failure) => return self.failed(index, step, failure).await.map(Some),
            };
            if let Some(changed) = changed {
                self.record.steps[index].rendered_inputs = Some(changed.clone());
                *inputs = changed;
                self.unsaved = true;
                if !fits(&self.record) {
                    return self.ended_badly(index, StepState::Failed, state_too_large()).await.map(Some);
                }
            }
            let Some(wait) = wait else { return Ok(None) };
            if wait > self.patience.remaining().max(SOON).min(self.stint.remaining()) {
                return self.sleep(index, wait).await.map(Some);
            }
            // A worker that dies while it waits must not leave a part behind that looks as if it had been sent.
            if self.unsaved {
                let record = self.next(index, Transition::Progressed, StepState::Ready);
                if !self.commit(record).await? {
                    return Ok(Some(Flow::Overtaken));
                }
            }
            tokio::time::sleep(wait).await;
            look = (look * 3 / 2).min(LONGEST_LOOK);
        }
    }

    /// What was seen, when it is what the step waits for.
    async fn is_met(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        seen: Value,
    ) -> Result<Result<Option<Value>, Failure>, Failure> {
        self.load_outputs().await?;
        let mut scope = scope(&self.record, &self.pinned, &self.outputs);
        scope.result = Some(seen);
        let met = kind.is_met(&step.kind, &scope);
        tracing::debug!(run = self.record.run, step = self.record.steps[index].id, ?met, "looked");
        Ok(met.map(|met| scope.result.filter(|_| met)))
    }

    /// A part was perhaps sent: just now, and its answer was lost, or by an earlier worker, of whose sending nothing can be
    /// under way any more.
    pub(super) async fn settle(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        just_now: Option<Failure>,
    ) -> Result<Flow, Failure> {
        let certain = just_now.is_none();
        let inputs = self.record.steps[index].rendered_inputs.clone().unwrap_or(Value::Null);
        let settled = match kind.settle(&self.engine.neighbours, &inputs, certain, self.deadline).await {
            Ok(settled) => settled,
            Err(failure) => Settled::NotYet(Box::new(failure)),
        };
        match settled {
            Settled::Happened(Sent::Part { inputs, progress }) => self.part_done(index, step, inputs, progress).await,
            Settled::Happened(Sent::Done { output, .. }) => self.done(index, step, output).await,
            Settled::NotSent => {
                if let Some(why) = just_now {
                    return self.not_yet(index, step, pause_of(&why), why, false).await;
                }
                self.record.steps[index].state = StepState::Ready;
                self.unsaved = true;
                Ok(Flow::Next)
            }
            Settled::NotYet(why) if self.record.steps[index].looks + 1 < MOST_LOOKS => {
                self.record.steps[index].looks += 1;
                let why = self.scrub.failure(*why);
                tracing::info!(
                    run = self.record.run,
                    step = step.id,
                    error = why.chain(),
                    "a part cannot be settled yet"
                );
                self.sleep_in_doubt(index).await
            }
            Settled::NotYet(why) | Settled::Unknown(why) => self.unknown(index, *why).await,
            Settled::Happened(_) => Err(Failure::new(Code::Internal, "A part was settled as something else.")),
        }
    }

    /// Sleeps over a part that was perhaps sent, until nothing of it can be under way any more: nobody takes the run
    /// before.
    async fn sleep_in_doubt(&mut self, index: usize) -> Result<Flow, Failure> {
        let pause = doubled(FIRST_SLEEP, self.record.steps[index].looks - 1, LONGEST_SLEEP);
        let mut record = self.next(index, Transition::Waiting, StepState::Started);
        let settled = record.send_before.map(|before| before + self.engine.settings.send_margin);
        let wake_at = settled.unwrap_or(record.at).max(self.engine.clock.now() + pause);
        record.wake_at = Some(wake_at);
        let (engine, deadline) = (self.engine, self.deadline);
        insist(deadline, || engine.wake(&record.run, record.seq, Some(wake_at), deadline)).await?;
        Ok(if self.commit(record).await? { Flow::Sleeps } else { Flow::Overtaken })
    }
}
