//! The v2.0 token endpoint.
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
use serde_json::json;

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
        return unknown_tenant(&tenant);
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

pub(super) fn unknown_tenant(tenant: &str) -> Response {
    let description = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
    );
    refused(StatusCode::BAD_REQUEST, "invalid_request", 90_002, &description)
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
