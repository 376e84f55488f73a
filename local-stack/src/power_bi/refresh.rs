//! One refresh: its states, its attempts, and how it can fail. What moves it is `refreshing.rs`; what goes over the
//! wire is `refreshes.rs`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

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

/// How a refresh, or one attempt of it, is to end instead of well.
#[derive(Clone, Debug)]
pub struct FailedRefresh {
    pub state: RefreshState,
    /// `errorCode` in `serviceExceptionJson`.
    pub code: String,
    /// `errorDescription`, and the text of the message.
    pub description: String,
}

impl FailedRefresh {
    pub(super) fn new(state: RefreshState, code: &str, description: &str) -> Self {
        Self { state, code: code.into(), description: description.into() }
    }

    /// As a source without credentials fails (the swagger's example).
    pub fn credentials() -> Self {
        let description = "The credentials of the data source are not specified.";
        Self::new(RefreshState::Failed, "ModelRefreshFailed_CredentialsNotSpecified", description)
    }

    /// The model was evicted from memory: "rerun the refresh operation" ("Enhanced refresh with the Power BI REST API").
    pub fn evicted() -> Self {
        let description = "Session cancelled because it is connected to a database that has been evicted to free up \
                           memory for other operations";
        Self::new(RefreshState::Failed, "0xC11C0020", description)
    }

    /// The attempt took longer than it may. The service's own words are recorded nowhere.
    pub fn timed_out() -> Self {
        Self::new(RefreshState::TimedOut, "0xC112001E", "The refresh operation exceeded its timeout.")
    }

    /// Too many models at once; the text is that of "Troubleshooting refresh scenarios", its code is not known.
    pub fn capacity_exceeded() -> Self {
        let description = "You've exceeded the capacity limit for semantic model refreshes. Try again when fewer \
                           semantic models are being processed.";
        Self::new(RefreshState::Failed, "CapacityLimitExceeded", description)
    }

    /// "The refresh operation is disabled by a selective refresh" (swagger, `DatasetRefreshDetail`): no error.
    pub fn disabled() -> Self {
        Self::new(RefreshState::Disabled, "", "")
    }

    /// Whether `retryCount` helps.
    fn is_tried_again(&self) -> bool {
        matches!(self.state, RefreshState::Failed | RefreshState::TimedOut)
    }
}

/// What an enhanced refresh was asked for.
#[derive(Clone, Debug)]
pub(super) struct Enhanced {
    pub(super) kind: String,
    pub(super) commit_mode: String,
    pub(super) retry_count: u32,
    /// Of one attempt, where one was asked for.
    pub(super) timeout: Option<Duration>,
    /// Table, and the partition where one was named.
    pub(super) objects: Vec<(String, Option<String>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) start: Timestamp,
    pub(super) end: Option<Timestamp>,
    /// How it is to fail, or has failed.
    pub(super) failure: Option<FailedRefresh>,
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
    /// Why every attempt fails, whatever else is planned.
    pub(super) doomed: Option<FailedRefresh>,
    pub(super) attempts: Vec<Attempt>,
    /// Waits until the one before it has ended.
    pub(super) queued: bool,
}

impl Refresh {
    /// One state on; whether that was the end. A new attempt takes the next failure that is planned.
    pub(super) fn step(&mut self, planned: &mut VecDeque<FailedRefresh>) -> bool {
        match self.state {
            _ if self.queued => false,
            RefreshState::NotStarted => {
                self.state = RefreshState::InProgress;
                false
            }
            RefreshState::InProgress => self.end_attempt(planned),
            _ => false,
        }
    }

    pub(super) fn begin_attempt(&mut self, planned: &mut VecDeque<FailedRefresh>) {
        let failure = planned.pop_front();
        let failure = self.doomed.clone().or(failure);
        self.attempts.push(Attempt { start: Timestamp::now(), end: None, failure });
    }

    fn end_attempt(&mut self, planned: &mut VecDeque<FailedRefresh>) -> bool {
        let (now, tries) = (Timestamp::now(), self.attempts.len());
        let retries = self.enhanced.as_ref().map_or(0, |enhanced| enhanced.retry_count);
        let last = self.attempts.last_mut();
        let failure = last.and_then(|attempt| {
            attempt.end = Some(now);
            attempt.failure.clone()
        });
        if failure.as_ref().is_some_and(FailedRefresh::is_tried_again) && tries <= retries as usize {
            self.begin_attempt(planned);
            return false;
        }
        self.finish(failure.map_or(RefreshState::Completed, |failure| failure.state));
        true
    }

    pub(super) fn finish(&mut self, state: RefreshState) {
        (self.state, self.end) = (state, Some(Timestamp::now()));
    }

    /// Why it failed, once it has.
    pub(super) fn failure(&self) -> Option<&FailedRefresh> {
        let failed = matches!(self.state, RefreshState::Failed | RefreshState::TimedOut);
        self.attempts.last().filter(|_| failed)?.failure.as_ref()
    }
}

impl FailedRefresh {
    /// A JSON text inside JSON, as the service has it.
    pub(super) fn exception(&self) -> String {
        json!({"errorCode": self.code, "errorDescription": self.description}).to_string()
    }
}
