//! `refresh`: one refresh of a dataset, to its end. A standard refresh has no id; it is found in the history by its time.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Kind, Neighbours, Polled, Prepared, Recovery, Sent, expression_failed, from_inputs, mismatched, to_inputs,
};
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::operations::{Scope, StepKind};
use crate::power_bi::{PowerBi, Refresh as PowerBiRefresh, RefreshObject, RefreshRequest, RefreshState};

/// Our clock and the service's may differ by this much.
const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// Entries of the history to look through.
const HISTORY: u32 = 20;
/// How soon a dataset that is being refreshed is tried again.
const BUSY_PAUSE: Duration = Duration::from_secs(15);

pub(super) struct Refresh;

#[derive(Debug, Serialize, Deserialize)]
struct Inputs {
    workspace: String,
    dataset: String,
    request: RefreshRequest,
}

/// How a refresh is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshId {
    /// Enhanced: by the service's id.
    Enhanced(String),
    /// Standard: in the history, the first one since then that is newer than the newest one of before.
    StandardSince { since: Timestamp, newest_before: Option<String> },
}

impl RefreshId {
    /// Starts a refresh, and tells how it is found again.
    pub async fn start(
        power_bi: &PowerBi,
        workspace: &str,
        dataset: &str,
        request: &RefreshRequest,
        deadline: Deadline,
    ) -> Result<Self, Failure> {
        // Clocks differ: without this look a short refresh that ended just now would be taken for ours.
        let newest_before = if request.is_enhanced() {
            None
        } else {
            let newest = power_bi.refreshes(workspace, dataset, 1, deadline).await?;
            newest.into_iter().next().and_then(|refresh| refresh.refresh_id)
        };
        let since = Timestamp::now();
        let started = power_bi.start_refresh(workspace, dataset, request, deadline).await?;
        Ok(match started.refresh_id {
            Some(id) => Self::Enhanced(id),
            None => Self::StandardSince { since, newest_before },
        })
    }

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
        deadline: Deadline,
    ) -> Result<Option<PowerBiRefresh>, Failure> {
        match self {
            Self::Enhanced(id) => Ok(Some(power_bi.refresh(workspace, dataset, id, deadline).await?)),
            Self::StandardSince { since, newest_before } => {
                let history = power_bi.refreshes(workspace, dataset, HISTORY, deadline).await?;
                Ok(find_standard(history, *since, newest_before.as_deref()))
            }
        }
    }
}

/// The oldest refresh through the API that began no earlier than `since`, clocks allowed to differ a little, and is newer
/// than the newest one of before. The history has the newest first.
fn find_standard(
    history: Vec<PowerBiRefresh>,
    since: Timestamp,
    newest_before: Option<&str>,
) -> Option<PowerBiRefresh> {
    let earliest = since - CLOCK_SKEW;
    history
        .into_iter()
        .take_while(|entry| newest_before.is_none() || entry.refresh_id.as_deref() != newest_before)
        .filter(|entry| entry.refresh_type.as_deref() == Some("ViaApi"))
        .filter(|entry| entry.start_time.is_some_and(|start| start >= earliest))
        .min_by_key(|entry| entry.start_time)
}

#[async_trait]
impl Kind for Refresh {
    fn prepare(&self, step: &StepKind, scope: &Scope, _neighbours: &Neighbours) -> Result<Prepared, Failure> {
        let StepKind::Refresh(step) = step else { return Err(mismatched()) };
        let mut request: RefreshRequest = serde_json::from_value(Value::Object(step.options.clone()))
            .map_err(|error| Failure::new(Code::BodyInvalid, format!("The refresh's options are wrong: {error}.")))?;
        if let Some(tables) = &step.tables {
            let tables = tables.render(scope).map_err(|error| expression_failed(&error))?;
            request.objects = objects(&tables)?;
        }
        let inputs = Inputs {
            workspace: step.workspace.render_text(scope).map_err(|error| expression_failed(&error))?,
            dataset: step.dataset.render_text(scope).map_err(|error| expression_failed(&error))?,
            request,
        };
        Ok(Prepared { inputs: to_inputs(&inputs)?, effect: true })
    }

