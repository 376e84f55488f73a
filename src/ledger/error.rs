//! How the ledger fails. Always before the effect it was to record.

use crate::failure::{Code, Failure};

/// The ledger did not answer, or not in time.
#[derive(Debug, thiserror::Error)]
#[error("the ledger could not {action} {path}")]
pub struct LedgerError {
    pub action: &'static str,
    pub path: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::new(
            Code::LedgerUnavailable,
            "Causeway cannot reach its ledger, so it did nothing. Try again shortly.",
        )
        .retry_after(std::time::Duration::from_secs(10))
        .caused_by(error)
    }
}
