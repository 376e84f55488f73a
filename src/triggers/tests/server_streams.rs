//! Streamed answers on the wire: their end, their cut, a server that is asked to end, a caller who goes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::probe::{PATIENCE, Probe, ask, reaches, serve_warm};

/// The last chunk: only with it a body is complete.
const LAST: &str = "0\r\n\r\n";

#[tokio::test]
async fn only_a_stream_that_said_its_end_has_a_last_chunk() {
    let probe = Probe::new();
    probe.gate.send_replace(true);
    let serving = serve_warm(&probe);
    let whole = ask(serving.port, "GET", "/api/stream/whole", "").await;
    assert_eq!((whole.status, whole.header("x-causeway-row-count")), (200, Some("2")));
    assert_eq!(whole.header("content-type"), Some("text/csv"));
    assert!(whole.body.ends_with(&format!("two\r\n{LAST}")), "{whole:?}");
    // As after a panic: the other end is gone without a word.
    let cut = ask(serving.port, "GET", "/api/stream/cut", "").await;
    assert_eq!(cut.status, 200);
    assert!(!cut.body.ends_with(LAST), "{cut:?}");
}

#[tokio::test]
async fn asked_to_end_the_server_lets_a_stream_go_on() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    let port = serving.port;
    let streaming = tokio::spawn(async move { ask(port, "GET", "/api/stream/whole", "").await });
    reaches(&probe.begun, 1).await;
    serving.stop.send(()).unwrap();
    probe.gate.send_replace(true);
    let whole = streaming.await.unwrap();
    assert!(whole.body.ends_with(LAST), "{whole:?}");
    tokio::time::timeout(PATIENCE, serving.server).await.expect("the server never ended").unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_who_goes_stops_what_is_behind_the_stream() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    let mut caller = TcpStream::connect(("127.0.0.1", serving.port)).unwrap();
    caller.set_read_timeout(Some(PATIENCE)).unwrap();
    caller.write_all(b"GET /api/stream/whole HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
    let caller = tokio::task::spawn_blocking(move || {
        // All that has come: what is closed with something unread is reset.
        let mut seen = Vec::new();
        while !seen.ends_with(b"one \r\n") {
            let mut byte = [0];
            caller.read_exact(&mut byte).unwrap();
            seen.extend(byte);
        }
        caller
    });
    let caller = caller.await.unwrap();
    reaches(&probe.begun, 1).await;
    // Closed and not reset, as by a proxy whose own caller has gone; nothing is being written that would notice.
    drop(caller);
    reaches(&probe.ended, 1).await;
}
