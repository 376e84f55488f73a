//! One statement: what was asked, how far it is, what it gave. How it runs is in `drive.rs`, how it looks in `view.rs`.

use std::sync::Mutex;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::principal::Principal;
use super::rows::{Format, Rows};
use super::workspace::lock;

/// A parameter; without a value it is NULL, without a type it is a STRING.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Parameter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Undocumented: the place of its `?` in the text, from 1 (recorded).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ordinal: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) type_text: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
}

/// The body of execute (SDK, execute_statement).
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Execute {
    #[serde(default)]
    pub(super) statement: String,
    #[serde(default)]
    pub(super) warehouse_id: String,
    pub(super) catalog: Option<String>,
    pub(super) schema: Option<String>,
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
    pub(super) row_limit: Option<u64>,
    pub(super) byte_limit: Option<u64>,
    pub(super) disposition: Option<String>,
    pub(super) format: Option<String>,
    pub(super) wait_timeout: Option<String>,
    pub(super) on_wait_timeout: Option<String>,
    #[serde(default)]
    pub(super) query_tags: Vec<Tag>,
    /// Undocumented: `LZ4_FRAME` or `NONE` (recorded).
    pub(super) result_compression: Option<String>,
    /// Undocumented: a session that was opened before (recorded).
    pub(super) session_id: Option<String>,
}

/// Where a result goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    Inline,
    Links,
    /// Undocumented, and what drivers ask for: small results come as an attachment, others as links.
    Hybrid,
}

impl Execute {
    /// None for a name that the service does not know.
    pub(super) fn disposition(&self) -> Option<Disposition> {
        match self.disposition.as_deref() {
            None | Some("INLINE") => Some(Disposition::Inline),
            Some("EXTERNAL_LINKS") => Some(Disposition::Links),
            Some("INLINE_OR_EXTERNAL_LINKS") => Some(Disposition::Hybrid),
            Some(_) => None,
        }
    }

    pub(super) fn format(&self) -> Option<Format> {
        match self.format.as_deref() {
            None | Some("JSON_ARRAY") => Some(Format::JsonArray),
            Some("ARROW_STREAM") => Some(Format::ArrowStream),
            Some("CSV") => Some(Format::Csv),
            Some(_) => None,
        }
    }

    /// Compression is of what the storage account keeps: an INLINE result has none.
    pub(super) fn compressed(&self) -> bool {
        self.result_compression.as_deref() == Some("LZ4_FRAME") && self.disposition() != Some(Disposition::Inline)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error_code: &'static str,
    pub(super) message: String,
    pub(super) sql_state: Option<String>,
}

impl Failure {
    pub(super) fn unsupported(what: &str) -> Self {
        Self {
            error_code: "BAD_REQUEST",
            message: format!("[UNSUPPORTED_BY_STAND_IN] {what} SQLSTATE: 0A000"),
            sql_state: Some("0A000".into()),
        }
    }
}

/// How far a statement is.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Pending,
    Running,
    Succeeded(std::sync::Arc<Rows>),
    Failed(Failure),
    Canceled,
    /// It succeeded, and its result is gone.
    Closed,
}

impl Phase {
    pub(super) fn ended(&self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded(_) => "SUCCEEDED",
            Self::Failed(_) => "FAILED",
            Self::Canceled => "CANCELED",
            Self::Closed => "CLOSED",
        }
    }
}

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) id: String,
    pub(super) request: Execute,
    /// Who asked, and as whom it runs.
    pub(super) owner: Principal,
    pub(super) accepted: Timestamp,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) ended: Mutex<Option<Timestamp>>,
    /// True once somebody asked for cancellation.
    pub(super) cancel: watch::Sender<bool>,
}

impl Statement {
    pub(super) fn new(request: Execute, owner: Principal) -> Self {
        Self {
            // Time-ordered, as the real ids are.
            id: uuid::Uuid::now_v7().to_string(),
            request,
            owner,
            accepted: Timestamp::now(),
            phase: watch::Sender::new(Phase::Pending),
            ended: Mutex::new(None),
            cancel: watch::Sender::new(false),
        }
    }

    /// The phase now; a result past its life is gone.
    pub(super) fn phase(&self, result_life: std::time::Duration) -> Phase {
        let phase = self.phase.borrow().clone();
        let old = lock(&self.ended).is_some_and(|at| Timestamp::now().duration_since(at).unsigned_abs() >= result_life);
        if old && matches!(phase, Phase::Succeeded(_)) { Phase::Closed } else { phase }
    }

    pub(super) fn go_to(&self, phase: Phase) {
        if phase.ended() {
            *lock(&self.ended) = Some(Timestamp::now());
        }
        self.phase.send_replace(phase);
    }

    /// The result, while the storage account keeps it.
    pub(super) fn stored(&self) -> Option<std::sync::Arc<Rows>> {
        match &*self.phase.borrow() {
            Phase::Succeeded(rows) => Some(rows.clone()),
            _ => None,
        }
    }

    /// Drops the result of a statement that succeeded.
    pub(super) fn close(&self) {
        self.phase.send_if_modified(|phase| {
            let done = matches!(phase, Phase::Succeeded(_));
            if done {
                *phase = Phase::Closed;
            }
            done
        });
    }

    /// Waits until it has ended.
    pub(super) async fn end(&self) {
        let mut phase = self.phase.subscribe();
        let _ = phase.wait_for(Phase::ended).await;
    }

    pub(super) async fn canceled(&self) {
        let mut cancel = self.cancel.subscribe();
        let _ = cancel.wait_for(|asked| *asked).await;
    }
}
