//! Saying what became of a step that was in doubt. The run stays at rest until it is retried.

use serde_json::{Value, json};

use super::notes::{Said, did_not_happen};
use super::record::{Happened, Record, StepState, Transition};
use super::{Engine, forgotten, not_found};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::steps::Sent;

impl Engine {
    /// The run's newest record after that. Of a run that is not at rest, what was said is noted.
    pub(super) async fn resolve(
        &self,
        run: &str,
        step: &str,
        said: &Said,
        deadline: Deadline,
    ) -> Result<Record, Failure> {
        loop {
            let newest = self.newest(run, deadline).await?.ok_or_else(|| not_found(run))?;
            if newest.transition == Transition::Forgotten {
                return Err(forgotten(run));
            }
            let Some(index) = newest.steps.iter().position(|record| record.id == step) else {
                let step: String = step.chars().take(100).collect();
                return Err(Failure::new(Code::BodyInvalid, format!("The run has no step \"{step}\".")).at("step"));
            };
            let record = &newest.steps[index];
            if record.resolved == Some(said.outcome) {
                return Ok(newest);
            }
            match record.state {
                StepState::Unknown if newest.state.at_rest() => {
                    let newest = self.rested(run, deadline).await?;
                    let resolved = self.resolved(&newest, index, said, deadline).await?;
                    if self.append(&resolved, deadline).await? {
                        tracing::info!(run, step, outcome = ?said.outcome, by = said.by, "a step is resolved");
                        if let Err(failure) = self.put_away_resolved(&resolved, index, deadline).await {
                            tracing::warn!(run, step, error = failure.chain(), "what a step kept stays behind");
                        }
                        return Ok(resolved);
                    }
                }
                StepState::Started | StepState::Submitted => {
                    if !self.note_resolution(run, step, record.attempt, said, deadline).await?
                        && let Some(standing) = self.resolution(run, step, record.attempt, deadline).await?
                        && standing.outcome != said.outcome
                    {
                        return Err(not_in_doubt(run, step, "somebody has said something else of it"));
                    }
                    self.wake_anew(run, None, deadline).await?;
                    return Ok(newest);
                }
                _ => return Err(not_in_doubt(run, step, "its outcome is known, or it has not begun")),
            }
        }
    }

    /// What a step kept in order to be sent again is needed no more, when it is said to have happened as a whole.
    async fn put_away_resolved(&self, record: &Record, index: usize, deadline: Deadline) -> Result<(), Failure> {
        if record.steps[index].state == StepState::Succeeded {
            let pinned = self.pinned_of(record, deadline).await?;
            let operation = self.operation_of(&record.run, &pinned)?;
            if let Some(step) = operation.steps.iter().chain(&operation.on_failure).nth(index) {
                self.put_away(&record.steps[index], step, deadline).await;
            }
        }
        Ok(())
    }

    async fn resolved(
        &self,
        newest: &Record,
        index: usize,
        said: &Said,
        deadline: Deadline,
    ) -> Result<Record, Failure> {
        let mut record = newest.next(Transition::Resolved, self.clock.now());
        record.steps[index].resolved = Some(said.outcome);
        let (id, attempt) = (record.steps[index].id.clone(), record.steps[index].attempt);
        if said.outcome == Happened::DidNotHappen {
            record.steps[index].state = StepState::Failed;
            record.steps[index].error = Some(did_not_happen(&id).in_step(&id).in_run(&newest.run));
            return Ok(record);
        }
        let pinned = self.pinned_of(newest, deadline).await?;
        let operation = self.operation_of(&newest.run, &pinned)?;
        let declared = operation.steps.iter().chain(&operation.on_failure).nth(index);
        let inputs = record.steps[index].rendered_inputs.clone().unwrap_or(Value::Null);
        let came = match declared {
            Some(step) => self.kinds.of(&step.kind).has_come(&self.neighbours, &inputs, deadline).await?,
            None => None,
        };
        let step = &mut record.steps[index];
        let output = match came {
            Some(Sent::Part { inputs, progress }) => {
                // What was in doubt is done, and the rest is not: a retry goes on from here.
                let detail = format!("Step \"{id}\" is done in part. Retry the run, and it goes on from there.");
                let why = Failure::new(Code::OutcomeUnknown, detail).in_step(&id).in_run(&newest.run);
                (step.rendered_inputs, step.progress) = (Some(inputs), Some(progress));
                (step.state, step.error) = (StepState::Failed, Some(why));
                return Ok(record);
            }
            Some(Sent::Done { output, .. }) => output,
            _ if said.output.is_null() => json!({}),
            _ => said.output.clone(),
        };
        let (reference, _) = self.keep_output(&newest.run, &id, attempt, output, deadline).await?;
        (step.state, step.error, step.output_ref) = (StepState::Succeeded, None, Some(reference));
        Ok(record)
    }
}

fn not_in_doubt(run: &str, step: &str, why: &str) -> Failure {
    Failure::new(Code::StepNotInDoubt, format!("Step \"{step}\" is not in doubt: {why}.")).in_run(run).in_step(step)
}
