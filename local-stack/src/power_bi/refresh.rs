//! One refresh and its states, moved by time or by hand. What goes over the wire is `refreshes.rs`.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use super::model::Model;
use super::reply::new_id;
use super::{Clock, Service};

/// `extendedStatus` of the swagger; `status` folds the first two into `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RefreshState {
    NotStarted,
    InProgress,
    Completed,
    Failed,
    TimedOut,
    Cancelled,
    Disabled,
}

impl RefreshState {
    pub(super) fn ended(self) -> bool {
        !matches!(self, Self::NotStarted | Self::InProgress)
    }

    pub(super) fn extended(self) -> &'static str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
            Self::Cancelled => "Cancelled",
            Self::Disabled => "Disabled",
        }
    }

    pub(super) fn status(self) -> &'static str {
        match self {
            Self::NotStarted | Self::InProgress => "Unknown",
            Self::Completed => "Completed",
            Self::Failed | Self::TimedOut => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Disabled => "Disabled",
        }
    }
}

/// How a refresh is to end instead of well.
#[derive(Clone, Debug)]
pub struct FailedRefresh {
    pub state: RefreshState,
    /// `errorCode` in `serviceExceptionJson`.
    pub code: String,
    /// `errorDescription`, and the text of the message.
    pub description: String,
}

impl FailedRefresh {
    /// As a source without credentials fails (the swagger's example).
    pub fn credentials() -> Self {
        Self {
            state: RefreshState::Failed,
            code: "ModelRefreshFailed_CredentialsNotSpecified".into(),
            description: "The credentials of the data source are not specified.".into(),
        }
    }
}

/// What an enhanced refresh was asked for.
#[derive(Clone, Debug)]
pub(super) struct Enhanced {
    pub(super) kind: String,
    pub(super) commit_mode: String,
    /// Table, and the partition where one was named.
    pub(super) objects: Vec<(String, Option<String>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) request_id: String,
    /// The history's own number.
    pub(super) id: u64,
    /// `ViaApi`, `ViaEnhancedApi`, `Scheduled`, `OnDemand`.
    pub(super) kind: String,
    pub(super) state: RefreshState,
    pub(super) start: Timestamp,
    pub(super) end: Option<Timestamp>,
    /// On the clock of the limits.
    pub(super) accepted: Instant,
    pub(super) enhanced: Option<Enhanced>,
    pub(super) failure: Option<FailedRefresh>,
}

/// Adds a refresh to the dataset and lets the clock move it; its request id.
pub(super) fn begin(
    service: &Arc<Service>,
    model: &mut Model,
    dataset_id: &str,
    refresh_type: &str,
    enhanced: Option<Enhanced>,
    failure: Option<FailedRefresh>,
) -> Option<String> {
    let (accepted, clock, id) = (model.now(), model.clock, model.next_id);
    model.next_id += 1;
    let dataset = model.dataset_by_id(dataset_id)?;
    let request_id = new_id();
    let planned = dataset.failures.pop_front();
    dataset.refreshes.push(Refresh {
        request_id: request_id.clone(),
        id,
        kind: refresh_type.into(),
        state: RefreshState::NotStarted,
        start: Timestamp::now(),
        end: None,
        accepted,
        enhanced,
        failure: failure.or(planned),
    });
    if let Clock::Auto(time) = clock {
        tokio::spawn(run(Arc::downgrade(service), request_id.clone(), time));
    }
    Some(request_id)
}

pub(super) fn begin_foreign(service: &Arc<Service>, dataset: &str, refresh_type: &str) -> Option<String> {
    let mut model = service.model();
    begin(service, &mut model, dataset, refresh_type, None, None)
}

/// Lives no longer than the stand-in: it holds the service weakly and sleeps without it.
async fn run(service: Weak<Service>, request_id: String, time: Duration) {
    for share in [time / 4, time.saturating_sub(time / 4)] {
        tokio::time::sleep(share).await;
        let Some(service) = service.upgrade() else { return };
        step(&service, |refresh| refresh.request_id == request_id);
    }
}

pub(super) fn step_all(service: &Arc<Service>) {
    step(service, |_| true);
}

fn step(service: &Service, which: impl Fn(&Refresh) -> bool) {
    let mut ended = Vec::new();
    {
        let mut model = service.model();
        for workspace in &mut model.workspaces {
            for dataset in &mut workspace.datasets {
                for refresh in dataset.refreshes.iter_mut().filter(|refresh| which(refresh)) {
                    if refresh.step() {
                        ended.push(json!({
                            "workspace": workspace.id, "dataset": dataset.id, "requestId": refresh.request_id,
                            "status": refresh.state.extended(),
                        }));
                    }
                }
            }
        }
    }
    for detail in ended {
        service.history.record("powerBi", "refreshEnded", detail);
    }
}

impl Refresh {
    /// One state on; whether that was the end.
    fn step(&mut self) -> bool {
        match self.state {
            RefreshState::NotStarted => self.state = RefreshState::InProgress,
            RefreshState::InProgress => {
                self.state = self.failure.as_ref().map_or(RefreshState::Completed, |failure| failure.state);
                self.end = Some(Timestamp::now());
                return true;
            }
            _ => {}
        }
        false
    }

    /// A JSON text inside JSON, as the service has it.
    pub(super) fn exception(&self) -> Option<String> {
        let failure = self.failure.as_ref().filter(|_| self.state.ended())?;
        Some(json!({"errorCode": failure.code, "errorDescription": failure.description}).to_string())
    }
}
