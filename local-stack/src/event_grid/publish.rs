//! Publishing: who may, and what an event must have. The service refuses the whole call for one bad event.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::Topic;

pub(super) fn router(topic: Arc<Topic>) -> Router {
    Router::new().route("/api/events", post(publish)).with_state(topic)
}

async fn publish(State(topic): State<Arc<Topic>>, headers: HeaderMap, body: Bytes) -> Response {
    let given = headers.get("aeg-sas-key").and_then(|key| key.to_str().ok());
    if given != Some(topic.key.as_str()) {
        return error(StatusCode::UNAUTHORIZED, "Unauthorized", "The request authorization key is not valid.");
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let events = match (serde_json::from_slice(&body), kind.starts_with("application/cloudevents+json")) {
        (Ok(event @ Value::Object(_)), true) => vec![event],
        (Ok(Value::Array(events)), false) => events,
        _ => return error(StatusCode::BAD_REQUEST, "BadRequest", "The body is not in the schema that its type names."),
    };
    let cloud = kind.starts_with("application/cloudevents");
    let required: &[&str] = if cloud {
        &["id", "source", "type", "specversion"]
    } else {
        &["id", "subject", "eventType", "eventTime", "dataVersion"]
    };
    for event in &events {
        if let Some(missing) = required.iter().find(|name| event.get(**name).is_none()) {
            let detail = format!("Required property '{missing}' not found in JSON.");
            return error(StatusCode::BAD_REQUEST, "BadRequest", &detail);
        }
    }
    for mut event in events {
        if !cloud {
            // Both are the service's to say.
            event["metadataVersion"] = json!("1");
            if event.get("topic").is_none() {
                event["topic"] = json!(TOPIC);
            }
        }
        topic.accept(event);
    }
    StatusCode::OK.into_response()
}

const TOPIC: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local/providers/\
                     Microsoft.EventGrid/topics/local";

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({"error": {"code": code, "message": message}});
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
