//! Work that others own, followed to its end: looking has no effect, and what is seen is what the status of that work
//! answers. No file declares it: see `operations::followed`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::job_view::{job_run_head, job_run_json};
use super::{InHand, Kind, Neighbours, Polled, Prepared, Recovery, RefreshId, Sent, from_inputs, to_inputs};
use super::{refresh_json, refresh_outcome};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};

/// A longer result is not kept; who is told of it fetches it.
const MOST_KEPT: usize = 192 * 1024;

/// What is followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Followed {
    /// A job run; with `repair` as of that repair of it.
    JobRun {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repair: Option<String>,
        /// Where a result is that is too long.
        result_url: String,
    },
    /// A refresh, by what finds it ([`RefreshId::to_text`]).
    Refresh { workspace: String, dataset: String, id: String },
    /// A run of ours, as the engine names one that a step follows.
    Run { upstream_id: String },
}

impl Followed {
    /// As the parameters of its run.
    pub fn parameters(&self) -> Result<Map<String, Value>, Failure> {
        Ok(to_inputs(self)?.as_object().cloned().unwrap_or_default())
    }
}

pub(super) struct Follow;

#[async_trait]
impl Kind for Follow {
    fn prepare(&self, _: &StepKind, scope: &Scope, _: &Neighbours) -> Result<Prepared, Failure> {
        Ok(Prepared { inputs: Value::Object(scope.parameters.clone()), effect: false })
    }

    async fn send(&self, _: &Neighbours, inputs: &Value, _: InHand, _: &str, _: Deadline) -> Result<Sent, Failure> {
        let upstream_id = match from_inputs(inputs)? {
            Followed::JobRun { id, .. } | Followed::Refresh { id, .. } => id,
            Followed::Run { upstream_id } => upstream_id,
        };
        Ok(Sent::Submitted { upstream_id })
    }

    fn recovery(&self, _: &Value) -> Recovery {
        Recovery::SendAgain
    }

    async fn poll(&self, at: &Neighbours, inputs: &Value, _: &str, deadline: Deadline) -> Result<Polled, Failure> {
        match from_inputs(inputs)? {
            Followed::JobRun { id, repair, result_url } => {
                let run = at.databricks.job_run_or_repair(&id, repair.as_deref(), deadline).await?;
                if at.databricks.job_outcome(&run, deadline).await?.is_none() {
                    return Ok(Polled::Running);
                }
                let outputs = at.databricks.job_outputs(&run, deadline).await?;
                let mut output = job_run_json(&run, &outputs);
                if output.to_string().len() > MOST_KEPT {
                    output = job_run_head(&run);
                    output["resultUrl"] = json!(result_url);
                }
                if let Some(repair) = repair {
                    output["repairId"] = json!(repair);
                }
                Ok(Polled::Done { output })
            }
            Followed::Refresh { workspace, dataset, id } => {
                let id = RefreshId::from_text(&id);
                let found = id.look(&at.power_bi, &workspace, &dataset, at.clock.now(), deadline).await?;
                let Some(refresh) = found else { return Ok(Polled::Running) };
                Ok(match refresh_outcome(&refresh)? {
                    None => Polled::Running,
                    Some(()) => Polled::Done { output: refresh_json(Some(&refresh), false) },
                })
            }
            // The engine looks at its own runs itself.
            Followed::Run { .. } => Err(Failure::new(Code::Internal, "A run was looked for at a neighbour.")),
        }
    }

    /// It is not ours to stop: whoever started it can.
    async fn cancel(&self, _: &Neighbours, _: &Value, _: &str, _: Deadline) -> Result<(), Failure> {
        Err(Failure::new(Code::NotCancellable, "The work goes on; it is stopped where it was started."))
    }
}
