//! A small HTTP caller and what every test starts from. Asserts nothing of its own beyond being answered.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local_stack::core::History;
use local_stack::databricks::{Clock, Databricks, DatabricksOptions, TOKEN, WAREHOUSE};
use serde_json::{Value, json};

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

pub(crate) struct Caller {
    pub(crate) stand_in: Databricks,
    pub(crate) history: History,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub(crate) async fn start() -> Caller {
    with(DatabricksOptions::default()).await
}

pub(crate) async fn with(options: DatabricksOptions) -> Caller {
    let history = History::default();
    let stand_in = Databricks::start(options, history.clone()).await.expect("the stand-in starts");
    Caller { stand_in, history, client: Client::builder(TokioExecutor::new()).build_http() }
}

/// Needs no Python: only canned statements succeed.
pub(crate) fn without_engine() -> DatabricksOptions {
    DatabricksOptions { engine: false, clock: Clock::Stepped, ..DatabricksOptions::default() }
}

impl Caller {
    pub(crate) async fn send(&self, method: &str, path: &str, authorization: Option<&str>, body: String) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.stand_in.served.http_url()));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Full::new(Bytes::from(body))).expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Fetches an absolute URL with just these headers; the bytes beside the status.
    pub(crate) async fn fetch(&self, url: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Bytes) {
        let request = headers.iter().fold(Request::get(url), |request, (name, value)| request.header(*name, *value));
        let request = request.body(Full::new(Bytes::new())).expect("a request");
        let (parts, body) = self.client.request(request).await.expect("an answer").into_parts();
        (parts.status.as_u16(), parts.headers, body.collect().await.expect("a body").to_bytes())
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, Some(&format!("Bearer {TOKEN}")), String::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, Some(&format!("Bearer {TOKEN}")), body.to_string()).await
    }

    /// Executes with more members, such as `parameters`; waits 30 s unless they say otherwise.
    pub(crate) async fn execute(&self, statement: &str, more: Value) -> Reply {
        let mut body = json!({"statement": statement, "warehouse_id": WAREHOUSE, "wait_timeout": "30s"});
        if let Value::Object(more) = more {
            for (name, value) in more {
                body[name] = value;
            }
        }
        self.post("/api/2.0/sql/statements", &body).await
    }

    /// The rows of a statement that must succeed.
    pub(crate) async fn rows(&self, statement: &str) -> Value {
        let reply = self.execute(statement, json!({})).await;
        assert_eq!(reply.body["status"]["state"], "SUCCEEDED", "{statement}: {}", reply.body);
        reply.body["result"]["data_array"].clone()
    }

    /// Asks again until the answer is as wanted, within 20 s.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let reply = self.get(path).await;
                if wanted(&reply.body) {
                    return reply.body;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asking).await.expect("the wanted state comes")
    }

    /// Polls a statement until it is in this state.
    pub(crate) async fn until_state(&self, id: &str, state: &str) -> Value {
        self.until(&format!("/api/2.0/sql/statements/{id}"), |body| body["status"]["state"] == state).await
    }
}

pub(crate) fn id(reply: &Reply) -> String {
    reply.body["statement_id"].as_str().expect("a statement id").to_owned()
}
