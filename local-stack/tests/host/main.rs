//! The host stand-in is no kinder than the real host. Each test runs `scripted-handler` as the child and looks at what
//! the host does about it. The stage that the tests share is here; what they show is in the modules.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod events;
mod lifecycle;
mod messages;
mod proxying;
mod timers;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local_stack::core::History;
use local_stack::host::{Host, HostOptions};
use local_stack::service_bus::{Broker, Queue, QueueOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Long enough for any machine; nothing waits this long unless it is broken.
const BOUND: Duration = Duration::from_mins(1);

/// What a host is started on; the defaults fit most tests.
struct Stage {
    folder: TempDir,
    host_json: Value,
    script: Value,
    options: HostOptions,
    history: History,
    queue: QueueOptions,
}

/// A host that runs, and what it runs on.
struct Played {
    host: Host,
    folder: PathBuf,
    queue: Queue,
    history: History,
    _folder: TempDir,
}

impl Stage {
    fn new(script: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = HostOptions::new(folder.path(), folder.path(), env!("CARGO_BIN_EXE_scripted-handler"));
        options.platform_restart = Duration::from_millis(10);
        Self {
            folder,
            host_json: json!({
                "version": "2.0",
                "functionTimeout": "00:05:00",
                "customHandler": {
                    "description": {"defaultExecutablePath": "handler", "arguments": ["serve", "%COLOUR%"]},
                    "enableForwardingHttpRequest": true,
                    "enableProxyingHttpRequest": true,
                },
                "extensions": {"serviceBus": {"maxConcurrentCalls": 4, "maxAutoLockRenewalDuration": "00:05:00"}},
            }),
            script,
            options,
            history: History::default(),
            queue: QueueOptions::new("requests"),
        }
    }

    /// Sets a value of `host.json` by its JSON pointer.
    fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        self.host_json.pointer_mut(parent).unwrap()[key] = value.into();
        self
    }

    fn options(mut self, change: impl FnOnce(&mut HostOptions)) -> Self {
        change(&mut self.options);
        self
    }

    fn queue(mut self, change: impl FnOnce(QueueOptions) -> QueueOptions) -> Self {
        self.queue = change(self.queue);
        self
    }

    fn function(self, name: &str, bindings: &Value) -> Self {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("function.json"), json!({"bindings": bindings}).to_string()).unwrap();
        self
    }

    /// An HTTP function `echo` at `/api/echo/{*rest}`.
    fn http(self) -> Self {
        self.function(
            "echo",
            &json!([
                {"type": "httpTrigger", "direction": "in", "name": "req", "route": "echo/{*rest}",
                 "methods": ["get", "post"], "authLevel": "function"},
                {"type": "http", "direction": "out", "name": "res"},
            ]),
        )
    }

    /// A function `onRequest` on the queue `requests`.
    fn messages(self, data_type: Option<&str>) -> Self {
        let mut trigger = json!({"type": "serviceBusTrigger", "direction": "in", "name": "message",
            "queueName": "%QUEUE%", "connection": "ServiceBus"});
        if let Some(data_type) = data_type {
            trigger["dataType"] = data_type.into();
        }
        self.function("onRequest", &json!([trigger]))
    }

    fn timer(self, schedule: &str) -> Self {
        let trigger = json!({"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": schedule});
        self.function("tick", &json!([trigger]))
    }

    /// Starts the host without waiting for the handler.
    async fn start(mut self) -> Played {
        std::fs::write(self.folder.path().join("host.json"), self.host_json.to_string()).unwrap();
        let broker = Broker::new(vec![self.queue], &self.history);
        let queue = broker.queue("requests").unwrap();
        self.options.service_bus = Some(broker);
        self.options.environment.extend(BTreeMap::from([
            ("SCRIPT".to_owned(), self.script.to_string()),
            ("QUEUE".to_owned(), "requests".to_owned()),
            ("ServiceBus__fullyQualifiedNamespace".to_owned(), "localhost".to_owned()),
        ]));
        let folder = self.folder.path().to_owned();
        let host = Host::start(self.options, self.history.clone()).await.unwrap();
        Played { host, folder, queue, history: self.history, _folder: self.folder }
    }

    async fn ready(self) -> Played {
        let played = self.start().await;
        played.host.ready().await.unwrap();
        played
    }
}

impl Played {
    /// `POST` to the function `echo`.
    async fn post(&self, target: &str, body: &str) -> (StatusCode, HeaderMap, String) {
        self.call("POST", target, &[("x-functions-key", self.host.keys().function("echo"))], body).await
    }

    async fn call(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.host.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let response = within(client.request(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = within(body.collect()).await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The requests that the handler has printed so far.
    fn seen(&self) -> Vec<Value> {
        let lines = self.host.logs().lines();
        lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok()?.get("seen").cloned()).collect()
    }

    /// Waits until the handler has printed `count` requests.
    async fn wait_for_seen(&self, count: usize) -> Vec<Value> {
        let mut lines = self.host.logs().watch();
        within(async {
            while self.seen().len() < count {
                lines.changed().await.unwrap();
            }
        })
        .await;
        self.seen()
    }

    async fn wait_for_line(&self, part: &str) {
        within(self.host.logs().wait_for(part)).await;
    }

    /// Waits for that many records of the host.
    async fn wait_for_records(&self, kind: &str, count: usize) -> Vec<Value> {
        let mut length = self.history.watch();
        within(async {
            while self.history.of("host", kind).len() < count {
                length.changed().await.unwrap();
            }
        })
        .await;
        self.history.of("host", kind).into_iter().map(|entry| entry.detail).collect()
    }

    /// Lets every call that waits for this file go on.
    fn release(&self, name: &str) {
        std::fs::write(self.folder.join(name), "").unwrap();
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("it takes far too long")
}
