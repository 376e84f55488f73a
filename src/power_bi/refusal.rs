//! Reading a refusal, in every shape that Power BI has for one. What it then means is `error.rs`.
//!
//! Shapes: `{"error": {"code", "message"}}`; `{"error": {"code", "pbi.error": {"code", "details": [{"detail":
//! {"value"}}]}}}` (examples of Microsoft's swagger); `{"message"}` (throttling); and an empty body, whose only reason
//! is the header `x-powerbi-error-info`.

use serde_json::Value;

use super::error::{PowerBiError, Refused, Subject};
use crate::failure::Effect;
use crate::http::{Category, Reply, RequestKind};

/// Longest message that is passed on, in characters.
const LONGEST_MESSAGE: usize = 2_000;

/// A reply that is a success, or the error that it is.
pub(super) fn success(reply: Reply, kind: RequestKind, subject: &Subject) -> Result<Reply, PowerBiError> {
    if reply.is_success() {
        return Ok(reply);
    }
    if reply.status < 400 {
        return Err(unexpected(&reply, kind, subject, "a redirect; is CAUSEWAY_POWER_BI_URL right?"));
    }
    Err(refused(&reply, kind, subject).into())
}

pub(super) fn refused(reply: &Reply, kind: RequestKind, subject: &Subject) -> Refused {
    let (code, message) = code_and_message(reply);
    Refused {
        subject: subject.clone(),
        status: reply.status,
        error_code: code,
        message,
        request_id: request_id(reply),
        retry_after: reply.retry_after(),
        effect: effect(reply, kind),
    }
}

/// A success that makes no sense.
pub(super) fn unexpected(reply: &Reply, kind: RequestKind, subject: &Subject, what: &str) -> PowerBiError {
    PowerBiError::UnexpectedReply {
        subject: subject.clone(),
        what: what.to_owned(),
        request_id: request_id(reply),
        effect: if kind.allowance().category == Category::Read { Effect::None } else { Effect::Possible },
        source: None,
    }
}

/// A refusal certainly did nothing; a fault of the server may come after the deed. A 503 that says when to come back
/// was not taken in.
fn effect(reply: &Reply, kind: RequestKind) -> Effect {
    let refused = reply.status < 500 || (reply.status == 503 && reply.retry_after().is_some());
    if refused || kind.allowance().category == Category::Read { Effect::None } else { Effect::Possible }
}

pub(super) fn request_id(reply: &Reply) -> Option<String> {
    reply.header("requestid").or_else(|| reply.header("x-ms-request-id")).map(str::to_owned)
}

fn code_and_message(reply: &Reply) -> (Option<String>, String) {
    let body = serde_json::from_slice::<Value>(&reply.body).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(&reply.body);
        // A web page says nothing to a maker.
        if text.trim_start().starts_with('<') { Value::Null } else { Value::String(text.trim().to_owned()) }
    });
    let text = |pointer: &str| {
        let found = body.pointer(pointer).and_then(Value::as_str);
        found.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let code = text("/error/code")
        .or_else(|| text("/error/pbi.error/code"))
        .or_else(|| text("/code"))
        .or_else(|| reply.header("x-powerbi-error-info").filter(|info| !info.is_empty()).map(str::to_owned));
    let message = text("/error/pbi.error/details/0/detail/value")
        .or_else(|| text("/error/message"))
        .or_else(|| text("/error"))
        .or_else(|| text("/message"))
        .or_else(|| text("/Message"))
        .or_else(|| text(""))
        .unwrap_or_default();
    (code, message.chars().take(LONGEST_MESSAGE).collect())
}
