//! A value of a row as it came, read and written without a loss. What it must be is not here.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::plain::Plain;

/// A JSON number, or a text that is one: digits that a sender's own numbers would lose come as text.
pub(crate) fn number(raw: &RawValue) -> Result<Option<Plain>, String> {
    match text(raw)? {
        Some(text) => Ok(Plain::read(&text)),
        None => Ok(Plain::read(raw.get())),
    }
}

/// The text, when it is one.
pub(crate) fn text(raw: &RawValue) -> Result<Option<Cow<'_, str>>, String> {
    let Some(inside) = raw.get().strip_prefix('"') else { return Ok(None) };
    if !inside.contains('\\') {
        return Ok(Some(Cow::Borrowed(inside.strip_suffix('"').unwrap_or(inside))));
    }
    // Half a surrogate pair is JSON and no text.
    serde_json::from_str(raw.get()).map(|text| Some(Cow::Owned(text))).map_err(|_| "is no Unicode text".to_owned())
}

/// A text as JSON has it.
pub(crate) fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            _ => _ = write!(out, "\\u{byte:04x}"),
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// What it is and what it should be. Never the value itself, which may be personal and would stand in the log.
pub(crate) fn not(wanted: &str, raw: &RawValue) -> String {
    let is = match raw.get().as_bytes().first() {
        Some(b'"') => "a text",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    format!("is {is} and not {wanted}")
}