    async fn send(&self, to: &Neighbours, inputs: &Value, _key: &str, deadline: Deadline) -> Result<Sent, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        match RefreshId::start(&to.power_bi, &inputs.workspace, &inputs.dataset, &inputs.request, deadline).await {
            Ok(id) => Ok(Sent::Submitted { upstream_id: id.to_text() }),
            // A refresh that began before us has not seen the new data: ours must follow it, never join it.
            Err(busy) if busy.code == Code::RefreshRunning => {
                Ok(Sent::NotYet { after: BUSY_PAUSE, because: Box::new(busy) })
            }
            Err(failure) => Err(failure),
        }
    }

    fn recovery(&self, _inputs: &Value) -> Recovery {
        Recovery::Unknown
    }

    async fn poll(
        &self,
        at: &Neighbours,
        inputs: &Value,
        upstream_id: &str,
        deadline: Deadline,
    ) -> Result<Polled, Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        let id = RefreshId::from_text(upstream_id);
        match id.look(&at.power_bi, &inputs.workspace, &inputs.dataset, deadline).await? {
            None => Ok(Polled::Running),
            Some(refresh) => match outcome(&refresh)? {
                None => Ok(Polled::Running),
                Some(()) => Ok(Polled::Done { output: refresh_json(Some(&refresh), false) }),
            },
        }
    }

    async fn cancel(
        &self,
        at: &Neighbours,
        inputs: &Value,
        upstream_id: &str,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let inputs: Inputs = from_inputs(inputs)?;
        match RefreshId::from_text(upstream_id) {
            RefreshId::Enhanced(id) => {
                Ok(at.power_bi.cancel_refresh(&inputs.workspace, &inputs.dataset, &id, deadline).await?)
            }
            RefreshId::StandardSince { .. } => Err(Failure::new(
                Code::NotCancellable,
                "A standard refresh cannot be cancelled; only an enhanced one can.",
            )),
        }
    }
}

/// `["Orders", {"table": "Sales", "partition": "2026"}]`.
fn objects(tables: &Value) -> Result<Vec<RefreshObject>, Failure> {
    let wrong =
        || Failure::new(Code::BodyInvalid, "`tables` is a list of table names, or of {table, partition}.").at("tables");
    let list = tables.as_array().ok_or_else(wrong)?;
    list.iter()
        .map(|entry| match entry {
            Value::String(table) => Ok(RefreshObject { table: table.clone(), partition: None }),
            other => RefreshObject::deserialize(other).map_err(|_| wrong()),
        })
        .collect()
}

/// Success; a failure with the service's messages; or not ended yet.
pub fn outcome(refresh: &PowerBiRefresh) -> Result<Option<()>, Failure> {
    match refresh.state {
        RefreshState::InProgress => Ok(None),
        RefreshState::Completed => Ok(Some(())),
        RefreshState::Cancelled => Err(Failure::new(Code::RefreshFailed, "The refresh was cancelled.")),
        RefreshState::Disabled => {
            Err(Failure::new(Code::RefreshFailed, "Power BI has disabled refreshing this dataset; see its settings."))
        }
        RefreshState::Failed => {
            let reasons = refresh.messages.join(" ");
            Err(Failure::new(Code::RefreshFailed, format!("The refresh failed: {reasons}")))
        }
    }
}

/// A refresh as callers and expressions see it.
pub fn refresh_json(refresh: Option<&PowerBiRefresh>, coalesced: bool) -> Value {
    json!({
        "refreshId": refresh.and_then(|refresh| refresh.refresh_id.clone()),
        "state": refresh.map_or(RefreshState::InProgress, |refresh| refresh.state),
        "startTime": refresh.and_then(|refresh| refresh.start_time),
        "endTime": refresh.and_then(|refresh| refresh.end_time),
        "coalesced": coalesced,
    })
}
