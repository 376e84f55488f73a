//! A person who has signed in once: access tokens by a refresh token, which each use replaces
//! (learn.microsoft.com, "Refresh tokens in the Microsoft identity platform"; "OAuth 2.0 authorization code flow", refresh
//! the access token). Entra does not revoke the one that was used, so two instances may use the same. Where refresh tokens
//! are kept is [`RefreshTokens`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::credentials::scope;
use super::federated::{Assertion, not_matched};
use super::refusal::{aadsts_in, advice};
use super::{FetchToken, FetchedToken, SecretValue, TokenCache, TokenSource};
use crate::failure::{Code, Failure, Upstream};
use crate::http::{Deadline, Http, Outbound, Reply, RequestKind};
use crate::settings;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What is believed of a reply that does not say how long its token lives.
const UNTOLD_LIFE: u64 = 300;

/// Where a refresh token is kept.
#[async_trait]
pub trait RefreshTokens: Send + Sync + fmt::Debug {
    /// The one to use now.
    async fn current(&self, deadline: Deadline) -> Result<SecretString, Failure>;

    /// `refused` was refused: another, if there is one by now.
    async fn another(&self, refused: &SecretString, deadline: Deadline) -> Result<Option<SecretString>, Failure>;

    /// `used` gave `new`. A failure to keep it loses nothing: `used` still serves, and the keeper has `new` in memory.
    async fn replaced(&self, used: &SecretString, new: SecretString, deadline: Deadline);
}

/// How the application proves itself.
#[derive(Clone, Debug)]
pub struct RefreshProof(Proving);

#[derive(Clone, Debug)]
enum Proving {
    Secret(Arc<dyn SecretValue>),
    Assertion(Assertion),
    Nothing,
}

impl RefreshProof {
    pub fn secret(secret: Arc<dyn SecretValue>) -> Self {
        Self(Proving::Secret(secret))
    }

    /// The assertion of the settings.
    pub fn assertion(entra: &settings::Entra, federation: &settings::Federation, http: &Http) -> Self {
        Self(Proving::Assertion(Assertion::new(entra, federation, http)))
    }

    /// A public client.
    pub fn none() -> Self {
        Self(Proving::Nothing)
    }
}

/// Tokens for `audience` of whoever signed in. Needs tenant and client id, which settings have checked.
pub fn delegated(
    entra: &settings::Entra,
    audience: &str,
    proof: RefreshProof,
    refresh_tokens: Arc<dyn RefreshTokens>,
    http: &Http,
) -> Arc<dyn TokenSource> {
    Arc::new(TokenCache::new(Delegated {
        authority: entra.authority.clone(),
        tenant_id: entra.tenant_id.clone().unwrap_or_default(),
        client_id: entra.client_id.clone().unwrap_or_default(),
        scope: scope(audience),
        proof: proof.0,
        refresh_tokens,
        http: http.clone(),
    }))
}

struct Delegated {
    authority: Url,
    tenant_id: String,
    client_id: String,
    scope: String,
    proof: Proving,
    refresh_tokens: Arc<dyn RefreshTokens>,
    http: Http,
}

#[derive(Deserialize)]
struct Issued {
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Vec<u32>,
    correlation_id: Option<String>,
}

/// Not a token.
enum Denied {
    /// Entra says that the refresh token is of no use.
    RefreshToken(Failure),
    Other(Failure),
}

impl fmt::Debug for Delegated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delegated").field("client_id", &self.client_id).field("scope", &self.scope).finish()
    }
}

#[async_trait]
impl FetchToken for Delegated {
    async fn fetch(&self, deadline: Deadline) -> Result<FetchedToken, Failure> {
        let current = self.refresh_tokens.current(deadline).await?;
        let failure = match self.redeem(&current, deadline).await {
            Ok(token) => return Ok(token),
            Err(Denied::Other(failure)) => return Err(failure),
            Err(Denied::RefreshToken(failure)) => failure,
        };
        // Somebody may have signed in again since ours was read.
        match self.refresh_tokens.another(&current, deadline).await? {
            Some(newer) => self.redeem(&newer, deadline).await.map_err(Denied::into_failure),
            None => Err(failure),
        }
    }
}

impl Denied {
    fn into_failure(self) -> Failure {
        match self {
            Self::RefreshToken(failure) | Self::Other(failure) => failure,
        }
    }
}

