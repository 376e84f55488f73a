//! Keeps each request and its reply as they were, so that a test can hold both against Microsoft's contract. Headers are
//! left out: they carry tokens.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::json;

use super::Service;

/// Longer bodies are not kept.
const MOST: usize = 256 * 1024;

/// Records `exchange`: method, path with query, both bodies as text (`null` when too long), and the status.
pub(super) async fn keep(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.to_string(), parts.uri.to_string());
    let asked = whole(body).await;
    let response = next.run(Request::from_parts(parts, Body::from(asked.clone()))).await;
    let (parts, body) = response.into_parts();
    let answered = whole(body).await;
    service.history.record(
        "powerBi",
        "exchange",
        json!({
            "method": method,
            "path": path,
            "request": text(&asked),
            "status": parts.status.as_u16(),
            "reply": text(&answered),
        }),
    );
    Response::from_parts(parts, Body::from(answered))
}

async fn whole(body: Body) -> Bytes {
    // Both bodies are in memory already.
    body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

fn text(body: &Bytes) -> Option<&str> {
    (body.len() <= MOST).then(|| std::str::from_utf8(body).unwrap_or_default())
}
