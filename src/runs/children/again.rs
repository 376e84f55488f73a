//! Children of an attempt before: what they have done stays done, and what they have not is done from there.

use super::super::advance::Worker;
use super::super::record::{Record, RunState, StepState, Transition};
use super::super::retry::Goes;
use super::super::{Engine, insist};
use super::begun_by;
use super::told::{End, Ended, folder};
use crate::failure::{Code, Effect, Failure};
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
    Busy,
}

impl Worker<'_> {
    /// Children that have ended for this attempt, perhaps without having been touched in it; in a first attempt nobody asks.
    pub(super) async fn ended_again(&self, index: usize, started: usize) -> Result<Ended, Failure> {
        let step = &self.record.steps[index];
        if step.children_since == step.attempt {
            return Ok(Ended::default());
        }
        let (engine, deadline) = (self.engine, self.deadline);
        let mut ended = insist(deadline, || engine.ended_children(&self.record, index, deadline)).await?;
        // A version that knows nothing of attempts may have ended it, during a rollout, and told it to an earlier one.
        for item in 0..started {
            if !ended.0.contains_key(&item)
                && let Some(well) = insist(deadline, || engine.rests(&self.record, index, item, deadline)).await?
            {
                ended.0.insert(item, well);
            }
        }
        Ok(ended)
    }

    /// Goes on with a child that an earlier attempt had begun.
    pub(super) async fn again(&self, index: usize, item: usize, step: &Step) -> Result<Before, Failure> {
        let record = &self.record.steps[index];
        if record.children_since == record.attempt {
            return Ok(Before::None);
        }
        let outputs = self.outputs_of_steps();
        let goes = match (self.record.pinned_at > 0, step.for_each.is_some()) {
            (false, _) => Goes::AsItBegan,
            (true, false) => Goes::Presently,
            (true, true) => Goes::As(&self.pinned, &outputs),
        };
        let (engine, deadline) = (self.engine, self.deadline);
        if insist(deadline, || engine.well_before(&self.record, index, item, deadline)).await? {
            return Ok(Before::Ended(true));
        }
        // Boxed: a child may have children.
        let failure = match Box::pin(insist(deadline, || engine.go_on(&self.record, index, item, goes, deadline))).await
        {
            Ok(before) => return Ok(before),
            // Opened it may be all the same: whoever comes next finds it.
            Err(failure) if failure.effect == Effect::Possible || super::super::is_outage(&failure) => {
                return Err(failure);
            }
            Err(failure) if failure.code == Code::RunActive => return Ok(Before::Busy),
            Err(failure) => failure,
        };
        // It cannot go on, which is its end.
        let end = End::failed(Engine::child_id(&self.record, index, item), self.scrub.failure(failure));
        insist(deadline, || engine.put_end(&self.record, index, item, &end, deadline)).await?;
        Ok(Before::Ended(false))
    }
}

impl Engine {
    /// Whether the child has succeeded in an attempt before, which it then has in this one.
    async fn well_before(
        &self,
        parent: &Record,
        index: usize,
        item: usize,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let step = &parent.steps[index];
        for attempt in (step.children_since..step.attempt).rev() {
            let before = folder(&parent.run, &step.id, attempt);
            if let Some(end) = self.child_end(&before, item, true, deadline).await? {
                self.put_end(parent, index, item, &end, deadline).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a child that was started for this attempt has come to its end, and well, also when it was not told.
    async fn rests(
        &self,
        parent: &Record,
        index: usize,
        item: usize,
        deadline: Deadline,
    ) -> Result<Option<bool>, Failure> {
        let newest = self.newest(&Engine::child_id(parent, index, item), deadline).await?;
        let Some(newest) = newest.filter(|newest| newest.state.at_rest() && newest.is_told()) else { return Ok(None) };
        self.put_end(parent, index, item, &End::of(&newest), deadline).await?;
        Ok(Some(newest.state == RunState::Succeeded))
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
            let first = self.first(&child, deadline).await?;
            if newest.is_for(attempt) || first.is_some_and(|first| first.is_for(attempt)) {
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
        let mut parent = parent.clone();
        for (index, step) in operation.steps.iter().enumerate().take(parent.steps.len()) {
            let record = &mut parent.steps[index];
            record.children_since = begun_by(step, record);
            if record.children_since == 0 || !matches!(record.state, StepState::Failed | StepState::Unknown) {
                continue;
            }
            for (item, _) in self.ended_children(&parent, index, deadline).await?.0.iter().filter(|(_, well)| !**well) {
                let child = Engine::child_id(&parent, index, *item);
                let unwell = |newest: &Record| {
                    matches!(newest.state, RunState::Failed | RunState::Cancelled)
                        && newest.transition != Transition::Forgotten
                };
                if let Some(newest) = self.newest(&child, deadline).await?.filter(unwell) {
                    Box::pin(self.reopened(&newest, Goes::AsItBegan, None, deadline)).await?;
                }
            }
        }
        Ok(())
    }
}
