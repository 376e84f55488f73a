//! Children: the run of an `operation` step, and the runs of the items of `for_each`. Their ids follow from the step, so
//! that a child that was started before is found, and starting needs no intent on record.
//!
//! The rooms: here a step with children is moved on; `start` begins a child, `told` is how its end comes back, `gather`
//! makes the step's output of it, `again` how a later attempt goes on with what an earlier one had begun.

mod again;
mod gather;
mod start;
mod told;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::advance::{Flow, Worker};
use super::log::not_too_large;
use super::record::{Record, StepRecord, StepState};
use super::scope::scope;
use super::step::{FIRST_SLEEP, LONGEST_SLEEP, doubled};
use super::{Engine, insist};
use crate::failure::{Code, Failure};
use crate::operations::{MOST_ITEMS, Step, StepKind};
use again::Before;
use told::Ended;

/// Pauses between looks within one invocation: the first, and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// What is on record of a step that has children.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Children {
    /// How many there are to be.
    count: usize,
    /// The first so many have been started.
    started: usize,
    of: Of,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Of {
    /// One: the run of another operation.
    Operation { name: String, parameters: Map<String, Value> },
    /// One for each item; `items` is where the list is kept.
    Items { items: String, parallel: usize, keep_going: bool },
}

impl Children {
    /// Of a step that has some, as it stands on record.
    pub(super) fn of(step: &StepRecord) -> Option<Self> {
        (step.state == StepState::Submitted).then_some(())?;
        Self::deserialize(step.rendered_inputs.as_ref()?).ok()
    }

    /// The same ones, in another attempt: the list that stands is the one that counts.
    fn anew(&self, step: &Step) -> Self {
        let mut anew = Self { started: 0, ..self.clone() };
        if let (Of::Items { parallel, keep_going, .. }, Some(each)) = (&mut anew.of, &step.for_each) {
            (*parallel, *keep_going) = (each.parallel, each.keep_going);
        }
        anew
    }

    fn parallel(&self) -> usize {
        match self.of {
            Of::Operation { .. } => 1,
            Of::Items { parallel, .. } => parallel,
        }
    }

    /// As an earlier attempt of the step had begun them.
    fn before(step: &StepRecord) -> Option<Self> {
        (step.children_since > 0).then_some(())?;
        Self::deserialize(step.rendered_inputs.as_ref()?).ok()
    }

    /// Whether no more are started.
    fn stops(&self, ended: &Ended) -> bool {
        let keeps_going = matches!(self.of, Of::Items { keep_going: true, .. });
        self.started >= self.count || (ended.failed() > 0 && !keeps_going)
    }

    fn progress(&self, ended: &Ended) -> Value {
        json!({"items": self.count, "started": self.started, "ended": ended.count(), "failed": ended.failed()})
    }
}

/// The attempt that began a step's children; 0 while it has none. Records of an earlier version do not say it: it was always
/// the step's own.
pub(super) fn begun_by(step: &Step, record: &StepRecord) -> u32 {
    match record.children_since {
        0 if has_children(step) && record.rendered_inputs.is_some() => record.attempt,
        since => since,
    }
}

/// Whether a step is done by children.
pub(super) fn has_children(step: &Step) -> bool {
    step.for_each.is_some() || matches!(step.kind, StepKind::Operation(_))
}

