//! Children of an attempt before: what they have done stays done, and what they have not is done from there.

use super::super::advance::Worker;
use super::super::record::{Record, RunState, StepState, Transition};
use super::super::retry::Goes;
use super::super::{Engine, insist};
use super::has_children;
use super::told::{End, Ended};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Operation, Step};

/// What there is of a child when it is about to be started.
#[derive(Debug)]
pub(super) enum Before {
    /// Nothing.
    None,
    /// It goes, for this attempt.
    Goes,
    /// It has ended for this attempt, and whether well.
    Ended(bool),
    /// Somebody has opened it again by itself: it has to end first.
    Busy(Failure),
}

impl Worker<'_> {
    /// Children that have ended for this attempt, perhaps without having been touched in it; in a first attempt none has.
    pub(super) async fn ended_again(&self, index: usize) -> Result<Ended, Failure> {
        let step = &self.record.steps[index];
        if step.children_since == step.attempt {
            return Ok(Ended::default());
        }
        let (engine, deadline) = (self.engine, self.deadline);
        insist(deadline, || engine.ended_children(&self.record, index, deadline)).await
    }

    /// Goes on with a child that an earlier attempt had begun.
    pub(super) async fn again(&self, index: usize, item: usize, step: &Step) -> Result<Before, Failure> {
        let record = &self.record.steps[index];
        if record.children_since == record.attempt {
            return Ok(Before::None);
        }
        let present = self.record.opened > 0 && self.record.pinned_at == self.record.opened;
        let goes = match (present, step.for_each.is_some()) {
            (false, _) => Goes::AsItBegan,
            (true, false) => Goes::Presently,
            (true, true) => Goes::As(&self.pinned),
        };
        let (engine, deadline) = (self.engine, self.deadline);
        if insist(deadline, || engine.well_before(&self.record, index, item, deadline)).await? {
            return Ok(Before::Ended(true));
        }
        // Boxed: a child may have children.
        let failure = match Box::pin(insist(deadline, || engine.go_on(&self.record, index, item, goes, deadline))).await
        {
            Err(failure) if !super::super::is_outage(&failure) => failure,
            other => return other,
        };
        if failure.code == Code::RunActive {
            return Ok(Before::Busy(failure));
        }
        // It cannot go on, which is its end.
        let end = End::failed(Engine::child_id(&self.record, index, item), self.scrub.failure(failure));
        insist(deadline, || engine.put_end(&self.record, index, item, &end, deadline)).await?;
        Ok(Before::Ended(false))
    }
}

impl Engine {
    /// Whether the child has succeeded in the attempt before, which it then has in this one.
    async fn well_before(
        &self,
        parent: &Record,
        index: usize,
        item: usize,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let mut before = parent.clone();
        before.steps[index].attempt -= 1;
        let Some(end) = self.child_end(&before, index, item, true, deadline).await? else { return Ok(false) };
        self.put_end(parent, index, item, &end, deadline).await?;
        Ok(true)
    }

    /// Opens a child again for this attempt of its parent's step, once.
    async fn go_on(
        &self,
        parent: &Record,
        index: usize,
        item: usize,
        goes: Goes<'_>,
        deadline: Deadline,
    ) -> Result<Before, Failure> {
        let (child, attempt) = (Engine::child_id(parent, index, item), parent.steps[index].attempt);
        loop {
            let Some(newest) = self.newest(&child, deadline).await? else { return Ok(Before::None) };
            if newest.for_attempt == attempt {
                self.wake_anew(&child, None, deadline).await?;
                return Ok(Before::Goes);
            }
            // Refuses those that go, and those that are forgotten.
            let newest = self.rested(&child, deadline).await?;
            if newest.state == RunState::Succeeded {
                self.put_end(parent, index, item, &End::of(&newest), deadline).await?;
                return Ok(Before::Ended(true));
            }
            let mut record = self.reopened(&newest, goes, None, deadline).await?;
            record.for_attempt = attempt;
            if self.open_again(&record, deadline).await? {
                return Ok(Before::Goes);
            }
        }
    }

    /// Refuses to open a run again while a step of one of its children, or of theirs, is in doubt.
    pub(in crate::runs) async fn children_may_go_on(
        &self,
        parent: &Record,
        operation: &Operation,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        for (index, (step, record)) in operation.steps.iter().zip(&parent.steps).enumerate() {
            if !has_children(step) {
                continue;
            }
            if record.children_since == 0 || !matches!(record.state, StepState::Failed | StepState::Unknown) {
                continue;
            }
            for (item, _) in self.ended_children(parent, index, deadline).await?.0.iter().filter(|(_, well)| !**well) {
                let child = Engine::child_id(parent, index, *item);
                let newest = self.newest(&child, deadline).await?;
                let unwell = |newest: &Record| {
                    matches!(newest.state, RunState::Failed | RunState::Cancelled)
                        && newest.transition != Transition::Forgotten
                };
                if let Some(newest) = newest.filter(unwell) {
                    Box::pin(self.reopened(&newest, Goes::AsItBegan, None, deadline)).await?;
                }
            }
        }
        Ok(())
    }
}
