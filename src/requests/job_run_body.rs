//! What the body of a start of a job says, and what of it can be known to be wrong before anybody is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::databricks::{LegacyParameters, RunNow};
use crate::failure::{Code, Failure};
use crate::steps::parameter_texts;

/// Performance targets of a run (Databricks SDK, PerformanceTarget). COST_OPTIMIZED wants a duration besides, which the
/// job says.
const PERFORMANCE_TARGETS: [&str; 2] = ["STANDARD", "PERFORMANCE_OPTIMIZED"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    parameters: Option<BTreeMap<String, Value>>,
    only: Option<Vec<String>>,
    performance_target: Option<String>,
    queue: Option<bool>,
    notebook_params: Option<BTreeMap<String, Value>>,
    jar_params: Option<Vec<String>>,
    python_params: Option<Vec<String>>,
    python_named_params: Option<BTreeMap<String, Value>>,
    sql_params: Option<BTreeMap<String, Value>>,
    pub(super) callback_url: Option<Value>,
}

/// What is sent, as a claim keeps it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    #[serde(default)]
    pub only: Vec<String>,
    #[serde(default)]
    performance_target: Option<String>,
    #[serde(default)]
    queue: Option<bool>,
    #[serde(default)]
    legacy: LegacyParameters,
}

impl Body {
    pub(super) fn wanted(self) -> Result<Wanted, Failure> {
        let texts = |values: Option<BTreeMap<String, Value>>| parameter_texts(values.iter().flatten());
        let legacy = LegacyParameters {
            notebook_params: texts(self.notebook_params),
            jar_params: self.jar_params.unwrap_or_default(),
            python_params: self.python_params.unwrap_or_default(),
            python_named_params: texts(self.python_named_params),
            sql_params: texts(self.sql_params),
        };
        legacy.check()?;
        Ok(Wanted {
            parameters: texts(self.parameters),
            only: self.only.unwrap_or_default(),
            performance_target: known_target(self.performance_target)?,
            queue: self.queue,
            legacy,
        })
    }
}

impl Wanted {
    pub(super) fn run_now(self, job_id: String, token: &str) -> RunNow {
        RunNow {
            job_id,
            parameters: self.parameters,
            only: self.only,
            legacy: self.legacy,
            performance_target: self.performance_target,
            queue: self.queue,
            idempotency_token: token.to_owned(),
        }
    }
}

pub(super) fn known_target(target: Option<String>) -> Result<Option<String>, Failure> {
    if let Some(target) = target.as_deref().filter(|target| !PERFORMANCE_TARGETS.contains(target)) {
        let detail = format!("`performanceTarget` is {}, not {target:?}.", PERFORMANCE_TARGETS.join(" or "));
        return Err(Failure::new(Code::BodyInvalid, detail).at("performanceTarget"));
    }
    Ok(target)
}

#[cfg(test)]
mod tests;
