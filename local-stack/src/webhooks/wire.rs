//! What receivers answer. Sources: a SAS-signed URL refuses a second scheme with 401
//! `DirectApiRequestHasMoreThanOneAuthorization` (recorded in github.com/fjogeleit/http-request-action/issues/2 and
//! github.com/Azure/logicapps/issues/1157; "only one authorization scheme", learn.microsoft.com, Secure access and data in
//! Azure Logic Apps), one without a signature with `DirectApiAuthorizationRequired` (recorded in
//! github.com/MicrosoftDocs/azure-docs/issues/60706). That an action which waits no more answers 404 is assumed.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::Receiver;

/// `POST /workflows/{workflow}/runs/{run}/actions/{action}/run?…&sig=…`.
pub(super) async fn call_back(
    State(receiver): State<Arc<Receiver>>,
    Path((workflow, _, _)): Path<(String, String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let detail = json!({"name": workflow, "headers": shown(&headers), "body": read(&body)});
    let refuse = |status, code: &str, message: &str| {
        receiver.history.record("webhooks", "refusedCallback", detail.clone());
        (status, Json(json!({"error": {"code": code, "message": message}}))).into_response()
    };
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let scheme = value.to_str().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
        let message = format!(
            "The request has SAS authentication scheme, '{scheme}' authorization scheme or internal token scheme. Only one \
             scheme should be used."
        );
        return refuse(StatusCode::UNAUTHORIZED, "DirectApiRequestHasMoreThanOneAuthorization", &message);
    }
    let action = receiver.actions.find(&workflow);
    let Some(action) = action.filter(|action| !action.gone) else {
        return refuse(
            StatusCode::NOT_FOUND,
            "WorkflowRunActionNotFound",
            "The workflow run action could not be found.",
        );
    };
    if query.get("sig") != Some(&action.signature) {
        let message = "The request must be authenticated only by Shared Access scheme.";
        return refuse(StatusCode::UNAUTHORIZED, "DirectApiAuthorizationRequired", message);
    }
    receiver.history.record("webhooks", "callback", detail);
    StatusCode::OK.into_response()
}

/// Any method at `/hooks/{name}`.
pub(super) async fn hook(
    State(receiver): State<Arc<Receiver>>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let detail = json!({
        "name": name, "method": method.as_str(), "headers": shown(&headers), "body": read(&body),
    });
    receiver.history.record("webhooks", "webhook", detail);
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // Some receivers quote what they were sent.
    let answer = json!({"received": read(&body), "authorization": authorization});
    ([("x-request-id", "received-1")], Json(answer)).into_response()
}

fn shown(headers: &HeaderMap) -> Map<String, Value> {
    headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default()))).collect()
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)))
}
