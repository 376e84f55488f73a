//! Callers who mean harm, at the handler's own port and through the host: each is refused as a problem, nothing of it is a
//! 5xx, and nothing happens meanwhile. What the server does with slow and packed requests is in the unit tests of `triggers`.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::road::{PATIENCE, Road};

mod addresses;
mod bodies;
mod files;
mod identifiers;
mod paths;
mod values;

/// What the handler answered.
#[derive(Debug)]
struct Raw {
    status: u16,
    body: Value,
}

impl Raw {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Where the handler listens; nothing stands before it there, and clients' own tidying of addresses neither.
fn port(road: &Road) -> u16 {
    road.stack.host.as_ref().expect("a host").processes()[0].port
}

/// Sends one request, byte for byte.
async fn send(port: u16, method: &str, path: &str, headers: &str, body: &[u8]) -> Raw {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the handler listens");
        stream.write_all(&[head.as_bytes(), body].concat()).await.expect("sent");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.expect("answered");
        reply
    };
    let reply = tokio::time::timeout(PATIENCE, exchange).await.expect("in time");
    let text = String::from_utf8(reply).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Raw { status, body: serde_json::from_str(body).unwrap_or(Value::Null) }
}
