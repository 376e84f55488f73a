//! Answers of the Blob service: the headers that every one carries, and errors in XML with `x-ms-error-code`
//! ("Status and error codes", "Blob service error codes"). What is asked for lives in `wire.rs`.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use jiff::Timestamp;

use super::store::Stored;

/// The version that the shapes here are of.
const VERSION: &str = "2023-11-03";

pub(super) fn date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(super) fn empty(status: StatusCode, headers: HeaderMap) -> Response<Body> {
    with_body(status, headers, Body::empty())
}

pub(super) fn with_body(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let common = response.headers_mut();
    put(common, "server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0");
    put(common, "x-ms-request-id", &uuid::Uuid::new_v4().to_string());
    put(common, "x-ms-version", VERSION);
    put(common, "date", &date(Timestamp::now()));
    response
}

pub(super) fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// ETag and Last-Modified, which every answer about one blob has.
pub(super) fn stamp(blob: &Stored) -> HeaderMap {
    let mut headers = HeaderMap::new();
    put(&mut headers, "etag", &format!("\"{}\"", blob.etag));
    put(&mut headers, "last-modified", &date(blob.modified));
    headers
}

/// The headers of Get Blob and Get Blob Properties.
pub(super) fn properties(blob: &Stored) -> HeaderMap {
    let mut headers = stamp(blob);
    put(&mut headers, "content-type", &blob.content_type);
    put(&mut headers, "accept-ranges", "bytes");
    put(&mut headers, "x-ms-blob-type", "BlockBlob");
    put(&mut headers, "x-ms-creation-time", &date(blob.created));
    put(&mut headers, "x-ms-lease-status", "unlocked");
    put(&mut headers, "x-ms-lease-state", "available");
    put(&mut headers, "x-ms-server-encrypted", "true");
    for (name, value) in &blob.metadata {
        if let (Ok(name), Ok(value)) =
            (axum::http::HeaderName::try_from(format!("x-ms-meta-{name}")), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
    headers
}

pub(super) fn error(status: StatusCode, code: &'static str, message: &str) -> Response<Body> {
    let mut headers = HeaderMap::new();
    put(&mut headers, "x-ms-error-code", code);
    put(&mut headers, "content-type", "application/xml");
    let (id, time) = (uuid::Uuid::new_v4(), Timestamp::now());
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{}\nRequestId:{id}\nTime:{time}</Message></Error>",
        escape(message)
    );
    with_body(status, headers, Body::from(body))
}

pub(super) fn blob_not_found() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist.")
}

pub(super) fn container_not_found() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "ContainerNotFound", "The specified container does not exist.")
}

pub(super) fn condition_not_met() -> Response<Body> {
    let message = "The condition specified using HTTP conditional header(s) is not met.";
    error(StatusCode::PRECONDITION_FAILED, "ConditionNotMet", message)
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
