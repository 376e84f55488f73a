//! What goes out and what comes back, free of reqwest, so that rooms above never name it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::transport::Known;
use crate::failure::{Code, Effect, Failure, Upstream};

/// One request, ready to be sent as often as its kind allows.
#[derive(Clone)]
pub struct Outbound {
    /// `GET`, `POST`, …
    pub method: &'static str,
    pub url: Url,
    /// Names in lower case. Values of `authorization` and other secrets are never logged.
    pub headers: Vec<(String, String)>,
    pub body: Option<Bytes>,
    /// The URL itself is a secret (presigned links, callbacks): it appears in no log and no error.
    pub sensitive: bool,
}

impl Outbound {
    pub fn get(url: Url) -> Self {
        Self { method: "GET", url, headers: Vec::new(), body: None, sensitive: false }
    }

    pub fn post(url: Url) -> Self {
        Self { method: "POST", ..Self::get(url) }
    }

    pub fn delete(url: Url) -> Self {
        Self { method: "DELETE", ..Self::get(url) }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", "application/json")
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = if self.sensitive { "REDACTED" } else { self.url.path() };
        write!(f, "{} {url}", self.method)
    }
}

/// An answer, whatever its status. Vendors' errors are decoded by the client that knows them.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// How often the request was sent.
    pub tries: u32,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `Retry-After`, seconds or an HTTP date.
    pub fn retry_after(&self) -> Option<Duration> {
        super::send::retry_after(self.header("retry-after")?)
    }
}

/// No answer could be had within the kind's allowance and the deadline.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{method} {target} got no answer after {tries} tries")]
pub struct HttpError {
    pub method: &'static str,
    /// Host and path, or `REDACTED`.
    pub target: String,
    pub tries: u32,
    /// [`Effect::None`] when the request surely never reached the neighbour, or is a read.
    pub effect: Effect,
    /// The deadline or the allowance ran out, as opposed to a broken connection.
    pub timed_out: bool,
    /// How far the last try came.
    pub known: Known,
    #[source]
    pub source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl HttpError {
    /// What callers are told when `name` (`service` in [`Upstream`]) gave no answer.
    pub fn to_failure(&self, service: &str, name: &str) -> Failure {
        let (code, how) = if self.timed_out {
            (Code::UpstreamTimeout, "did not answer in time")
        } else {
            (Code::UpstreamUnavailable, "could not be reached")
        };
        let upstream = Upstream { service: service.to_owned(), status: None, code: None, request_id: None };
        let failure = Failure::new(code, format!("{name} {how}; try again later.")).from_upstream(upstream);
        Failure { effect: self.effect, ..failure }.caused_by(self.clone())
    }
}
