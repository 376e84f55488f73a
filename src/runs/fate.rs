//! What becomes of a step that did not go well: tried again, failed, or beyond knowing.

use std::time::Duration;

use jiff::SignedDuration;

use super::advance::{Flow, Worker};
use super::children::has_children;
use super::record::{StepRecord, StepState, Transition};
use super::step::{FIRST_SLEEP, LONGEST_SLEEP, doubled};
use crate::failure::{Code, Failure};
use crate::operations::{Retry, Step, StepKind};
use crate::steps::{MOST_TRIES, Recovery, pause_before};

/// A neighbour that takes nothing is tried for this long, unless the step has a `timeout`.
const OUTAGE: SignedDuration = SignedDuration::from_hours(1);
/// One that works for others the same way may do so for as long ("The total refresh duration, including retries, can't
/// exceed 24 hours", Enhanced refresh with the Power BI REST API).
const BUSY: SignedDuration = SignedDuration::from_hours(25);
/// No pause is longer, whatever the neighbour asks for: its number may lie beyond the calendar.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

impl Worker<'_> {
    /// A known failure: tried again while the step allows it, else the end of the step.
    pub(super) async fn failed(&mut self, index: usize, step: &Step, failure: Failure) -> Result<Flow, Failure> {
        let failure = self.scrub.failure(failure);
        if self.record.cancel.is_some() {
            return self.not_tried_again(index, step, failure).await;
        }
        let StepRecord { attempt, effect, .. } = self.record.steps[index];
        // What children have done is not done again.
        let effect = effect && !has_children(step);
        let inputs = self.record.steps[index].rendered_inputs.as_ref();
        if attempt < MOST_TRIES
            && inputs.is_some_and(|inputs| self.engine.kinds.of(&step.kind).may_run_again(inputs, &failure))
        {
            tracing::info!(
                run = self.record.run,
                step = step.id,
                attempt,
                error = failure.chain(),
                "step begins again"
            );
            return self.begin_again(index, pause_before(attempt + 1)).await;
        }
        let Some(retry) = step.retry.as_ref().filter(|retry| allows(retry, attempt, effect, &failure)) else {
            return self.not_tried_again(index, step, failure).await;
        };
        tracing::info!(run = self.record.run, step = step.id, attempt, error = failure.chain(), "step will be retried");
        self.record.steps[index] = self.record.steps[index].anew(self.engine.clock.now());
        self.sleep(index, doubled(retry.backoff, attempt - 1, LONGEST_SLEEP)).await
    }

    /// The end of a step. What was surely sent, and its neighbour no longer knows, is no known failure: to do it anew might do
    /// it twice.
    async fn not_tried_again(&mut self, index: usize, step: &Step, failure: Failure) -> Result<Flow, Failure> {
        let record = &self.record.steps[index];
        let sent = record.effect && record.upstream_id.is_some() && !has_children(step);
        // The hour in which a write could be looked at may be over: then it is done, or it is not.
        let over = failure.code == Code::ResultExpired && matches!(step.kind, StepKind::Sql(_));
        if let Some(inputs) = record.rendered_inputs.as_ref().filter(|_| sent && (over || is_lost(failure.code)))
            && self.engine.kinds.of(&step.kind).recovery(inputs) != Recovery::LookUpFirst
        {
            return Box::pin(self.unknown(index, failure.effect_possible())).await;
        }
        self.ended_badly(index, StepState::Failed, failure).await
    }

    pub(super) async fn unknown(&mut self, index: usize, why: Failure) -> Result<Flow, Failure> {
        let why = self.scrub.failure(why);
        // Somebody may have looked and said so, while we still did.
        let step = self.declared(index);
        if let Some(flow) = Box::pin(self.noted(index, &step, self.engine.kinds.of(&step.kind))).await? {
            return Ok(flow);
        }
        if why.code == Code::OutcomeUnknown {
            return self.ended_badly(index, StepState::Unknown, why).await;
        }
        let detail = format!(
            "Step \"{}\" may or may not have happened, or in part. {} Look, then say whether it happened (`POST /api/runs/{}/resolve`).",
            self.record.steps[index].id, why.detail, self.record.run
        );
        let cause = why.chain();
        let failure = Failure { code: Code::OutcomeUnknown, detail, ..why }.caused_by(cause);
        self.ended_badly(index, StepState::Unknown, failure).await
    }

    pub(super) async fn ended_badly(
        &mut self,
        index: usize,
        state: StepState,
        failure: Failure,
    ) -> Result<Flow, Failure> {
        let failure = self.scrub.failure(failure).in_step(&self.record.steps[index].id).in_run(&self.record.run);
        tracing::warn!(run = self.record.run, step = failure.step, error = failure.chain(), "step failed");
        let step = self.declared(index);
        if let Some(inputs) = self.record.steps[index].rendered_inputs.clone().filter(|_| !has_children(&step)) {
            let kind = self.engine.kinds.of(&step.kind);
            if let Err(failure) = kind.give_way(&self.engine.neighbours, &inputs, self.deadline).await {
                let failure = self.scrub.failure(failure);
                tracing::warn!(run = self.record.run, error = failure.chain(), "a step still stands in the way");
            }
        }
        let mut record = self.next(index, Transition::StepEnded, state);
        record.steps[index].ended_at = Some(record.at);
        record.steps[index].error = Some(failure.clone());
        // The first failure is the run's; what `on_failure` fails at is the step's own. A run that is to be cancelled ends as
        // that.
        if record.cancel.is_none() {
            record.error.get_or_insert(failure);
        }
        let flow = self.commit_or_overtaken(record).await?;
        if flow == Flow::Next {
            self.audit(index, None);
        }
        Ok(flow)
    }

    /// Not taken, and worth trying again after a while: the same attempt with the same key.
    pub(super) async fn not_yet(
        &mut self,
        index: usize,
        step: &Step,
        after: Duration,
        because: Failure,
        perhaps_sent: bool,
    ) -> Result<Flow, Failure> {
        let because = self.scrub.failure(because);
        let now = self.engine.clock.now();
        let record = &mut self.record.steps[index];
        // Busy is not away: an outage begins after it.
        let busy = because.code == Code::RefreshRunning;
        let since = if busy {
            record.held_off_since = None;
            record.started_at.unwrap_or(now)
        } else {
            *record.held_off_since.get_or_insert(now)
        };
        let limit = step.timeout.and_then(|timeout| SignedDuration::try_from(timeout).ok());
        let limit = limit.unwrap_or(if busy { BUSY } else { OUTAGE });
        if since.duration_until(now) > limit {
            if perhaps_sent {
                return self.unknown(index, because).await;
            }
            return self.ended_badly(index, StepState::Failed, because).await;
        }
        // Who is busy says how soon to come back.
        let after = if busy { after } else { pause(after, record.polls) };
        record.polls += 1;
        // What may have been sent stays `started`, so that the next worker treats it so.
        if !perhaps_sent {
            record.perhaps_since = None;
        }
        record.state = match (perhaps_sent, self.engine.kinds.of(&step.kind).in_parts()) {
            (true, _) => StepState::Started,
            (false, true) => StepState::Ready,
            (false, false) => StepState::Pending,
        };
        tracing::info!(run = self.record.run, step = step.id, error = because.chain(), "step will be sent later");
        self.sleep(index, after).await
    }
}

