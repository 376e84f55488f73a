//! Refreshes, standard and enhanced: start, list, get, cancel.

use serde::{Deserialize, Serialize};

use super::{PowerBi, PowerBiError};
use crate::http::Deadline;

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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<RefreshObject>,
}

impl RefreshRequest {
    pub fn is_enhanced(&self) -> bool {
        *self != Self::default()
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
}

impl PowerBi {
    /// `workspace` is a group id, or `me` for My Workspace.
    pub async fn start_refresh(
        &self,
        _workspace: &str,
        _dataset: &str,
        _request: &RefreshRequest,
        _deadline: Deadline,
    ) -> Result<Started, PowerBiError> {
        unimplemented!()
    }

    /// The newest entries of the history, newest first.
    pub async fn refreshes(
        &self,
        _workspace: &str,
        _dataset: &str,
        _top: u32,
        _deadline: Deadline,
    ) -> Result<Vec<Refresh>, PowerBiError> {
        unimplemented!()
    }

    /// One enhanced refresh.
    pub async fn refresh(
        &self,
        _workspace: &str,
        _dataset: &str,
        _refresh_id: &str,
        _deadline: Deadline,
    ) -> Result<Refresh, PowerBiError> {
        unimplemented!()
    }

    pub async fn cancel_refresh(
        &self,
        _workspace: &str,
        _dataset: &str,
        _refresh_id: &str,
        _deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        unimplemented!()
    }
}
