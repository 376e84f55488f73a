//! The state that all handlers of one stand-in share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::auth::Tokens;
use super::engine::Engine;
use super::generated::AllGenerated;
use super::holds::{Canned, Holds};
use super::jobs::Jobs;
use super::links::Links;
use super::membership::Outsiders;
use super::options::{Binary, DatabricksOptions};
use super::rights::Rights;
use super::sessions::Sessions;
use super::statement::Statement;
use super::tokens::Personal;
use super::warehouses::Warehouses;
use crate::core::History;

pub(super) type Shared = Arc<Workspace>;

#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) options: DatabricksOptions,
    pub(super) history: History,
    pub(super) tokens: Tokens,
    pub(super) personal: Personal,
    pub(super) engine: Option<Arc<Engine>>,
    /// The name of this stand-in's own lakehouse in the engine.
    pub(super) lakehouse: String,
    pub(super) warehouses: Warehouses,
    pub(super) statements: Mutex<Statements>,
    pub(super) history_lag: Mutex<Duration>,
    pub(super) holds: Holds,
    pub(super) canned: Canned,
    pub(super) generated: AllGenerated,
    pub(super) links: Links,
    pub(super) sessions: Sessions,
    pub(super) binary: Mutex<Binary>,
    pub(super) rights: Rights,
    pub(super) outsiders: Outsiders,
    pub(super) jobs: Jobs,
}

/// Statements by id, and in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Statements {
    pub(super) by_id: HashMap<String, Arc<Statement>>,
    pub(super) order: Vec<String>,
}

impl Workspace {
    pub(super) fn statement(&self, id: &str) -> Option<Arc<Statement>> {
        lock(&self.statements).by_id.get(id).cloned()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Some(engine) = &self.engine {
            engine.close(&self.lakehouse);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
