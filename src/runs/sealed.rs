//! What of a run stands in the ledger only sealed: its sensitive parameters, and of an operation that has any what its
//! steps are sent. In memory a worker has both in clear; every record that it appends has neither.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::Engine;
use super::record::{Pinned, Record};
use crate::failure::Failure;
use crate::http::{Deadline, Scrub};
use crate::operations::Operation;
use crate::sealing::is_sealed;

/// The one member of what stands for sealed inputs; no kind of step has one of this name.
const SEALED: &str = "$sealed";

impl Engine {
    /// Seals the sensitive ones of checked parameters, for record 0 of `run`.
    pub(super) async fn seal_parameters(
        &self,
        operation: &Operation,
        run: &str,
        mut parameters: Map<String, Value>,
        deadline: Deadline,
    ) -> Result<Map<String, Value>, Failure> {
        let names = operation.sensitive();
        if names.is_empty() {
            return Ok(parameters);
        }
        let sealing = self.sealer.sealing(deadline).await?;
        for name in names {
            if let Some(value) = parameters.get_mut(&name) {
                *value = Value::String(sealing.seal(&place_of_parameter(run, &name), value)?);
            }
        }
        Ok(parameters)
    }

    /// Opens them, for a worker; and what must not be told of them.
    pub(super) async fn open_parameters(
        &self,
        run: &str,
        pinned: &mut Pinned,
        deadline: Deadline,
    ) -> Result<Scrub, Failure> {
        for name in &pinned.sensitive {
            let Some(value) = pinned.parameters.get_mut(name) else { continue };
            // What became sensitive only with a later definition stands as it was given.
            let Some(sealed) = value.as_str().filter(|text| is_sealed(text)) else { continue };
            *value = self.sealer.open(&place_of_parameter(run, name), sealed, deadline).await?;
        }
        Ok(Scrub::of(pinned.sensitive.iter().filter_map(|name| pinned.parameters.get(name))))
    }

    /// Opens what the steps of a record were sent, for a worker.
    pub(super) async fn open_inputs(&self, record: &mut Record, deadline: Deadline) -> Result<(), Failure> {
        let run = record.run.clone();
        for step in &mut record.steps {
            let sealed = step.rendered_inputs.as_ref().and_then(|inputs| inputs.get(SEALED)).and_then(Value::as_str);
            let Some(sealed) = sealed else { continue };
            let opened = self.sealer.open(&place_of_inputs(&run, &step.id), sealed, deadline).await?;
            step.rendered_inputs = Some(opened);
        }
        Ok(())
    }

    /// The record as it may stand in the ledger.
    pub(super) async fn as_kept<'a>(&self, record: &'a Record, deadline: Deadline) -> Result<Cow<'a, Record>, Failure> {
        if !record.sealing {
            return Ok(Cow::Borrowed(record));
        }
        let sealing = self.sealer.sealing(deadline).await?;
        let mut kept = record.clone();
        for step in &mut kept.steps {
            if let Some(inputs) = step.rendered_inputs.as_mut().filter(|inputs| inputs.get(SEALED).is_none()) {
                *inputs = json!({SEALED: sealing.seal(&place_of_inputs(&record.run, &step.id), inputs)?});
            }
        }
        Ok(Cow::Owned(kept))
    }
}

fn place_of_parameter(run: &str, name: &str) -> String {
    format!("runs/{run}/parameters/{name}")
}

fn place_of_inputs(run: &str, step: &str) -> String {
    format!("runs/{run}/steps/{step}")
}
