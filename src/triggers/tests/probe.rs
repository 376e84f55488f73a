//! A small app of test handlers, served over a real socket, and a client that speaks bytes.

use std::fmt::Write as _;
use std::future::{pending, ready};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::super::function::{act, get, get_alone, http, message, start, start_streamed, timer};
use super::super::{AuthLevel, Function, Guarded, Hit, Limits, Warm};
use crate::app::App;
use crate::entra::Callers;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::requests::{Answer, AnswerBody, AnswerKind, AnswerStream, BodyStream, Part};
use crate::runs::Received;

/// Longest any step of a test may take; reached only when something is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What the handlers share with the test.
#[derive(Debug)]
pub(super) struct Probe {
    /// How many `held` handlers have begun.
    pub(super) begun: watch::Sender<usize>,
    /// How many have come to their end.
    pub(super) ended: watch::Sender<usize>,
    /// Opens the gate they wait at.
    pub(super) gate: watch::Sender<bool>,
    pub(super) received: Mutex<Vec<Received>>,
    /// Bytes of each streamed body, and whether it came whole.
    pub(super) bodies: Mutex<Vec<(usize, bool)>>,
    callers: Callers,
}

impl Guarded for Probe {
    fn callers(&self) -> &Callers {
        &self.callers
    }
}

impl Probe {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: watch::Sender::new(0),
            ended: watch::Sender::new(0),
            gate: watch::Sender::new(false),
            received: Mutex::default(),
            bodies: Mutex::default(),
            callers: Callers::by_keys(),
        })
    }
}

pub(super) async fn reaches(counter: &watch::Sender<usize>, count: usize) {
    let mut receiver = counter.subscribe();
    tokio::time::timeout(PATIENCE, receiver.wait_for(|now| *now >= count)).await.expect("it never happened").unwrap();
}

pub(super) static FUNCTIONS: &[Function<Probe>] = &[
    http(
        "echo",
        AuthLevel::Function,
        &[
            get("/api/echo/{part}", |hit| Box::pin(ready(Ok(echo(&hit))))),
            start("/api/echo", |hit| Box::pin(ready(Ok(echo(&hit))))),
            act("/api/echo/{part}/act", |hit| Box::pin(ready(Ok(echo(&hit))))),
            start("/api/accepted", |_| {
                Box::pin(async {
                    Ok(Answer {
                        kind: AnswerKind::Accepted,
                        location: Some("https://app/api/status/t".into()),
                        run_id: Some("run-1".into()),
                        replayed: true,
                        ..Answer::done(b"{}".to_vec())
                    })
                })
            }),
            start_streamed("/api/counted", |hit, body| Box::pin(count(hit, body))),
            start_streamed("/api/unread", |_, _| Box::pin(ready(Err(Failure::new(Code::TableNotFound, "None."))))),
            get("/api/fail", |_| Box::pin(ready(Err(Failure::new(Code::LedgerUnavailable, "Down."))))),
            get("/api/panic", |_| Box::pin(async { panic!("on purpose") })),
            start("/api/panic", |_| Box::pin(async { panic!("on purpose") })),
            get("/api/never", |_| Box::pin(pending())),
            start("/api/never", |_| Box::pin(pending())),
            get("/api/held", |hit| Box::pin(held(hit))),
            get("/api/stream/{part}", |hit| Box::pin(ready(Ok(streamed(&hit))))),
            get_alone("/api/alone", || Answer::done(b"{}".to_vec())),
        ],
    ),
    message("queue", "q", |probe, message, deadline| Box::pin(receive(probe, message, deadline))),
    timer("clock", "0 * * * * *", |_, _| Box::pin(ready(Ok(())))),
];

fn echo(hit: &Hit<Probe>) -> Answer {
    let body = json!({
        "parts": hit.parts, "body": String::from_utf8_lossy(&hit.body), "key": hit.call.idempotency_key,
        "invocation": hit.call.invocation_id, "query": hit.call.query,
    });
    Answer::done(body.to_string().into_bytes())
}

