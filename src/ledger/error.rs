//! How the ledger fails. Always before the effect it was to record.

use std::time::Duration;

use crate::failure::{Code, Failure, Upstream};

/// The ledger did not answer, or not in time.
#[derive(Debug, thiserror::Error)]
#[error("the ledger could not {action} {path}")]
pub struct LedgerError {
    pub action: &'static str,
    pub path: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl LedgerError {
    pub(super) fn new(
        action: &'static str,
        path: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { action, path: path.to_owned(), source: Some(source.into()) }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::new(Code::LedgerUnavailable, "Causeway cannot reach its ledger, so it did nothing. Try again shortly.")
            .retry_after(Duration::from_secs(10))
            .from_upstream(Upstream { service: "ledger".to_owned(), status: None, code: None, request_id: None })
            .caused_by(error)
    }
}
