//! The v2.0 token endpoint: who asks, and client credentials. The other grants are
//! `on_behalf_of.rs` and `refresh_token.rs`.
//!
//! Errors as Entra's "Microsoft identity platform and the OAuth 2.0 client credentials flow" and its error codes page
//! show them: `error`, `error_description` that begins with `AADSTS…`, `error_codes`, `trace_id`, `correlation_id`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::on_behalf_of::{Exchange, GRANT};
use super::refresh_token::{self, Refresh};
use super::{Application, Federation, Policies, RefreshTokens, Tokens, User};
use crate::core::History;

pub(super) struct Authority {
    pub(super) applications: BTreeMap<String, Application>,
    pub(super) federation: Federation,
    pub(super) refresh_tokens: RefreshTokens,
    pub(super) tokens: Tokens,
    pub(super) policies: Policies,
    pub(super) users: Vec<User>,
    pub(super) history: History,
}

pub(super) async fn token(
    State(authority): State<Arc<Authority>>,
    Path(tenant): Path<String>,
    body: String,
) -> Response {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if !tenant.eq_ignore_ascii_case(authority.tokens.tenant()) {
        return unknown_tenant(&tenant);
    }
    match field("grant_type") {
        "client_credentials" | GRANT | refresh_token::GRANT => {}
        "" => {
            let description = "The request body must contain the following parameter: 'grant_type'.";
            return refused(StatusCode::BAD_REQUEST, "invalid_request", 900_144, description).into_response();
        }
        other => {
            let description = format!("The app requested an unsupported grant type '{other}'.");
            return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", 70_003, &description).into_response();
        }
    }
    let client = field("client_id");
    let Some(application) = authority.applications.get(client) else {
        let description = format!(
            "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
        );
        return refused(StatusCode::BAD_REQUEST, "unauthorized_client", 700_016, &description).into_response();
    };
    if let Err(refusal) = authority.proved(application, &form) {
        return refusal.into_response();
    }
    if field("grant_type") == GRANT {
        let Authority { tokens, policies, users, history, .. } = &*authority;
        return Exchange { tokens, policies, users, history, application }.reply(&form);
    }
    if field("grant_type") == refresh_token::GRANT {
        let Authority { refresh_tokens, tokens, users, history, .. } = &*authority;
        return Refresh { known: refresh_tokens, tokens, users, history, application }.reply(&form);
    }
    if application.client_secret.is_empty() {
        let description = "The client application must not be public to use client credentials.";
        return refused(StatusCode::UNAUTHORIZED, "unauthorized_client", 700_025, description).into_response();
    }
    let Some(audience) = field("scope").strip_suffix("/.default") else {
        let scope = field("scope");
        let description = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
        );
        return refused(StatusCode::BAD_REQUEST, "invalid_scope", 1_002_012, &description).into_response();
    };
    let (token, _) = authority.tokens.issue(audience, client, &application.object_id);
    let life = authority.tokens.life().as_secs();
    Json(json!({
        "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token,
    }))
    .into_response()
}

impl Authority {
    /// That it is the application: its secret, or an assertion that it trusts; nothing of a public client (700025: "Microsoft
    /// Entra authentication and authorization error codes").
    fn proved(&self, application: &Application, form: &BTreeMap<String, String>) -> Result<(), Refused> {
        let client = &application.client_id;
        let public = application.client_secret.is_empty();
        if public {
            return if form.contains_key("client_assertion") || form.contains_key("client_secret") {
                Err(refused(
                    StatusCode::UNAUTHORIZED,
                    "invalid_client",
                    700_025,
                    "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
                ))
            } else {
                Ok(())
            };
        }
        if let Some(assertion) = form.get("client_assertion") {
            return self.federation.proves(client, assertion, &self.tokens);
        }
        match form.get("client_secret") {
            Some(secret) if *secret == application.client_secret => Ok(()),
            Some(_) => Err(refused(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_215,
                &format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
                ),
            )),
            None => Err(refused(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )),
        }
    }
}

pub(super) fn unknown_tenant(tenant: &str) -> Response {
    let description = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
    );
    refused(StatusCode::BAD_REQUEST, "invalid_request", 90_002, &description).into_response()
}

/// A refusal in Entra's form.
pub(super) struct Refused {
    status: StatusCode,
    body: Value,
}

impl Refused {
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.body[name] = value;
        self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

pub(super) fn refused(status: StatusCode, error: &str, code: u32, description: &str) -> Refused {
    let (trace, correlation) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let time = Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let description =
        format!("AADSTS{code}: {description} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}");
    let body = json!({
        "error": error, "error_description": description, "error_codes": [code], "timestamp": time,
        "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    Refused { status, body }
}
