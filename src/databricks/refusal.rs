//! Reading an error body, in every shape that Databricks has for one. What it then means is `error.rs`.
//!
//! Shapes (Databricks SDKs, errors/ and apierr/errors.go): `{error_code, message}` with the code as text or number,
//! `{error}`, `{error, error_description}`, SCIM's `{detail}`, plain `CODE: message`, HTML, and nothing at all.

use serde_json::Value;

use super::error::{DatabricksError, Refused};
use super::subject::Subject;
use crate::failure::Effect;
use crate::http::{Category, Reply, RequestKind};

/// Longest message that is passed on, in characters.
const LONGEST_MESSAGE: usize = 2_000;
const PRIVATE_LINK: &str = "private-link-validation-error";

/// A reply that is a success, or the error that it is.
pub(super) fn success(reply: Reply, kind: RequestKind, subject: &Subject) -> Result<Reply, DatabricksError> {
    let is_page = reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let is_redirect = (300..400).contains(&reply.status);
    if is_redirect || (reply.is_success() && is_page) {
        let target = reply.header("location").unwrap_or_default();
        if target.contains(PRIVATE_LINK) || contains(&reply.body, PRIVATE_LINK) {
            return Err(DatabricksError::PrivateLink);
        }
        let what = if is_redirect { "a redirect" } else { "a web page; is the host that of a workspace?" };
        return Err(unexpected(&reply, kind, subject, what));
    }
    if reply.is_success() {
        return Ok(reply);
    }
    let (error_code, message) = code_and_message(&reply);
    Err(Refused {
        subject: subject.clone(),
        status: reply.status,
        error_code,
        message,
        request_id: request_id(&reply),
        retry_after: reply.retry_after(),
        effect: effect(&reply, kind),
    }
    .into())
}

/// A success that makes no sense.
pub(super) fn unexpected(reply: &Reply, kind: RequestKind, subject: &Subject, what: &str) -> DatabricksError {
    DatabricksError::UnexpectedReply {
        subject: subject.clone(),
        what: what.to_owned(),
        request_id: request_id(reply),
        effect: if kind.allowance().category == Category::Read { Effect::None } else { Effect::Possible },
        source: None,
    }
}

/// A refusal certainly did nothing; a fault of the server may come after the deed. A 503 that says when to come back
/// was not taken in (the retry rule of the drivers for SQL warehouses).
fn effect(reply: &Reply, kind: RequestKind) -> Effect {
    let refused = reply.status < 500 || (reply.status == 503 && reply.retry_after().is_some());
    if refused || kind.allowance().category == Category::Read { Effect::None } else { Effect::Possible }
}

pub(super) fn request_id(reply: &Reply) -> Option<String> {
    reply.header("x-request-id").map(str::to_owned)
}

/// Whether a new token may help: any 401, and a 403 that is about the token, not about a right.
pub(super) fn token_was_refused(reply: &Reply) -> bool {
    match reply.status {
        401 => true,
        403 => {
            let (code, message) = code_and_message(reply);
            let message = message.to_ascii_lowercase();
            let of_tokens = message.contains("permission to use tokens") || message.contains("disabled");
            code.is_none_or(|code| code != "PERMISSION_DENIED") || (message.contains("token") && !of_tokens)
        }
        _ => false,
    }
}

fn code_and_message(reply: &Reply) -> (Option<String>, String) {
    let (code, message) = match serde_json::from_slice::<Value>(&reply.body) {
        Ok(Value::Object(body)) => {
            let text = |name: &str| match body.get(name) {
                Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
                Some(Value::Number(number)) => Some(number.to_string()),
                _ => None,
            };
            let message =
                ["message", "error_description", "errorSummary", "detail", "error"].into_iter().find_map(text);
            (text("error_code").or_else(|| text("errorCode")).or_else(|| text("scimType")), message)
        }
        Ok(Value::String(message)) => (None, Some(message)),
        _ => plain(&String::from_utf8_lossy(&reply.body)),
    };
    let message = message
        .or_else(|| reply.header("x-databricks-reason-phrase").map(str::to_owned))
        .unwrap_or_else(|| format!("status {}, without a reason", reply.status));
    (code, message.trim().chars().take(LONGEST_MESSAGE).collect())
}

/// Plain text, perhaps `CODE: message`; or the part of a web page that says something.
fn plain(text: &str) -> (Option<String>, Option<String>) {
    let text = text.trim();
    for (open, close) in [("<pre>", "</pre>"), ("<title>", "</title>")] {
        if let Some(inside) = text.split_once(open).and_then(|(_, behind)| behind.split_once(close)) {
            return (None, Some(inside.0.trim().to_owned()));
        }
    }
    if text.is_empty() || text.starts_with('<') || text.starts_with('{') {
        return (None, None);
    }
    match text.split_once(": ") {
        Some((code, message)) if is_code(code) => (Some(code.to_owned()), Some(message.to_owned())),
        _ => (None, Some(text.to_owned())),
    }
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}
