//! Tokens on behalf of a caller: an exchange of the token that we were called with, by our application's own credential
//! (Microsoft Learn, "Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow"). The Azure SDK has none. What Entra
//! refuses with is `refused_exchange.rs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest;
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::refused_exchange::{Refused, challenged};
use super::{FetchToken, FetchedToken, SecretValue, TokenCache, TokenSource, User};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Http, Outbound, RequestKind};

/// Tokens that are kept at once, in this process: one for each caller, assertion and audience.
const MOST_KEPT: u64 = 1_000;
/// One that nobody has used for so long is dropped; Entra's own live an hour or somewhat more.
const KEPT_IDLE: Duration = Duration::from_mins(20);
/// Nothing is kept longer, whatever it is used for.
const KEPT_IN_ALL: Duration = Duration::from_mins(90);
/// What is believed of a reply that does not say how long its token lives.
const UNTOLD_LIFE: u64 = 300;

/// How our application proves that it is itself.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A client secret.
    Secret(Arc<dyn SecretValue>),
    /// A token of the function app's managed identity, which the application trusts as a federated credential.
    Federated(Arc<dyn TokenSource>),
}

/// Exchanges callers' tokens; cheap to clone, and clones share what is kept.
#[derive(Clone, Debug)]
pub struct OnBehalfOf {
    application: Arc<Application>,
    kept: Cache<Key, Arc<TokenCache<Exchange>>>,
}

struct Application {
    http: Http,
    /// `{authority}/{tenant}/oauth2/v2.0/token`
    endpoint: Url,
    client_id: String,
    proof: Proof,
}

/// Two callers never share a token, and a caller with a new token gets a new one: it may say more than the old.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant_id: String,
    object_id: String,
    audience: String,
    /// SHA-256: the assertion itself is held only where it is sent from.
    assertion: [u8; 32],
}

/// One caller's token for one audience.
struct Exchange {
    application: Arc<Application>,
    audience: String,
    /// Whom the token is for, in a problem's words.
    service: &'static str,
    assertion: SecretString,
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl OnBehalfOf {
    /// `tenant_id` and `client_id` are those of the application that callers ask their tokens for.
    pub fn new(
        http: Http,
        authority: &Url,
        tenant_id: &str,
        client_id: impl Into<String>,
        proof: Proof,
    ) -> Result<Self, Failure> {
        let mut endpoint = authority.clone();
        endpoint
            .path_segments_mut()
            .map_err(|()| Failure::new(Code::Misconfigured, "AZURE_AUTHORITY_HOST is no base URL."))?
            .pop_if_empty()
            .extend([tenant_id, "oauth2", "v2.0", "token"]);
        let application = Arc::new(Application { http, endpoint, client_id: client_id.into(), proof });
        let kept = Cache::builder().max_capacity(MOST_KEPT).time_to_idle(KEPT_IDLE).time_to_live(KEPT_IN_ALL).build();
        Ok(Self { application, kept })
    }

    /// Tokens with which `audience` sees `user`. Nothing is asked for yet. `service` is what problems call the audience.
    pub async fn source(&self, user: &User, audience: &str, service: &'static str) -> Arc<dyn TokenSource> {
        let digest = digest::digest(&digest::SHA256, user.token.expose_secret().as_bytes());
        let mut assertion = [0; 32];
        assertion.copy_from_slice(digest.as_ref());
        let key = Key {
            tenant_id: user.tenant_id.clone(),
            object_id: user.object_id.clone(),
            audience: audience.to_owned(),
            assertion,
        };
        let exchange = || Exchange {
            application: Arc::clone(&self.application),
            audience: audience.trim_end_matches('/').to_owned(),
            service,
            assertion: user.token.clone(),
        };
        self.kept.get_with(key, async { Arc::new(TokenCache::new(exchange())) }).await
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("client_id", &self.client_id).finish()
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("audience", &self.audience).finish()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

#[async_trait]
impl FetchToken for Exchange {
    async fn fetch(&self, deadline: Deadline) -> Result<FetchedToken, Failure> {
        let secret = match &self.application.proof {
            Proof::Federated(tokens) => {
                let own = tokens.token(deadline).await?;
                let proof = [
                    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                    ("client_assertion", own.expose_secret()),
                ];
                return self.ask(&proof, deadline).await?.map_err(|refused| self.failure(refused));
            }
            Proof::Secret(secret) => secret,
        };
        let used = secret.current(deadline).await?;
        let refused = match self.ask(&[("client_secret", used.expose_secret())], deadline).await? {
            Ok(token) => return Ok(token),
            Err(refused) => refused,
        };
        if refused.is_about_us() {
            // Perhaps the secret was rotated while we believed the old one.
            secret.forget(&used);
            let newer = secret.current(deadline).await?;
            if newer.expose_secret() != used.expose_secret() {
                let again = self.ask(&[("client_secret", newer.expose_secret())], deadline).await?;
                return again.map_err(|refused| self.failure(refused));
            }
        }
        Err(self.failure(refused))
    }

    fn challenged(&self, header: &str) -> Option<Failure> {
        challenged(header, self.service)
    }
}

impl Exchange {
    async fn ask(&self, proof: &[(&str, &str)], deadline: Deadline) -> Result<Result<FetchedToken, Refused>, Failure> {
        let scope = format!("{}/.default", self.audience);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("requested_token_use", "on_behalf_of")
            .append_pair("client_id", &self.application.client_id)
            .append_pair("scope", &scope)
            .append_pair("assertion", self.assertion.expose_secret())
            .extend_pairs(proof)
            .finish();
        let mut request = Outbound::post(self.application.endpoint.clone())
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded");
        request.body = Some(form.into());
        let reply =
            self.application.http.send(RequestKind::TokenRequest, request, deadline).await.map_err(|error| {
                Failure::new(
                    Code::IdentityUnavailable,
                    "Entra did not exchange the caller's token in time; try again later.",
                )
                .caused_by(error)
            })?;
        if !reply.is_success() {
            return Ok(Err(Refused::read(&reply)));
        }
        let unreadable = || Failure::new(Code::IdentityUnavailable, "Entra answered an exchange without a token.");
        let body: TokenBody = serde_json::from_slice(&reply.body).map_err(|_| unreadable())?;
        let token = body.access_token.filter(|token| !token.is_empty()).ok_or_else(unreadable)?;
        let life = Duration::from_secs(body.expires_in.unwrap_or(UNTOLD_LIFE).min(86_400));
        Ok(Ok(FetchedToken { token: SecretString::from(token), life }))
    }

    fn failure(&self, refused: Refused) -> Failure {
        refused.failure(&self.application.client_id, self.service)
    }
}
