//! Neighbours that are away: which failures say so, and trying again until near the deadline. To abandon a message has no delay,
//! and ten deliveries would burn in a second.

use std::time::Duration;

use crate::failure::{Code, Failure};
use crate::http::Deadline;

/// Kept back from an invocation's deadline, to tell the host that it failed.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);

/// Tries again while the ledger or the queue is away.
pub(super) async fn insist<T, F>(deadline: Deadline, attempt: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pause = Duration::from_secs(1);
    loop {
        match attempt().await {
            Err(failure) if may_pass(&failure) && deadline.remaining() > pause + LAST_WORDS => {
                tracing::warn!(error = failure.chain(), pause_ms = pause.as_millis(), "waiting for a neighbour");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(15));
            }
            other => return other,
        }
    }
}

/// An outage, or a setting that an operator will mend: messages wait through both.
fn may_pass(failure: &Failure) -> bool {
    is_outage(failure) || failure.code == Code::Misconfigured
}

/// A neighbour is away, as opposed to having refused.
pub(super) fn is_outage(failure: &Failure) -> bool {
    failure.is_away() || failure.code == Code::RefreshThrottled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    #[test]
    fn what_is_kept_back_from_an_invocation_leaves_it_time_beside_the_window_to_send() {
        assert!(settings::Runs::BESIDE_THE_WINDOW > LAST_WORDS);
    }
}
