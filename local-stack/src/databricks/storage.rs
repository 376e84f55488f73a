//! The workspace's storage account, as a client with a presigned link meets it: Azure Blob Storage's answers, its errors
//! in XML. It keeps nothing of its own; chunks are the statements'. What it gives goes to the history as (`storage`,
//! `link`).

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::links::{Blocked, Judged};
use super::workspace::Shared;
use crate::core::serve::CutConnection;

/// Of every dbt task.
const ARTIFACTS: &[u8] = include_bytes!("../../engine/jobs/dbt_artifacts.tar.gz");

pub(super) fn router(workspace: Shared) -> Router {
    Router::new().route("/jobs/{*rest}", get(blob)).fallback(missing).with_state(workspace)
}

async fn missing() -> Response<Body> {
    failure(404, "ResourceNotFound", "The specified resource does not exist.", None)
}

async fn blob(
    State(workspace): State<Shared>,
    Path(rest): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response<Body> {
    match workspace.links.blocked() {
        Some(Blocked::Unreachable) => {
            let mut response = Response::default();
            response.extensions_mut().insert(CutConnection);
            return response;
        }
        // (metabase issue 79840, and the service's list of error codes.)
        Some(Blocked::Firewall) => {
            let message = "This request is not authorized to perform this operation.";
            return failure(403, "AuthorizationFailure", message, None);
        }
        None => {}
    }
    if let Err(refusal) = allowed(&workspace, &format!("/jobs/{rest}"), &query, &headers) {
        return refusal;
    }
    if rest.contains("/dbt/") {
        return given(Bytes::from_static(ARTIFACTS), &headers);
    }
    let found = rest.rsplit('/').next().and_then(|name| name.rsplit_once('_')).and_then(|(id, index)| {
        let rows = workspace.statement(id)?.stored()?;
        Some((id.to_owned(), index.parse::<usize>().ok()?, rows))
    });
    let content = match found {
        Some((id, index, rows)) => {
            // A chunk that is made now takes a while.
            let made = tokio::task::spawn_blocking(move || rows.stored(index)).await.ok().flatten();
            made.map(|content| (id, index, content))
        }
        None => None,
    };
    let Some((id, index, content)) = content else {
        return failure(404, "BlobNotFound", "The specified blob does not exist.", None);
    };
    workspace.history.record("storage", "link", json!({"statementId": id, "chunk": index, "bytes": content.len()}));
    given(content, &headers)
}

/// Whether the link and its headers open the blob.
fn allowed(
    workspace: &Shared,
    path: &str,
    query: &HashMap<String, String>,
    headers: &HeaderMap,
) -> Result<(), Response<Body>> {
    if headers.contains_key(header::AUTHORIZATION) {
        // The header wins over the signature, and a bearer token of Databricks means nothing here (iothub-explorer
        // issue 58: 400 for a link with an Authorization beside it).
        let message =
            "Authentication information is not given in the correct format. Check the value of Authorization header.";
        return Err(failure(400, "InvalidAuthenticationInfo", message, None));
    }
    let part = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let detail = match workspace.links.judge(path, part("se"), part("sig")) {
        Judged::Good => None,
        Judged::Expired { until } => Some(format!(
            "Signature not valid in the specified time frame: Start [] - Expiry [{until}] - Current [{}]",
            jiff::Timestamp::now()
        )),
        Judged::WrongSignature => Some("Signature did not match.".into()),
    };
    if let Some(detail) = detail {
        let message = "Server failed to authenticate the request. Make sure the value of Authorization header is \
                       formed correctly including the signature.";
        return Err(failure(403, "AuthenticationFailed", message, Some(&detail)));
    }
    let held = |(name, value): &(String, String)| headers.get(name).is_some_and(|given| given == value.as_str());
    if !workspace.options.link_headers.iter().all(held) {
        let message =
            "The blob is encrypted with customer specified encryption, but it was not provided in the request.";
        return Err(failure(409, "BlobUsesCustomerSpecifiedEncryption", message, None));
    }
    Ok(())
}

/// The blob, or the range of it that was asked for.
fn given(content: Bytes, headers: &HeaderMap) -> Response<Body> {
    let whole = content.len();
    let wanted = headers.get("x-ms-range").or_else(|| headers.get(header::RANGE));
    let wanted = wanted.and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("bytes="));
    let (status, part, range) = match wanted.map(|wanted| range(wanted, whole)) {
        None => (StatusCode::OK, content, None),
        Some(Some((first, last))) => {
            let range = format!("bytes {first}-{last}/{whole}");
            (StatusCode::PARTIAL_CONTENT, content.slice(first..=last), Some(range))
        }
        Some(None) => {
            let message = "The range specified is invalid for the current size of the resource.";
            return failure(416, "InvalidRange", message, None);
        }
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, part.len())
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::SERVER, "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0")
        .header("x-ms-blob-type", "BlockBlob")
        .header("x-ms-version", "2025-01-05");
    if let Some(range) = range {
        response = response.header(header::CONTENT_RANGE, range);
    }
    response.body(Body::from(part)).unwrap_or_default()
}

/// First and last byte of `a-b` or `a-`.
fn range(wanted: &str, whole: usize) -> Option<(usize, usize)> {
    let (first, last) = wanted.split_once('-')?;
    let first = first.parse().ok()?;
    let last = if last.is_empty() { whole } else { last.parse::<usize>().ok()? + 1 };
    let last = last.min(whole).checked_sub(1)?;
    (first <= last).then_some((first, last))
}

fn failure(status: u16, code: &'static str, message: &str, detail: Option<&str>) -> Response<Body> {
    let request = uuid::Uuid::new_v4();
    let now = jiff::Timestamp::now();
    let detail = detail
        .map_or_else(String::new, |detail| format!("<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>"));
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}\n\
         RequestId:{request}\nTime:{now}</Message>{detail}</Error>"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert("x-ms-error-code", HeaderValue::from_static(code));
    headers.insert(header::SERVER, HeaderValue::from_static("Microsoft-HTTPAPI/2.0"));
    response
}
