//! One request of the Blob service: who may ask, what is asked for, and its answer ("Operations on containers",
//! "Operations on blobs", Blob service REST).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::reply::{
    blob_not_found, condition_not_met, container_not_found, empty, error, properties, put, stamp, with_body,
};
use super::store::{Put, Stored};
use super::{AUDIENCE, BlobAccess, Service, batch, list};
use crate::entra::Refusal;

pub(super) async fn answer(State(service): State<Arc<Service>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Err(refused) = admit(&service, &parts.headers) {
        return refused;
    }
    let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let mut segments = path.trim_start_matches('/').splitn(3, '/');
    let (account, container, name) = (segments.next(), segments.next(), segments.next());
    if account != Some(service.account.as_str()) {
        return error(StatusCode::NOT_FOUND, "ResourceNotFound", "The specified resource does not exist.");
    }
    let Some(container) = container.filter(|name| !name.is_empty()) else {
        return not_implemented();
    };
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return error(StatusCode::BAD_REQUEST, "InvalidInput", "One of the request inputs is not valid.");
    };
    match name.filter(|name| !name.is_empty()) {
        None if parts.method == Method::POST && query.get("comp").map(String::as_str) == Some("batch") => {
            batch::batch(&service, container, &parts.headers, &bytes).await
        }
        None => of_container(&service, &parts.method, container, &query, &parts.headers),
        Some(_) if query.contains_key("comp") => not_implemented(),
        Some(name) => match parts.method {
            Method::PUT => put_blob(&service, container, name, bytes, &parts.headers),
            Method::GET | Method::HEAD => get_blob(&service, &parts.method, container, name, &parts.headers),
            Method::DELETE => delete_blob(&service, container, name, &parts.headers),
            _ => error(
                StatusCode::METHOD_NOT_ALLOWED,
                "UnsupportedHttpVerb",
                "The resource doesn't support specified Http Verb.",
            ),
        },
    }
}

fn admit(service: &Service, headers: &HeaderMap) -> Result<(), Response<Body>> {
    authenticate(service, headers)?;
    // Tokens are taken from this version on ("Versioning for Azure Storage").
    let old = |version: &HeaderValue| version.as_bytes() < b"2017-11-09".as_slice();
    if matches!(service.access, BlobAccess::Bearer(_)) && headers.get("x-ms-version").is_none_or(old) {
        let message = "The value for one of the HTTP headers is not in the correct format.";
        return Err(error(StatusCode::BAD_REQUEST, "InvalidHeaderValue", message));
    }
    Ok(())
}

pub(super) fn authenticate(service: &Service, headers: &HeaderMap) -> Result<(), Response<Body>> {
    let BlobAccess::Bearer(tokens) = &service.access else { return Ok(()) };
    let own = format!("https://{}.blob.core.windows.net", service.account);
    let code = match tokens.check_headers(headers, &[AUDIENCE, &own]) {
        Ok(_) => return Ok(()),
        Err(Refusal::Missing) => "NoAuthenticationInformation",
        Err(_) => "InvalidAuthenticationInfo",
    };
    let message =
        "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
    let mut refused = error(StatusCode::UNAUTHORIZED, code, message);
    let challenge = format!(
        "Bearer authorization_uri=https://login.microsoftonline.com/{}/oauth2/authorize resource_id={AUDIENCE}",
        tokens.tenant()
    );
    put(refused.headers_mut(), "www-authenticate", &challenge);
    Err(refused)
}

fn of_container(
    service: &Service,
    method: &Method,
    container: &str,
    query: &BTreeMap<String, String>,
    headers: &HeaderMap,
) -> Response<Body> {
    if query.get("restype").map(String::as_str) != Some("container") {
        return not_implemented();
    }
    match (method, query.get("comp").map(String::as_str)) {
        (&Method::GET, Some("list")) => {
            let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
            list::list(service, container, query, &format!("http://{host}/{}", service.account))
        }
        (&Method::PUT, None) => match service.store.create_container(container) {
            Ok(true) => {
                service.history.record("blob", "container", json!({"container": container}));
                empty(StatusCode::CREATED, stamp(&fresh()))
            }
            Ok(false) => {
                error(StatusCode::CONFLICT, "ContainerAlreadyExists", "The specified container already exists.")
            }
            Err(cause) => internal(&cause),
        },
        (&Method::GET | &Method::HEAD, None) if service.store.has_container(container) => {
            let mut headers = stamp(&fresh());
            put(&mut headers, "x-ms-lease-status", "unlocked");
            put(&mut headers, "x-ms-lease-state", "available");
            put(&mut headers, "x-ms-has-immutability-policy", "false");
            put(&mut headers, "x-ms-has-legal-hold", "false");
            empty(StatusCode::OK, headers)
        }
        (&Method::GET | &Method::HEAD, None) => container_not_found(),
        (&Method::DELETE, None) => match service.store.remove_container(container) {
            Ok(true) => empty(StatusCode::ACCEPTED, HeaderMap::new()),
            Ok(false) => container_not_found(),
            Err(cause) => internal(&cause),
        },
        _ => not_implemented(),
    }
}

