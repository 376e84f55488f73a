//! Opening a run again: what failed is done anew, with the next attempt and its own key; what is done stays done. A step
//! that is in doubt is no known failure: somebody says first what became of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::children::{begun_by, has_children};
use super::create::{open_path, runnable};
use super::record::{Pinned, Record, RunState, StepRecord, StepState, Transition, Trigger};
use super::{Engine, forgotten, not_found};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::draw_writer;
use crate::operations::{Operation, RunAs, Step};

/// By which definition a run goes on that is opened again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goes<'a> {
    AsItBegan,
    /// The one of its name in the catalog.
    Presently,
    /// That of the run whose item it is, and where the outputs of its steps are kept.
    As(&'a Pinned, &'a BTreeMap<String, String>),
}

impl Goes<'_> {
    fn by(current: bool) -> Self {
        if current { Self::Presently } else { Self::AsItBegan }
    }
}

impl Engine {
    /// The number of the record that a retry would follow, if one may: its end is told.
    pub(super) async fn retryable(&self, run: &str, current: bool, deadline: Deadline) -> Result<u64, Failure> {
        let newest = self.rested(run, deadline).await?;
        self.reopened(&newest, Goes::by(current), None, deadline).await?;
        Ok(newest.seq)
    }

    /// Opens the run again, once after this record; its newest record, and whether it is this call's own lease.
    pub(super) async fn reopen(
        &self,
        run: &str,
        after: u64,
        current: bool,
        hold: bool,
        deadline: Deadline,
    ) -> Result<(Record, bool), Failure> {
        loop {
            let newest = self.newest(run, deadline).await?.ok_or_else(|| not_found(run))?;
            if newest.opened > after {
                // An earlier sending of the same call, or somebody else: its message may have been lost.
                if newest.seq == newest.opened {
                    self.wake(run, newest.seq, newest.lease_until, deadline).await?;
                }
                return Ok((newest, false));
            }
            let lease = hold.then(|| self.lease_until(deadline));
            let record = self.reopened(&newest, Goes::by(current), lease, deadline).await?;
            if self.open_again(&record, deadline).await? {
                return Ok((record, hold));
            }
        }
    }

    /// The marker, the record, and unless it is the caller's own lease the message; whether the record now stands.
    pub(super) async fn open_again(&self, record: &Record, deadline: Deadline) -> Result<bool, Failure> {
        let run = &record.run;
        let marker = json!({"writer": draw_writer(), "run": run, "operation": record.operation});
        let path = open_path(run, record.seq);
        self.ledger.put(&path, Bytes::from(marker.to_string()), deadline).await?;
        let ours = self.append(record, deadline).await.map_err(|failure| match failure.code {
            Code::LedgerUnavailable => failure.effect_possible(),
            _ => failure,
        })?;
        if ours {
            tracing::info!(run, seq = record.seq, "run opened again");
            if record.lease_until.is_none() {
                self.wake(run, record.seq, None, deadline).await.map_err(Failure::effect_possible)?;
            }
        }
        Ok(ours)
    }

    /// The newest record of a run that is at rest, whose end is told, and which is closed.
    pub(super) async fn rested(&self, run: &str, deadline: Deadline) -> Result<Record, Failure> {
        let newest = self.newest(run, deadline).await?.ok_or_else(|| not_found(run))?;
        if newest.transition == Transition::Forgotten {
            return Err(forgotten(run));
        }
        if !newest.state.at_rest() {
            let detail = format!("The run is {}: it has not ended.", newest.state.as_str());
            return Err(Failure::new(Code::RunActive, detail).in_run(run));
        }
        // Also when it is told: its worker may have died before it was written into the history.
        self.closed(newest, deadline).await?;
        self.newest(run, deadline).await?.ok_or_else(|| not_found(run))
    }

    /// The record that opens it again, or why it may not be.
    pub(super) async fn reopened(
        &self,
        newest: &Record,
        goes: Goes<'_>,
        lease: Option<Timestamp>,
        deadline: Deadline,
    ) -> Result<Record, Failure> {
        let run = newest.run.clone();
        match newest.state {
            RunState::Running | RunState::Waiting => {
                return Err(Failure::new(Code::RunActive, "The run has not ended.").in_run(run));
            }
            RunState::Succeeded => {
                let detail = "The run has succeeded: there is nothing to retry. Start a new one.";
                return Err(Failure::new(Code::RunNotRetryable, detail).in_run(run));
            }
            RunState::Failed | RunState::Cancelled => {}
        }
        let pinned = self.pinned_of(newest, deadline).await?;
        let operation = self.operation_of(&run, &pinned)?;
        if operation.run_as == RunAs::Caller {
            let detail = "The run acted as its caller, whose token is gone with the call. Call the operation again.";
            return Err(Failure::new(Code::RunNotRetryable, detail).in_run(run));
        }
        self.children_may_go_on(newest, &operation, deadline).await?;
        let mut record = newest.next(Transition::Retried, self.clock.now());
        for (index, step) in record.steps.iter_mut().enumerate() {
            let Some(declared) = operation.steps.get(index) else {
                *step = begun_again(step);
                continue;
            };
            step.children_since = begun_by(declared, step);
            match step.state {
                StepState::Failed => *step = step.anew(record.at),
                // What is in doubt is a step of a child, and of that it is known by now.
                StepState::Unknown if step.children_since > 0 => *step = step.anew(record.at),
                StepState::Pending if step.children_since > 0 => {
                    (step.started_at, step.held_off_since, step.polls) = (None, None, 0);
                }
                StepState::Pending => *step = step.fresh(step.attempt),
                StepState::Ready => step.started_at = Some(record.at),
                StepState::Unknown => {
                    let key = super::identity::hash(&[&run, &step.id, &step.attempt.to_string()]);
                    let late = self.late(&run, &key, deadline).await?.and_then(|late| late.upstream_id);
                    let Some(upstream_id) = late else { return Err(unresolved(&run, &step.id)) };
                    // Who sent it has told under which id: it is looked at, and not sent again.
                    step.upstream_id = Some(upstream_id);
                    (step.state, step.error, step.ended_at, step.polls) = (StepState::Submitted, None, None, 0);
                }
                _ => {}
            }
        }
        if let Some(pins) = self.presently(&record, &pinned, goes)? {
            let (steps, pins) = self.moved(&record, &pinned, &operation, pins)?;
            (record.steps, record.pinned, record.pinned_at) = (steps, Some(Box::new(pins)), record.seq);
        }
        (record.error, record.output, record.ended_at, record.cancel) = (None, None, None, None);
        (record.told, record.tellings, record.has_turn, record.line) = (false, 0, false, None);
        record.opened = record.seq;
        record.retries += 1;
        record.lease_until = lease;
        Ok(record)
    }

