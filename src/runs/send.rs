//! Sending a step, once: all that it needs is had, then its intent is on record, then it is sent and nothing else.

use super::advance::{Flow, Worker};
use super::identity::hash;
use super::record::{StepRecord, StepState, Transition};
use super::step::FIRST_SLEEP;
use crate::failure::{Code, Effect, Failure};
use crate::http::Deadline;
use crate::operations::Step;
use crate::steps::{Kind, Prepared, Ready};

impl Worker<'_> {
    /// Sends it once. `perhaps_before` says that an earlier worker may have sent it already, under the same key.
    pub(super) async fn send(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        mut prepared: Prepared,
        perhaps_before: bool,
    ) -> Result<Flow, Failure> {
        if kind.in_parts()
            && let Some(flow) = self.await_turn(index, step, kind, &mut prepared.inputs).await?
        {
            return Ok(flow);
        }
        prepared.effect &= kind.acts(&prepared.inputs);
        let (key, window) = (self.key(index), self.engine.settings.send_window);
        let made_ready = self.deadline.within(window);
        let in_hand = match kind.make_ready(&self.engine.neighbours, &prepared.inputs, &key, made_ready).await {
            Ok(Ready::Now(in_hand)) => in_hand,
            Ok(Ready::As(inputs, in_hand)) => {
                self.record.steps[index].rendered_inputs = Some(inputs.clone());
                prepared.inputs = inputs;
                in_hand
            }
            Ok(Ready::Not(sent)) => return self.came(index, step, kind, prepared, perhaps_before, Ok(*sent)).await,
            // Nothing of the step was sent, whatever became of the asking.
            Err(failure) => {
                let failure = Failure { effect: Effect::None, ..failure };
                return self.came(index, step, kind, prepared, perhaps_before, Err(failure)).await;
            }
        };
        let mut until = self.deadline;
        if prepared.effect {
            if self.cancel_asked().await?
                && let Some(flow) = self.not_sent(index, step, kind, &prepared.inputs, perhaps_before).await?
            {
                return Ok(flow);
            }
            until = until.min(Deadline::after(window));
            let mut started = self.next(index, Transition::Started, StepState::Started);
            started.send_before = Some(started.at + window);
            started.key = Some(key.clone());
            started.steps[index].perhaps_since.get_or_insert(started.at);
            if !self.commit(started).await? {
                return Ok(Flow::Overtaken);
            }
            // Either clock may say that the window has closed: a suspended process comes back with its own still open.
            if until.has_passed() || self.record.send_before.is_some_and(|before| before <= self.engine.clock.now()) {
                return self.not_yet(index, step, FIRST_SLEEP, window_closed(), perhaps_before).await;
            }
        }
        let sent = kind.send(&self.engine.neighbours, &prepared.inputs, in_hand, &key, until).await;
        self.came(index, step, kind, prepared, perhaps_before, sent).await
    }

    /// The same for every sending of one attempt.
    pub(super) fn key(&self, index: usize) -> String {
        let StepRecord { id, attempt, .. } = &self.record.steps[index];
        hash(&[&self.record.run, id, &attempt.to_string()])
    }
}

fn window_closed() -> Failure {
    Failure::new(Code::UpstreamTimeout, "The time to send the step had passed before it was sent.")
}
