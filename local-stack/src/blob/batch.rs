//! Blob Batch: several deletes in one multipart request ("Blob Batch", Blob service REST). Deleting through
//! `object_store` always comes this way. Each part carries its own authorization and gets its own answer.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::reply::{error, put, with_body};
use super::{Service, wire};

/// The service takes no more in one batch.
const MAX_PARTS: usize = 256;

struct Part {
    content_id: Option<String>,
    method: String,
    target: String,
    headers: HeaderMap,
}

pub(super) async fn batch(service: &Service, container: &str, headers: &HeaderMap, body: &[u8]) -> Response<Body> {
    let parts = boundary(headers).and_then(|boundary| parse(&String::from_utf8_lossy(body), &boundary));
    let Some(parts) = parts.filter(|parts| !parts.is_empty() && parts.len() <= MAX_PARTS) else {
        return error(StatusCode::BAD_REQUEST, "InvalidInput", "One of the request inputs is not valid.");
    };
    let marker = format!("batchresponse_{}", uuid::Uuid::new_v4());
    let mut text = String::new();
    for part in parts {
        text.extend(["--", &marker, "\r\nContent-Type: application/http\r\n"]);
        if let Some(id) = &part.content_id {
            text.extend(["Content-ID: ", id, "\r\n"]);
        }
        text.push_str("\r\n");
        text.push_str(&answer(service, container, &part).await);
    }
    text.extend(["--", &marker, "--\r\n"]);
    let mut headers = HeaderMap::new();
    put(&mut headers, "content-type", &format!("multipart/mixed; boundary={marker}"));
    with_body(StatusCode::ACCEPTED, headers, Body::from(text))
}

/// The whole answer to one part, as text of HTTP/1.1.
async fn answer(service: &Service, container: &str, part: &Part) -> String {
    let response = match (wire::authenticate(service, &part.headers), name(service, container, &part.target)) {
        (Err(refused), _) => refused,
        (Ok(()), Some(name)) if part.method == "DELETE" => wire::delete_blob(service, container, &name, &part.headers),
        _ => error(StatusCode::BAD_REQUEST, "InvalidInput", "One of the request inputs is not valid."),
    };
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16());
    for (name, value) in &parts.headers {
        text.extend([name.as_str(), ": ", value.to_str().unwrap_or_default(), "\r\n"]);
    }
    if !body.is_empty() {
        text.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    text.push_str("\r\n");
    if !body.is_empty() {
        text.extend([&String::from_utf8_lossy(&body), "\r\n"]);
    }
    text
}

/// The blob that a part is about: `/container/name`, with the account before it where emulators have it.
fn name(service: &Service, container: &str, target: &str) -> Option<String> {
    let path = percent_decode_str(target.split('?').next()?).decode_utf8_lossy().into_owned();
    let path = path.trim_start_matches('/');
    let rest = path.strip_prefix(&format!("{}/", service.account)).unwrap_or(path);
    let name = rest.strip_prefix(&format!("{container}/"))?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("content-type")?.to_str().ok()?;
    let (_, boundary) = value.strip_prefix("multipart/mixed")?.split_once("boundary=")?;
    Some(boundary.trim_matches('"').to_owned())
}

fn parse(body: &str, boundary: &str) -> Option<Vec<Part>> {
    let marker = format!("--{boundary}");
    let (content, _) = body.split_once(&format!("{marker}--"))?;
    content.split(&marker).skip(1).map(part).collect()
}

fn part(text: &str) -> Option<Part> {
    // The line break that ends the marker, the part's own headers, an empty line, the request.
    let mut lines = text.lines().skip(1);
    let own = headers(&mut lines);
    let mut request = lines.next()?.split(' ');
    Some(Part {
        content_id: own.get("content-id").and_then(|id| id.to_str().ok()).map(Into::into),
        method: request.next()?.to_owned(),
        target: request.next()?.to_owned(),
        headers: headers(&mut lines),
    })
}

/// Reads header lines up to and with the empty one.
fn headers<'a>(lines: &mut impl Iterator<Item = &'a str>) -> HeaderMap {
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((HeaderName::try_from(name.trim()).ok()?, HeaderValue::from_str(value.trim()).ok()?))
        })
        .collect()
}