impl Worker<'_> {
    /// Takes a step with children as far as it goes in this invocation.
    pub(super) async fn tend(&mut self, index: usize, step: &Step) -> Result<Flow, Failure> {
        let (engine, deadline) = (self.engine, self.deadline);
        self.record.steps[index].children_since = begun_by(step, &self.record.steps[index]);
        let mut children = match Children::of(&self.record.steps[index]) {
            Some(children) => children,
            None => match self.expect(index, step).await? {
                Ok(Some(children)) => children,
                Ok(None) => return Ok(Flow::Next),
                Err(failure) => return self.without_children(index, step, failure).await,
            },
        };
        // A worker that died may have started more than it wrote down.
        let ended = self.ended_again(index, children.started).await?;
        while children.started < children.count && self.is_started(index, children.started, &ended).await? {
            children.started += 1;
        }
        let (mut items, mut pause) = (None, FIRST_LOOK);
        loop {
            let cancelled = self.cancel_seen().await;
            let mut ended = insist(deadline, || engine.ended_children(&self.record, index, deadline)).await?;
            while !cancelled
                && !children.stops(&ended)
                && children.started - ended.among(children.started) < children.parallel()
            {
                match self.again(index, children.started, step).await? {
                    Before::None => {}
                    Before::Goes => {
                        children.started += 1;
                        continue;
                    }
                    Before::Ended(well) => {
                        ended.0.insert(children.started, well);
                        children.started += 1;
                        continue;
                    }
                    Before::Busy => break,
                }
                match self.start_child(index, step, &children, &mut items).await? {
                    Ok(()) => children.started += 1,
                    // It may be a rollout: the operation is here soon, or is not.
                    Err(failure) if matches!(failure.code, Code::OperationNotFound | Code::OperationInvalid) => {
                        return self.not_yet(index, step, FIRST_SLEEP, failure, false).await;
                    }
                    Err(failure) => return self.without_children(index, step, failure).await,
                }
            }
            if step.for_each.is_none() && children.started > 0 {
                let child = Engine::child_id(&self.record, index, 0);
                self.record.steps[index].upstream_id = Some(format!("run:{child}"));
            }
            let record = &mut self.record.steps[index];
            record.rendered_inputs = Some(to_value(&children)?);
            if (cancelled || children.stops(&ended)) && ended.among(children.started) == children.started {
                return self.gather(index, step, &children, &ended).await;
            }
            (record.state, record.held_off_since) = (StepState::Submitted, None);
            record.progress = step.for_each.is_some().then(|| children.progress(&ended));
            // `timeout` of a step with for_each is each item's own.
            let stops = cancelled || (step.for_each.is_none() && self.timed_out(index, step));
            if stops && self.record.steps[index].stop_asked_at.is_none() {
                self.stop_children(index, &children, &ended).await;
            }
            if self.patience.remaining() <= pause {
                let asleep = doubled(FIRST_SLEEP, self.record.steps[index].polls, LONGEST_SLEEP);
                self.record.steps[index].polls += 1;
                // Nothing is on record between the look at the children and this: who ends meanwhile knows which record comes.
                return self.sleep(index, asleep).await;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_LOOK);
        }
    }

    /// What the step's children are to be; `None` when it is skipped.
    async fn expect(&mut self, index: usize, step: &Step) -> Result<Result<Option<Children>, Failure>, Failure> {
        self.load_outputs().await?;
        let before = Children::before(&self.record.steps[index]);
        let before = before.filter(|before| matches!(before.of, Of::Items { .. }) == step.for_each.is_some());
        // With another definition the call may be another one.
        let stands = step.for_each.is_some() || self.record.pinned_at == 0;
        if let Some(before) = before.as_ref().filter(|_| stands) {
            self.begins(index);
            return Ok(Ok(Some(before.anew(step))));
        }
        let scope = scope(&self.record, &self.pinned, &self.outputs);
        match step.when.as_ref().map_or(Ok(true), |when| when.is_true(&scope)) {
            Ok(true) => {}
            Ok(false) => {
                self.record.steps[index].state = StepState::Skipped;
                return Ok(Ok(None));
            }
            Err(error) => return Ok(Err(Failure::new(Code::ExpressionFailed, error.to_string()))),
        }
        self.begins(index);
        let attempt = self.record.steps[index].attempt;
        let (Some(each), id) = (&step.for_each, &step.id) else {
            let called = self.called(step, &scope);
            // Another call than the one that an earlier attempt began is another child.
            if called.as_ref().is_ok_and(|called| before.is_none_or(|before| before.of != called.of)) {
                self.record.steps[index].children_since = attempt;
            }
            return Ok(called.map(Some));
        };
        let items = match each.items.render(&scope) {
            Ok(Value::Array(items)) if items.len() <= MOST_ITEMS => Value::Array(items),
            Ok(Value::Array(items)) => return Ok(Err(too_many(items.len()))),
            Ok(_) => return Ok(Err(Failure::new(Code::ExpressionFailed, "`in` of for_each is not a list."))),
            Err(error) => return Ok(Err(Failure::new(Code::ExpressionFailed, error.to_string()))),
        };
        if let Err(failure) = not_too_large(&format!("The list of for_each in step \"{id}\""), &items) {
            return Ok(Err(failure));
        }
        // The list that stands is the one that counts: it is never rendered again.
        let (engine, run, deadline) = (self.engine, self.record.run.clone(), self.deadline);
        let name = format!("{id}.items");
        let (items, kept) =
            insist(deadline, || engine.keep_output(&run, &name, attempt, items.clone(), deadline)).await?;
        let count = kept.as_array().map_or(0, Vec::len);
        let of = Of::Items { items, parallel: each.parallel, keep_going: each.keep_going };
        self.record.steps[index].children_since = attempt;
        Ok(Ok(Some(Children { count, started: 0, of })))
    }

    fn begins(&mut self, index: usize) {
        let (now, record) = (self.engine.clock.now(), &mut self.record.steps[index]);
        (record.started_at, record.effect) = (record.started_at.or(Some(now)), true);
    }

    /// A failure before any child has done anything.
    async fn without_children(&mut self, index: usize, step: &Step, failure: Failure) -> Result<Flow, Failure> {
        // `retry` of a step with for_each is each item's own.
        if step.for_each.is_some() {
            return self.ended_badly(index, StepState::Failed, failure).await;
        }
        self.failed(index, step, failure).await
    }

    /// Asks the children that are under way to end; one that cannot be asked now ends by itself, or is asked again.
    async fn stop_children(&mut self, index: usize, children: &Children, ended: &Ended) {
        let mut all = true;
        for item in (0..children.started).filter(|item| !ended.0.contains_key(item)) {
            let child = Engine::child_id(&self.record, index, item);
            if let Err(failure) = self.engine.cancel_child(&child, &self.record.run, self.deadline).await {
                tracing::warn!(run = self.record.run, child, error = failure.chain(), "a child was not asked to end");
                all = false;
            }
        }
        if all {
            self.stop_asked(index);
        }
    }

    /// Of a run that is to be cancelled: the step that is not on record as begun and has a child all the same.
    pub(in crate::runs) async fn unrecorded_children(&self) -> Result<Option<usize>, Failure> {
        if self.record.cancel.is_none() {
            return Ok(None);
        }
        let main = self.operation.steps.len();
        let range = if self.record.error.is_none() { 0..main } else { main..self.record.steps.len() };
        let over =
            |state| matches!(state, StepState::Succeeded | StepState::Skipped | StepState::Failed | StepState::Unknown);
        // Steps behind it have not begun, since it has not ended.
        let Some(index) = range.into_iter().find(|index| !over(self.record.steps[*index].state)) else {
            return Ok(None);
        };
        if !has_children(&self.declared(index)) {
            return Ok(None);
        }
        let ended = self.ended_again(index, 0).await?;
        Ok(self.is_started(index, 0, &ended).await?.then_some(index))
    }

    /// Whether a child is started, in this attempt.
    async fn is_started(&self, index: usize, item: usize, ended: &Ended) -> Result<bool, Failure> {
        if ended.0.contains_key(&item) {
            return Ok(true);
        }
        let (engine, deadline) = (self.engine, self.deadline);
        let child = Engine::child_id(&self.record, index, item);
        let Some(first) = insist(deadline, || engine.first(&child, deadline)).await? else { return Ok(false) };
        let step = &self.record.steps[index];
        let attempt = |record: Option<&Record>| record.is_some_and(|record| record.is_for(step.attempt));
        if !attempt(Some(&first)) && !attempt(insist(deadline, || engine.newest(&child, deadline)).await?.as_ref()) {
            return Ok(false);
        }
        // Its first message may not have been sent.
        insist(deadline, || engine.wake_anew(&child, None, deadline)).await?;
        Ok(true)
    }
}

fn too_many(count: usize) -> Failure {
    let detail = format!(
        "for_each takes at most {MOST_ITEMS} items and there are {count}. Take fewer, or put several into one."
    );
    Failure::new(Code::ParametersInvalid, detail).at("for_each.in")
}

fn to_value(children: &Children) -> Result<Value, Failure> {
    serde_json::to_value(children)
        .map_err(|error| Failure::new(Code::Internal, "A step's children could not be written.").caused_by(error))
}
