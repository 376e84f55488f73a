//! The body of a raw call, read strictly, and what it makes go out: JSON, or a form with files.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::failure::{Code, Failure};

/// Seconds for one try when the call does not say, and at most.
const DEFAULT_TIMEOUT: u64 = 90;
const MOST_TIMEOUT: u64 = 105;
const MOST_RETRIES: u32 = 10;
const MOST_DELAY: u64 = 60_000;
const MOST_HEADERS: usize = 64;
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// Set by the transport, or by who we are.
const NOT_OURS: [&str; 10] = [
    "authorization",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "cookie",
    "expect",
    "te",
    "trailer",
    "upgrade",
];

/// Names in small letters, and values.
pub(super) type Headers = Vec<(String, String)>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    method: String,
    pub path: String,
    #[serde(default)]
    query: Map<String, Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// JSON, sent as it stands.
    data: Option<Box<RawValue>>,
    #[serde(default)]
    form_data: BTreeMap<String, Value>,
    /// Base64.
    #[serde(default)]
    file_data: BTreeMap<String, String>,
    #[serde(default)]
    file_names: BTreeMap<String, String>,
    #[serde(default)]
    pub response_type: ResponseType,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    pub debug: bool,
    #[serde(default)]
    retry: Retry,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ResponseType {
    #[default]
    Json,
    Text,
    Binary,
}

/// How often and after what a failed call is sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Retry {
    #[serde(default)]
    pub max: u32,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    exponential: bool,
    /// Also after refusals such as 400; otherwise after 429, 5xx and lost connections.
    #[serde(default)]
    pub on_all_errors: bool,
}

impl Retry {
    /// Before the next try, after this many.
    pub(super) fn pause(self, tries: u32) -> Duration {
        let delay = Duration::from_millis(self.delay_ms);
        if self.exponential { delay.saturating_mul(1 << (tries - 1).min(16)) } else { delay }
    }
}

impl Body {
    pub(super) fn method(&self) -> Result<&'static str, Failure> {
        METHODS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(&self.method))
            .copied()
            .ok_or_else(|| invalid("method", format!("`method` is one of {}.", METHODS.join(", "))))
    }

    /// Text, numbers and booleans; a list is a name that comes several times.
    pub(super) fn query(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut pairs = Vec::new();
        for (name, value) in &self.query {
            let values = if let Value::Array(values) = value { values.as_slice() } else { std::slice::from_ref(value) };
            for value in values {
                let text = plain(value).ok_or_else(|| {
                    invalid(&format!("query.{name}"), "A value of the query is a text, a number or a boolean.".into())
                })?;
                pairs.push((name.clone(), text));
            }
        }
        Ok(pairs)
    }

    pub(super) fn timeout(&self) -> Result<Duration, Failure> {
        match self.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT) {
            seconds @ 1..=MOST_TIMEOUT => Ok(Duration::from_secs(seconds)),
            _ => Err(invalid("timeoutSeconds", format!("`timeoutSeconds` is 1 to {MOST_TIMEOUT}."))),
        }
    }

    pub(super) fn retry(&self) -> Result<Retry, Failure> {
        if self.retry.max > MOST_RETRIES {
            return Err(invalid("retry.max", format!("`max` is at most {MOST_RETRIES}.")));
        }
        if self.retry.delay_ms > MOST_DELAY {
            return Err(invalid("retry.delayMs", format!("`delayMs` is at most {MOST_DELAY}.")));
        }
        Ok(self.retry)
    }

    /// Headers and body as they go out.
    pub(super) fn content(&self) -> Result<(Headers, Option<Bytes>), Failure> {
        let mut headers = self.headers()?;
        let has = |headers: &[(String, String)], wanted: &str| headers.iter().any(|(name, _)| name == wanted);
        if !has(&headers, "accept") {
            headers.push(("accept".to_owned(), "application/json, */*".to_owned()));
        }
        let form = !self.form_data.is_empty() || !self.file_data.is_empty();
        if let Some(name) = self.file_names.keys().find(|name| !self.file_data.contains_key(*name)) {
            return Err(invalid("fileNames", format!("`fileNames` names `{name}`, which is not in `fileData`.")));
        }
        if form && self.data.is_some() {
            return Err(invalid("data", "Give `data`, or `formData` and `fileData`, not both.".into()));
        }
        if self.method()? == "GET" && (form || self.data.is_some()) {
            return Err(invalid("data", "A GET has no body: use `query`.".into()));
        }
        if form {
            if has(&headers, "content-type") {
                return Err(invalid("headers", "A form sets its own Content-Type: leave it out.".into()));
            }
            let boundary = format!("causeway-{}", Uuid::new_v4().simple());
            headers.push(("content-type".to_owned(), format!("multipart/form-data; boundary={boundary}")));
            return Ok((headers, Some(self.form(&boundary)?)));
        }
        let Some(data) = &self.data else { return Ok((headers, None)) };
        if !has(&headers, "content-type") {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        Ok((headers, Some(Bytes::copy_from_slice(data.get().as_bytes()))))
    }

    fn headers(&self) -> Result<Headers, Failure> {
        let mut headers = Headers::new();
        if self.headers.len() > MOST_HEADERS {
            return Err(invalid("headers", format!("At most {MOST_HEADERS} headers are sent.")));
        }
        for (name, value) in &self.headers {
            let at = format!("headers.{name}");
            let lower = name.to_ascii_lowercase();
            let token =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            if !token || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                return Err(invalid(&at, format!("`{name}` cannot be sent: headers are visible ASCII.")));
            }
            if NOT_OURS.contains(&lower.as_str()) || lower.starts_with("proxy-") {
                return Err(invalid(&at, format!("`{name}` is set by Causeway and cannot be given.")));
            }
            if headers.iter().any(|(known, _)| *known == lower) {
                return Err(invalid(&at, format!("`{name}` is given twice.")));
            }
            headers.push((lower, value.clone()));
        }
        Ok(headers)
    }

    /// `multipart/form-data` (RFC 7578), names escaped as browsers do.
    fn form(&self, boundary: &str) -> Result<Bytes, Failure> {
        let mut body = Vec::new();
        for (name, value) in &self.form_data {
            let text = plain(value).unwrap_or_else(|| value.to_string());
            let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", escaped(name));
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(text.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        for (name, file) in &self.file_data {
            let bytes = BASE64
                .decode(file)
                .map_err(|_| invalid(&format!("fileData.{name}"), format!("The file `{name}` is not base64.")))?;
            let file_name = self.file_names.get(name).unwrap_or(name);
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n",
                escaped(name),
                escaped(file_name)
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(body.into())
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn invalid(place: &str, detail: String) -> Failure {
    Failure::new(Code::BodyInvalid, detail).at(place)
}

#[cfg(test)]
mod tests;
