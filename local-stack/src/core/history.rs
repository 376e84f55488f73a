//! What happened, in order: every request, and every effect apart from it, so that tests can count effects.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::Crash;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub at: Timestamp,
    /// `databricks`, `powerBi`, `keyVault`, `entra`, `serviceBus`, `blob`, `host`.
    pub service: String,
    /// `request` for a call as it came in; else the effect: `statement`, `jobRun`, `refresh`, `rows`, `message`, …
    pub kind: String,
    pub detail: Value,
}

/// A shared, append-only list.
#[derive(Clone, Debug)]
pub struct History {
    entries: Arc<Mutex<Vec<Entry>>>,
    length: Arc<watch::Sender<usize>>,
    crash: Arc<Mutex<Option<Crash>>>,
}

impl Default for History {
    fn default() -> Self {
        Self { entries: Arc::default(), length: Arc::new(watch::Sender::new(0)), crash: Arc::default() }
    }
}

impl History {
    pub fn record(&self, service: &str, kind: &str, detail: Value) {
        let mut entries = self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        entries.push(Entry { at: Timestamp::now(), service: service.into(), kind: kind.into(), detail });
        self.length.send_replace(entries.len());
    }

    /// From now on the calls of every stand-in that records here count there, and one of them may be the handler's last.
    pub fn count_in(&self, crash: &Crash) {
        *self.crash.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(crash.clone());
    }

    pub(super) fn crash(&self) -> Option<Crash> {
        self.crash.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub fn all(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// The entries of one service and kind.
    pub fn of(&self, service: &str, kind: &str) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        entries.iter().filter(|entry| entry.service == service && entry.kind == kind).cloned().collect()
    }

    /// Changes whenever something is recorded: for waiting without sleeping.
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.length.subscribe()
    }
}
