//! How a refresh is found again: an enhanced one by its id, a standard one in the history by its time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::wanted::STANDARD;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::power_bi::{PowerBi, Refresh, RefreshState};

/// Our clock and the service's may differ by this much.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// Entries of the history to look through.
pub(super) const HISTORY: u32 = 20;
/// A refresh that was accepted and is not in the history by then was dropped ("Enhanced refresh with the Power BI REST
/// API": of many requests at once it runs one, queues one and drops the rest, which cannot be queried).
const APPEARS_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// How a refresh is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshId {
    /// Enhanced: by the service's id.
    Enhanced(String),
    /// Standard: in the history, the first one since then that is newer than the newest one of before.
    StandardSince { since: Timestamp, newest_before: Option<String> },
}

impl RefreshId {
    /// As it stands in records and tokens: the id itself; or `since:`, the moment, and `;` and the id of the one before.
    pub fn to_text(&self) -> String {
        match self {
            Self::Enhanced(id) => id.clone(),
            Self::StandardSince { since, newest_before: None } => format!("since:{since}"),
            Self::StandardSince { since, newest_before: Some(id) } => format!("since:{since};{id}"),
        }
    }

    pub fn from_text(text: &str) -> Self {
        let standard = text.strip_prefix("since:").and_then(|rest| {
            let (since, before) = rest.split_once(';').map_or((rest, None), |(since, id)| (since, Some(id.to_owned())));
            Some(Self::StandardSince { since: since.parse().ok()?, newest_before: before })
        });
        standard.unwrap_or_else(|| Self::Enhanced(text.to_owned()))
    }

    /// What it stands at; `None` while a standard refresh has not appeared in the history.
    pub async fn look(
        &self,
        power_bi: &PowerBi,
        workspace: &str,
        dataset: &str,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Option<Refresh>, Failure> {
        match self {
            Self::Enhanced(id) => Ok(Some(power_bi.refresh(workspace, dataset, id, deadline).await?)),
            Self::StandardSince { since, .. } => {
                let history = power_bi.refreshes(workspace, dataset, HISTORY, deadline).await?;
                let found = self.among(history);
                if found.is_none() && since.duration_until(now) > APPEARS_WITHIN {
                    return Err(dropped());
                }
                Ok(found)
            }
        }
    }

    /// The one in a history, which has the newest first.
    pub(super) fn among(&self, history: Vec<Refresh>) -> Option<Refresh> {
        match self {
            Self::Enhanced(id) => history.into_iter().find(|entry| entry.refresh_id.as_deref() == Some(id)),
            Self::StandardSince { since, newest_before } => find_standard(history, *since, newest_before.as_deref()),
        }
    }
}

/// The oldest refresh through the API that began no earlier than `since`, clocks allowed to differ a little, and is newer
/// than the newest one of before.
fn find_standard(history: Vec<Refresh>, since: Timestamp, newest_before: Option<&str>) -> Option<Refresh> {
    let earliest = since - CLOCK_SKEW;
    history
        .into_iter()
        .take_while(|entry| newest_before.is_none() || entry.refresh_id.as_deref() != newest_before)
        .filter(|entry| entry.refresh_type.as_deref() == Some(STANDARD))
        .filter(|entry| entry.start_time.is_some_and(|start| start >= earliest))
        .min_by_key(|entry| entry.start_time)
}

/// The one that the service runs now. An entry that never ended is not believed for longer than a refresh
/// may take, nor when a later one has been through.
pub(super) fn running(history: &[Refresh], now: Timestamp) -> Option<&Refresh> {
    /// "The total refresh duration, including retries, can't exceed 24 hours."
    const LONGEST: SignedDuration = SignedDuration::from_hours(25);
    let later = history.iter().take_while(|entry| entry.state != RefreshState::Completed);
    later
        .filter(|entry| entry.state == RefreshState::InProgress)
        .find(|entry| entry.start_time.is_none_or(|start| start.duration_until(now) < LONGEST))
}

fn dropped() -> Failure {
    Failure::new(
        Code::RefreshDropped,
        "Power BI accepted the refresh and did not begin it: it drops refreshes when many are asked for at once. Nothing \
         was refreshed.",
    )
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::method;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::power_bi::tests::client;

    const DATASET: &str = "cfafbeb1-8037-4d0c-896e-a46fb27ff229";
    const SINCE: &str = "2026-10-05T12:00:00Z";

    fn refresh(id: &str, start: &str, state: RefreshState) -> Refresh {
        Refresh {
            refresh_id: Some(id.into()),
            refresh_type: Some(STANDARD.into()),
            state,
            start_time: start.parse().ok(),
            end_time: None,
            messages: Vec::new(),
            kind: None,
            commit_mode: None,
            objects: Vec::new(),
            attempts: Vec::new(),
        }
    }

    #[test]
    fn an_entry_that_never_ended_does_not_block_its_dataset_for_ever() {
        let now: Timestamp = SINCE.parse().unwrap();
        let (going, done) = (RefreshState::InProgress, RefreshState::Completed);
        let seen = |history: &[Refresh]| running(history, now).is_some();
        assert!(seen(&[refresh("a", "2026-10-05T07:00:00Z", going)]));
        // Refused at once, while the other went on.
        let refused = refresh("b", "2026-10-05T08:00:00Z", RefreshState::Failed);
        assert!(seen(&[refused, refresh("a", "2026-10-05T07:00:00Z", going)]));
        assert!(!seen(&[refresh("b", "2026-10-05T08:00:00Z", done), refresh("a", "2026-10-05T07:00:00Z", going)]));
        assert!(!seen(&[refresh("a", "2026-10-04T07:00:00Z", going)]));
        assert!(!seen(&[refresh("b", "2026-10-05T08:00:00Z", done)]));
    }

    #[tokio::test]
    async fn a_standard_refresh_that_never_shows_was_dropped() {
        let server = MockServer::start().await;
        let empty = ResponseTemplate::new(200).set_body_json(serde_json::json!({"value": []}));
        Mock::given(method("GET")).respond_with(empty).mount(&server).await;
        let power_bi = client(&server);
        let look = async |minutes| {
            let now: Timestamp = SINCE.parse().unwrap();
            let since = now - SignedDuration::from_mins(minutes);
            let id = RefreshId::StandardSince { since, newest_before: None };
            id.look(&power_bi, "me", DATASET, now, Deadline::after(Duration::from_secs(20))).await
        };
        assert!(look(9).await.expect("it may still come").is_none());
        assert_eq!(look(11).await.expect_err("it does not come").code, Code::RefreshDropped);
    }

    #[test]
    fn a_standard_refresh_is_not_taken_for_one_of_before() {
        let id = RefreshId::from_text(&format!("since:{SINCE};before"));
        let found = id.among(vec![
            refresh("later", "2026-10-05T12:10:00Z", RefreshState::InProgress),
            refresh("ours", "2026-10-05T11:59:58Z", RefreshState::Completed),
            refresh("before", "2026-10-05T11:59:57Z", RefreshState::Completed),
        ]);
        assert_eq!(found.and_then(|found| found.refresh_id).as_deref(), Some("ours"));
        assert_eq!(id.to_text(), format!("since:{SINCE};before"));
    }
}
