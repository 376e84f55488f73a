//! Notes: what others have to say to whoever holds a run. Only the holder of the lease appends to a run that is not at
//! rest; everybody else leaves a note below `notes/{run}/` and wakes it. A note is written once and never changed.
//!
//! - `cancel-{opened}`: it is to end. `opened` is the record that opened the run, so that a retry is not cancelled at once.
//! - `resolve-{step}-{attempt}`: somebody has looked whether the step happened, should it come to that.
//! - `late-{key}`: a worker that was overtaken after its effect tells what came of it.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Engine;
use super::advance::{Flow, Worker};
use super::record::{Cancel, Happened, Record, StepRecord, StepState, Transition};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::ledger::{Put, draw_writer};
use crate::operations::Step;
use crate::steps::{Kind, Sent};

/// What somebody said of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Said {
    pub outcome: Happened,
    #[serde(default)]
    pub output: Value,
    pub by: String,
}

/// What came of an effect whose worker was overtaken.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Late {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_ref: Option<String>,
}

fn path(run: &str, name: &str) -> String {
    format!("notes/{run}/{name}")
}

fn resolve_name(step: &str, attempt: u32) -> String {
    format!("resolve-{step}-{attempt}")
}

impl Engine {
    /// Leaves a note; `false` when it stands there already.
    async fn note(&self, run: &str, name: &str, note: &impl Serialize, deadline: Deadline) -> Result<bool, Failure> {
        let mut note = serde_json::to_value(note).unwrap_or(Value::Null);
        note["writer"] = json!(draw_writer());
        Ok(self.ledger.put(&path(run, name), Bytes::from(note.to_string()), deadline).await? == Put::Written)
    }

    async fn read_note<T: DeserializeOwned>(
        &self,
        run: &str,
        name: &str,
        deadline: Deadline,
    ) -> Result<Option<T>, Failure> {
        let Some(bytes) = self.ledger.get(&path(run, name), deadline).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Failure::new(Code::Internal, "A note to a run cannot be read. See the log.").in_run(run).caused_by(error)
        })
    }

    /// Notes that the run, as it was opened last, is to end.
    pub(super) async fn note_cancel(&self, record: &Record, by: &str, deadline: Deadline) -> Result<(), Failure> {
        let cancel = Cancel { at: self.clock.now(), by: by.to_owned() };
        if self.note(&record.run, &format!("cancel-{}", record.opened), &cancel, deadline).await? {
            tracing::info!(run = record.run, by, "a run is to be cancelled");
        }
        Ok(())
    }

    pub(super) async fn cancel_note(&self, record: &Record, deadline: Deadline) -> Result<Option<Cancel>, Failure> {
        self.read_note(&record.run, &format!("cancel-{}", record.opened), deadline).await
    }

    /// Notes what somebody found out about a step; the first who says it counts.
    pub(super) async fn note_resolution(
        &self,
        run: &str,
        step: &str,
        attempt: u32,
        said: &Said,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        self.note(run, &resolve_name(step, attempt), said, deadline).await
    }

    pub(super) async fn resolution(
        &self,
        run: &str,
        step: &str,
        attempt: u32,
        deadline: Deadline,
    ) -> Result<Option<Said>, Failure> {
        self.read_note(run, &resolve_name(step, attempt), deadline).await
    }

    pub(super) async fn late(&self, run: &str, key: &str, deadline: Deadline) -> Result<Option<Late>, Failure> {
        self.read_note(run, &format!("late-{key}"), deadline).await
    }
}

impl Worker<'_> {
    /// Leaves for recovery what came of an effect whose record another worker's has overtaken.
    pub(super) async fn leave_late(&self, record: &Record) {
        if !matches!(record.transition, Transition::Submitted | Transition::StepEnded) {
            return;
        }
        let Some(stands) = &record.stands else { return };
        for (index, step) in record.steps.iter().enumerate() {
            let sent = stands.state_of(&step.id) == Some(StepState::Started);
            let late = Late { upstream_id: step.upstream_id.clone(), output_ref: step.output_ref.clone() };
            if !sent || (late.upstream_id.is_none() && late.output_ref.is_none()) {
                continue;
            }
            tracing::error!(
                run = record.run,
                seq = record.seq,
                step = step.id,
                upstream_id = late.upstream_id,
                "overtaken after an effect"
            );
            let name = format!("late-{}", self.key(index));
            if let Err(failure) = self.engine.note(&record.run, &name, &late, self.deadline).await {
                tracing::error!(run = record.run, error = failure.chain(), "the late note could not be left");
            }
        }
    }

    /// What notes say of a step that was perhaps sent: what a late worker left, else what somebody found out.
    pub(super) async fn noted(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Option<Flow>, Failure> {
        if self.record.steps[index].upstream_id.is_none() {
            let key = self.key(index);
            if let Some(late) = self.engine.late(&self.record.run, &key, self.deadline).await? {
                return self.adopt(index, step, kind, late).await.map(Some);
            }
        }
        let StepRecord { id, attempt, .. } = &self.record.steps[index];
        if let Some(output) = self.engine.kept_output(&self.record.run, id, *attempt, self.deadline).await? {
            tracing::info!(run = self.record.run, step = step.id, "a step was done, since its output is kept");
            return self.done(index, step, output).await.map(Some);
        }
        self.said(index, step, kind).await
    }

    async fn adopt(&mut self, index: usize, step: &Step, kind: &dyn Kind, late: Late) -> Result<Flow, Failure> {
        tracing::info!(run = self.record.run, step = step.id, ?late, "what a late worker left is taken");
        if let Some(upstream_id) = late.upstream_id {
            self.submitted(index, upstream_id);
        }
        if let Some(reference) = late.output_ref {
            let output = self.engine.output(&self.record.run, &reference, self.deadline).await?;
            return self.done(index, step, output).await;
        }
        let record = self.next(index, Transition::Submitted, StepState::Submitted);
        if !self.commit(record).await? {
            return Ok(Flow::Overtaken);
        }
        Box::pin(self.look(index, step, kind)).await
    }

    /// What somebody found out about a step that may be in doubt.
    pub(super) async fn said(&mut self, index: usize, step: &Step, kind: &dyn Kind) -> Result<Option<Flow>, Failure> {
        let attempt = self.record.steps[index].attempt;
        let Some(said) = self.engine.resolution(&self.record.run, &step.id, attempt, self.deadline).await? else {
            return Ok(None);
        };
        tracing::info!(run = self.record.run, step = step.id, ?said, "somebody said what became of a step");
        self.record.steps[index].resolved = Some(said.outcome);
        let flow = match said.outcome {
            Happened::DidNotHappen => self.ended_badly(index, StepState::Failed, did_not_happen(&step.id)).await,
            Happened::Happened => {
                let inputs = self.record.steps[index].rendered_inputs.clone().unwrap_or(Value::Null);
                match kind.has_come(&self.engine.neighbours, &inputs, self.deadline).await? {
                    Some(Sent::Part { inputs, progress }) => self.part_done(index, step, inputs, progress).await,
                    Some(Sent::Done { output, .. }) => self.done(index, step, output).await,
                    _ => self.done(index, step, said.output).await,
                }
            }
        };
        flow.map(Some)
    }
}

/// What a step ends with when somebody has looked and not found it.
pub(super) fn did_not_happen(step: &str) -> Failure {
    Failure::new(
        Code::OutcomeUnknown,
        format!("Step \"{step}\" did not happen, as somebody found out. Retry the run, and it is sent anew."),
    )
}
