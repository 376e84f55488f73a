//! Requests that mean harm, over a real socket: too slow, too large, packed. Each is refused as a problem, and no 5xx.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::super::Limits;
use super::probe::{PATIENCE, Probe, Reply, Serving, ask, post, send, serve, serve_warm};

fn limited(limits: Limits) -> Serving {
    let probe = Probe::new();
    serve(limits, async { Ok(probe) })
}

/// Sends `head`, then a byte every few milliseconds for as long as the server takes them; then what it answered.
async fn dribble(port: u16, head: &'static str) -> Reply {
    let exchange = move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let begun = std::time::Instant::now();
        let mut reply = Vec::new();
        let mut part = [0; 4096];
        while begun.elapsed() < PATIENCE {
            // Waiting for an answer is the pause between two bytes.
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(read) => reply.extend_from_slice(&part[..read]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    let _ = stream.write_all(b"a");
                }
                Err(_) => break,
            }
        }
        String::from_utf8(reply).unwrap()
    };
    let reply = tokio::task::spawn_blocking(exchange).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply: {reply:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_ends_with_408() {
    let serving = limited(Limits { head: Duration::from_millis(300), ..Limits::default() });
    assert_eq!(dribble(serving.port, "GET /api/echo/1 HTTP/1.1\r\nhost: ").await.status, 408);
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_ends_with_408_when_the_time_of_the_call_is_over() {
    let limits = Limits { http_deadline: Duration::from_millis(300), ..Limits::default() };
    let limits = Limits { young_http_deadline: limits.http_deadline, ..limits };
    let serving = limited(limits);
    for path in ["/api/echo", "/api/counted"] {
        let head = if path == "/api/echo" {
            "POST /api/echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 99999\r\n\r\n"
        } else {
            "POST /api/counted HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 99999\r\n\r\n"
        };
        let reply = dribble(serving.port, head).await;
        assert_eq!((reply.status, &reply.json()["code"]), (408, &"body-timeout".into()), "{path}");
    }
}

async fn packed(port: u16, encoding: &str, body: &[u8]) -> Reply {
    let head = "POST /api/echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\n";
    let head = format!("{head}content-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n", body.len());
    send(port, [head.as_bytes(), body].concat()).await
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn what_is_packed_is_measured_unpacked() {
    let serving = limited(Limits { http_body: 1 << 20, ..Limits::default() });
    let fits = vec![b' '; 1 << 20];
    let bomb = vec![b' '; 64 << 20];
    for (encoding, fits, bomb) in [
        ("gzip", gzip(&fits), gzip(&bomb)),
        ("x-gzip", gzip(&fits), gzip(&bomb)),
        ("deflate", deflate(&fits), deflate(&bomb)),
    ] {
        assert!(bomb.len() < 100 << 10, "{} bytes are no bomb", bomb.len());
        let reply = packed(serving.port, encoding, &fits).await;
        assert_eq!((reply.status, reply.json()["body"].as_str().map(str::len)), (200, Some(1 << 20)), "{encoding}");
        let reply = packed(serving.port, encoding, &bomb).await;
        assert_eq!((reply.status, &reply.json()["code"]), (413, &"body-too-large".into()), "{encoding}");
    }
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_said_to_be_so() {
    let serving = serve_warm(&Probe::new());
    for encoding in ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "\u{e9}"] {
        let reply = packed(serving.port, encoding, &gzip(b"{}")).await;
        assert_eq!((reply.status, &reply.json()["code"]), (415, &"encoding-not-supported".into()), "{encoding}");
        assert_eq!(reply.json()["place"], "headers.Content-Encoding");
    }
    let reply = packed(serving.port, "gzip\r\ncontent-encoding: gzip", &gzip(b"{}")).await;
    assert_eq!(reply.status, 415);
    for body in [&b"{\"a\": 1}"[..], &gzip(b"{}")[..12]] {
        let reply = packed(serving.port, "gzip", body).await;
        assert_eq!((reply.status, &reply.json()["code"]), (400, &"body-malformed".into()), "{body:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let serving = serve_warm(&Probe::new());
    let part = |length: usize| format!("/api/echo/{}", "a".repeat(length - "/api/echo/".len()));
    assert_eq!(ask(serving.port, "GET", &part(8 << 10), "").await.status, 200);
    let reply = ask(serving.port, "GET", &part((8 << 10) + 1), "").await;
    assert_eq!((reply.status, &reply.json()["code"]), (414, &"url-too-long".into()));
    let query = format!("/api/echo/1?code={}", "a".repeat(8 << 10));
    assert_eq!(ask(serving.port, "GET", &query, "").await.json()["code"], "url-too-long");

    let headers = |count: usize, length: usize| {
        let value = "a".repeat(length);
        (0..count).fold(String::new(), |mut lines, at| {
            let _ = write!(lines, "x-{at}: {value}\r\n");
            lines
        })
    };
    assert_eq!(ask(serving.port, "GET", "/api/echo/1", &headers(60, 1_000)).await.status, 200);
    let reply = ask(serving.port, "GET", "/api/echo/1", &headers(70, 1_000)).await;
    assert_eq!((reply.status, &reply.json()["code"]), (431, &"headers-too-large".into()));
    // Before it is a request at all the server itself refuses it.
    assert_eq!(ask(serving.port, "GET", "/api/echo/1", &headers(97, 10)).await.status, 431);
}

#[tokio::test]
async fn a_query_of_many_parameters_is_refused() {
    let serving = serve_warm(&Probe::new());
    let many = |count: usize| format!("/api/echo/1?{}", vec!["code=k"; count].join("&"));
    assert_eq!(ask(serving.port, "GET", &many(64), "").await.status, 200);
    let reply = ask(serving.port, "GET", &many(65), "").await;
    assert_eq!((reply.status, &reply.json()["code"]), (400, &"query-invalid".into()));
}

#[tokio::test]
async fn what_is_no_http_gets_no_5xx() {
    let serving = serve_warm(&Probe::new());
    for bytes in [
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET /api/echo/1 HTTP/9.9\r\n\r\n",
        "GET /api/echo/1\r\n\r\n",
        "GET http://[ HTTP/1.1\r\nhost: h\r\n\r\n",
        "GET /api/echo/1 HTTP/1.1\r\nhost h\r\n\r\n",
        "POST /api/echo HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n",
        "POST /api/echo HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "POST /api/echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
        "POST /api/echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let reply = send(serving.port, bytes).await;
        assert!((400..500).contains(&reply.status), "{bytes:?}: {reply:?}");
    }
    assert_eq!(post(serving.port, "/api/echo", "{}").await.status, 200);
}
