//! The stand-in for whoever wants to be told: the callback of a waiting action of Logic Apps, by its signed URL, and plain
//! webhooks. What the wire looks like is `wire.rs`.

mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::{any, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::core::{History, Served, Tls};
use crate::entra::random_bytes;

/// Receivers, being served over TLS. What comes in is an effect in the history: `callback` for a waiting action that took
/// it, `refusedCallback` for one that did not, `webhook` for the rest.
#[derive(Debug)]
pub struct Webhooks {
    pub served: Served,
    actions: Arc<Actions>,
}

/// Actions that wait, by workflow.
#[derive(Debug, Default)]
pub(crate) struct Actions(Mutex<BTreeMap<String, Action>>);

#[derive(Clone, Debug)]
struct Action {
    signature: String,
    /// Its run is over: timed out, or cancelled.
    gone: bool,
}

pub(crate) struct Receiver {
    actions: Arc<Actions>,
    history: History,
}

impl Webhooks {
    pub async fn start(port: u16, tls: &Tls, history: History) -> anyhow::Result<Self> {
        let actions = Arc::new(Actions::default());
        let receiver = Arc::new(Receiver { actions: actions.clone(), history: history.clone() });
        let router = Router::new()
            .route("/workflows/{workflow}/runs/{run}/actions/{action}/run", post(wire::call_back))
            .route("/hooks/{name}", any(wire::hook))
            .with_state(receiver);
        let served = Served::start("webhooks", port, Some(tls), router, history).await?;
        Ok(Self { served, actions })
    }

    /// The URL at which an action waits, as `listCallbackUrl()` gives it: who has it may call, and no header is wanted.
    pub fn callback_url(&self, workflow: &str) -> String {
        let signature = self.actions.wait(workflow);
        let permission = "%2Fruns%2F08584%2Factions%2FWait%2Frun";
        format!(
            "{}/workflows/{workflow}/runs/08584/actions/Wait/run?api-version=2016-06-01&sp={permission}&sv=1.0&sig={signature}",
            self.served.https_url()
        )
    }

    /// A plain webhook, with a token in its query that nobody looks at.
    pub fn hook_url(&self, name: &str) -> String {
        let token = self.actions.wait(&format!("hook {name}"));
        format!("{}/hooks/{name}?token={token}", self.served.https_url())
    }

    /// The run of this workflow is over: nobody waits any more.
    pub fn end(&self, workflow: &str) {
        self.actions.end(workflow);
    }

    /// What waiting actions of this workflow took, in order: `{headers, body}`.
    pub fn taken(&self, workflow: &str) -> Vec<Value> {
        self.of("callback", workflow)
    }

    /// What came to this webhook, in order: `{method, headers, body}`.
    pub fn hooked(&self, name: &str) -> Vec<Value> {
        self.of("webhook", name)
    }

    fn of(&self, kind: &str, name: &str) -> Vec<Value> {
        let all = self.served.history.of("webhooks", kind).into_iter().map(|entry| entry.detail);
        all.filter(|detail| detail["name"] == name).collect()
    }

    /// The signatures and tokens in all URLs that were given out.
    pub fn every_signature(&self) -> BTreeSet<String> {
        self.actions.lock().values().map(|action| action.signature.clone()).collect()
    }
}

impl Actions {
    fn wait(&self, name: &str) -> String {
        let signature = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
        let waits = Action { signature, gone: false };
        self.lock().entry(name.to_owned()).or_insert(waits).signature.clone()
    }

    fn end(&self, name: &str) {
        if let Some(action) = self.lock().get_mut(name) {
            action.gone = true;
        }
    }

    fn find(&self, name: &str) -> Option<Action> {
        self.lock().get(name).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Action>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
