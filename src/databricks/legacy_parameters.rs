//! Parameters of jobs that were made before job parameters, and what Databricks would refuse of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure};

/// Bytes of each kind, as JSON with its name (Databricks SDK, run_now).
const MOST_BYTES: usize = 10_000;

/// They go to the tasks of their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyParameters {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notebook_params: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jar_params: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub python_params: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub python_named_params: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sql_params: BTreeMap<String, String>,
}

impl LegacyParameters {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What Databricks would refuse (SDK, run_now).
    pub fn check(&self) -> Result<(), Failure> {
        let wrong = |place: &str, detail: String| Err(Failure::new(Code::BodyInvalid, detail).at(place));
        if !self.notebook_params.is_empty() && !self.jar_params.is_empty() {
            let detail = "`notebookParams` and `jarParams` cannot be given together; use job parameters instead.";
            return wrong("jarParams", detail.to_owned());
        }
        if let Some(index) = self.python_params.iter().position(|text| !text.is_ascii()) {
            let detail = "`pythonParams` takes ASCII characters only; use job parameters instead.".to_owned();
            return wrong(&format!("pythonParams[{index}]"), detail);
        }
        let sizes = serde_json::to_value(self).unwrap_or_default();
        for (name, value) in sizes.as_object().into_iter().flatten() {
            let bytes = serde_json::json!({name: value}).to_string().len();
            if bytes > MOST_BYTES {
                let place = place_of(name);
                let detail = format!(
                    "`{place}` is {bytes} bytes of JSON; Databricks takes {MOST_BYTES}. Put the data into a table or \
                     file and pass its name."
                );
                return wrong(place, detail);
            }
        }
        Ok(())
    }
}

/// The member of our body.
fn place_of(name: &str) -> &'static str {
    match name {
        "notebook_params" => "notebookParams",
        "jar_params" => "jarParams",
        "python_params" => "pythonParams",
        "python_named_params" => "pythonNamedParams",
        _ => "sqlParams",
    }
}
