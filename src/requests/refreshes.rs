//! Power BI refreshes: start and wait, look, cancel. Without an enhanced field it is a standard refresh.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::{Going, done};
use super::claim::{Claimant, Claimed, Ours};
use super::token::Target;
use super::{Answer, Call, Mode, Requests};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::power_bi::{Refresh, RefreshObject, RefreshRequest};
use crate::steps::{Recovery, RefreshId, refresh_json, refresh_outcome};

/// Entries of the history that are looked through for a standard refresh's id.
const HISTORY: u32 = 60;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tables: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    partitions: Vec<RefreshObject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_parallelism: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apply_refresh_policy: Option<bool>,
}

impl Body {
    fn request(self) -> RefreshRequest {
        let tables = self.tables.into_iter().map(|table| RefreshObject { table, partition: None });
        RefreshRequest {
            kind: self.kind,
            commit_mode: self.commit_mode,
            max_parallelism: self.max_parallelism,
            retry_count: self.retry_count,
            timeout: self.timeout,
            apply_refresh_policy: self.apply_refresh_policy,
            objects: tables.chain(self.partitions).collect(),
        }
    }
}

impl Requests {
    /// `POST /api/power-bi/workspaces/{w}/datasets/{d}/refreshes`.
    pub async fn start_refresh(&self, call: &Call, w: &str, d: &str, body: Bytes) -> Result<Answer, Failure> {
        let wait = super::wait_of(call)?;
        let signer = self.signer(call.deadline).await?;
        let target = format!("{w}/{d}");
        let claimant =
            Claimant { call, route: "refreshes", target: &target, body: &body, recovery: |_| Recovery::Unknown };
        let inputs = super::body::inputs(&body, |body: Body| super::to_value(&body))?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let sent = self.send_refresh(w, d, &ours).await;
                self.had(ours, call, sent).await?
            }
        };
        let text = effected.upstream.as_str().unwrap_or_default();
        let seen = if call.mode == Mode::Start { None } else { self.wait_for_refresh(w, d, text, wait).await };
        if let Some(refresh) = &seen
            && refresh_outcome(refresh).map_err(Failure::settled)?.is_some()
        {
            return Ok(Answer { replayed: effected.replayed, ..done(&refresh_json(Some(refresh), false)) });
        }
        let id = match RefreshId::from_text(text) {
            RefreshId::Enhanced(id) => Some(id),
            RefreshId::StandardSince { .. } => seen.and_then(|refresh| refresh.refresh_id),
        };
        let path = format!("/api/power-bi/workspaces/{w}/datasets/{d}/refreshes");
        let going = Going {
            state: "inProgress",
            resource: id.as_ref().map_or_else(|| path.clone(), |id| format!("{path}/{id}")),
            id: json!(id),
            target: Target::Refresh { w: w.to_owned(), d: d.to_owned(), id: text.to_owned() },
            replayed: effected.replayed,
        };
        self.going(call, &signer, going, call.mode == Mode::Start)
    }

    async fn send_refresh(&self, w: &str, d: &str, ours: &Ours) -> Result<Value, Failure> {
        let request = super::from_value::<Body>(&ours.inputs)?.request();
        let id = RefreshId::start(&self.0.neighbours.power_bi, w, d, &request, ours.window).await?;
        Ok(json!(id.to_text()))
    }

    /// `GET …/refreshes`: the history, newest first.
    pub async fn list_refreshes(&self, call: &Call, w: &str, d: &str) -> Result<Answer, Failure> {
        let history = self.0.neighbours.power_bi.refreshes(w, d, HISTORY, call.deadline).await?;
        let value: Vec<Value> = history.iter().map(view).collect();
        Ok(done(&json!({"value": value})))
    }

    /// `GET …/refreshes/{id}`: always 200 with the state. A standard refresh is found in the history.
    pub async fn get_refresh(&self, call: &Call, w: &str, d: &str, id: &str) -> Result<Answer, Failure> {
        Ok(done(&view(&self.find_refresh(call, w, d, id).await?)))
    }

    /// `DELETE …/refreshes/{id}`: only an enhanced refresh can be cancelled.
    pub async fn cancel_refresh(&self, call: &Call, w: &str, d: &str, id: &str) -> Result<Answer, Failure> {
        let refresh = self.find_refresh(call, w, d, id).await?;
        if refresh.refresh_type.as_deref() == Some("ViaApi") {
            return Err(Failure::new(
                Code::NotCancellable,
                "This is a standard refresh, which Power BI cannot cancel; only an enhanced one can be.",
            ));
        }
        self.0.neighbours.power_bi.cancel_refresh(w, d, id, call.deadline).await?;
        Ok(done(&refresh_json(Some(&self.find_refresh(call, w, d, id).await?), false)))
    }

    async fn find_refresh(&self, call: &Call, w: &str, d: &str, id: &str) -> Result<Refresh, Failure> {
        let history = self.0.neighbours.power_bi.refreshes(w, d, HISTORY, call.deadline).await?;
        let found = history.into_iter().find(|entry| entry.refresh_id.as_deref() == Some(id));
        match found {
            Some(standard) if standard.refresh_type.as_deref() == Some("ViaApi") => Ok(standard),
            _ => Ok(self.0.neighbours.power_bi.refresh(w, d, id, call.deadline).await?),
        }
    }

    /// What the refresh stands at when it has ended or the wait is over; `None` when it could not be seen.
    async fn wait_for_refresh(&self, w: &str, d: &str, text: &str, wait: Deadline) -> Option<Refresh> {
        let id = RefreshId::from_text(text);
        let mut pause = Duration::from_millis(250);
        let mut seen = None;
        loop {
            match id.look(&self.0.neighbours.power_bi, w, d, super::looking(wait)).await {
                Ok(Some(refresh)) if refresh_outcome(&refresh).is_ok_and(|ended| ended.is_none()) => {
                    seen = Some(refresh);
                }
                Ok(Some(ended)) => return Some(ended),
                Ok(None) => {}
                Err(failure) => tracing::warn!(error = failure.chain(), "could not look at the refresh"),
            }
            if wait.remaining() <= pause {
                return seen;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(10));
        }
    }
}

/// What a status token of a refresh says.
pub(super) fn status_value(refresh: Option<&Refresh>) -> Result<Option<Value>, Failure> {
    let Some(refresh) = refresh else { return Ok(None) };
    Ok(refresh_outcome(refresh)?.map(|()| refresh_json(Some(refresh), false)))
}

/// A refresh as it stands, its failure included.
fn view(refresh: &Refresh) -> Value {
    let mut value = refresh_json(Some(refresh), false);
    value["type"] = json!(refresh.refresh_type);
    if let Err(failure) = refresh_outcome(refresh) {
        value["error"] = json!({"code": failure.code, "message": failure.detail});
    }
    value
}
