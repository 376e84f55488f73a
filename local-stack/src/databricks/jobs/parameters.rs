//! The parameters that runs take: job parameters, and the legacy ones for each kind of task with their limits.

use std::collections::BTreeMap;

use axum::body::Body;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::definition::JobDefinition;
use crate::databricks::reply::invalid;

/// Bytes of a legacy parameter's JSON (SDK, run_now).
const LEGACY_BYTES: usize = 10_000;

/// The parameters that job parameters replace (SDK, RunParameters).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Legacy {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) dbt_commands: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) jar_params: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) notebook_params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pipeline_params: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) python_named_params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) python_params: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) spark_submit_params: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) sql_params: BTreeMap<String, String>,
}

impl Legacy {
    /// As `overriding_parameters` of a run; None when there are none.
    pub(super) fn shown(&self) -> Option<Value> {
        serde_json::to_value(self).ok().filter(|shown| shown.as_object().is_some_and(|members| !members.is_empty()))
    }

    /// The rules of SDK, run_now. The service's words were not found in public material.
    pub(super) fn check(&self) -> Result<(), Response<Body>> {
        if !self.notebook_params.is_empty() && !self.jar_params.is_empty() {
            return Err(invalid("notebook_params and jar_params cannot be specified together."));
        }
        if let Some(Value::Object(members)) = self.shown() {
            for (name, value) in members {
                if json!({name.as_str(): value}).to_string().len() > LEGACY_BYTES {
                    let message = format!("The JSON representation of {name} cannot exceed {LEGACY_BYTES} bytes.");
                    return Err(invalid(&message));
                }
            }
        }
        for (name, values) in
            [("python_params", &self.python_params), ("spark_submit_params", &self.spark_submit_params)]
        {
            if !values.iter().all(|value| value.is_ascii()) {
                return Err(invalid(&format!("{name} accepts only ASCII characters.")));
            }
        }
        if self.dbt_commands.len() > 10 || !self.dbt_commands.iter().all(|command| command.starts_with("dbt")) {
            return Err(invalid("dbt_commands takes at most 10 commands, which begin with dbt."));
        }
        Ok(())
    }
}

/// The performance targets of SDK, PerformanceTarget.
pub(super) fn check_target(target: Option<&str>, duration: Option<&str>) -> Result<(), Response<Body>> {
    match (target, duration) {
        (None | Some("PERFORMANCE_OPTIMIZED" | "STANDARD"), None)
        | (Some("COST_OPTIMIZED"), Some("NO_FLEXIBILITY" | "4h" | "12h" | "24h" | "72h")) => Ok(()),
        (Some("COST_OPTIMIZED"), _) => {
            Err(invalid("COST_OPTIMIZED needs a duration_target: NO_FLEXIBILITY, 4h, 12h, 24h or 72h."))
        }
        (_, Some(_)) => Err(invalid("duration_target goes with COST_OPTIMIZED alone.")),
        (Some(other), None) => Err(invalid(&format!("{other} is not a valid performance target."))),
    }
}

/// The job's parameters with their defaults and what was given. A name that the job does not define is taken as well
/// (databricks/cli, libs/testserver/jobs.go).
pub(super) fn effective(job: &JobDefinition, given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let defaults = job.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone()));
    let mut all: BTreeMap<String, String> = defaults.collect();
    all.extend(given);
    all
}
