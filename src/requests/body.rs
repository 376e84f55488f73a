//! Reading bodies strictly: what is missing, malformed or unknown is named with its place.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Code, Failure};

/// Reads a JSON body; an unknown member is an error.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(missing());
    }
    serde_json::from_slice(body).map_err(|error| {
        let (code, what) = if error.is_data() {
            (Code::BodyInvalid, "The body is not what this call takes")
        } else {
            (Code::BodyMalformed, "The body is not JSON")
        };
        let said = error.to_string();
        Failure::new(code, format!("{what}: {said}.")).at(place(&said, error.line(), error.column()))
    })
}

/// The member that serde names between backticks when one is unknown or missing; else where reading stopped.
fn place(said: &str, line: usize, column: usize) -> String {
    let named = ["unknown field `", "missing field `"].iter().find_map(|words| said.strip_prefix(words));
    match named.and_then(|rest| rest.split('`').next()) {
        Some(name) => name.to_owned(),
        None => format!("line {line}, column {column}"),
    }
}

/// What a call's body makes it send; `None` when the body is empty.
pub(super) fn inputs<T: DeserializeOwned>(
    body: &Bytes,
    make: impl FnOnce(T) -> Result<Value, Failure>,
) -> Result<Option<Value>, Failure> {
    if body.is_empty() { Ok(None) } else { make(read(body)?).map(Some) }
}

/// A POST that may have an effect came without a body.
pub(super) fn missing() -> Failure {
    Failure::new(Code::BodyMissing, "The body is empty. Send a JSON object; `{}` if there is nothing to say.")
}

/// NDJSON under its names.
pub(super) fn is_lines(content_type: Option<&str>) -> bool {
    let media = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    matches!(
        media.as_str(),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines"
    )
}
