//! The REST face: sending, one message or a batch, and peek-lock receiving for clients outside
//! (learn.microsoft.com/rest/api/servicebus, "Service Bus runtime REST"). What a queue does is `queue`'s.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Broker, BrokerProperties, Delivery, NewMessage, Queue, authorization};

const BATCH: &str = "application/vnd.microsoft.servicebus.json";
/// The longest wait of a receive; the service's own default is 60 s.
const LONGEST_WAIT: u64 = 60;

pub(super) fn router(broker: Broker) -> Router {
    // Names of queues may hold slashes, so the path is taken apart by hand.
    Router::new().fallback(answer).with_state(broker)
}

async fn answer(State(broker): State<Broker>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(refusal) = authorization::refusal(authorization, Timestamp::now()) {
        return error(StatusCode::UNAUTHORIZED, &refusal);
    }
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().trim_matches('/').to_owned();
    let Some((name, rest)) = split(&path) else {
        return error(StatusCode::BAD_REQUEST, "The request path is not {queue}/messages.");
    };
    if let Some(subscriptions) = broker.topic(name) {
        return match (method, rest.as_slice()) {
            (Method::POST, []) => send(subscriptions, &headers, &body),
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "A topic is received from by its subscriptions."),
        };
    }
    let Some(queue) = broker.queue(name) else {
        // The page of Send Message names 410; the gateway answers 404 (MessagingEntityNotFound).
        let detail = format!("40400: Endpoint not found. The messaging entity '{name}' could not be found.");
        return error(StatusCode::NOT_FOUND, &detail);
    };
    match (method, rest.as_slice()) {
        (Method::POST, []) => send(std::slice::from_ref(&queue), &headers, &body),
        (Method::POST, ["head"]) => receive(&queue, &uri, true).await,
        (Method::DELETE, ["head"]) => receive(&queue, &uri, false).await,
        (method, [_, token]) => settle(&queue, &method, token),
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here."),
    }
}

/// The queue's name and what follows `/messages`.
fn split(path: &str) -> Option<(&str, Vec<&str>)> {
    let at = path.find("/messages")?;
    let rest = path[at..].strip_prefix("/messages")?;
    (rest.is_empty() || rest.starts_with('/'))
        .then(|| (&path[..at], rest.split('/').filter(|part| !part.is_empty()).collect()))
}

