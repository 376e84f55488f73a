//! `job`: one job run, to its end. The key becomes the `idempotency_token`, so sending again starts nothing twice.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job_view::job_run_json;
use super::{
    InHand, Kind, Neighbours, Polled, Prepared, Ready, Recovery, Sent, expression_failed, from_inputs, mismatched,
    to_inputs,
};
use crate::databricks::{LegacyParameters, RunNow};
use crate::failure::Failure;
use crate::http::Deadline;
use crate::operations::{Scope, StepKind, Template};

pub(super) struct Job;

#[derive(Debug, Serialize, Deserialize)]
struct Inputs {
    job: String,
    /// Which one that is, once it has been asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    parameters: BTreeMap<String, String>,
    only: Vec<String>,
    #[serde(default)]
    notebook_params: BTreeMap<String, String>,
    #[serde(default)]
    queue: Option<bool>,
    #[serde(default)]
    performance_target: Option<String>,
}

#[async_trait]
impl Kind for Job {
    fn prepare(&self, step: &StepKind, scope: &Scope, _neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Job(step) = step else { return Err(mismatched()) };
        let texts = |template: &Option<Template>| {
            let Some(template) = template else { return Ok(BTreeMap::new()) };
            let values = template.render(scope).map_err(|error| expression_failed(&error))?;
            Ok::<_, Failure>(parameter_texts(values.as_object().ok_or_else(mismatched)?))
        };
        let inputs = Inputs {
            job: step.job.render_text(scope).map_err(|error| expression_failed(&error))?,
            job_id: None,
            parameters: texts(&step.parameters)?,
            only: step.only.clone(),
            notebook_params: texts(&step.notebook_params)?,
            queue: step.queue,
            performance_target: step.performance_target.clone(),
        };
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: true })
    }

    async fn make_ready(&self, to: &Neighbours, inputs: &Value, _: &str, deadline: Deadline) -> Result<Ready, Failure> {
        let mut inputs: Inputs = from_inputs(inputs)?;
        to.databricks.ready(deadline).await?;
        if inputs.job_id.is_some() {
            return Ok(Ready::plain());
        }
        // On record with the intent: what is sent again goes to the same job, whatever has its name by then.
        inputs.job_id = Some(to.databricks.resolve_job(&inputs.job, deadline).await?);
        Ok(Ready::As(to_inputs(&inputs)?, InHand::default()))
    }

    async fn send(
        &self,
        to: &Neighbours,
        inputs: &Value,
        _: InHand,
        key: &str,
        deadline: Deadline,
    ) -> Result<Sent, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        let start = RunNow {
            job_id: inputs.job_id.ok_or_else(mismatched)?,
            parameters: inputs.parameters,
            only: inputs.only,
            legacy: LegacyParameters { notebook_params: inputs.notebook_params, ..LegacyParameters::default() },
            queue: inputs.queue,
            performance_target: inputs.performance_target,
            idempotency_token: key.to_owned(),
        };
        Ok(Sent::Submitted { upstream_id: to.databricks.run_now(&start, deadline).await? })
    }

    fn recovery(&self, _inputs: &Value) -> Recovery {
        Recovery::SendAgain
    }

    fn found_by_sending(&self) -> bool {
        true
    }

    async fn page(&self, at: &Neighbours, upstream_id: &str, deadline: Deadline) -> Option<String> {
        at.databricks.job_run(upstream_id, deadline).await.ok()?.run_page_url
    }

    async fn poll(&self, at: &Neighbours, _: &Value, upstream_id: &str, deadline: Deadline) -> Result<Polled, Failure> {
        let run = at.databricks.job_run(upstream_id, deadline).await?;
        if at.databricks.job_outcome(&run, deadline).await?.is_none() {
            return Ok(Polled::Running);
        }
        let outputs = at.databricks.job_outputs(&run, deadline).await?;
        Ok(Polled::Done { output: job_run_json(&run, &outputs) })
    }

    async fn cancel(&self, at: &Neighbours, _: &Value, upstream_id: &str, deadline: Deadline) -> Result<(), Failure> {
        Ok(at.databricks.cancel_job_run(upstream_id, deadline).await?)
    }
}

/// Job parameters are texts on the wire; anything else is written as JSON. Null is what flows send for an empty field: it is
/// left out, and the job's default counts.
pub fn parameter_texts<'a>(parameters: impl IntoIterator<Item = (&'a String, &'a Value)>) -> BTreeMap<String, String> {
    let given = parameters.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| (name.clone(), parameter_text(value))).collect()
}

fn parameter_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
