//! The v2.0 token endpoint and the two documents that Microsoft's own clients ask for first.
//!
//! Errors as Entra's "Microsoft identity platform and the OAuth 2.0 client credentials flow" and its error codes page
//! show them: `error`, `error_description` that begins with `AADSTS…`, `error_codes`, `trace_id`, `correlation_id`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Application, Tokens};

pub(super) struct Authority {
    pub(super) applications: BTreeMap<String, Application>,
    pub(super) tokens: Tokens,
}

pub(super) async fn token(
    State(authority): State<Arc<Authority>>,
    Path(tenant): Path<String>,
    body: String,
) -> Response {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if !tenant.eq_ignore_ascii_case(authority.tokens.tenant()) {
        let description = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
        );
        return refused(StatusCode::BAD_REQUEST, "invalid_request", 90_002, &description);
    }
    match field("grant_type") {
        "client_credentials" => {}
        "" => {
            let description = "The request body must contain the following parameter: 'grant_type'.";
            return refused(StatusCode::BAD_REQUEST, "invalid_request", 900_144, description);
        }
        other => {
            let description = format!("The app requested an unsupported grant type '{other}'.");
            return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", 70_003, &description);
        }
    }
    let client = field("client_id");
    let Some(application) = authority.applications.get(client) else {
        let description = format!(
            "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
        );
        return refused(StatusCode::BAD_REQUEST, "unauthorized_client", 700_016, &description);
    };
    if field("client_secret") != application.client_secret {
        let description = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
        );
        return refused(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, &description);
    }
    let Some(audience) = field("scope").strip_suffix("/.default") else {
        let scope = field("scope");
        let description = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
        );
        return refused(StatusCode::BAD_REQUEST, "invalid_scope", 1_002_012, &description);
    };
    let (token, _) = authority.tokens.issue(audience, client, &application.object_id);
    let life = authority.tokens.life().as_secs();
    Json(json!({
        "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token,
    }))
    .into_response()
}

fn refused(status: StatusCode, error: &str, code: u32, description: &str) -> Response {
    let (trace, correlation) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let time = Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let description =
        format!("AADSTS{code}: {description} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}");
    let body = json!({
        "error": error, "error_description": description, "error_codes": [code], "timestamp": time,
        "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    (status, Json(body)).into_response()
}

/// OpenID Connect discovery: clients take the token endpoint from here.
pub(super) async fn openid_configuration(
    State(authority): State<Arc<Authority>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Json<Value> {
    let base = base(&headers);
    let known = authority.tokens.tenant();
    Json(json!({
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{base}/{known}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
    }))
}

/// Which names stand for the same authority: only our own.
pub(super) async fn instance_discovery(State(authority): State<Arc<Authority>>, headers: HeaderMap) -> Json<Value> {
    let base = base(&headers);
    let host = base.trim_start_matches("https://");
    let tenant = authority.tokens.tenant();
    Json(json!({
        "tenant_discovery_endpoint": format!("{base}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
}

fn base(headers: &HeaderMap) -> String {
    let host = headers.get(http::header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
    format!("https://{host}")
}
