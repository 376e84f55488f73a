//! A plain HTTP client for the demo: JSON in, JSON out, as any caller of the host would do it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Longer than any call is allowed to take.
const PATIENCE: Duration = Duration::from_secs(130);

/// The answer of a call.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

/// Calls the host with a key.
#[derive(Debug)]
pub(super) struct Client {
    base: String,
    key: String,
    http: Hyper<HttpConnector, Full<Bytes>>,
    heard: Mutex<Vec<String>>,
}

impl Client {
    pub(super) fn new(base: String, key: String) -> Self {
        Self { base, key, http: Hyper::builder(TokioExecutor::new()).build_http(), heard: Mutex::default() }
    }

    /// Every answer so far.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.call(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `path` is one on the host, or a whole URL, which then needs no key.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Reply> {
        let whole = path.starts_with("http");
        let url = if whole { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = Request::builder().method(method).uri(url).header("content-type", "application/json");
        if !whole {
            request = request.header("x-functions-key", &self.key);
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let answered = async {
            let response = self.http.request(request.body(Full::new(body))?).await.context("calling the host")?;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.context("reading the answer")?.to_bytes();
            let heard = format!("{:?} {}", parts.headers, String::from_utf8_lossy(&bytes));
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
            let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
            anyhow::Ok(Reply {
                status: parts.status.as_u16(),
                headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
                body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            })
        };
        tokio::time::timeout(PATIENCE, answered).await.context("the host did not answer in time")?
    }
}

impl Reply {
    /// The answer, if its status is the one that was meant to come.
    pub(super) fn expect(self, status: u16) -> anyhow::Result<Self> {
        anyhow::ensure!(self.status == status, "answered {} instead of {status}: {}", self.status, self.body);
        Ok(self)
    }

    pub(super) fn header(&self, name: &str) -> anyhow::Result<&str> {
        self.headers.get(name).map(String::as_str).with_context(|| format!("the answer has no header {name}"))
    }

    pub(super) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
