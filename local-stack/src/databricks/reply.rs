//! Replies in the forms that the service gives them: JSON with a request id, and errors.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::json;

/// A reply, or an error reply, of a handler.
pub(super) type Reply = Result<Response<Body>, Response<Body>>;

pub(super) fn ok(body: &impl Serialize) -> Response<Body> {
    with_status(StatusCode::OK, body)
}

pub(super) fn with_status(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `{"error_code": "…", "message": "…"}` (SDK, errors/).
pub(super) fn error(status: u16, error_code: &str, message: &str) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    with_status(status, &json!({"error_code": error_code, "message": message}))
}

pub(super) fn invalid(message: &str) -> Response<Body> {
    error(400, "INVALID_PARAMETER_VALUE", message)
}

/// 401 and 403 carry an integer `error_code` and the message again in a header (recorded by databricks-jdbc,
/// connectionintegrationtests).
pub(super) fn refused(status: StatusCode, message: &'static str) -> Response<Body> {
    let mut response = with_status(status, &json!({"error_code": status.as_u16(), "message": message}));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert("x-databricks-reason-phrase", HeaderValue::from_static(message));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"DatabricksRealm\""));
    }
    response
}

/// A body that is a JSON object of the wanted form.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Response<Body>> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|cause| error(400, "MALFORMED_REQUEST", &format!("Could not parse request object: {cause}")))
}
