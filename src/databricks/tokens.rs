//! Databricks' own credentials: OAuth for service principals (M2M), and personal access tokens. Both come from Key
//! Vault. Entra's tokens are `entra`'s.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::DatabricksError;
use super::error::Subject;
use super::refusal::success;
use crate::entra::TokenSource;
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http, Outbound, Reply, RequestKind};
use crate::key_vault::Secrets;

/// Databricks rejects tokens within 30 s of their end; its SDKs renew 40 s before (Databricks SDK, oauth.py).
const RESERVE: Duration = Duration::from_secs(40);
/// A token is renewed ahead in the last half of its life, at most this long before its end.
const LONGEST_AHEAD: Duration = Duration::from_mins(20);
/// Pause after a renewal ahead of time that failed.
const PAUSE: Duration = Duration::from_mins(1);
/// Longest time that a caller with a good token spends on renewing it.
const AHEAD_TIME: Duration = Duration::from_secs(5);
/// What is believed of a reply that does not say how long its token lives.
const UNTOLD_LIFE: u64 = 300;

/// Tokens of a Databricks service principal: `{host}/oidc/v1/token` with its client id and secret.
#[derive(Debug)]
pub struct OAuthM2m {
    http: Http,
    host: Url,
    client_id: String,
    secrets: Arc<dyn Secrets>,
    secret_name: String,
    held: Mutex<Option<Held>>,
    /// Held by the one that asks for a token.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Held {
    token: SecretString,
    /// When it is time to renew it ahead.
    renew_at: Instant,
    /// When it is no longer given out.
    useless_at: Instant,
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: Option<String>,
    expires_in: Option<serde_json::Value>,
}

