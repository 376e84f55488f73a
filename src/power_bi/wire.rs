//! Refreshes as they come, every member allowed to be missing, and what is made of them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::refreshes::{Refresh, RefreshAttempt, RefreshState, RefreshedObject};

#[derive(Deserialize)]
pub(super) struct HistoryBody {
    #[serde(default)]
    pub(super) value: Vec<RefreshBody>,
}

/// An entry of the history, or the details of one refresh: they share their members.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefreshBody {
    request_id: Option<String>,
    refresh_type: Option<String>,
    status: Option<String>,
    extended_status: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    /// JSON inside a text.
    service_exception_json: Option<String>,
    #[serde(default)]
    messages: Vec<MessageBody>,
    #[serde(default)]
    refresh_attempts: Vec<AttemptBody>,
    #[serde(rename = "type")]
    kind: Option<String>,
    commit_mode: Option<String>,
    #[serde(default)]
    objects: Vec<ObjectBody>,
}

#[derive(Deserialize)]
struct MessageBody {
    code: Option<Value>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttemptBody {
    attempt_id: Option<u32>,
    #[serde(rename = "type")]
    kind: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    service_exception_json: Option<String>,
}

#[derive(Deserialize)]
struct ObjectBody {
    #[serde(default)]
    table: String,
    partition: Option<String>,
    status: Option<String>,
}

impl From<AttemptBody> for RefreshAttempt {
    fn from(body: AttemptBody) -> Self {
        Self {
            attempt: body.attempt_id,
            kind: body.kind,
            start_time: body.start_time.as_deref().and_then(time),
            end_time: body.end_time.as_deref().and_then(time),
            error: body.service_exception_json.as_deref().and_then(exception),
        }
    }
}

impl From<ObjectBody> for RefreshedObject {
    fn from(body: ObjectBody) -> Self {
        Self { table: body.table, partition: body.partition, status: body.status }
    }
}

impl From<RefreshBody> for Refresh {
    fn from(body: RefreshBody) -> Self {
        let (state, remark) = state(&body);
        let mut messages: Vec<String> = body.messages.iter().filter_map(MessageBody::text).collect();
        messages.extend(body.service_exception_json.as_deref().and_then(exception));
        if messages.is_empty() && state == RefreshState::Failed {
            let attempts = body.refresh_attempts.iter().rev();
            messages
                .extend(attempts.filter_map(|attempt| attempt.service_exception_json.as_deref()).find_map(exception));
        }
        messages.extend(remark);
        Self {
            refresh_id: body.request_id,
            refresh_type: body.refresh_type,
            state,
            start_time: body.start_time.as_deref().and_then(time),
            end_time: body.end_time.as_deref().and_then(time),
            messages,
            kind: body.kind,
            commit_mode: body.commit_mode,
            objects: body.objects.into_iter().map(RefreshedObject::from).collect(),
            attempts: body.refresh_attempts.into_iter().map(RefreshAttempt::from).collect(),
        }
    }
}

impl MessageBody {
    fn text(&self) -> Option<String> {
        let code = match &self.code {
            Some(Value::String(code)) => code.clone(),
            Some(Value::Number(code)) => code.to_string(),
            _ => String::new(),
        };
        let text = joined(&code, self.message.as_deref().unwrap_or_default())?;
        Some(if self.kind.as_deref() == Some("Warning") { format!("Warning: {text}") } else { text })
    }
}

/// What a failed refresh says: `{"errorCode", "errorDescription"}`, the second often missing.
fn exception(text: &str) -> Option<String> {
    let Ok(Value::Object(said)) = serde_json::from_str::<Value>(text) else {
        return joined("", text);
    };
    let member = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    joined(member("errorCode"), member("errorDescription")).or_else(|| joined("", text))
}

fn joined(code: &str, message: &str) -> Option<String> {
    match (code.trim(), message.trim()) {
        ("", "") => None,
        (text, "") | ("", text) => Some(text.to_owned()),
        (code, message) => Some(format!("{code}: {message}")),
    }
}

/// `extendedStatus` tells more than `status`, which says `Unknown` for what is going on.
fn state(body: &RefreshBody) -> (RefreshState, Option<String>) {
    let (extended, status) = (body.extended_status.as_deref(), body.status.as_deref());
    let known = |text: &str| match text {
        "NotStarted" | "InProgress" => Some(RefreshState::InProgress),
        "Completed" => Some(RefreshState::Completed),
        "Failed" | "TimedOut" => Some(RefreshState::Failed),
        "Cancelled" => Some(RefreshState::Cancelled),
        "Disabled" => Some(RefreshState::Disabled),
        _ => None,
    };
    if let Some(state) = extended.and_then(known).or_else(|| status.and_then(known)) {
        return (state, (extended == Some("TimedOut")).then(|| "The refresh took too long.".to_owned()));
    }
    match extended.or(status) {
        // A word we do not know: with an end it did not go on, and nobody says that it went well.
        Some(word) if word != "Unknown" && body.end_time.is_some() => {
            (RefreshState::Failed, Some(format!("The refresh ended as {word}.")))
        }
        _ => (RefreshState::InProgress, None),
    }
}

/// The details of a refresh have no zone (Microsoft's swagger, examples); it is UTC.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let zoneless: DateTime = text.parse().ok()?;
    zoneless.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
