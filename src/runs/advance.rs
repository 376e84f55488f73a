//! Advancing a run: take the lease, then one step after another until the run sleeps or rests.
//!
//! Every rule here is safe with an earlier worker still alive: who loses an append has been overtaken and stops.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Engine;
use super::cancel::LOOK_EVERY;
use super::create::item_of;
use super::line::Turn;
use super::log::not_too_large;
use super::record::{Pinned, Record, RunState, StepState, Transition, Trigger};
use super::scope::{Outputs, scope};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Scrub};
use crate::operations::Operation;
use crate::telemetry::Trace;

/// How often a run that waits for the one in front looks.
const STANDING_BY: Duration = Duration::from_secs(30);

/// What came of advancing.
#[derive(Debug)]
pub(super) enum Advance {
    /// The run has ended, and its end is told.
    AtRest(Box<Record>),
    /// It sleeps; a message will wake it.
    Waiting,
    /// Another worker may still hold it, until then.
    Busy(Timestamp),
    /// Another worker has moved it on.
    Overtaken,
}

/// One worker with the lease of one run.
pub(super) struct Worker<'a> {
    pub(super) engine: &'a Engine,
    pub(super) record: Record,
    pub(super) pinned: Pinned,
    pub(super) operation: Arc<Operation>,
    pub(super) outputs: Outputs,
    /// What must not be told of the run's parameters.
    pub(super) scrub: Scrub,
    /// It is the caller's own lease, whose call nobody delivers again.
    held: bool,
    /// Until then a step is waited for in this invocation.
    pub(super) patience: Deadline,
    /// Until then parts of a step are sent one after the other; what is left is another invocation's.
    pub(super) stint: Deadline,
    /// From then on the ledger is asked again whether the run is to be cancelled.
    pub(super) look_again: Deadline,
    /// The record has changed in memory since it was appended.
    pub(super) unsaved: bool,
    pub(super) deadline: Deadline,
}

/// How one step went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// On to the next.
    Next,
    /// The run sleeps.
    Sleeps,
    /// Another worker has written.
    Overtaken,
}

impl Engine {
    /// Advances from `newest`. `held` says that it is the caller's own lease already (record 0 of an HTTP call).
    pub(super) async fn advance(
        &self,
        newest: Record,
        held: bool,
        patience: Deadline,
        deadline: Deadline,
    ) -> Result<Advance, Failure> {
        if newest.state.at_rest() {
            return Ok(Advance::AtRest(Box::new(newest)));
        }
        if !held && let Some(until) = self.busy_until(&newest) {
            return Ok(Advance::Busy(until));
        }
        let mut pinned = self.pinned_of(&newest, deadline).await?;
        // Before the lease: a version that cannot read the definition must not keep one away that can.
        let operation = self.operation_of(&newest.run, &pinned)?;
        let mut newest = newest;
        let abandoned = self.abandoned(&operation, &pinned);
        let refused = match self.turn(&mut newest, &pinned, &operation, deadline).await? {
            Turn::Ours => None,
            Turn::Refused(why) => Some(*why),
            Turn::Behind => {
                newest.cancel = self.cancel_note(&newest, deadline).await?;
                if newest.cancel.is_none() {
                    return self.stand_by(&newest, deadline).await;
                }
                None
            }
        };
        // A run that goes at once is nobody's to cancel yet, and its creator has seen nobody do so, unless writing it took long.
        let age = Duration::try_from(newest.at.duration_until(self.clock.now())).unwrap_or_default();
        let prompt = held || (newest.transition == Transition::Created && age < LOOK_EVERY);
        let look_again = Deadline::after(if held { LOOK_EVERY.saturating_sub(age) } else { Duration::ZERO });
        let mut record = if held { newest } else { self.lease(&newest, deadline) };
        if !held && !self.append(&record, deadline).await? {
            return Ok(Advance::Overtaken);
        }
        let scrub = self.open_parameters(&record.run, &mut pinned, deadline).await?;
        record.sealing = !pinned.sensitive.is_empty();
        self.open_inputs(&mut record, deadline).await?;
        // A part that is begun has its whole window. Where invocations are not much longer than that, it has half of one:
        // else none would ever begin, and the run would only wake itself again.
        let stint = deadline.less(self.settings.send_window.min(deadline.remaining() / 2));
        let worker = Worker {
            engine: self,
            record: record.on_the_log(),
            pinned,
            operation,
            outputs: Outputs::new(),
            scrub,
            held,
            patience,
            stint: if held { stint.min(patience) } else { stint },
            look_again,
            unsaved: false,
            deadline,
        };
        let run = worker.record.run.clone();
        let trace = worker.pinned.trace.as_ref().map_or_else(|| Trace::of(&run), Trace::child);
        // On the heap: a worker holds whole records over many awaits.
        if let Some(why) = abandoned {
            return trace.within(Some(&run), Box::pin(worker.forsaken(why))).await;
        }
        match refused {
            Some(why) => trace.within(Some(&run), Box::pin(worker.refused(why))).await,
            None => trace.within(Some(&run), Box::pin(worker.work(prompt))).await,
        }
    }

    /// Until when the run must be left alone: a lease is alive, or an effect may still be on its way.
    pub(super) fn busy_until(&self, newest: &Record) -> Option<Timestamp> {
        let now = self.clock.now();
        let sent = newest.unsettled().and(newest.send_before).map(|before| before + self.settings.send_margin);
        newest.lease_until.into_iter().chain(sent).filter(|until| *until > now).max()
    }

    /// What the run does, by the definition that it began with.
    pub(super) fn operation_of(&self, run: &str, pinned: &Pinned) -> Result<Arc<Operation>, Failure> {
        let whole = self.pinned_operation(run, pinned)?;
        match pinned.trigger.item() {
            Some((parent, _)) => item_of(&whole, &parent.step).map(Arc::new),
            None => Ok(whole),
        }
    }