impl OAuthM2m {
    /// `secret_name` is the name of the client secret in Key Vault.
    pub fn new(
        http: Http,
        host: Url,
        client_id: impl Into<String>,
        secrets: Arc<dyn Secrets>,
        secret_name: impl Into<String>,
    ) -> Self {
        Self {
            http,
            host,
            client_id: client_id.into(),
            secrets,
            secret_name: secret_name.into(),
            held: Mutex::new(None),
            flight: tokio::sync::Mutex::new(()),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The held token while it is good, and whether it is time to renew it.
    fn current(&self) -> Option<(SecretString, bool)> {
        let now = Instant::now();
        let held = self.held();
        let held = held.as_ref().filter(|held| now < held.useless_at)?;
        Some((held.token.clone(), now >= held.renew_at))
    }

    async fn renew(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        let secret = self.secrets.current(&self.secret_name, deadline).await?;
        let reply = self.ask(&secret.value, deadline).await?;
        let reply = if matches!(reply.status, 400 | 401) {
            // The secret may have been rotated since it was cached.
            self.secrets.forget(&self.secret_name, &secret.value);
            let newer = self.secrets.current(&self.secret_name, deadline).await?;
            if newer.value.expose_secret() == secret.value.expose_secret() {
                reply
            } else {
                self.ask(&newer.value, deadline).await?
            }
        } else {
            reply
        };
        let (token, life) = token_in(reply)?;
        let now = Instant::now();
        let ahead = (life / 2).min(LONGEST_AHEAD);
        let held = Held {
            token: token.clone(),
            renew_at: now + life.saturating_sub(ahead).min(life.saturating_sub(RESERVE)),
            useless_at: now + life.saturating_sub(RESERVE),
        };
        *self.held() = Some(held);
        Ok(token)
    }

    async fn ask(&self, secret: &SecretString, deadline: Deadline) -> Result<Reply, Failure> {
        let url = self.host.join("/oidc/v1/token").map_err(|error| {
            Failure::new(Code::Misconfigured, "CAUSEWAY_DATABRICKS_HOST is no base URL.").caused_by(error)
        })?;
        let basic = STANDARD.encode(format!("{}:{}", self.client_id, secret.expose_secret()));
        let mut request = Outbound::post(url)
            .header("accept", "application/json")
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", "application/x-www-form-urlencoded");
        request.body = Some("grant_type=client_credentials&scope=all-apis".into());
        self.http.send(RequestKind::TokenRequest, request, deadline).await.map_err(|error| {
            Failure::new(Code::IdentityUnavailable, "Databricks gave no token in time; try again later.")
                .caused_by(error)
        })
    }
}

/// The token and its life.
fn token_in(reply: Reply) -> Result<(SecretString, Duration), Failure> {
    let reply = success(reply, RequestKind::TokenRequest, &Subject::Workspace).map_err(refusal)?;
    let unreadable = || Failure::new(Code::IdentityUnavailable, "Databricks answered a token request without a token.");
    let body: TokenBody = serde_json::from_slice(&reply.body).map_err(|_| unreadable())?;
    let token = body.access_token.filter(|token| !token.is_empty()).ok_or_else(unreadable)?;
    let life = match body.expires_in {
        Some(serde_json::Value::Number(seconds)) => seconds.as_u64(),
        Some(serde_json::Value::String(seconds)) => seconds.parse().ok(),
        _ => None,
    };
    Ok((SecretString::from(token), Duration::from_secs(life.unwrap_or(UNTOLD_LIFE).min(86_400))))
}

fn refusal(error: DatabricksError) -> Failure {
    let failure = match &error {
        DatabricksError::Refused(refused) if refused.status < 500 && refused.status != 429 => Failure::new(
            Code::DatabricksAccessDenied,
            format!(
                "Databricks refuses this app's client id or secret ({}). Renew the secret in Key Vault.",
                refused.message
            ),
        ),
        DatabricksError::Refused(refused) => {
            let failure = Failure::new(Code::IdentityUnavailable, "Databricks gives no token now; try again later.");
            match refused.retry_after {
                Some(after) => failure.retry_after(after),
                None => failure,
            }
        }
        _ => return error.into(),
    };
    failure.caused_by(error)
}

#[async_trait]
impl TokenSource for OAuthM2m {
    async fn token(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        match self.current() {
            Some((token, false)) => return Ok(token),
            Some((token, true)) => {
                // Still good: one caller renews it, the others go on with it, and so does that one if it fails.
                let Ok(_flight) = self.flight.try_lock() else { return Ok(token) };
                return Ok(match self.renew(deadline.within(AHEAD_TIME)).await {
                    Ok(renewed) => renewed,
                    Err(failure) => {
                        tracing::warn!(error = %failure.chain(), "a Databricks token could not be renewed ahead of time");
                        if let Some(held) = self.held().as_mut() {
                            held.renew_at = Instant::now() + PAUSE;
                        }
                        token
                    }
                });
            }
            None => {}
        }
        let flight = tokio::time::timeout_at(deadline.instant(), self.flight.lock()).await;
        let Ok(_flight) = flight else {
            return Err(Failure::new(Code::IdentityUnavailable, "Databricks gave no token in time; try again later."));
        };
        match self.current() {
            Some((token, _)) => Ok(token),
            None => self.renew(deadline).await,
        }
    }

    fn reject(&self, token: &SecretString) {
        let mut held = self.held();
        if held.as_ref().is_some_and(|held| held.token.expose_secret() == token.expose_secret()) {
            *held = None;
        }
    }
}

/// A personal access token, read from Key Vault each time (the vault's cache makes that cheap).
#[derive(Debug)]
pub struct PersonalAccessToken {
    secrets: Arc<dyn Secrets>,
    secret_name: String,
}

impl PersonalAccessToken {
    /// `secret_name` is the name of the token in Key Vault.
    pub fn new(secrets: Arc<dyn Secrets>, secret_name: impl Into<String>) -> Self {
        Self { secrets, secret_name: secret_name.into() }
    }
}

#[async_trait]
impl TokenSource for PersonalAccessToken {
    async fn token(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        Ok(self.secrets.current(&self.secret_name, deadline).await?.value)
    }

    fn reject(&self, token: &SecretString) {
        self.secrets.forget(&self.secret_name, token);
    }
}

#[cfg(test)]
mod tests;