/// How long to wait: what was asked for, and not less than the pauses have grown to.
fn pause(asked: Duration, polls: u32) -> Duration {
    asked.max(doubled(FIRST_SLEEP, polls, LONGEST_SLEEP)).min(LONGEST_PAUSE)
}

/// Whether the step is tried again after this failure. What may have happened in spite of it is tried again only when
/// the maker names its code.
fn allows(retry: &Retry, attempt: u32, effect: bool, failure: &Failure) -> bool {
    let named = retry.on.iter().any(|code| code == failure.code.as_str());
    // The day's refreshes come back tomorrow, not after a pause.
    let hopeless = failure.code == Code::RefreshLimit;
    let any = retry.on.is_empty() && !hopeless && !(effect && may_have_happened(failure.code));
    attempt < retry.attempts && (named || any)
}

/// What the neighbour says of work that it does not know.
pub(super) fn is_lost(code: Code) -> bool {
    matches!(code, Code::StatementNotFound | Code::JobRunNotFound | Code::RefreshNotFound)
}

/// Failures of a step whose work may be done all the same: its result was lost, refused or not waited for.
fn may_have_happened(code: Code) -> bool {
    matches!(
        code,
        Code::OutcomeUnknown
            | Code::StepTimeout
            | Code::OutputTooLarge
            | Code::AssertionFailed
            | Code::StatementNotFound
            | Code::ResultTooLarge
            | Code::ResultExpired
            | Code::ResultIncomplete
            | Code::JobRunNotFound
            | Code::RefreshNotFound
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_pause_is_what_was_asked_for_within_reason() {
        assert_eq!(pause(Duration::from_secs(90), 0), Duration::from_secs(90));
        assert_eq!(pause(Duration::ZERO, 3), Duration::from_secs(16));
        for asked in [Duration::from_hours(50), Duration::from_secs(u64::MAX)] {
            // Added to the time of a record it must stay a time.
            assert!(Clock::system().now().checked_add(pause(asked, 0)).is_ok(), "{asked:?}");
        }
    }
}
