//! Creation: the open marker, record 0, the message that begins it; in this order, so that nothing is forgotten.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::Engine;
use super::record::{FORMAT, Pinned, Record, RunState, StepRecord, Transition, Trigger};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::draw_writer;
use crate::operations::{Entry, Operation};
use crate::telemetry::Trace;

/// A run to be.
#[derive(Clone, Debug)]
pub(super) struct NewRun {
    pub run: String,
    /// Checked, with defaults filled in.
    pub parameters: Map<String, Value>,
    pub caller: String,
    pub trigger: Trigger,
}

/// Added to the invocation's deadline, for the last writes of its worker.
pub(super) const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(30);

impl Engine {
    /// When a lease taken now ends, for an invocation with this deadline.
    pub(super) fn lease_until(&self, deadline: Deadline) -> Timestamp {
        self.clock.now() + deadline.remaining() + LEASE_MARGIN
    }

    /// Writes record 0, or finds the run that stands under this id already.
    ///
    /// With `hold` record 0 is the caller's own lease and no message is sent: the caller advances it in this invocation.
    pub(super) async fn create(
        &self,
        entry: &Entry,
        new: &NewRun,
        hold: bool,
        deadline: Deadline,
    ) -> Result<(Record, bool), Failure> {
        let operation = runnable(entry)?;
        self.may_begin(operation, &new.caller)?;
        let of_item = new.trigger.item().map(|(parent, _)| item_of(operation, &parent.step)).transpose()?;
        let operation = of_item.as_ref().unwrap_or(operation);
        // What nobody called is a trace of its own, whose id is the run's.
        let called = Trace::current().filter(|_| !matches!(new.trigger, Trigger::Schedule { .. }));
        let trace = called.unwrap_or_else(|| Trace::of(&new.run));
        trace.clone().within(Some(&new.run), self.created(entry, operation, new, trace, hold, deadline)).await
    }

    async fn created(
        &self,
        entry: &Entry,
        operation: &Operation,
        new: &NewRun,
        trace: Trace,
        hold: bool,
        deadline: Deadline,
    ) -> Result<(Record, bool), Failure> {
        let marker = json!({"writer": draw_writer(), "run": new.run, "operation": operation.name});
        self.ledger.put(&open_path(&new.run, 0), Bytes::from(marker.to_string()), deadline).await?;
        let parameters = self.seal_parameters(operation, &new.run, new.parameters.clone(), deadline).await?;
        let new = &NewRun { parameters, ..new.clone() };
        let lease = hold.then(|| self.lease_until(deadline));
        let record = first_record(entry, operation, new, trace, self.clock.now(), lease);
        // From here on the run may stand: whoever is told of a failure must not make another one.
        let ours = self.append(&record, deadline).await.map_err(|failure| match failure.code {
            Code::LedgerUnavailable => failure.effect_possible(),
            _ => failure,
        })?;
        if !ours {
            let standing = self.newest(&new.run, deadline).await?;
            let standing = standing.ok_or_else(|| Failure::new(Code::RunNotFound, "The run is gone."))?;
            if standing.is_told() {
                self.unmark(&standing, deadline).await;
            } else {
                self.wake(&new.run, 0, None, deadline).await.map_err(Failure::effect_possible)?;
            }
            return Ok((standing, false));
        }
        if !hold {
            self.wake(&new.run, 0, None, deadline).await.map_err(Failure::effect_possible)?;
        }
        tracing::info!(run = new.run, operation = operation.name, caller = new.caller, "run created");
        Ok((record, true))
    }

    /// The run had been closed when its request came again, and we have marked it as open; else the tick sees to it.
    async fn unmark(&self, standing: &Record, deadline: Deadline) {
        if let Err(failure) = self.closed(standing.clone(), deadline).await {
            tracing::warn!(run = standing.run, error = failure.chain(), "a run that has ended is still marked as open");
        } else if let Err(error) = self.ledger.delete(&open_path(&standing.run, 0), deadline).await {
            tracing::warn!(run = standing.run, %error, "a marker stays behind");
        }
    }
}

/// The marker of a run that has not been closed since this record opened it.
pub(super) fn open_path(run: &str, opened: u64) -> String {
    format!("open/{run}/{opened}")
}

/// The operation, or why it cannot run.
pub fn runnable(entry: &Entry) -> Result<&Operation, Failure> {
    entry.operation.as_deref().map_err(|diagnostics| {
        let first = diagnostics.first();
        let place = first.map(|at| format!("{}:{}:{}: {}", at.file, at.line, at.column, at.message));
        Failure::new(
            Code::OperationInvalid,
            format!("The operation cannot run until its file is mended: {}", place.unwrap_or_default()),
        )
    })
}

/// What is done for one item of a step.
pub(super) fn item_of(operation: &Operation, step: &str) -> Result<Operation, Failure> {
    operation.item_of(step).ok_or_else(|| {
        let name = &operation.name;
        Failure::new(Code::Internal, format!("The operation {name} has no step \"{step}\" for an item of it."))
    })
}

fn first_record(
    entry: &Entry,
    operation: &Operation,
    new: &NewRun,
    trace: Trace,
    now: Timestamp,
    lease: Option<Timestamp>,
) -> Record {
    let steps = operation.steps.iter().chain(&operation.on_failure);
    Record {
        v: FORMAT,
        run: new.run.clone(),
        seq: 0,
        writer: draw_writer(),
        transition: Transition::Created,
        state: RunState::Running,
        at: now,
        wake_at: None,
        lease_until: lease,
        send_before: None,
        operation: operation.name.clone(),
        pinned: Some(Box::new(Pinned {
            content_hash: entry.definition.content_hash(),
            definition: entry.definition.clone(),
            variables: operation.variables.clone(),
            parameters: new.parameters.clone(),
            sensitive: operation.sensitive(),
            caller: new.caller.clone(),
            run_as: operation.run_as,
            trigger: new.trigger.clone(),
            created_at: now,
            trace: Some(trace),
        })),
        key: None,
        steps: steps.map(|step| StepRecord { id: step.id.clone(), attempt: 1, ..StepRecord::default() }).collect(),
        error: None,
        output: None,
        ended_at: None,
        nudges: 0,
        tellings: 0,
        sealing: false,
        retries: 0,
        digest: None,
        opened: 0,
        pinned_at: 0,
        for_attempt: 0,
        cancel: None,
        told: false,
        line: None,
        has_turn: false,
        stands: None,
    }
}
