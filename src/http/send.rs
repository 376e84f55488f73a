//! Sending with the allowance of the kind. (Contract; the retry loop is written in this file.)

use std::time::Duration;

use super::{Deadline, HttpError, Outbound, Reply, RequestKind};

/// The transport and the retry rule; cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    pub(crate) client: reqwest::Client,
}

impl Http {
    /// Sends `request` as often as `kind` allows before `deadline`.
    ///
    /// Any HTTP status is an `Ok`; 429 and 503 come back only when the allowance is used up.
    pub async fn send(&self, _kind: RequestKind, _request: Outbound, _deadline: Deadline) -> Result<Reply, HttpError> {
        unimplemented!("{:?}", self.client)
    }
}

/// Reads `Retry-After`: whole seconds, or an HTTP date.
pub(super) fn retry_after(_value: &str) -> Option<Duration> {
    None
}
