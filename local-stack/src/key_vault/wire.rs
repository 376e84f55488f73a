//! The REST shapes of secrets ("Azure Key Vault REST API reference", Secrets), the challenge ("Authentication,
//! requests and responses") and the errors ("Azure Key Vault REST API error codes"). `api-version` is not looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AUDIENCE, Secret, Vault};
use crate::entra::Refusal;

type Reply = Result<Response, Response>;

pub(super) async fn current(State(vault): State<Arc<Vault>>, Path(name): Path<String>, headers: HeaderMap) -> Reply {
    read(&vault, &name, None, &headers)
}

pub(super) async fn version(
    State(vault): State<Arc<Vault>>,
    Path((name, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Reply {
    read(&vault, &name, Some(&version), &headers)
}

fn read(vault: &Vault, name: &str, version: Option<&str>, headers: &HeaderMap) -> Reply {
    vault.admit(headers, "get")?;
    checked(name)?;
    let secret = vault.store.get(name, version).ok_or_else(|| not_found(name, version))?;
    if !secret.enabled {
        let message = "Operation get is not allowed on a disabled secret.";
        let body =
            json!({"error": {"code": "Forbidden", "message": message, "innererror": {"code": "SecretDisabled"}}});
        return Err((StatusCode::FORBIDDEN, Json(body)).into_response());
    }
    vault.history.record("keyVault", "secretRead", json!({"name": secret.name, "version": secret.version}));
    Ok(Json(bundle(&secret, headers, true)).into_response())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    enabled: Option<bool>,
    /// Epoch seconds. A secret outside its times is given all the same ("About Azure Key Vault secrets").
    nbf: Option<i64>,
    exp: Option<i64>,
}

impl Attributes {
    fn put_on(&self, secret: &mut Secret) {
        secret.enabled = self.enabled.unwrap_or(secret.enabled);
        secret.not_before = self.nbf.or(secret.not_before);
        secret.expires = self.exp.or(secret.expires);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetRequest {
    value: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    attributes: Option<Attributes>,
}

pub(super) async fn set(
    State(vault): State<Arc<Vault>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Reply {
    vault.admit(&headers, "set")?;
    checked(&name)?;
    let request = parsed(&body)?;
    let Some(value) = request.value else {
        return Err(error(StatusCode::BAD_REQUEST, "BadParameter", "Property value is required"));
    };
    let mut secret = vault.store.set(&name, &value, request.content_type, request.tags.unwrap_or_default());
    if let Some(attributes) = request.attributes {
        let version = secret.version.clone();
        let changed = vault.store.update(&name, Some(&version), |secret| attributes.put_on(secret));
        secret = changed.unwrap_or(secret);
    }
    vault.history.record("keyVault", "secretSet", json!({"name": secret.name, "version": secret.version}));
    Ok(Json(bundle(&secret, &headers, true)).into_response())
}

pub(super) async fn update(
    State(vault): State<Arc<Vault>>,
    Path((name, version)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Reply {
    vault.admit(&headers, "set")?;
    let request = parsed(&body)?;
    let updated = vault.store.update(&name, Some(&version), |secret| {
        if let Some(attributes) = &request.attributes {
            attributes.put_on(secret);
        }
        if let Some(kind) = &request.content_type {
            secret.content_type = Some(kind.clone());
        }
        if let Some(tags) = &request.tags {
            secret.tags.clone_from(tags);
        }
    });
    let secret = updated.ok_or_else(|| not_found(&name, Some(&version)))?;
    Ok(Json(bundle(&secret, &headers, false)).into_response())
}

pub(super) async fn delete(State(vault): State<Arc<Vault>>, Path(name): Path<String>, headers: HeaderMap) -> Reply {
    vault.admit(&headers, "delete")?;
    let secret = vault.store.remove(&name).ok_or_else(|| not_found(&name, None))?;
    vault.history.record("keyVault", "secretDeleted", json!({"name": secret.name}));
    let mut body = bundle(&secret, &headers, false);
    let now = jiff::Timestamp::now().as_second();
    body["recoveryId"] = json!(format!("{}/deletedsecrets/{}", base(&headers), secret.name));
    body["deletedDate"] = json!(now);
    body["scheduledPurgeDate"] = json!(now + 90 * 86_400);
    Ok(Json(body).into_response())
}

pub(super) async fn versions(State(vault): State<Arc<Vault>>, Path(name): Path<String>, headers: HeaderMap) -> Reply {
    vault.admit(&headers, "list")?;
    let all = vault.store.versions(&name);
    if all.is_empty() {
        return Err(not_found(&name, None));
    }
    let value: Vec<Value> = all.iter().map(|secret| bundle(secret, &headers, false)).collect();
    Ok(Json(json!({"value": value, "nextLink": null})).into_response())
}

pub(super) async fn list(State(vault): State<Arc<Vault>>, headers: HeaderMap) -> Reply {
    vault.admit(&headers, "list")?;
    let value: Vec<Value> = vault
        .store
        .list()
        .iter()
        .map(|secret| {
            let mut item = bundle(secret, &headers, false);
            // The list names secrets, not versions.
            item["id"] = json!(format!("{}/secrets/{}", base(&headers), secret.name));
            item
        })
        .collect();
    Ok(Json(json!({"value": value, "nextLink": null})).into_response())
}

pub(super) async fn unknown(State(vault): State<Arc<Vault>>, headers: HeaderMap) -> Reply {
    vault.admit(&headers, "get")?;
    Err(error(StatusCode::NOT_FOUND, "NotFound", "The requested resource was not found."))
}

impl Vault {
    /// Without a good token the answer is 401 with the challenge, whatever was asked; with one, 403 when it may not.
    fn admit(&self, headers: &HeaderMap, operation: &str) -> Result<(), Response> {
        let claims = match self.tokens.check_headers(headers, &[AUDIENCE]) {
            Ok(claims) => claims,
            Err(refusal) => return Err(self.challenge(refusal)),
        };
        if self.allowed.is_empty() || self.allowed.contains(&claims.oid) {
            return Ok(());
        }
        let message = format!(
            "Caller is not authorized to perform action on resource. Caller: appid={};oid={} Action: 'Microsoft.KeyVault/vaults/secrets/{operation}Secret/action'",
            claims.appid, claims.oid
        );
        let body =
            json!({"error": {"code": "Forbidden", "message": message, "innererror": {"code": "ForbiddenByRbac"}}});
        Err((StatusCode::FORBIDDEN, Json(body)).into_response())
    }

    /// A missing, expired or foreign token and a wrong resource are all 401 (error codes page, "HTTP 401").
    fn challenge(&self, refusal: Refusal) -> Response {
        let message = match refusal {
            Refusal::Missing => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
            Refusal::Invalid => "AKV10015: Token signature is not valid.".to_owned(),
            Refusal::Expired => "AKV10013: Token has expired.".to_owned(),
            Refusal::WrongAudience => format!("AKV10022: Invalid audience. Expected {AUDIENCE}."),
        };
        let why = match refusal {
            Refusal::Missing => String::new(),
            _ => format!(", error=\"invalid_token\", error_description=\"{message}\""),
        };
        let challenge = format!("Bearer authorization=\"{}\", resource=\"{AUDIENCE}\"{why}", self.authorization);
        let body = json!({"error": {"code": "Unauthorized", "message": message}});
        (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)], Json(body)).into_response()
    }
}

/// Names are `^[0-9a-zA-Z-]{1,127}$`.
fn checked(name: &str) -> Result<(), Response> {
    let good = (1..=127).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if good {
        return Ok(());
    }
    let message = format!("The request URI contains an invalid name: {name}");
    Err(error(StatusCode::BAD_REQUEST, "BadParameter", &message))
}

fn parsed(body: &str) -> Result<SetRequest, Response> {
    serde_json::from_str(body)
        .map_err(|cause| error(StatusCode::BAD_REQUEST, "BadParameter", &format!("The body is not valid: {cause}")))
}

fn not_found(name: &str, version: Option<&str>) -> Response {
    let id = version.map_or_else(|| name.to_owned(), |version| format!("{name}/{version}"));
    let message = format!(
        "A secret with (name/id) {id} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    );
    error(StatusCode::NOT_FOUND, "SecretNotFound", &message)
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"error": {"code": code, "message": message}}))).into_response()
}

/// A SecretBundle, or a SecretItem when it goes without the value.
fn bundle(secret: &Secret, headers: &HeaderMap, with_value: bool) -> Value {
    let mut body = json!({
        "id": format!("{}/secrets/{}/{}", base(headers), secret.name, secret.version),
        "attributes": {
            "enabled": secret.enabled,
            "created": secret.created.as_second(),
            "updated": secret.updated.as_second(),
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        },
    });
    if let Some(at) = secret.not_before {
        body["attributes"]["nbf"] = json!(at);
    }
    if let Some(at) = secret.expires {
        body["attributes"]["exp"] = json!(at);
    }
    if with_value {
        body["value"] = json!(secret.value);
    }
    if let Some(kind) = &secret.content_type {
        body["contentType"] = json!(kind);
    }
    if !secret.tags.is_empty() {
        body["tags"] = json!(secret.tags);
    }
    body
}

fn base(headers: &HeaderMap) -> String {
    let host = headers.get(http::header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
    format!("https://{host}")
}
