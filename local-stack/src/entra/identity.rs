//! The managed identity endpoint of App Service and Functions ("How to use managed identities for App Service", REST
//! endpoint reference): `expires_on` is a string of epoch seconds, and the header proves that the caller is inside.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::{Identity, Tokens};

pub(super) struct Identities {
    pub(super) header: String,
    pub(super) system: Identity,
    pub(super) user_assigned: Vec<Identity>,
    pub(super) tokens: Tokens,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    resource: Option<String>,
    #[serde(rename = "api-version")]
    api_version: Option<String>,
    client_id: Option<String>,
    object_id: Option<String>,
}

pub(super) async fn token(
    State(identities): State<Arc<Identities>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let header = headers.get("x-identity-header").and_then(|value| value.to_str().ok());
    if header != Some(identities.header.as_str()) {
        return refused(StatusCode::UNAUTHORIZED, "The X-IDENTITY-HEADER is missing or wrong.");
    }
    if asked.api_version.as_deref() != Some("2019-08-01") {
        return refused(StatusCode::BAD_REQUEST, "The api-version is missing or not supported.");
    }
    let Some(resource) = asked.resource.filter(|resource| !resource.is_empty()) else {
        return refused(StatusCode::BAD_REQUEST, "The parameter resource is missing.");
    };
    let identity = match (&asked.client_id, &asked.object_id) {
        (None, None) => Some(&identities.system),
        (client, object) => identities.user_assigned.iter().chain([&identities.system]).find(|identity| {
            client.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(&identity.client_id))
                && object.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(&identity.object_id))
        }),
    };
    let Some(identity) = identity else {
        return refused(
            StatusCode::BAD_REQUEST,
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        );
    };
    let (token, end) = identities.tokens.issue(&resource, &identity.client_id, &identity.object_id);
    Json(json!({
        "access_token": token,
        "expires_on": end.as_second().to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": identity.client_id,
    }))
    .into_response()
}

#[derive(Deserialize)]
pub(super) struct Life {
    seconds: u64,
}

/// How long tokens live that are issued from now on, here and by the authority.
pub(super) async fn token_life(State(identities): State<Arc<Identities>>, Json(life): Json<Life>) -> Response {
    identities.tokens.set_life(Duration::from_secs(life.seconds));
    Json(json!({})).into_response()
}

fn refused(status: StatusCode, message: &str) -> Response {
    let body = json!({"statusCode": status.as_u16(), "message": message, "correlationId": uuid::Uuid::new_v4()});
    (status, Json(body)).into_response()
}
