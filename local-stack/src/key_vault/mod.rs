//! The stand-in for Key Vault: secrets and their versions, over TLS, behind the challenge. Keys and certificates are
//! not here. The store is `store.rs`; what the wire looks like is `wire.rs`.

mod store;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::{get, put};

use crate::core::{History, Served, Tls};
use crate::entra::Tokens;

pub use store::{Secret, SecretStore};

/// The audience of the public cloud's vaults, which the challenge names.
pub const AUDIENCE: &str = "https://vault.azure.net";

/// What to start.
#[derive(Clone, Debug)]
pub struct KeyVaultOptions {
    /// 0 takes any free port.
    pub port: u16,
    /// Who checks bearer tokens.
    pub tokens: Tokens,
    /// What the challenge names as `authorization`: the authority and the tenant.
    pub authorization: String,
    /// Object ids that may read and set; everybody with a good token when empty.
    pub allowed: Vec<String>,
    /// What stands in the vault from the start.
    pub secrets: BTreeMap<String, String>,
}

impl KeyVaultOptions {
    /// Any free port, an empty vault, open to every identity of the tenant.
    pub fn new(tokens: Tokens) -> Self {
        let authorization = format!("https://login.microsoftonline.com/{}", tokens.tenant());
        Self { port: 0, tokens, authorization, allowed: Vec::new(), secrets: BTreeMap::new() }
    }
}

/// A vault, being served over TLS. Every read is an effect `secretRead` in the history, every write `secretSet`.
#[derive(Debug)]
pub struct KeyVault {
    pub served: Served,
    store: SecretStore,
}

pub(crate) struct Vault {
    store: SecretStore,
    tokens: Tokens,
    authorization: String,
    allowed: Vec<String>,
    history: History,
}

impl KeyVault {
    pub async fn start(options: KeyVaultOptions, tls: &Tls, history: History) -> anyhow::Result<Self> {
        let store = SecretStore::default();
        for (name, value) in &options.secrets {
            store.set(name, value, None, BTreeMap::new());
        }
        let vault = Arc::new(Vault {
            store: store.clone(),
            tokens: options.tokens,
            authorization: options.authorization,
            allowed: options.allowed,
            history: history.clone(),
        });
        // With and without the trailing slash: SDKs write `/secrets/{name}/` when they ask for the current version.
        let router = Router::new()
            .route("/secrets/{name}", put(wire::set).get(wire::current).delete(wire::delete))
            .route("/secrets/{name}/", get(wire::current).put(wire::set))
            .route("/secrets/{name}/versions", get(wire::versions))
            .route("/secrets/{name}/{version}", get(wire::version).patch(wire::update))
            .route("/secrets", get(wire::list))
            .route("/secrets/", get(wire::list))
            .fallback(wire::unknown)
            .with_state(vault);
        let served = Served::start("keyVault", options.port, Some(tls), router, history).await?;
        Ok(Self { served, store })
    }

    pub fn url(&self) -> String {
        self.served.https_url()
    }

    /// Writes a new version, as a rotation does; its 32 hex digits.
    pub fn set_secret(&self, name: &str, value: &str) -> String {
        self.store.set(name, value, None, BTreeMap::new()).version
    }

    /// Enables or disables every version of a secret.
    pub fn set_enabled(&self, name: &str, enabled: bool) {
        self.store.update(name, None, |secret| secret.enabled = enabled);
    }

    /// When the current version begins and ends to be valid, in epoch seconds.
    pub fn set_times(&self, name: &str, not_before: Option<i64>, expires: Option<i64>) {
        let current = self.store.get(name, None).map(|secret| secret.version);
        self.store.update(name, current.as_deref(), |secret| {
            (secret.not_before, secret.expires) = (not_before, expires);
        });
    }

    /// Removes a secret and all its versions.
    pub fn remove_secret(&self, name: &str) {
        self.store.remove(name);
    }

    /// The current value, for tests and for `cargo local`'s table.
    pub fn secret(&self, name: &str) -> Option<String> {
        self.store.get(name, None).map(|secret| secret.value)
    }

    /// Every value of every version that ever stood here: what a log must never contain.
    pub fn every_value(&self) -> Vec<String> {
        self.store.every_value()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
