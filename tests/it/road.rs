//! The road under test: the local stack with the real handler in it, and a caller who has a key. No assertions here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use local_stack::service_bus::{Message, NewMessage, Queue};
use local_stack::stack::{LEDGER_CONTAINER, Stack, StackOptions};
use serde_json::{Value, json};

/// Longer than anything that is awaited here takes on a busy machine; a message stays locked for a minute to a host that
/// stopped with it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// A running stack and a caller.
pub(crate) struct Road {
    pub(crate) stack: Stack,
    /// Asks for gzip and unpacks it, as most clients do.
    client: reqwest::Client,
    /// Leaves bodies as they come.
    raw: reqwest::Client,
    base: String,
    key: String,
}

/// What a caller got.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

/// The handler under test: the packaged one when `CAUSEWAY_HANDLER` names it, else the one just built.
pub(crate) fn handler() -> PathBuf {
    std::env::var_os("CAUSEWAY_HANDLER").map_or_else(|| env!("CARGO_BIN_EXE_causeway").into(), PathBuf::from)
}

/// The repository's root, which holds `host.json`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Road {
    /// A stack as it comes.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A stack with other options.
    pub(crate) async fn with(change: impl FnOnce(&mut StackOptions)) -> Self {
        let mut options = StackOptions::new(root());
        options.handler = Some(handler());
        change(&mut options);
        let stack = Stack::start(options).await.expect("the stack starts");
        tokio::time::timeout(PATIENCE, stack.ready()).await.expect("in time").expect("the handler is ready");
        let base = stack.endpoints().host.unwrap_or_default();
        let key = stack.credentials().host_key.unwrap_or_default();
        let raw = reqwest::Client::builder().no_gzip().build().expect("a client");
        Self { stack, client: reqwest::Client::new(), raw, base, key }
    }

    /// Kills the handler and the host, and starts another over the same neighbours, with keys and a port of its own.
    pub(crate) async fn restart(&mut self) {
        self.stack.stop_host().await;
        self.stack.start_host().await.expect("the host starts");
        tokio::time::timeout(PATIENCE, self.stack.ready()).await.expect("in time").expect("the handler is ready");
        self.base = self.stack.endpoints().host.unwrap_or_default();
        self.key = self.stack.credentials().host_key.unwrap_or_default();
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, Some(body.to_string()), &[]).await
    }

    /// A POST with an `Idempotency-Key`.
    pub(crate) async fn post_keyed(&self, path: &str, key: &str, body: &Value) -> Reply {
        self.call("POST", path, Some(body.to_string()), &[("Idempotency-Key", key)]).await
    }

    /// A call with a key; `path` may be a whole URL, which gets none.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<String>, headers: &[(&str, &str)]) -> Reply {
        let response = self.open(method, path, body, headers).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("a whole body");
        Reply { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// The same, with the body still to be read; as it comes when `accept-encoding` is said.
    pub(crate) async fn open(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> reqwest::Response {
        let whole = path.starts_with("http");
        let url = if whole { path.to_owned() } else { format!("{}{path}", self.base) };
        let method = method.parse().expect("a method");
        let raw = headers.iter().any(|(name, _)| *name == "accept-encoding");
        let client = if raw { &self.raw } else { &self.client };
        let mut request = client.request(method, url);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        if !whole {
            request = request.header("x-functions-key", &self.key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        request.timeout(Duration::from_secs(130)).send().await.expect("the host answers")
    }

    /// `POST /api/sql/statements` of one text.
    pub(crate) async fn sql(&self, statement: &str) -> Reply {
        self.post("/api/sql/statements", &json!({"statement": statement})).await
    }

    /// Follows a `Location` until the answer is no longer 202, as a flow does.
    pub(crate) async fn follow(&self, location: &str) -> Reply {
        let followed = async {
            loop {
                let reply = self.get(location).await;
                if reply.status != 202 {
                    return reply;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, followed).await.expect("the work ends")
    }

    /// `GET /api/runs/{id}` until the run has ended.
    pub(crate) async fn ended(&self, run: &str) -> Value {
        let patience = tokio::time::Instant::now() + PATIENCE;
        loop {
            let reply = self.get(&format!("/api/runs/{run}")).await;
            if reply.status == 200 && !matches!(reply.body["state"].as_str(), Some("running" | "waiting")) {
                return reply.body;
            }
            assert!(tokio::time::Instant::now() < patience, "the run does not end: {} {}", reply.status, reply.body);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) fn queue(&self, name: &str) -> Queue {
        self.stack.service_bus.queue(name).expect("a queue of the stack")
    }

    /// Puts a message on the request queue.
    pub(crate) fn request(&self, id: &str, body: &Value) {
        self.queue("causeway-requests").send(NewMessage::new(body.to_string()).message_id(id));
    }

    /// The messages of a queue, once there are `count`; they stay in it.
    pub(crate) async fn messages(&self, queue: &str, count: usize) -> Vec<Message> {
        let queue = self.queue(queue);
        let arrived = queue.wait_until(|messages| messages.len() >= count);
        tokio::time::timeout(PATIENCE, arrived).await.expect("the messages come")
    }

    /// Waits for the history to show something.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let done = self.stack.until(PATIENCE, |_| holds(self)).await;
        assert!(done.is_ok(), "{what} did not happen");
    }

    /// Effects of one kind so far.
    pub(crate) fn effects(&self, service: &str, kind: &str) -> Vec<Value> {
        self.stack.history.of(service, kind).into_iter().map(|entry| entry.detail).collect()
    }

    /// Names in the ledger.
    pub(crate) fn ledger(&self, prefix: &str) -> Vec<String> {
        let names = self.stack.blob.names(LEDGER_CONTAINER);
        names.into_iter().filter(|name| name.starts_with(prefix)).collect()
    }

    /// Waits for a line of the handler's log; it comes over a pipe, and so perhaps after the answer it is about.
    pub(crate) async fn logged(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let logs = self.stack.host.as_ref().expect("a host").logs();
        let mut watch = logs.watch();
        let found = async {
            loop {
                let lines = logs.lines();
                let mut parsed = lines.iter().filter_map(|line| serde_json::from_str(&line.text).ok());
                if let Some(line) = parsed.find(&holds) {
                    return Some(line);
                }
                watch.changed().await.ok()?;
            }
        };
        let line = tokio::time::timeout(PATIENCE, found).await.ok().flatten();
        line.unwrap_or_else(|| panic!("the log does not say {what}"))
    }
}
