//! The stand-in for Entra: the token endpoint and published keys over TLS, and the managed identity endpoint of App Service over http.
//! What a token holds and how it is checked is `tokens.rs`; what other stand-ins do with a token is theirs.

mod discovery;
pub mod federation;
mod forged;
mod identity;
mod keys;
mod on_behalf_of;
mod refresh_token;
mod token_endpoint;
mod tokens;
pub mod users;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::core::{History, Served, Tls};

pub use federation::{FederatedCredential, Federation};
pub use on_behalf_of::Policies;
pub use refresh_token::RefreshTokens;
pub use tokens::{Claims, Refusal, Tokens};
pub(crate) use tokens::{random_bytes, random_hex};
pub use users::User;

/// A service principal that may ask for tokens with a client secret.
#[derive(Clone, Debug)]
pub struct Application {
    pub client_id: String,
    /// Empty: a public client, which proves itself with nothing.
    pub client_secret: String,
    /// The object id of its service principal.
    pub object_id: String,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct EntraOptions {
    /// 0 takes any free port.
    pub port: u16,
    /// The port of the managed identity endpoint; 0 takes any free one.
    pub identity_port: u16,
    pub tokens: Tokens,
    pub applications: Vec<Application>,
    /// Who the function app is: its system-assigned managed identity.
    pub managed_identity: Identity,
    /// User-assigned identities, by client id.
    pub user_assigned: Vec<Identity>,
    /// Object ids of managed identities whose tokens prove every application (federated credentials).
    pub federated: Vec<String>,
    pub users: Vec<User>,
}

/// A managed identity.
#[derive(Clone, Debug)]
pub struct Identity {
    pub client_id: String,
    pub object_id: String,
}

impl EntraOptions {
    /// Any free ports, no applications, one system-assigned identity.
    pub fn new(tokens: Tokens) -> Self {
        Self {
            port: 0,
            identity_port: 0,
            tokens,
            applications: Vec::new(),
            managed_identity: Identity {
                client_id: "6a1f5c2e-8f1b-4c37-9d0a-1b7c55e0a001".into(),
                object_id: "6a1f5c2e-8f1b-4c37-9d0a-1b7c55e0a002".into(),
            },
            user_assigned: Vec::new(),
            federated: Vec::new(),
            users: users::USERS.to_vec(),
        }
    }
}

/// Entra, being served.
#[derive(Debug)]
pub struct Entra {
    /// The authority, over TLS: `AZURE_AUTHORITY_HOST` is its [`Served::https_url`].
    pub authority: Served,
    /// The managed identity endpoint, plain http as in App Service.
    pub identity: Served,
    /// The value that `X-IDENTITY-HEADER` must have.
    pub identity_header: String,
    /// Issues and checks; shared with the stand-ins that take the tokens.
    pub tokens: Tokens,
    /// Consent, and what users must do.
    pub policies: Policies,
    /// Whose tokens prove which application.
    pub federation: Federation,
    pub refresh_tokens: RefreshTokens,
}

impl Entra {
    pub async fn start(options: EntraOptions, tls: &Tls, history: History) -> anyhow::Result<Self> {
        let applications: BTreeMap<_, _> =
            options.applications.into_iter().map(|application| (application.client_id.clone(), application)).collect();
        let policies = Policies::default();
        let (federation, refresh_tokens) = (Federation::default(), RefreshTokens::default());
        for (client_id, subject) in applications.keys().flat_map(|id| options.federated.iter().map(move |of| (id, of)))
        {
            federation.add(FederatedCredential {
                client_id: client_id.clone(),
                issuer: None,
                subject: subject.clone(),
                audience: federation::EXCHANGE.into(),
            });
        }
        let authority = Arc::new(token_endpoint::Authority {
            applications,
            federation: federation.clone(),
            refresh_tokens: refresh_tokens.clone(),
            tokens: options.tokens.clone(),
            policies: policies.clone(),
            users: options.users,
            history: history.clone(),
        });
        let router = Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token_endpoint::token))
            .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::second))
            .route("/{tenant}/.well-known/openid-configuration", get(discovery::first))
            .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
            .route("/{tenant}/discovery/keys", get(discovery::keys))
            .route("/common/discovery/instance", get(discovery::instances))
            .with_state(authority);
        let authority = Served::start("entra", options.port, Some(tls), router, history.clone()).await?;
        options.tokens.set_authority(&authority.https_url());

        let identity_header = tokens::random_hex();
        let identities = Arc::new(identity::Identities {
            header: identity_header.clone(),
            system: options.managed_identity,
            user_assigned: options.user_assigned,
            tokens: options.tokens.clone(),
        });
        let router = Router::new()
            .route("/msi/token", get(identity::token))
            .route("/__stand-in/token-life", post(identity::token_life))
            .with_state(identities);
        let identity = Served::start("entra", options.identity_port, None, router, history).await?;
        Ok(Self { authority, identity, identity_header, tokens: options.tokens, policies, federation, refresh_tokens })
    }

    /// A token that `user` calls `audience` with: an application's client id, or its `api://…`.
    pub fn user_token(&self, user: &User, audience: &str, roles: &[&str]) -> String {
        self.tokens.user_token(user, audience, roles)
    }

    /// What goes into `IDENTITY_ENDPOINT`.
    pub fn identity_endpoint(&self) -> String {
        format!("{}/msi/token", self.identity.http_url())
    }

    /// What goes into `AZURE_AUTHORITY_HOST`.
    pub fn authority_host(&self) -> String {
        format!("{}/", self.authority.https_url())
    }
}
