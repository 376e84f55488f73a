//! What Databricks refuses, decoded from every shape its bodies take (reference: databricks.md section 4).

use crate::failure::{Code, Effect, Failure};

/// A call that did not succeed. (Contract; the variants are written here.)
#[derive(Debug, thiserror::Error)]
pub enum DatabricksError {
    #[error("{0}")]
    Failure(#[from] Failure),
}

impl DatabricksError {
    /// Whether the call may have acted.
    pub fn effect(&self) -> Effect {
        Effect::Possible
    }
}

impl From<DatabricksError> for Failure {
    fn from(error: DatabricksError) -> Self {
        Self::new(Code::DatabricksRefused, error.to_string())
    }
}