/// Counts a body's bytes, and keeps how it ended.
async fn count(hit: Hit<Probe>, mut body: BodyStream) -> Result<Answer, Failure> {
    let (mut bytes, mut pieces) = (0, 0);
    let ended = loop {
        match body.next().await {
            Ok(Some(piece)) => (bytes, pieces) = (bytes + piece.len(), pieces + 1),
            Ok(None) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    hit.work.bodies.lock().unwrap().push((bytes, ended.is_ok()));
    hit.work.ended.send_modify(|count| *count += 1);
    ended.map(|()| Answer::done(json!({"bytes": bytes, "pieces": pieces}).to_string().into_bytes()))
}

async fn held(hit: Hit<Probe>) -> Result<Answer, Failure> {
    hit.work.begun.send_modify(|count| *count += 1);
    hit.work.gate.subscribe().wait_for(|open| *open).await.unwrap();
    hit.work.ended.send_modify(|count| *count += 1);
    Ok(Answer::done(b"{}".to_vec()))
}

/// One piece at once, another behind the gate, then the end; unless the part says to stop before it.
fn streamed(hit: &Hit<Probe>) -> Answer {
    let (sender, parts) = mpsc::channel(1);
    let (probe, ends) = (Arc::clone(&hit.work), hit.part(0) == "whole");
    tokio::spawn(async move {
        sender.send(Ok(Part::Piece(Bytes::from_static(b"one ")))).await.unwrap();
        probe.begun.send_modify(|count| *count += 1);
        let mut gate = probe.gate.subscribe();
        tokio::select! {
            _ = gate.wait_for(|open| *open) => {}
            () = sender.closed() => probe.ended.send_modify(|count| *count += 1),
        }
        let _ = sender.send(Ok(Part::Piece(Bytes::from_static(b"two")))).await;
        if ends {
            let _ = sender.send(Ok(Part::End)).await;
        }
    });
    let headers = vec![("x-causeway-row-count", "2".to_owned())];
    Answer::of(AnswerBody::Stream(AnswerStream { content_type: "text/csv", headers, parts, rows: Arc::default() }))
}

async fn receive(probe: Arc<Probe>, message: Received, _deadline: Deadline) -> Result<(), Failure> {
    match message.body.as_ref() {
        b"panic" => panic!("on purpose"),
        b"fail" => Err(Failure::new(Code::LedgerUnavailable, "Down.")),
        b"never" => pending().await,
        _ => {
            probe.received.lock().unwrap().push(message);
            Ok(())
        }
    }
}

/// A server that runs until the test ends.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) port: u16,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) server: tokio::task::JoinHandle<std::io::Result<()>>,
}

pub(super) fn serve(limits: Limits, warm_up: impl Future<Output = Warm<Probe>> + Send + 'static) -> Serving {
    let app = App::bind(0).unwrap();
    let port = app.port();
    let (stop, stopped) = oneshot::channel();
    let server = app.serve(FUNCTIONS, limits, warm_up, async {
        // Dropped at the end of the test, which stops the server, too.
        let _ = stopped.await;
    });
    Serving { port, stop, server: tokio::spawn(server.unwrap()) }
}

/// Serving at once, with the limits of production.
pub(super) fn serve_warm(probe: &Arc<Probe>) -> Serving {
    let probe = Arc::clone(probe);
    serve(Limits::default(), async { Ok(probe) })
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Sends bytes as they are and reads until the server closes.
pub(super) async fn send(port: u16, bytes: impl Into<Vec<u8>>) -> Reply {
    let bytes = bytes.into();
    let exchange = move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        String::from_utf8(reply).unwrap()
    };
    let reply = tokio::task::spawn_blocking(exchange).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply: {reply:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request without a body. `headers` are whole lines, each with its end.
pub(super) async fn ask(port: u16, method: &str, path: &str, headers: &str) -> Reply {
    send(port, format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}\r\n")).await
}

/// A POST with a body, its length announced.
pub(super) async fn post(port: u16, path: &str, body: &str) -> Reply {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    send(port, head + body).await
}

/// A POST as the host sends its envelope: chunked, without a length.
pub(super) async fn post_chunked(port: u16, path: &str, chunks: &[&str]) -> Reply {
    let mut bytes = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
         content-type: application/json; charset=utf-8\r\nx-azure-functions-invocationid: inv-1\r\n\r\n"
    );
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
        write!(bytes, "{:x}\r\n{chunk}\r\n", chunk.len()).unwrap();
    }
    send(port, bytes + "0\r\n\r\n").await
}
