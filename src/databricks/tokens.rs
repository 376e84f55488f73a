//! Databricks' own credentials: OAuth for service principals (M2M), and personal access tokens. Both come from Key
//! Vault. When a token is renewed is `entra`'s; here is only how it is got.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::DatabricksError;
use super::refusal::success;
use super::subject::Subject;
use crate::entra::{FetchToken, FetchedToken, TokenCache, TokenSource};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http, Outbound, Reply, RequestKind};
use crate::key_vault::Secrets;

/// What is believed of a reply that does not say how long its token lives.
const UNTOLD_LIFE: u64 = 300;

/// Tokens of a Databricks service principal: `{host}/oidc/v1/token` with its client id and secret.
#[derive(Debug)]
pub struct OAuthM2m(TokenCache<ClientCredentials>);

/// How such a token is got.
#[derive(Debug)]
struct ClientCredentials {
    http: Http,
    host: Url,
    client_id: String,
    secrets: Arc<dyn Secrets>,
    secret_name: String,
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
        let (client_id, secret_name) = (client_id.into(), secret_name.into());
        Self(TokenCache::new(ClientCredentials { http, host, client_id, secrets, secret_name }))
    }
}

#[async_trait]
impl TokenSource for OAuthM2m {
    async fn token(&self, deadline: Deadline) -> Result<SecretString, Failure> {
        self.0.token(deadline).await
    }

    fn reject(&self, token: &SecretString) {
        self.0.reject(token);
    }
}

#[async_trait]
impl FetchToken for ClientCredentials {
    async fn fetch(&self, deadline: Deadline) -> Result<FetchedToken, Failure> {
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
        token_in(reply)
    }
}

impl ClientCredentials {
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
fn token_in(reply: Reply) -> Result<FetchedToken, Failure> {
    let reply = success(reply, RequestKind::TokenRequest, &Subject::Workspace).map_err(refusal)?;
    let unreadable = || Failure::new(Code::IdentityUnavailable, "Databricks answered a token request without a token.");
    let body: TokenBody = serde_json::from_slice(&reply.body).map_err(|_| unreadable())?;
    let token = body.access_token.filter(|token| !token.is_empty()).ok_or_else(unreadable)?;
    let life = match body.expires_in {
        Some(serde_json::Value::Number(seconds)) => seconds.as_u64(),
        Some(serde_json::Value::String(seconds)) => seconds.parse().ok(),
        _ => None,
    };
    let life = Duration::from_secs(life.unwrap_or(UNTOLD_LIFE).min(86_400));
    Ok(FetchedToken { token: SecretString::from(token), life })
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
