//! A statement whose rows lie behind links: the workspace that names them, and a storage account whose answers a test
//! decides, one connection after the other or all at once.

use std::future::Future;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wiremock::MockServer;

use super::calls::{answers, client, soon};
use crate::databricks::{Budget, ChunkInfo, Chunks, Databricks, DatabricksError, Statement};
use crate::rows::ChunkData;

pub(super) const SIGNATURE: &str = "sig-that-nobody-may-see";
pub(super) const HEADER_SECRET: &str = "header-that-nobody-may-see";

/// A link as Databricks gives it (recorded), to `path` of this storage account.
pub(super) fn link(storage: &str, path: &str, index: u64, offset: u64, rows: u64, seconds: i64) -> Value {
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    json!({
        "chunk_index": index, "row_offset": offset, "row_count": rows, "byte_count": 9,
        "external_link": format!("{storage}/{path}?sig={SIGNATURE}"),
        "expiration": format!("{end:.3}"),
        "http_headers": {"x-ms-encryption-key": HEADER_SECRET},
    })
}

/// A result of chunks with so many rows each.
pub(super) fn statement_of(rows: &[u64], links: &[Value]) -> Value {
    let mut offset = 0;
    let mut chunks = Vec::new();
    for (index, rows) in rows.iter().enumerate() {
        chunks.push(json!({"chunk_index": index, "row_offset": offset, "row_count": rows, "byte_count": 18}));
        offset += rows;
    }
    json!({
        "statement_id": "s-1", "status": {"state": "SUCCEEDED"},
        "manifest": {
            "format": "ARROW_STREAM", "result_compression": "LZ4_FRAME",
            "schema": {"column_count": 1, "columns": [
                {"name": "id", "type_text": "INT", "type_name": "INT", "position": 0}]},
            "total_chunk_count": rows.len(), "chunks": chunks, "total_row_count": offset, "total_byte_count": 18,
            "truncated": false,
        },
        "result": {"external_links": links},
    })
}

pub(super) fn chunk_path(index: u64) -> String {
    format!("/api/2.0/sql/statements/s-1/result/chunks/{index}")
}

/// A workspace with this result, each chunk behind `/blob/{index}` of the storage account; the first link comes along.
pub(super) async fn workspace(storage: &str, rows: &[u64]) -> (MockServer, Statement, Databricks) {
    let server = MockServer::start().await;
    let mut offset = 0;
    let mut links = Vec::new();
    for (index, rows) in (0_u64..).zip(rows) {
        let link = link(storage, &format!("blob/{index}"), index, offset, *rows, 900);
        answers(&server, "GET", &chunk_path(index), 200, json!({"external_links": [link]})).await;
        links.push(link);
        offset += rows;
    }
    answers(&server, "GET", "/api/2.0/sql/statements/s-1", 200, statement_of(rows, &links[..1])).await;
    let client = client(&server);
    let statement = client.statement("s-1", soon()).await.expect("it has ended");
    (server, statement, client)
}

/// A workspace with this one reply, and nothing behind it.
pub(super) async fn workspace_with(body: Value) -> (MockServer, Statement, Databricks) {
    let server = MockServer::start().await;
    answers(&server, "GET", "/api/2.0/sql/statements/s-1", 200, body).await;
    let client = client(&server);
    let statement = client.statement("s-1", soon()).await.expect("it has ended");
    (server, statement, client)
}

pub(super) fn chunks(client: &Databricks, statement: &Statement) -> Chunks {
    client.chunks(statement, 0, &Budget::new(64 << 20), soon())
}

/// The same with chunks that say to have so many bytes.
pub(super) fn sized(mut statement: Statement, bytes: u64) -> Statement {
    let tell = |chunk: &ChunkInfo| ChunkInfo { byte_count: Some(bytes), ..chunk.clone() };
    statement.chunks = statement.chunks.iter().map(tell).collect();
    for link in &mut statement.links {
        link.chunk = tell(&link.chunk);
    }
    statement
}

/// Index, number of the first row, rows and body of every chunk.
pub(super) async fn all(mut chunks: Chunks) -> Result<Vec<(u64, u64, u64, String)>, DatabricksError> {
    let mut came = Vec::new();
    while let Some(chunk) = chunks.next().await? {
        let (ChunkData::ArrowStream(body) | ChunkData::JsonArray { text: body, .. }) = &chunk.data;
        let body = String::from_utf8_lossy(body).into_owned();
        came.push((chunk.chunk_index, chunk.row_offset, chunk.row_count, body));
    }
    assert!(chunks.next().await.expect("it is over").is_none(), "after the end comes nothing");
    Ok(came)
}

/// How many chunks were asked for at the workspace.
pub(super) async fn asked(server: &MockServer) -> usize {
    let sent = server.received_requests().await.expect("recorded");
    sent.iter().filter(|sent| sent.url.path().contains("/result/chunks/")).count()
}

/// A storage account on a socket: every request is written down and handed to `answer`, which gives the whole reply, or
/// `None` to say nothing until the other side goes away.
pub(super) struct Storage {
    pub(super) uri: String,
    pub(super) requests: Arc<Mutex<Vec<String>>>,
    /// Connections that the client closed while it was owed an answer.
    pub(super) left: watch::Receiver<usize>,
}

impl Storage {
    pub(super) async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(String) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Option<Vec<u8>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (leaving, left) = watch::channel(0);
        let written = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, written, leaving) = (answer.clone(), Arc::clone(&written), leaving.clone());
                tokio::spawn(serve(stream, answer, written, leaving));
            }
        });
        Self { uri, requests, left }
    }

    /// Requests for this path.
    pub(super) fn asked_for(&self, path: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|head| head.starts_with(&format!("GET {path}?"))).count()
    }
}

async fn serve<F, A>(mut stream: TcpStream, answer: F, written: Arc<Mutex<Vec<String>>>, leaving: watch::Sender<usize>)
where
    F: Fn(String) -> A,
    A: Future<Output = Option<Vec<u8>>>,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    written.lock().unwrap().push(head.clone());
    if let Some(reply) = answer(head).await {
        stream.write_all(&reply).await.ok();
    } else {
        stream.read_u8().await.ok();
        leaving.send_modify(|count| *count += 1);
    }
}

/// A reply with this body, after which the connection is closed.
pub(super) fn ok(body: &str) -> Option<Vec<u8>> {
    Some(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes())
}

pub(super) fn says(status: &str) -> Option<Vec<u8>> {
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes())
}

/// The path of a request, without its query.
pub(super) fn path_of(head: &str) -> &str {
    head.split([' ', '?']).nth(1).unwrap_or_default()
}
