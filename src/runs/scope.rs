//! What a run's expressions see: its parameters, the outputs of its steps, itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Engine;
use super::end::error_json;
use super::record::{Pinned, Record, StepState, Trigger};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::operations::Scope;

/// Outputs by step id, read once.
pub(super) type Outputs = BTreeMap<String, Value>;

impl Engine {
    /// Reads the outputs that the run has and `outputs` lacks.
    pub(super) async fn load_outputs(
        &self,
        record: &Record,
        outputs: &mut Outputs,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        for step in &record.steps {
            let Some(reference) = &step.output_ref else { continue };
            if !outputs.contains_key(&step.id) {
                outputs.insert(step.id.clone(), self.output(&record.run, reference, deadline).await?);
            }
        }
        Ok(())
    }
}

/// The scope at this point of the run.
pub(super) fn scope(record: &Record, pinned: &Pinned, outputs: &Outputs) -> Scope {
    Scope {
        parameters: pinned.parameters.clone(),
        steps: steps(record, outputs),
        run: run(record, pinned),
        variables: pinned.variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect(),
        item: None,
        event: Map::new(),
    }
}

/// Steps that have ended; one that was skipped is not there, which `has(steps.x)` tells.
fn steps(record: &Record, outputs: &Outputs) -> Map<String, Value> {
    let ended = record.steps.iter().filter(|step| step.state == StepState::Succeeded);
    ended.filter_map(|step| Some((step.id.clone(), outputs.get(&step.id)?.clone()))).collect()
}

fn run(record: &Record, pinned: &Pinned) -> Map<String, Value> {
    let mut run = Map::new();
    run.insert("id".into(), json!(record.run));
    run.insert("operation".into(), json!(record.operation));
    run.insert("startTime".into(), json!(pinned.created_at));
    if let Trigger::Schedule { due, .. } = &pinned.trigger {
        run.insert("dueTime".into(), json!(due));
    }
    if let Some(error) = &record.error {
        run.insert("error".into(), error_json(error));
    }
    run
}
