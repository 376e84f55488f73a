//! Refreshes, standard and enhanced: start, list, get, cancel.

use serde::{Deserialize, Serialize};
use url::Url;

use super::call::{body, is_guid};
use super::refresh_body::RefreshBody;
use super::refusal::unexpected;
use super::wire::{self, HistoryBody};
use super::{Place, PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, Reply, RequestKind};

/// The type of an enhanced refresh in the history.
const ENHANCED: &str = "ViaEnhancedApi";

/// A table, or one partition of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshObject {
    pub table: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
}

/// What to refresh. Without any field set it is a standard refresh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefreshRequest {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallelism: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<u32>,
    /// `hh:mm:ss`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_refresh_policy: Option<bool>,
    /// What stands for today in an incremental refresh policy: a date, or a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_date: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<RefreshObject>,
}

impl RefreshRequest {
    pub fn is_enhanced(&self) -> bool {
        *self != Self::default()
    }

    /// Refuses what cannot work, as `BodyInvalid` with its place.
    pub fn check(&self) -> Result<(), Failure> {
        RefreshBody::of(self).map(|_| ())
    }
}

/// Accepted: the id is known only for an enhanced refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    pub refresh_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RefreshState {
    /// `Unknown` on the wire.
    InProgress,
    Completed,
    Failed,
    Cancelled,
    Disabled,
}

/// One refresh, from the history or by its id.
#[derive(Clone, Debug)]
pub struct Refresh {
    pub refresh_id: Option<String>,
    /// `ViaApi`, `ViaEnhancedApi`, `Scheduled`, `OnDemand`, …
    pub refresh_type: Option<String>,
    pub state: RefreshState,
    pub start_time: Option<jiff::Timestamp>,
    pub end_time: Option<jiff::Timestamp>,
    /// The service's messages, from `serviceExceptionJson` or `messages`.
    pub messages: Vec<String>,
    /// What an enhanced one was asked for, where the details say it.
    pub kind: Option<String>,
    pub commit_mode: Option<String>,
    /// Tables and partitions and how far they are, where the service names them.
    pub objects: Vec<RefreshedObject>,
    pub attempts: Vec<RefreshAttempt>,
}

/// A table or partition of one refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefreshedObject {
    pub table: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// In the service's words, such as `Completed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// One try of a refresh: Power BI tries again by itself, and loads caches as an attempt of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshAttempt {
    pub attempt: Option<u32>,
    /// `Data` or `Query`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub start_time: Option<jiff::Timestamp>,
    pub end_time: Option<jiff::Timestamp>,
    pub error: Option<String>,
}