impl Delegated {
    async fn redeem(&self, refresh_token: &SecretString, deadline: Deadline) -> Result<FetchedToken, Denied> {
        let (proof, proved) = self.prove(deadline).await.map_err(Denied::Other)?;
        let form = self.form(refresh_token, &proved);
        let reply = self.ask(form, deadline).await.map_err(Denied::Other)?;
        if !reply.is_success() {
            return Err(self.denied(&reply, proof.as_ref()));
        }
        let unreadable = || {
            let detail = "Entra answered a refresh token without an access token.";
            Denied::Other(Failure::new(Code::IdentityUnavailable, detail))
        };
        let issued: Issued = serde_json::from_slice(&reply.body).map_err(|_| unreadable())?;
        let token = issued.access_token.filter(|token| !token.is_empty()).ok_or_else(unreadable)?;
        if let Some(new) = issued.refresh_token.filter(|new| !new.is_empty() && new != refresh_token.expose_secret()) {
            self.refresh_tokens.replaced(refresh_token, new.into(), deadline).await;
        }
        let life = Duration::from_secs(issued.expires_in.unwrap_or(UNTOLD_LIFE).min(86_400));
        Ok(FetchedToken { token: token.into(), life })
    }

    fn form(&self, refresh_token: &SecretString, proved: &[(&str, SecretString)]) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token")
            .append_pair("client_id", &self.client_id)
            // Without offline_access the reply has no new refresh token.
            .append_pair("scope", &format!("{} offline_access", self.scope))
            .append_pair("refresh_token", refresh_token.expose_secret());
        for (name, value) in proved {
            form.append_pair(name, value.expose_secret());
        }
        form.finish()
    }

    /// What proves the application, and the fields that say so.
    async fn prove(
        &self,
        deadline: Deadline,
    ) -> Result<(Option<SecretString>, Vec<(&'static str, SecretString)>), Failure> {
        Ok(match &self.proof {
            Proving::Secret(secret) => {
                let secret = secret.current(deadline).await?;
                (Some(secret.clone()), vec![("client_secret", secret)])
            }
            Proving::Assertion(assertion) => {
                let assertion = assertion.current(deadline).await?;
                let fields = vec![
                    ("client_assertion_type", SecretString::from(ASSERTION_TYPE)),
                    ("client_assertion", assertion.clone()),
                ];
                (Some(assertion), fields)
            }
            Proving::Nothing => (None, Vec::new()),
        })
    }

    async fn ask(&self, form: String, deadline: Deadline) -> Result<Reply, Failure> {
        let mut url = self.authority.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::new(Code::Misconfigured, "AZURE_AUTHORITY_HOST is no base URL."))?
            .pop_if_empty()
            .extend([self.tenant_id.as_str(), "oauth2", "v2.0", "token"]);
        let mut request = Outbound::post(url)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded");
        request.body = Some(form.into());
        self.http.send(RequestKind::TokenRequest, request, deadline).await.map_err(|error| {
            let detail = format!("Entra could not be asked for a token for {}. Try again shortly.", self.scope);
            Failure::new(Code::IdentityUnavailable, detail).caused_by(error)
        })
    }

    fn denied(&self, reply: &Reply, proof: Option<&SecretString>) -> Denied {
        let said: Said = serde_json::from_slice(&reply.body).unwrap_or_default();
        let words = said.error_description.unwrap_or_default();
        let code = said.error_codes.first().copied().or_else(|| aadsts_in(&words));
        let upstream = Upstream {
            service: "entra".to_owned(),
            status: Some(reply.status),
            code: code.map(|code| format!("AADSTS{code}")).or_else(|| said.error.clone()),
            request_id: said.correlation_id,
        };
        let (client, wanted) = (&self.client_id, &self.scope);
        let failure = |code: Code, detail: String| {
            // Its words name no token: codes, ids and a time (the error codes page).
            Failure::new(code, detail).from_upstream(upstream.clone()).caused_by(words.clone())
        };
        match (said.error.as_deref(), reply.status) {
            (Some("invalid_grant" | "interaction_required"), 400 | 401) => {
                let advice = advice(code).unwrap_or("Sign in again and store the new refresh token.");
                let detail = format!(
                    "Entra gives no token for {wanted} to the account that signed in with the application {client}. {advice}"
                );
                Denied::RefreshToken(failure(Code::SignInNeeded, detail))
            }
            (_, 400..=403) => {
                let detail = match (&self.proof, proof) {
                    (Proving::Assertion(assertion), Some(proof)) => {
                        assertion.reject(proof);
                        not_matched(client, wanted, proof, code)
                    }
                    (proving, proof) => {
                        if let (Proving::Secret(secret), Some(proof)) = (proving, proof) {
                            secret.forget(proof);
                        }
                        let advice =
                            advice(code).unwrap_or("Check CAUSEWAY_ENTRA_TENANT_ID and CAUSEWAY_ENTRA_CLIENT_ID.");
                        format!("Entra refused the application {client} for {wanted}. {advice}")
                    }
                };
                Denied::Other(failure(Code::IdentityUnavailable, detail))
            }
            _ => {
                let detail = format!("Entra could not be asked for a token for {wanted}. Try again shortly.");
                let after = reply.retry_after().unwrap_or(Duration::from_secs(5));
                Denied::Other(failure(Code::IdentityUnavailable, detail).retry_after(after))
            }
        }
    }
}
