//! What went wrong, in words that know nothing of HTTP: a code, a message for outside, context for the log.
//!
//! Every room below `triggers` fails with a [`Failure`]. The status it becomes is chosen in `triggers/problem.rs`
//! and nowhere else. What may not live here: statuses, headers, and anything that talks to a neighbour.

mod code;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use code::Code;

/// Whether a side effect may have happened when a call failed.
///
/// The engine and the claims decide by this alone: after [`Effect::Possible`] nothing is sent again blindly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Known not to have happened: refused, or never sent.
    None,
    /// The neighbour may have acted: the reply was lost, cut or made no sense.
    Possible,
}

/// The neighbour that refused, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// `databricks`, `power-bi`, `key-vault`, `entra`, `service-bus`, `ledger`.
    pub service: String,
    /// HTTP status of its answer, when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Its own error code, such as `BAD_REQUEST` or `PowerBIEntityNotFound`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The id under which its support finds the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Rows that cannot be written: how many, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRows {
    pub count: u64,
    pub first: Vec<FailedRow>,
}

/// What is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRow {
    /// From 1.
    pub row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    pub message: String,
}

/// Tasks of a job run that failed: how many, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTasks {
    pub count: usize,
    pub first: Vec<FailedTask>,
}

/// How one task failed, in Databricks' words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedTask {
    pub task_key: String,
    pub run_id: String,
    /// `FAILED`, `TIMEDOUT`, `UPSTREAM_FAILED`, …
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The error was longer than what stands here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub error_cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_trace: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub error_trace_cut: bool,
}

/// Items of a step that failed: how many, and the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedItems {
    pub count: usize,
    pub first: Vec<FailedItem>,
}

/// How one item failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedItem {
    /// From 0.
    pub index: usize,
    pub run_id: String,
    pub code: Code,
    pub message: String,
}

/// A failure: `detail` is for the caller, `source` for the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub code: Code,
    /// What the caller reads: what happened and what to do. Never a secret, never an internal address.
    pub detail: String,
    pub effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// SQLSTATE of a failed statement, five characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_state: Option<String>,
    /// Databricks error class, such as `TABLE_OR_VIEW_NOT_FOUND`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The step that failed, by its id in the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// When it is worth trying again, in whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The work itself has ended, for good: whatever the code, no caller should send it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Where in the caller's body or file the fault is, such as `parameters.day`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The caller's rows that are at fault, when that is what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_rows: Option<Box<FailedRows>>,
    /// The tasks of a job run that failed, when that is what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_tasks: Option<Box<FailedTasks>>,
    /// The items of a step that failed, when that is what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_items: Option<Box<FailedItems>>,
    /// What the user's next token must say, as Entra put it: JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_challenge: Option<String>,
    /// The cause, for the log only.
    #[serde(skip)]
    pub source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Failure {
    /// A failure that certainly had no effect.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            effect: Effect::None,
            upstream: None,
            sql_state: None,
            error_class: None,
            run_id: None,
            step: None,
            retry_after_seconds: None,
            settled: false,
            place: None,
            failed_rows: None,
            failed_tasks: None,
            failed_items: None,
            claims_challenge: None,
            source: None,
        }
    }

    /// A neighbour, or what lets us in there, is away for a while or waits for its operator: nothing was refused for good.
    pub fn is_away(&self) -> bool {
        matches!(
            self.code,
            Code::UpstreamThrottled
                | Code::UpstreamUnavailable
                | Code::UpstreamTimeout
                | Code::IdentityUnavailable
                | Code::SignInNeeded
                | Code::SecretUnavailable
                | Code::SecretNotValid
                | Code::KeyVaultUnavailable
                | Code::EntraScopeInvalid
                | Code::LedgerUnavailable
        )
    }

    /// The same failure, as the end of work that is not to be sent again.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.settled = true;
        self
    }

    /// The same failure, after which a side effect may have happened.
    #[must_use]
    pub fn effect_possible(mut self) -> Self {
        self.effect = Effect::Possible;
        self
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    #[must_use]
    pub fn from_upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = Some(upstream);
        self
    }

    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    #[must_use]
    pub fn in_step(mut self, step: impl Into<String>) -> Self {
        self.step = Some(step.into());
        self
    }

    #[must_use]
    pub fn in_run(mut self, run_id: impl Into<String>) -> Self {
        self.run_id = Some(run_id.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after_seconds = Some(after.as_secs() + u64::from(after.subsec_nanos() > 0));
        self
    }

    /// The whole chain of causes on one line, for the log.
    pub fn chain(&self) -> String {
        let mut line = self.detail.clone();
        let mut cause: Option<&(dyn StdError + 'static)> = self.source.as_deref().map(|source| source as _);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
