//! A vault that has said 429 is left alone, by every secret's readers, until the moment it names. Its limits are those of
//! the whole vault (learn.microsoft.com, "Azure Key Vault service limits" and "throttling guidance").

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::entra::SdkFailure;
use crate::failure::{Code, Failure, Upstream};
use crate::http::Deadline;

/// What a 429 that names no time asks for: the first pause of the guidance.
const UNTOLD: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// Until when nobody asks; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Quiet(Arc<Mutex<Option<Instant>>>);

impl Quiet {
    /// Waits until the vault may be asked; a failure when that is after `deadline`.
    pub(super) async fn wait(&self, name: &str, deadline: Deadline) -> Result<(), Failure> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = until.filter(|until| *until > Instant::now()) else { return Ok(()) };
        if until < deadline.instant() {
            tokio::time::sleep_until(until).await;
            return Ok(());
        }
        let detail = format!("Key Vault is limiting how often it is asked, so the secret {name} was not asked for.");
        let upstream = Upstream { service: "key-vault".to_owned(), status: Some(429), code: None, request_id: None };
        let after = until.saturating_duration_since(Instant::now());
        Err(Failure::new(Code::KeyVaultUnavailable, detail).from_upstream(upstream).retry_after(after))
    }

    pub(super) fn heard(&self, error: &SdkFailure) {
        if error.answered() == Some(429) {
            let pause = error.retry_after().unwrap_or(UNTOLD).min(LONGEST);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + pause);
        }
    }
}
