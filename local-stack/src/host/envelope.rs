//! The Data/Metadata protocol: what the host writes, in its double encoding, and how it reads the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::definition::member;
use crate::service_bus::Delivery;

/// The moment at which a date without offset is written: no sub-seconds, no offset.
fn date_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn date_time_offset(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// A string is written as a string that holds its JSON.
fn double(text: &str) -> Value {
    Value::String(Value::from(text).to_string())
}

fn sys(function: &str) -> Value {
    let now = Timestamp::now();
    json!({
        "MethodName": function,
        "UtcNow": now.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string(),
        "RandGuid": Uuid::new_v4().to_string(),
    })
}

/// A Service Bus message, single dispatch.
pub(super) fn message(function: &str, binding: &str, delivery: &Delivery, binary: bool) -> Value {
    let message = &delivery.message;
    let properties = &message.properties;
    let mut metadata = Map::new();
    metadata.insert("DeliveryCount".into(), message.delivery_count.to_string().into());
    metadata.insert("SequenceNumber".into(), message.sequence_number.to_string().into());
    let lock_token = delivery.lock_token.to_string();
    for (key, value) in [
        ("MessageId", properties.message_id.as_deref()),
        ("CorrelationId", properties.correlation_id.as_deref()),
        ("SessionId", properties.session_id.as_deref()),
        ("ReplyToSessionId", properties.reply_to_session_id.as_deref()),
        ("ContentType", properties.content_type.as_deref()),
        ("ReplyTo", properties.reply_to.as_deref()),
        ("To", properties.to.as_deref()),
        ("Subject", properties.label.as_deref()),
        ("Label", properties.label.as_deref()),
        ("PartitionKey", properties.partition_key.as_deref()),
        ("LockToken", Some(lock_token.as_str())),
    ] {
        if let Some(value) = value {
            metadata.insert(key.into(), double(value));
        }
    }
    metadata.insert("EnqueuedTimeUtc".into(), date_time(message.enqueued_time).into());
    metadata.insert("EnqueuedTime".into(), date_time_offset(message.enqueued_time).into());
    metadata.insert("ExpiresAtUtc".into(), date_time(message.expires_at).into());
    metadata.insert("ExpiresAt".into(), date_time_offset(message.expires_at).into());
    let custom = json!(message.application_properties);
    metadata.insert("ApplicationProperties".into(), custom.clone());
    metadata.insert("UserProperties".into(), custom);
    for shapeless in ["MessageReceiver", "MessageSession", "MessageActions", "Client"] {
        metadata.insert(shapeless.into(), json!({}));
    }
    metadata.insert("sys".into(), sys(function));

    let data = if binary {
        STANDARD.encode(&message.body).into()
    } else {
        let text = String::from_utf8_lossy(&message.body);
        flatten(&mut metadata, &text);
        double(&text)
    };
    json!({"Data": {binding: data}, "Metadata": metadata})
}

/// An event, whole and as an object; its `data` is all that becomes metadata
/// (azure-functions-eventgrid-extension, `EventGridTriggerBinding`).
pub(super) fn event(function: &str, binding: &str, event: &Value) -> Value {
    let mut metadata = Map::new();
    if let Some(data @ Value::Object(_)) = event.get("data") {
        metadata.insert("data".into(), data.clone());
    }
    metadata.insert("sys".into(), sys(function));
    json!({"Data": {binding: event}, "Metadata": metadata})
}

/// A string that is a JSON object spills its properties over the metadata, and so may forge them
/// (WorkerFunctionInvoker, Utility.ApplyBindingData).
fn flatten(metadata: &mut Map<String, Value>, text: &str) {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return };
    for (key, value) in object {
        let value = match value {
            Value::Array(_) | Value::Null => continue,
            Value::Object(_) => value,
            Value::String(text) => double(&reformatted(&text)),
            Value::Bool(flag) => double(if flag { "True" } else { "False" }),
            Value::Number(number) => double(&number.to_string()),
        };
        let key = metadata.keys().find(|known| known.eq_ignore_ascii_case(&key)).cloned().unwrap_or(key);
        if !key.to_lowercase().ends_with("trigger") {
            metadata.insert(key, value);
        }
    }
}

/// Text that looks like an ISO date goes through a .NET DateTime and comes out in the invariant format.
fn reformatted(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => at.strftime("%m/%d/%Y %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// What a monitored timer remembers.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScheduleStatus {
    /// None before the first run: the .NET default date.
    pub(super) last: Option<Timestamp>,
    pub(super) next: Option<Timestamp>,
    pub(super) last_updated: Timestamp,
}

/// A timer's tick.
pub(super) fn timer(function: &str, binding: &str, status: Option<&ScheduleStatus>, is_past_due: bool) -> Value {
    // .NET writes at most seven digits and no trailing zeros.
    let date = |at: Option<Timestamp>| match at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.7f").to_string()) {
        Some(text) => format!("{}Z", text.trim_end_matches('0').trim_end_matches('.')),
        None => "0001-01-01T00:00:00".to_owned(),
    };
    let status = status.map(|status| {
        json!({"Last": date(status.last), "Next": date(status.next), "LastUpdated": date(Some(status.last_updated))})
    });
    json!({
        "Data": {binding: {
            "Schedule": {"AdjustForDST": true},
            "ScheduleStatus": status,
            "IsPastDue": is_past_due,
        }},
        "Metadata": {"sys": sys(function)},
    })
}

/// What the host makes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// With the lines of `Logs`.
    Success(Vec<String>),
    Failure(String),
    /// An empty 2xx, or `null`: the invocation never completes.
    Never,
}

/// Reads an answer as DefaultHttpWorkerService does.
pub(super) fn read(status: StatusCode, content_type: Option<&str>, body: &[u8]) -> Answer {
    if !status.is_success() {
        // Body and `Logs` are never looked at.
        let reason = status.canonical_reason().unwrap_or_default();
        let code = status.as_u16();
        return Answer::Failure(format!("Response status code does not indicate success: {code} ({reason})."));
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Answer::Never;
    }
    let invalid = || Answer::Failure(format!("Invalid HttpResponseMessage: {}", String::from_utf8_lossy(body)));
    let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim).unwrap_or_default();
    if !["application/json", "text/json"].iter().any(|json| media_type.eq_ignore_ascii_case(json)) {
        return invalid();
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Null) => Answer::Never,
        Ok(object @ Value::Object(_)) => match member(&object, "logs") {
            None | Some(Value::Null) => Answer::Success(Vec::new()),
            Some(Value::Array(lines)) => Answer::Success(lines.iter().map(text).collect()),
            Some(_) => invalid(),
        },
        _ => invalid(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
