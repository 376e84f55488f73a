//! What Power BI refuses: error bodies of three shapes, and `x-powerbi-error-info` where the body is empty.

use crate::failure::{Code, Effect, Failure};

/// A call that did not succeed. (Contract; the variants are written here.)
#[derive(Debug, thiserror::Error)]
pub enum PowerBiError {
    #[error("{0}")]
    Failure(#[from] Failure),
}

impl PowerBiError {
    /// Whether the call may have acted.
    pub fn effect(&self) -> Effect {
        Effect::Possible
    }
}

impl From<PowerBiError> for Failure {
    fn from(error: PowerBiError) -> Self {
        Self::new(Code::PowerBiRefused, error.to_string())
    }
}