fn put_blob(
    service: &Service,
    container: &str,
    name: &str,
    bytes: bytes::Bytes,
    headers: &HeaderMap,
) -> Response<Body> {
    match text(headers, "x-ms-blob-type") {
        Some("BlockBlob") => {}
        Some(_) => return not_implemented(),
        None => {
            let message = "An HTTP header that's mandatory for this request is not specified.";
            return error(StatusCode::BAD_REQUEST, "MissingRequiredHeader", message);
        }
    }
    let kind = text(headers, "x-ms-blob-content-type").or_else(|| text(headers, "content-type"));
    let metadata = headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix("x-ms-meta-")?.to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let size = bytes.len();
    let blob = Stored::new(bytes, kind.unwrap_or("application/octet-stream").into(), metadata);
    let (if_match, if_none_match) = (text(headers, "if-match"), text(headers, "if-none-match"));
    let outcome = service.store.put(container, name, blob, |there| {
        if_match.is_none_or(|wanted| there.is_some_and(|blob| matches(wanted, blob)))
            && if_none_match.is_none_or(|unwanted| there.is_none_or(|blob| !matches(unwanted, blob)))
    });
    match outcome {
        Ok(Put::Done(blob)) => {
            service.history.record("blob", "put", json!({"container": container, "name": name, "bytes": size}));
            let mut headers = stamp(&blob);
            put(&mut headers, "x-ms-request-server-encrypted", "true");
            empty(StatusCode::CREATED, headers)
        }
        // Create-if-absent is refused as a conflict, any other condition as a failed precondition ("Specifying
        // conditional headers for Blob service operations").
        Ok(Put::Refused) if if_none_match == Some("*") => {
            error(StatusCode::CONFLICT, "BlobAlreadyExists", "The specified blob already exists.")
        }
        Ok(Put::Refused | Put::Absent) => condition_not_met(),
        Ok(Put::NoContainer) => container_not_found(),
        Err(cause) => internal(&cause),
    }
}

fn get_blob(service: &Service, method: &Method, container: &str, name: &str, headers: &HeaderMap) -> Response<Body> {
    if !service.store.has_container(container) {
        return container_not_found();
    }
    let Some(blob) = service.store.get(container, name) else { return blob_not_found() };
    if text(headers, "if-match").is_some_and(|wanted| !matches(wanted, &blob)) {
        return condition_not_met();
    }
    if text(headers, "if-none-match").is_some_and(|unwanted| matches(unwanted, &blob)) {
        return empty(StatusCode::NOT_MODIFIED, stamp(&blob));
    }
    let mut about = properties(&blob);
    let total = blob.bytes.len();
    // x-ms-range wins ("Specifying the range header for Blob service operations").
    let range = text(headers, "x-ms-range").or_else(|| text(headers, "range"));
    let (status, body) = match range.and_then(parse_range).filter(|_| method == Method::GET) {
        None => (StatusCode::OK, blob.bytes),
        Some((start, _)) if start >= total => {
            let message = "The range specified is invalid for the current size of the resource.";
            let mut refused = error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message);
            put(refused.headers_mut(), "content-range", &format!("bytes */{total}"));
            return refused;
        }
        Some((start, end)) => {
            let end = end.unwrap_or(total - 1).min(total - 1);
            put(&mut about, "content-range", &format!("bytes {start}-{end}/{total}"));
            (StatusCode::PARTIAL_CONTENT, blob.bytes.slice(start..=end))
        }
    };
    put(&mut about, "content-length", &body.len().to_string());
    if method == Method::HEAD { empty(status, about) } else { with_body(status, about, Body::from(body)) }
}

pub(super) fn delete_blob(service: &Service, container: &str, name: &str, headers: &HeaderMap) -> Response<Body> {
    if !service.store.has_container(container) {
        return container_not_found();
    }
    let there = service.store.get(container, name);
    if let (Some(wanted), Some(blob)) = (text(headers, "if-match"), &there)
        && !matches(wanted, blob)
    {
        return condition_not_met();
    }
    match service.store.delete(container, name) {
        Ok(Some(_)) => {
            service.history.record("blob", "delete", json!({"container": container, "name": name}));
            let mut headers = HeaderMap::new();
            put(&mut headers, "x-ms-delete-type-permanent", "true");
            empty(StatusCode::ACCEPTED, headers)
        }
        Ok(None) => blob_not_found(),
        Err(cause) => internal(&cause),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn matches(condition: &str, blob: &Stored) -> bool {
    condition == "*" || condition.split(',').any(|tag| tag.trim().trim_matches('"') == blob.etag)
}

/// `bytes=start-[end]`; anything else is no range.
fn parse_range(text: &str) -> Option<(usize, Option<usize>)> {
    let (start, end) = text.strip_prefix("bytes=")?.split_once('-')?;
    let start = start.parse().ok()?;
    let end: Option<usize> = if end.is_empty() { None } else { Some(end.parse().ok()?) };
    end.is_none_or(|end| end >= start).then_some((start, end))
}

fn fresh() -> Stored {
    Stored::new(bytes::Bytes::new(), String::new(), BTreeMap::new())
}

fn not_implemented() -> Response<Body> {
    error(StatusCode::NOT_IMPLEMENTED, "APINotImplemented", "This stand-in does not have this operation.")
}

fn internal(cause: &std::io::Error) -> Response<Body> {
    error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalError",
        &format!("The server encountered an internal error: {cause}"),
    )
}