/// To one queue, or to every subscription of a topic.
fn send(queues: &[Queue], headers: &HeaderMap, body: &Bytes) -> Response {
    let Some(queue) = queues.first() else { return StatusCode::CREATED.into_response() };
    if queue.is_dead_letters() {
        return error(StatusCode::BAD_REQUEST, "Cannot send to a dead-letter queue.");
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let messages = if content_type.is_some_and(|value| value.starts_with(BATCH)) {
        batch(body)
    } else {
        single(headers, content_type, body).map(|message| vec![message])
    };
    let messages = match messages {
        Ok(messages) => messages,
        Err(detail) => return error(StatusCode::BAD_REQUEST, &detail),
    };
    let size: usize = messages.iter().map(size).sum();
    if size > queue.options().max_message_bytes {
        let limit = queue.options().max_message_bytes;
        let detail =
            format!("The received message (size:{size} bytes) exceeds the limit ({limit} bytes) currently allowed.");
        return error(StatusCode::FORBIDDEN, &detail);
    }
    for (message, queue) in messages.iter().flat_map(|message| queues.iter().map(move |queue| (message, queue))) {
        queue.send(message.clone());
    }
    StatusCode::CREATED.into_response()
}

fn size(message: &NewMessage) -> usize {
    let properties = &message.application_properties;
    message.body.len() + properties.iter().map(|(name, value)| name.len() + value.to_string().len()).sum::<usize>()
}

fn single(headers: &HeaderMap, content_type: Option<&str>, body: &Bytes) -> Result<NewMessage, String> {
    let mut properties = match headers.get("brokerproperties") {
        Some(value) => broker_properties(value.as_bytes())?,
        None => BrokerProperties::default(),
    };
    properties.content_type = properties.content_type.or_else(|| content_type.map(str::to_owned));
    let custom = headers.iter().filter(|(name, _)| !is_transport(name.as_str())).filter_map(|(name, value)| {
        let value = custom_value(value.to_str().ok()?)?;
        Some((name.as_str().to_owned(), value))
    });
    Ok(NewMessage { body: body.clone(), properties, application_properties: custom.collect() })
}

/// Headers of HTTP itself, which are not custom properties.
fn is_transport(name: &str) -> bool {
    const NAMES: [&str; 17] = [
        "authorization",
        "brokerproperties",
        "content-type",
        "content-length",
        "content-encoding",
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "transfer-encoding",
        "expect",
        "traceparent",
        "tracestate",
        "date",
        "cache-control",
        "te",
    ];
    NAMES.contains(&name) || name.starts_with("x-ms-")
}

/// `"text"`, a number, or `true`/`false`; anything else is no property.
fn custom_value(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(text).ok().filter(|value| !value.is_object() && !value.is_array() && !value.is_null())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct WireProperties {
    message_id: Option<String>,
    correlation_id: Option<String>,
    session_id: Option<String>,
    reply_to: Option<String>,
    reply_to_session_id: Option<String>,
    to: Option<String>,
    label: Option<String>,
    partition_key: Option<String>,
    content_type: Option<String>,
    /// Seconds.
    time_to_live: Option<f64>,
    scheduled_enqueue_time_utc: Option<String>,
}

fn broker_properties(json: &[u8]) -> Result<BrokerProperties, String> {
    let wire: WireProperties =
        serde_json::from_slice(json).map_err(|problem| format!("The BrokerProperties cannot be read: {problem}"))?;
    wire.try_into()
}

impl TryFrom<WireProperties> for BrokerProperties {
    type Error = String;

    fn try_from(wire: WireProperties) -> Result<Self, String> {
        let time_to_live = wire
            .time_to_live
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(|problem| format!("TimeToLive: {problem}"))?;
        Ok(Self {
            message_id: wire.message_id.filter(|id| !id.is_empty()),
            correlation_id: wire.correlation_id,
            session_id: wire.session_id,
            reply_to: wire.reply_to,
            reply_to_session_id: wire.reply_to_session_id,
            to: wire.to,
            label: wire.label,
            partition_key: wire.partition_key,
            content_type: wire.content_type,
            time_to_live,
            scheduled_enqueue_time: wire.scheduled_enqueue_time_utc.as_deref().map(date).transpose()?,
        })
    }
}

/// An HTTP date, or ISO 8601 in UTC.
fn date(text: &str) -> Result<Timestamp, String> {
    // RFC 2822 writes the zone of an HTTP date as `+0000`; `GMT` is its obsolete name and still allowed.
    jiff::fmt::rfc2822::parse(text)
        .map(|zoned| zoned.timestamp())
        .or_else(|_| text.parse::<Timestamp>())
        .map_err(|_| format!("ScheduledEnqueueTimeUtc '{text}' is not a date."))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchEntry {
    body: String,
    #[serde(default)]
    broker_properties: WireProperties,
    #[serde(default)]
    user_properties: std::collections::BTreeMap<String, Value>,
}

fn batch(body: &[u8]) -> Result<Vec<NewMessage>, String> {
    let entries: Vec<BatchEntry> =
        serde_json::from_slice(body).map_err(|problem| format!("The batch cannot be read: {problem}"))?;
    entries
        .into_iter()
        .map(|entry| {
            Ok(NewMessage {
                body: entry.body.into(),
                properties: entry.broker_properties.try_into()?,
                application_properties: entry.user_properties,
            })
        })
        .collect()
}

async fn receive(queue: &Queue, uri: &Uri, keep: bool) -> Response {
    let wait = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "timeout")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(LONGEST_WAIT);
    let Ok(delivery) = tokio::time::timeout(Duration::from_secs(wait.min(LONGEST_WAIT)), queue.receive()).await else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let status = if keep {
        StatusCode::CREATED
    } else {
        // A lock that was taken a moment ago still holds.
        let _ = queue.complete(delivery.lock_token);
        StatusCode::OK
    };
    delivered(queue, &delivery, status)
}

fn delivered(queue: &Queue, delivery: &Delivery, status: StatusCode) -> Response {
    let message = &delivery.message;
    let id = message.properties.message_id.clone().unwrap_or_else(|| message.sequence_number.to_string());
    let mut properties = json!({
        "DeliveryCount": message.delivery_count,
        "EnqueuedTimeUtc": http_date(message.enqueued_time),
        "LockToken": delivery.lock_token.to_string(),
        "LockedUntilUtc": http_date(delivery.locked_until),
        "SequenceNumber": message.sequence_number,
        "State": "Active",
    });
    for (name, value) in [
        ("MessageId", &message.properties.message_id),
        ("CorrelationId", &message.properties.correlation_id),
        ("SessionId", &message.properties.session_id),
        ("ReplyTo", &message.properties.reply_to),
        ("To", &message.properties.to),
        ("Label", &message.properties.label),
    ] {
        if let Some(value) = value {
            properties[name] = value.as_str().into();
        }
    }
    let mut response = http::Response::builder()
        .status(status)
        .header("BrokerProperties", properties.to_string())
        .header(LOCATION, format!("/{}/messages/{id}/{}", queue.name(), delivery.lock_token));
    if let Some(content_type) = &message.properties.content_type {
        response = response.header(CONTENT_TYPE, content_type);
    }
    for (name, value) in &message.application_properties {
        response = response.header(name.as_str(), value.to_string());
    }
    response.body(axum::body::Body::from(message.body.clone())).unwrap_or_else(|problem| {
        error(StatusCode::INTERNAL_SERVER_ERROR, &format!("The message cannot be written as HTTP: {problem}"))
    })
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn settle(queue: &Queue, method: &Method, token: &str) -> Response {
    let Ok(token) = token.parse::<Uuid>() else {
        return error(StatusCode::BAD_REQUEST, "The lock token is not a UUID.");
    };
    let done = match *method {
        Method::DELETE => queue.complete(token),
        Method::PUT => queue.abandon(token),
        Method::POST => queue.renew(token).map(drop),
        _ => return error(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here."),
    };
    match done {
        Ok(()) => StatusCode::OK.into_response(),
        Err(lost) => error(StatusCode::NOT_FOUND, &lost.to_string()),
    }
}

fn error(status: StatusCode, detail: &str) -> Response {
    let detail = detail.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = format!("<Error><Code>{}</Code><Detail>{detail}</Detail></Error>", status.as_u16());
    (status, [(CONTENT_TYPE, "application/xml; charset=utf-8")], body).into_response()
}
