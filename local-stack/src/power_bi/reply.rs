//! How answers look: the headers that each carries, and errors in the service's shapes.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(super) type Reply = Result<Response, Response>;

/// Adds what every answer carries; `RequestId` is what support asks for.
pub(super) fn marked(mut response: Response, request_id: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("requestid", value);
    }
    headers.insert("home-cluster-uri", HeaderValue::from_static("https://wabi-local-redirect.analysis.windows.net/"));
    response
}

pub(super) fn ok(body: &Value) -> Response {
    with_status(StatusCode::OK, body)
}

pub(super) fn with_status(status: StatusCode, body: &Value) -> Response {
    marked((status, Json(body)).into_response(), &new_id())
}

/// A success that has no body.
pub(super) fn done() -> Response {
    marked(StatusCode::OK.into_response(), &new_id())
}

pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `{"error": {"code", "message"}}`, with the code repeated in `x-powerbi-error-info`.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({"error": {"code": code, "message": message}});
    with_info((status, Json(body)).into_response(), code)
}

pub(super) fn bad(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "BadRequest", message)
}

/// The shape that the swagger's examples show.
pub(super) fn entity_error(status: StatusCode, code: &str) -> Response {
    let inner = json!({"code": code, "parameters": {}, "details": [], "exceptionCulprit": 1});
    with_info((status, Json(json!({"error": {"code": code, "pbi.error": inner}}))).into_response(), code)
}

/// The shape of throttling: a bare message, and the seconds in `Retry-After`.
pub(super) fn throttled(what: &str, seconds: u64) -> Response {
    let body = json!({"message": format!("{what} Retry in {seconds} seconds.")});
    let response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    with_info(retry_after(response, seconds), "RequestThrottled")
}

pub(super) fn retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
    response
}

pub(super) fn with_info(response: Response, code: &str) -> Response {
    let mut response = marked(response, &new_id());
    if let Ok(value) = HeaderValue::from_str(code) {
        response.headers_mut().insert("x-powerbi-error-info", value);
    }
    response
}

pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    serde_json::from_slice(body).map_err(|cause| bad(&format!("The body is not valid: {cause}")))
}

/// `@odata.context` of a list.
pub(super) fn context(headers: &HeaderMap, what: &str) -> String {
    format!("{}/$metadata#{what}", base(headers))
}

/// The address that this was asked at.
pub(super) fn base(headers: &HeaderMap) -> String {
    let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or("api.powerbi.com");
    format!("http://{host}/v1.0/myorg")
}
