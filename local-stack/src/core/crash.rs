//! A crash of the handler at a chosen call: the calls of all stand-ins are counted together, and at the one that is named
//! the handler is killed, before the work is done or after it and before the answer. Whoever runs the host does the killing.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// When, in the call it happens at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    BeforeCommit,
    AfterCommit,
}

#[derive(Debug, Default)]
struct Plan {
    calls: Vec<String>,
    at: Option<(usize, Moment)>,
}

#[derive(Debug, Default)]
struct Shared {
    plan: Mutex<Plan>,
    wanted: Notify,
    gone: Notify,
}

/// Counts calls and asks for one crash; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Crash(Arc<Shared>);

impl Crash {
    /// Counts anew; `at` is the call to crash at, from 0, or none at all.
    pub fn plan(&self, at: Option<(usize, Moment)>) {
        *self.lock() = Plan { calls: Vec::new(), at };
    }

    /// The calls since then: service, method and target.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// Whether the crash that was planned is still to come.
    pub fn is_to_come(&self) -> bool {
        self.lock().at.is_some()
    }

    /// Returns once a call wants the handler dead. Who has killed it says so with [`Crash::killed`].
    pub async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    pub fn killed(&self) {
        self.0.gone.notify_waiters();
    }

    /// Counts a call; when the handler is to die in it.
    pub(super) fn count(&self, service: &str, method: &str, target: &str) -> Option<Moment> {
        let mut plan = self.lock();
        plan.calls.push(format!("{service} {method} {target}"));
        let here = plan.calls.len() - 1;
        let (_, moment) = plan.at.filter(|(call, _)| *call == here)?;
        plan.at = None;
        Some(moment)
    }

    /// Waits until the handler is gone.
    pub(super) async fn kill(&self) {
        let gone = self.0.gone.notified();
        self.0.wanted.notify_one();
        gone.await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