impl PowerBi {
    /// `workspace` is a group id, or `me` for My Workspace.
    ///
    /// What cannot work is refused before any call, as `BodyInvalid` with its place.
    pub async fn start_refresh(
        &self,
        workspace: &str,
        dataset: &str,
        request: &RefreshRequest,
        deadline: Deadline,
    ) -> Result<Started, PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let sent = body(&RefreshBody::of(request)?)?;
        let url = self.address_in(&place, &["refreshes"])?;
        let enhanced = request.is_enhanced();
        let subject = Subject::Start { place, enhanced };
        let kind = RequestKind::RefreshStart;
        let reply = self.call(kind, Outbound::post(url).json(sent), &subject, deadline).await?;
        if !enhanced {
            // Its id can neither be looked at nor cancelled.
            return Ok(Started { refresh_id: None });
        }
        match started_id(&reply) {
            Some(id) => Ok(Started { refresh_id: Some(id) }),
            None => Err(unexpected(&reply, kind, &subject, "no id of the refresh that was accepted")),
        }
    }

    /// The newest entries of the history, newest first.
    pub async fn refreshes(
        &self,
        workspace: &str,
        dataset: &str,
        top: u32,
        deadline: Deadline,
    ) -> Result<Vec<Refresh>, PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let mut url = self.address_in(&place, &["refreshes"])?;
        url.query_pairs_mut().append_pair("$top", &top.max(1).to_string());
        let subject = Subject::History(place);
        let history: HistoryBody = self.ask(RequestKind::RefreshGet, Outbound::get(url), &subject, deadline).await?;
        let mut found: Vec<Refresh> = history.value.into_iter().map(Refresh::from).collect();
        // As the service sends them already; nothing promises it.
        found.sort_by_key(|refresh| std::cmp::Reverse(refresh.start_time));
        Ok(found)
    }

    /// One enhanced refresh. A failed one is a success of this call: look at its state.
    pub async fn refresh(
        &self,
        workspace: &str,
        dataset: &str,
        refresh_id: &str,
        deadline: Deadline,
    ) -> Result<Refresh, PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let url = self.refresh_address(&place, refresh_id)?;
        let subject = Subject::Refresh { place, id: refresh_id.to_owned() };
        let body: wire::RefreshBody = self.ask(RequestKind::RefreshGet, Outbound::get(url), &subject, deadline).await?;
        let mut refresh = Refresh::from(body);
        // The details name neither; only enhanced refreshes have them.
        refresh.refresh_id.get_or_insert_with(|| refresh_id.to_owned());
        refresh.refresh_type.get_or_insert_with(|| ENHANCED.to_owned());
        Ok(refresh)
    }

    /// Cancels an enhanced refresh; one that is cancelled already is a success. For any other that has ended, and for
    /// a standard one, it is `NotCancellable`.
    pub async fn cancel_refresh(
        &self,
        workspace: &str,
        dataset: &str,
        refresh_id: &str,
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let url = self.refresh_address(&place, refresh_id)?;
        let subject = Subject::Cancel { place, id: refresh_id.to_owned() };
        let refusal = match self.call(RequestKind::RefreshCancel, Outbound::delete(url), &subject, deadline).await {
            Ok(_) => return Ok(()),
            Err(PowerBiError::Refused(refusal)) if refusal.code() == Code::NotCancellable => refusal,
            Err(error) => return Err(error),
        };
        // The words of the refusal are not documented, the states are: looking tells why.
        match self.refresh(workspace, dataset, refresh_id, deadline).await {
            Ok(refresh) => match refresh.state {
                RefreshState::Cancelled => Ok(()),
                RefreshState::InProgress => Err(PowerBiError::Refused(refusal)),
                RefreshState::Completed | RefreshState::Failed | RefreshState::Disabled => {
                    let detail = "The refresh had ended already, so there is nothing to cancel.";
                    Err(Failure::new(Code::NotCancellable, detail).caused_by(*refusal).into())
                }
            },
            Err(PowerBiError::Refused(unseen)) if unseen.code() == Code::RefreshNotFound => {
                let detail = "This is a standard refresh, which Power BI cannot cancel; only an enhanced one can be.";
                Err(Failure::new(Code::NotCancellable, detail).caused_by(*refusal).into())
            }
            Err(_) => Err(PowerBiError::Refused(refusal)),
        }
    }

    /// What is no id is not sent.
    fn refresh_address(&self, place: &Place, id: &str) -> Result<Url, PowerBiError> {
        if is_id(id) {
            return self.address_in(place, &["refreshes", id]);
        }
        Err(Failure::new(Code::RefreshNotFound, format!("There is no refresh `{id}` of {place}.")).into())
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The last segment of `Location`, else the header that repeats it ("Enhanced refresh with the Power BI REST API").
fn started_id(reply: &Reply) -> Option<String> {
    let located = reply.header("location").map(|location| {
        let path = location.split(['?', '#']).next().unwrap_or_default();
        path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    });
    let headers = ["x-ms-request-id", "requestid"].into_iter().filter_map(|name| reply.header(name));
    located.into_iter().chain(headers).find(|id| is_guid(id)).map(str::to_owned)
}
