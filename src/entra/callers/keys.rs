//! Entra's signing keys: fetched when needed, kept, renewed once an hour, and kept on when that fails. An unknown name of a
//! key is looked up anew at most every two minutes, so that made-up tokens cost Entra nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::key_set::{self, KeySet, SigningKey};
use super::unavailable;
use crate::failure::{Failure, Upstream};
use crate::http::{Deadline, Http, Outbound, RequestKind};
use crate::settings::EntraCallers;

/// How long the keys are believed. Entra rolls them every few weeks, and at once in an emergency.
const FRESH: Duration = Duration::from_hours(1);
/// How soon an unknown key may make us ask again.
const UNKNOWN_STANDS: Duration = Duration::from_mins(2);
/// How soon after a failure.
const FAILURE_STANDS: Duration = Duration::from_secs(5);
/// For both documents.
const IN_ALL: Duration = Duration::from_secs(20);

/// One tenant's keys.
#[derive(Debug)]
pub(super) struct SigningKeys {
    http: Http,
    configuration: Url,
    tenant_id: String,
    issuers: Vec<String>,
    state: Mutex<State>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<(KeySet, Instant)>,
    /// When it was last asked, and why in vain.
    asked: Option<(Instant, Option<Failure>)>,
}

enum Look {
    Here(Arc<SigningKey>),
    /// Here, and due to be read again.
    Aging(Arc<SigningKey>),
    /// Not among the keys, which have been read not long ago.
    Unknown,
    Failed(Box<Failure>),
    Ask,
}

/// What is read of the OpenID configuration.
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: Url,
}

impl SigningKeys {
    pub(super) fn new(http: Http, settings: &EntraCallers) -> Self {
        Self {
            http,
            configuration: settings.configuration.clone(),
            tenant_id: settings.tenant_id.clone(),
            issuers: settings.issuers.clone(),
            state: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            generation: AtomicU64::default(),
        }
    }

    /// Grows whenever a key that was there is there no more: what it has signed is then to be looked at again.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The key of that name; `None` when Entra has none.
    pub(super) async fn key(
        self: &Arc<Self>,
        kid: &str,
        deadline: Deadline,
    ) -> Result<Option<Arc<SigningKey>>, Failure> {
        match self.look(kid) {
            Look::Here(key) => return Ok(Some(key)),
            Look::Aging(key) => {
                self.renew();
                return Ok(Some(key));
            }
            Look::Unknown => return Ok(None),
            Look::Failed(failure) => return Err(*failure),
            Look::Ask => {}
        }
        let waited = tokio::time::timeout_at(deadline.instant(), self.asking.lock()).await;
        let _asking = waited.map_err(|_| unavailable().retry_after(FAILURE_STANDS))?;
        match self.look(kid) {
            Look::Here(key) | Look::Aging(key) => Ok(Some(key)),
            Look::Unknown => Ok(None),
            Look::Failed(failure) => Err(*failure),
            Look::Ask => {
                // Not the caller's own deadline: one in a hurry must not spoil it for the others.
                self.ask().await?;
                Ok(match self.look(kid) {
                    Look::Here(key) | Look::Aging(key) => Some(key),
                    _ => None,
                })
            }
        }
    }

    fn look(&self, kid: &str) -> Look {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = |moment: &Instant| now.saturating_duration_since(*moment);
        let key = state.kept.as_ref().and_then(|(keys, at)| Some((Arc::clone(keys.get(kid)?), at)));
        match (key, &state.asked) {
            (Some((key, at)), _) if since(at) < FRESH => Look::Here(key),
            // Not asked again so soon: what is kept serves.
            (Some((key, _)), Some((asked, _))) if since(asked) < UNKNOWN_STANDS => Look::Here(key),
            (Some((key, _)), _) => Look::Aging(key),
            (None, Some((asked, Some(failure)))) if since(asked) < FAILURE_STANDS => {
                Look::Failed(Box::new(failure.clone()))
            }
            (None, Some((asked, None))) if since(asked) < UNKNOWN_STANDS => Look::Unknown,
            (None, _) => Look::Ask,
        }
    }

    /// Reads the keys in the background, while the old ones serve.
    pub(super) fn renew(self: &Arc<Self>) {
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let Ok(_asking) = this.asking.try_lock() else { return };
            if let Err(failure) = this.ask().await {
                tracing::warn!(error = failure.chain(), "Entra's signing keys could not be read; the old ones serve");
            }
        });
    }

    /// Asks, and remembers what came of it. Called by the holder of `asking` only.
    async fn ask(&self) -> Result<(), Failure> {
        let result = self.fetch(Deadline::after(IN_ALL)).await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match result {
            Ok(keys) => {
                let gone = |(old, _): &(KeySet, Instant)| old.keys().any(|kid| !keys.contains_key(kid));
                if state.kept.as_ref().is_some_and(gone) {
                    self.generation.fetch_add(1, Ordering::Relaxed);
                }
                tracing::info!(keys = keys.len(), "Entra's signing keys were read");
                *state = State { kept: Some((keys, now)), asked: Some((now, None)) };
                Ok(())
            }
            Err(failure) => {
                state.asked = Some((now, Some(failure.clone())));
                Err(failure)
            }
        }
    }

    async fn fetch(&self, deadline: Deadline) -> Result<KeySet, Failure> {
        let document = self.get(self.configuration.clone(), deadline).await?;
        let configuration: Configuration =
            serde_json::from_slice(&document).map_err(|error| unreadable("the OpenID configuration", error))?;
        // OpenID Connect Discovery 1.0, section 4.3: it must be the issuer that was asked for.
        if !self.issuers.contains(&configuration.issuer) {
            return Err(unreadable(
                "the OpenID configuration",
                format!("it is of {}, which CAUSEWAY_CALLER_ISSUERS does not name", configuration.issuer),
            ));
        }
        // The authority is behind https, or it would not have been taken as a setting.
        let keys = &configuration.jwks_uri;
        if keys.scheme() != "https" && keys.origin() != self.configuration.origin() {
            return Err(unreadable("the OpenID configuration", "its keys are not behind https"));
        }
        let document = self.get(configuration.jwks_uri, deadline).await?;
        key_set::read(&document, &self.tenant_id, &self.issuers)
            .filter(|keys| !keys.is_empty())
            .ok_or_else(|| unreadable("the signing keys", "there is no usable key in them"))
    }

    async fn get(&self, url: Url, deadline: Deadline) -> Result<bytes::Bytes, Failure> {
        let request = Outbound::get(url).header("accept", "application/json");
        let reply = self
            .http
            .send(RequestKind::SigningKeysGet, request, deadline)
            .await
            .map_err(|error| unavailable().retry_after(FAILURE_STANDS).caused_by(error))?;
        if reply.is_success() {
            return Ok(reply.body);
        }
        let upstream =
            Upstream { service: "entra".to_owned(), status: Some(reply.status), code: None, request_id: None };
        Err(unavailable().retry_after(FAILURE_STANDS).from_upstream(upstream))
    }
}

fn unreadable(what: &str, why: impl std::fmt::Display) -> Failure {
    unavailable().retry_after(FAILURE_STANDS).caused_by(format!("{what}: {why}"))
}
