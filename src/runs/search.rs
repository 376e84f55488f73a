//! A step that was perhaps sent, looked for in its neighbour's history until it is found or looking is given up.

use std::time::Duration;

use serde_json::Value;

use super::advance::{Flow, Worker};
use super::record::{StepRecord, StepState, Transition};
use super::step::{FIRST_SLEEP, doubled};
use crate::failure::{Code, Failure};
use crate::operations::Step;
use crate::steps::{Kind, Recovery};

/// A history lags, so a miss proves nothing; after these looks, over some five minutes, only a human can tell.
const MOST_LOOKS: u32 = 10;
/// The same, some fifteen seconds, where sending again cannot double the effect.
pub(super) const LOOKS_BEFORE_SENDING: u32 = 4;
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

impl Worker<'_> {
    /// Adopts what is found. `why` is what the step ends with when nothing is.
    pub(super) async fn search(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        why: Failure,
    ) -> Result<Flow, Failure> {
        let key = self.key(index);
        let StepRecord { rendered_inputs, perhaps_since, started_at, .. } = self.record.steps[index].clone();
        let since = perhaps_since.or(started_at).unwrap_or(self.record.at);
        let inputs = rendered_inputs.unwrap_or(Value::Null);
        loop {
            match kind.look_up(&self.engine.neighbours, &inputs, &key, since, self.deadline).await {
                Ok(Some(upstream_id)) => {
                    tracing::info!(run = self.record.run, step = step.id, upstream_id, "a lost step was found");
                    self.submitted(index, upstream_id);
                    let record = self.next(index, Transition::Submitted, StepState::Submitted);
                    if !self.commit(record).await? {
                        return Ok(Flow::Overtaken);
                    }
                    return self.look(index, step, kind).await;
                }
                Ok(None) => {}
                // Looking again makes it no clearer.
                Err(failure) if failure.code == Code::OutcomeUnknown => return self.unknown(index, failure).await,
                Err(failure) => {
                    let failure = self.scrub.failure(failure);
                    tracing::warn!(run = self.record.run, step = step.id, error = failure.chain(), "a look failed");
                }
            }
            let looks = &mut self.record.steps[index].looks;
            *looks += 1;
            if *looks >= MOST_LOOKS && kind.recovery(&inputs) != Recovery::LookUpFirst {
                return self.unknown(index, why).await;
            }
            if *looks >= LOOKS_BEFORE_SENDING && kind.recovery(&inputs) == Recovery::LookUpFirst {
                // Not from here: a neighbour that loses one answer after the other would pile sending upon looking.
                self.record.steps[index].state = StepState::Started;
                return Ok(Flow::Next);
            }
            let pause = doubled(FIRST_SLEEP, *looks - 1, LONGEST_PAUSE);
            // Perhaps sent: whoever comes next looks too, and does not send.
            self.record.steps[index].state = StepState::Started;
            if self.patience.remaining() <= pause {
                return self.sleep(index, pause).await;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// A new attempt of a step that another write came in the way of: nothing of it was written.
    pub(super) async fn begin_again(&mut self, index: usize, pause: Duration) -> Result<Flow, Failure> {
        let StepRecord { id, attempt, .. } = std::mem::take(&mut self.record.steps[index]);
        self.record.steps[index] = StepRecord { id, attempt: attempt + 1, ..StepRecord::default() };
        if self.patience.remaining() <= pause {
            return self.sleep(index, pause).await;
        }
        // Not on record yet: who takes the run over sees the same conflict, and begins the same attempt.
        tokio::time::sleep(pause).await;
        Ok(Flow::Next)
    }
}

/// What is told when nobody can find what a dead worker sent.
pub(super) fn died(step: &Step) -> Failure {
    Failure::new(
        Code::OutcomeUnknown,
        format!(
            "Step \"{}\" may or may not have happened: the worker that was sending it died. Look, then say whether it \
             happened (`POST /api/runs/{{id}}/resolve`).",
            step.id
        ),
    )
    .effect_possible()
}
