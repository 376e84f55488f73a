//! Who may call: OAuth M2M tokens that this stand-in gave, Entra tokens for Databricks, personal access tokens.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::membership::not_authorized;
use super::principal::Principal;
use super::reply::{ok, refused, with_status};
use super::workspace::{Shared, Workspace, lock};

/// The application id of Azure Databricks in every cloud (SDK, environments.py).
const RESOURCE: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
/// Databricks rejects tokens that expire within this (SDK, oauth.py).
const TOO_OLD: Duration = Duration::from_secs(30);
const LIFE: Duration = Duration::from_hours(1);

/// Tokens that are good now.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    issued: Mutex<HashMap<String, Timestamp>>,
    /// Every token that was ever good: what a log must never contain.
    known: Mutex<Vec<String>>,
}

impl Tokens {
    /// Makes every token of OAuth M2M bad at once, as a restart of the real service's keys would.
    pub(super) fn forget_issued(&self) {
        lock(&self.issued).clear();
    }

    pub(super) fn every_one(&self) -> Vec<String> {
        lock(&self.known).clone()
    }

    fn issue(&self) -> String {
        let claims = json!({"iss": "local-stack", "jti": uuid::Uuid::new_v4()}).to_string();
        let token = format!("eyJhbGciOiJub25lIn0.{}.x", BASE64_URL_SAFE_NO_PAD.encode(claims));
        lock(&self.known).push(token.clone());
        lock(&self.issued).insert(token.clone(), Timestamp::now() + LIFE);
        token
    }

    fn good(&self, token: &str) -> bool {
        let limit = Timestamp::now() + TOO_OLD;
        lock(&self.issued).get(token).is_some_and(|until| *until > limit)
    }
}

/// Whose token it is.
fn owner(workspace: &Workspace, token: &str) -> Option<Principal> {
    let options = &workspace.options;
    if workspace.personal.good(token) || workspace.tokens.good(token) {
        return Some(Principal::service(options));
    }
    let claims = entra(token, Timestamp::now() + TOO_OLD)?;
    if options.entra.as_ref().is_some_and(|tokens| tokens.read(token).is_err()) {
        return None;
    }
    // A token that a user has allowed something carries a scope; one of an application does not.
    match (claims["scp"].as_str(), claims["oid"].as_str()) {
        (Some(_), Some(object_id)) => Principal::user(options, object_id),
        (Some(_), None) => None,
        (None, _) => Some(Principal::service(options)),
    }
}

/// What an Entra token says that is for Databricks.
fn entra(token: &str, limit: Timestamp) -> Option<Value> {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let audience = match &claims["aud"] {
        Value::Array(list) => list.iter().any(|one| one.as_str().is_some_and(|one| one.contains(RESOURCE))),
        Value::String(one) => one.contains(RESOURCE),
        _ => false,
    };
    let lives = claims["exp"].as_i64().is_some_and(|until| until > limit.as_second());
    (audience && lives).then_some(claims)
}

/// Whether whoever an Entra token was given to is in the workspace; other tokens are of the workspace itself.
fn inside(workspace: &Workspace, token: &str, request: &Request) -> bool {
    let claims = entra(token, Timestamp::now());
    let object_id = claims.as_ref().and_then(|claims| claims["oid"].as_str());
    object_id.is_none_or(|object_id| workspace.is_inside(object_id, request.headers()))
}

/// Lets a call through that carries a good bearer token, and says whose it is.
pub(super) async fn check(State(workspace): State<Shared>, mut request: Request, next: Next) -> Response<Body> {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match token {
        None => {
            refused(StatusCode::UNAUTHORIZED, "Credential was not sent or was of an unsupported type for this API.")
        }
        Some(token) => match owner(&workspace, token) {
            Some(_) if !inside(&workspace, token, &request) => not_authorized(request.uri().path()),
            Some(principal) => {
                request.extensions_mut().insert(principal);
                next.run(request).await
            }
            None => refused(StatusCode::FORBIDDEN, "Invalid access token."),
        },
    }
}

/// `GET /.well-known/databricks-config` (SDK, HostMetadata). The SDK finds the token endpoint through it: since 0.156 it
/// does not do without.
pub(super) async fn host_metadata(headers: HeaderMap) -> Response<Body> {
    ok(&json!({
        "oidc_endpoint": format!("{}/oidc", base(&headers)),
        "account_id": "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d",
        "workspace_id": "4120538711902046",
        "cloud": "Azure",
    }))
}

fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
    format!("http://{host}")
}

/// The discovery document; its members are those of a recorded one.
pub(super) async fn discovery(headers: HeaderMap) -> Response<Body> {
    let base = format!("{}/oidc", base(&headers));
    ok(&json!({
        "authorization_endpoint": format!("{base}/v1/authorize"),
        "token_endpoint": format!("{base}/v1/token"),
        "issuer": base,
        "jwks_uri": format!("{base}/jwks.json"),
        "scopes_supported": ["all-apis", "email", "offline_access", "openid", "profile", "sql"],
        "response_types_supported": ["code", "id_token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "jti", "name", "family_name", "given_name",
            "preferred_username"],
        "request_uri_parameter_supported": false,
    }))
}

/// `POST /oidc/v1/token`: client credentials, by HTTP Basic or in the form.
pub(super) async fn token(State(workspace): State<Shared>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| BASE64_STANDARD.decode(value).ok())
        .and_then(|value| String::from_utf8(value).ok())
        .and_then(|value| value.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned())));
    let posted = || Some((form.get("client_id")?.clone(), form.get("client_secret")?.clone()));
    if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
        return oauth_error(StatusCode::BAD_REQUEST, "unsupported_grant_type", "Only client_credentials is served.");
    }
    match basic.or_else(posted) {
        Some(client) if workspace.options.clients.contains(&client) => ok(&json!({
            "access_token": workspace.tokens.issue(),
            "scope": form.get("scope").map_or("all-apis", String::as_str),
            "token_type": "Bearer",
            "expires_in": LIFE.as_secs(),
        })),
        _ => oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", "Client authentication failed"),
    }
}

fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response<Body> {
    with_status(status, &json!({"error": error, "error_description": description}))
}