    /// What the run pins from now on, if it goes on by another definition.
    fn presently(&self, record: &Record, pinned: &Pinned, goes: Goes<'_>) -> Result<Option<Pinned>, Failure> {
        let (definition, variables) = match goes {
            Goes::AsItBegan => return Ok(None),
            Goes::As(above, _) => (&above.definition, &above.variables),
            Goes::Presently => {
                let entry = self.catalog.get(&record.operation).ok_or_else(|| {
                    let detail = format!("No operation is called \"{}\" any more.", record.operation);
                    Failure::new(Code::DefinitionChanged, detail).in_run(&record.run)
                })?;
                (&entry.definition, &runnable(entry)?.variables)
            }
        };
        let mut trigger = pinned.trigger.clone();
        if let (Goes::As(_, outputs), Trigger::Parent(parent)) = (goes, &mut trigger)
            && let Some(item) = &mut parent.of
        {
            item.outputs.clone_from(outputs);
        }
        Ok(Some(Pinned {
            content_hash: definition.content_hash(),
            definition: definition.clone(),
            variables: variables.clone(),
            trigger,
            ..pinned.clone()
        }))
    }

    /// The steps and the pins by another definition, if it fits what the run has done.
    fn moved(
        &self,
        record: &Record,
        pinned: &Pinned,
        before: &Operation,
        pins: Pinned,
    ) -> Result<(Vec<StepRecord>, Pinned), Failure> {
        let changed = |detail: String| Failure::new(Code::DefinitionChanged, detail).in_run(&record.run);
        let now = self.operation_of(&record.run, &pins)?;
        let same = |one: &Step, other: &Step| {
            one.id == other.id
                && std::mem::discriminant(&one.kind) == std::mem::discriminant(&other.kind)
                && one.for_each.is_some() == other.for_each.is_some()
        };
        let done = |step: &&Step| {
            let record = record.steps.iter().find(|record| record.id == step.id);
            record.is_some_and(|record| !matches!(record.state, StepState::Pending))
        };
        // What is done stands first, in its order: expressions after it count on that.
        for (index, step) in before.steps.iter().take_while(done).enumerate() {
            if !now.steps.get(index).is_some_and(|now| same(now, step)) {
                let detail = format!(
                    "Step \"{}\" is done, at least in part, and the present definition has another step or kind in its place.",
                    step.id
                );
                return Err(changed(detail).in_step(&step.id));
            }
        }
        if now.run_as != pinned.run_as {
            return Err(changed("The present definition runs as its caller.".to_owned()));
        }
        let mut parameters = pinned.parameters.clone();
        for parameter in now.parameters.iter().filter(|parameter| !pinned.parameters.contains_key(&parameter.name)) {
            if parameter.required {
                let detail = format!("The present definition needs the parameter \"{}\".", parameter.name);
                return Err(changed(detail));
            }
            parameters.insert(parameter.name.clone(), parameter.default.clone().unwrap_or_default());
        }
        let kept = |step: &Step| {
            let old = record.steps.iter().find(|old| old.id == step.id);
            match old {
                // What an earlier attempt of it had begun is not this step's.
                Some(old) if old.state == StepState::Pending && !has_children(step) => old.fresh(old.attempt),
                Some(old) => old.clone(),
                None => StepRecord { id: step.id.clone(), attempt: 1, ..StepRecord::default() },
            }
        };
        let steps = now.steps.iter().chain(&now.on_failure).map(kept).collect();
        let mut sensitive = pinned.sensitive.clone();
        sensitive.extend(now.sensitive().into_iter().filter(|name| !pinned.sensitive.contains(name)));
        Ok((steps, Pinned { parameters, sensitive, ..pins }))
    }
}

/// A step of `on_failure`: another failure is told anew.
fn begun_again(step: &StepRecord) -> StepRecord {
    match step.state {
        StepState::Pending => step.fresh(step.attempt),
        _ => step.fresh(step.attempt + 1),
    }
}

fn unresolved(run: &str, step: &str) -> Failure {
    let detail = format!(
        "Step \"{step}\" perhaps happened, and to do it anew might do it twice. Look, then say what became of it: POST \
         /api/runs/{run}/resolve with {{\"step\": \"{step}\", \"outcome\": \"happened\" or \"did_not_happen\"}}."
    );
    Failure::new(Code::StepUnresolved, detail).in_run(run).in_step(step)
}
