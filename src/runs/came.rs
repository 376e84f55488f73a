//! What came of sending a step, or of getting ready to: on its way, done, to be tried later, refused, or in doubt.

use super::advance::{Flow, Worker};
use super::is_outage;
use super::record::{StepState, Transition};
use super::step::pause_of;
use crate::failure::{Code, Effect, Failure};
use crate::operations::Step;
use crate::steps::{Kind, Prepared, Recovery, Sent};

impl Worker<'_> {
    /// What came of sending.
    pub(super) async fn came(
        &mut self,
        index: usize,
        step: &Step,
        kind: &dyn Kind,
        prepared: Prepared,
        perhaps_before: bool,
        sent: Result<Sent, Failure>,
    ) -> Result<Flow, Failure> {
        match sent {
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
            Ok(Sent::Part { inputs, progress }) => self.part_done(index, step, inputs, progress).await,
            Ok(Sent::NotYet { after, because }) => self.not_yet(index, step, after, *because, perhaps_before).await,
            // What keeps it from being sent may be what an earlier worker sent.
            Ok(Sent::Queues { after, because, .. }) if perhaps_before => {
                self.not_yet(index, step, after, *because, true).await
            }
            Ok(Sent::Queues { wanted, .. }) => self.queue_up(index, step, kind, &wanted).await,
            Err(failure) if failure.effect == Effect::Possible && prepared.effect => {
                // The same key finds what this sending did, if it did.
                match kind.recovery(&prepared.inputs) {
                    Recovery::SendAgain if is_outage(&failure) || failure.code == Code::UpstreamReplyInvalid => {
                        self.not_yet(index, step, pause_of(&failure), failure, true).await
                    }
                    Recovery::LookUp | Recovery::LookUpFirst => self.search(index, step, kind, failure).await,
                    Recovery::Settle => {
                        let failure = self.scrub.failure(failure);
                        tracing::warn!(
                            run = self.record.run,
                            step = step.id,
                            error = failure.chain(),
                            "a part was perhaps sent"
                        );
                        self.settle(index, step, kind, Some(failure)).await
                    }
                    _ => self.unknown(index, failure).await,
                }
            }
            Err(failure) if is_outage(&failure) => {
                self.not_yet(index, step, pause_of(&failure), failure, perhaps_before).await
            }
            // Refused now; what the earlier worker's sending did is another matter.
            Err(failure) if perhaps_before => self.unknown(index, failure).await,
            Err(failure) => self.failed(index, step, failure).await,
        }
    }

    pub(super) fn submitted(&mut self, index: usize, upstream_id: String) {
        let step = &mut self.record.steps[index];
        step.upstream_id = Some(upstream_id);
        step.state = StepState::Submitted;
        step.polls = 0;
        step.held_off_since = None;
    }
}
