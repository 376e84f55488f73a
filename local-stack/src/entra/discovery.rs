//! What clients and APIs ask for first: OpenID Connect discovery, the published keys, and which hosts are one authority.
//!
//! Discovery is there once for v1 and once for v2 tokens, with their issuers (Microsoft Learn, "OpenID Connect on the
//! Microsoft identity platform"). Keys are the same for both.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::token_endpoint::{Authority, unknown_tenant};

/// OpenID Connect discovery for v2 tokens.
pub(super) async fn second(
    State(authority): State<Arc<Authority>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Response {
    let issuer = authority.tokens.issuer();
    document(&authority, &tenant, &headers, &issuer, "/v2.0")
}

/// The same for v1 tokens.
pub(super) async fn first(
    State(authority): State<Arc<Authority>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Response {
    let issuer = authority.tokens.first_issuer();
    document(&authority, &tenant, &headers, &issuer, "")
}

fn document(authority: &Authority, tenant: &str, headers: &HeaderMap, issuer: &str, version: &str) -> Response {
    // `common` and `organizations` stand for whoever signs in, and so does their issuer; an API of one tenant asks for
    // its own.
    if !tenant.eq_ignore_ascii_case(authority.tokens.tenant()) && tenant != "common" && tenant != "organizations" {
        return unknown_tenant(tenant);
    }
    let issuer = match tenant {
        "common" | "organizations" => issuer.replace(authority.tokens.tenant(), "{tenantid}"),
        _ => issuer.to_owned(),
    };
    let base = base(headers);
    Json(json!({
        "token_endpoint": format!("{base}/{tenant}/oauth2{version}/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/{tenant}/discovery{version}/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/{tenant}/oauth2{version}/authorize"),
    }))
    .into_response()
}

/// The published keys, of any tenant: Entra signs with the same for all.
pub(super) async fn keys(State(authority): State<Arc<Authority>>) -> Response {
    if authority.tokens.key_set()["keys"].as_array().is_none_or(Vec::is_empty) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    // Entra's own reply allows a day.
    ([(http::header::CACHE_CONTROL, "max-age=86400, private")], Json(authority.tokens.key_set())).into_response()
}

/// Which names stand for the same authority: only our own.
pub(super) async fn instances(State(authority): State<Arc<Authority>>, headers: HeaderMap) -> Json<Value> {
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