    /// The definition that the run began with, whatever stands in the folder now.
    fn pinned_operation(&self, run: &str, pinned: &Pinned) -> Result<Arc<Operation>, Failure> {
        // Most runs are advanced by the version that created them, which has it compiled.
        if let Some(entry) = self.catalog.get(&pinned.definition.name)
            && let Ok(operation) = &entry.operation
            && operation.variables == pinned.variables
            && entry.definition == pinned.definition
        {
            return Ok(operation.clone());
        }
        pinned.definition.parse(&pinned.variables).map(Arc::new).map_err(|diagnostics| {
            let why = diagnostics.first().map(|at| at.message.clone()).unwrap_or_default();
            Failure::new(Code::Internal, "The run's pinned definition cannot be read by this version. See the log.")
                .in_run(run)
                .caused_by(why)
        })
    }

    /// `overlap: queue`: whether the run in front still goes, and this one has not begun.
    pub(super) async fn behind(&self, newest: &Record, pinned: &Pinned, deadline: Deadline) -> Result<bool, Failure> {
        let Trigger::Schedule { behind: Some(front), .. } = &pinned.trigger else { return Ok(false) };
        if newest.steps.iter().any(|step| step.state != StepState::Pending || step.started_at.is_some()) {
            return Ok(false);
        }
        Ok(self.newest(front, deadline).await?.is_some_and(|front| !front.state.at_rest()))
    }

    /// Sleeps without having begun.
    async fn stand_by(&self, newest: &Record, deadline: Deadline) -> Result<Advance, Failure> {
        let mut record = newest.next(Transition::Waiting, self.clock.now());
        let wake_at = record.at + STANDING_BY;
        record.wake_at = Some(wake_at);
        self.wake(&record.run, record.seq, Some(wake_at), deadline).await?;
        Ok(if self.append(&record, deadline).await? { Advance::Waiting } else { Advance::Overtaken })
    }

    fn lease(&self, newest: &Record, deadline: Deadline) -> Record {
        let mut record = newest.next(Transition::Leased, self.clock.now());
        record.lease_until = Some(self.lease_until(deadline));
        record
    }
}

impl Worker<'_> {
    async fn work(mut self, prompt: bool) -> Result<Advance, Failure> {
        if !prompt {
            self.cancel_asked().await?;
        }
        loop {
            let index = match self.next_step() {
                Some(index) => index,
                // A child may have been started by a worker that died before it said so: it ends before its parent does.
                None => match self.unrecorded_children().await? {
                    Some(index) => index,
                    None => return self.finish().await,
                },
            };
            // On the heap: it holds whole records over many awaits.
            match Box::pin(self.step(index)).await? {
                Flow::Next => {}
                Flow::Sleeps => return Ok(Advance::Waiting),
                Flow::Overtaken => return Ok(Advance::Overtaken),
            }
        }
    }

    /// Ends without having begun.
    pub(super) async fn refused(mut self, why: Failure) -> Result<Advance, Failure> {
        self.record.error = Some(why.in_run(&self.record.run));
        self.finish().await
    }

    /// The first step that has not ended: of the steps proper, or after a failure of `on_failure`. Of a run that is to be
    /// cancelled only what may be under way.
    fn next_step(&self) -> Option<usize> {
        let main = self.operation.steps.len();
        let range = if self.record.error.is_none() { 0..main } else { main..self.record.steps.len() };
        let stops = self.record.cancel.is_some();
        range.into_iter().find(|index| match self.record.steps[*index].state {
            StepState::Started | StepState::Submitted => true,
            StepState::Pending | StepState::Ready => !stops,
            _ => false,
        })
    }

    async fn finish(mut self) -> Result<Advance, Failure> {
        let cut_off = self.cut_off().await;
        let mut record = self.record.next(Transition::Ended, self.engine.clock.now());
        record.key = None;
        if let Some(cut_off) = cut_off {
            record.error = Some(cut_off);
            record.state = RunState::Cancelled;
        } else {
            if record.error.is_none() {
                match self.rendered_output().await? {
                    Ok(output) => record.output = Some(output),
                    Err(error) => record.error = Some(self.scrub.failure(error).in_run(&record.run)),
                }
            }
            record.state = if record.error.is_none() { RunState::Succeeded } else { RunState::Failed };
        }
        record.ended_at = Some(record.at);
        if !self.commit(record).await? {
            return Ok(Advance::Overtaken);
        }
        let Self { record, held, engine, deadline, .. } = self;
        tracing::info!(
            run = record.run,
            operation = record.operation,
            state = ?record.state,
            code = record.error.as_ref().map(|error| error.code.as_str()),
            error = record.error.as_ref().map(Failure::chain),
            "run ended"
        );
        match engine.closed(record.clone(), deadline).await {
            // Nobody delivers an HTTP call again: its run is closed by the tick. A message is.
            Err(failure) if held => {
                tracing::warn!(run = record.run, error = failure.chain(), "the run is not closed yet");
            }
            other => other?,
        }
        Ok(Advance::AtRest(Box::new(record)))
    }

    async fn rendered_output(&mut self) -> Result<Result<Value, Failure>, Failure> {
        let Some(output) = self.operation.output.clone() else { return Ok(Ok(json!({}))) };
        self.load_outputs().await?;
        let scope = scope(&self.record, &self.pinned, &self.outputs);
        let rendered = output.render(&scope).map_err(|error| Failure::new(Code::ExpressionFailed, error.to_string()));
        Ok(rendered.and_then(|output| not_too_large("The operation's output", &output).map(|()| output)))
    }
}
