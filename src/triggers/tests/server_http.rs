//! HTTP calls over a real socket.

use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use super::super::Limits;
use super::probe::{Probe, ask, post, post_chunked, reaches, send, serve, serve_warm};

#[tokio::test]
async fn a_call_is_decoded_and_answered_with_its_request_id() {
    let serving = serve_warm(&Probe::new());
    let headers = "x-azure-functions-invocationid: inv-7\r\nidempotency-key: k\r\n";
    let reply = ask(serving.port, "GET", "/api/echo/a%20b?code=secret", headers).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("x-request-id"), Some("inv-7"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json(), json!({ "parts": ["a b"], "body": "", "key": "k", "invocation": "inv-7", "query": [] }));
}

#[tokio::test]
async fn a_call_without_an_invocation_id_gets_one() {
    let serving = serve_warm(&Probe::new());
    let reply = ask(serving.port, "GET", "/api/echo/1", "").await;
    assert_eq!(reply.header("x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn chunked_and_compressed_bodies_are_read() {
    let serving = serve_warm(&Probe::new());
    let reply = post_chunked(serving.port, "/api/echo", &["{\"a\":", "1}"]).await;
    assert_eq!(reply.json()["body"], "{\"a\":1}");
    // `printf '{}' | gzip -n`, in bytes.
    let gzip: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];
    let head = "POST /api/echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-encoding: gzip\r\n";
    let head = format!("{head}content-length: {}\r\n\r\n", gzip.len());
    let reply = send(serving.port, [head.as_bytes(), gzip].concat()).await;
    assert_eq!(reply.json()["body"], "{}");
}

#[tokio::test]
async fn an_empty_body_goes_through_since_only_the_claim_knows_what_it_was() {
    let serving = serve_warm(&Probe::new());
    let reply = post(serving.port, "/api/echo", "").await;
    assert_eq!((reply.status, &reply.json()["body"]), (200, &"".into()));
    assert_eq!(post(serving.port, "/api/echo/7/act", "").await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let probe = Probe::new();
    let limits = Limits { http_body: 8, ..Limits::default() };
    let serving = serve(limits, async { Ok(probe) });
    assert_eq!(post(serving.port, "/api/echo", "12345678").await.status, 200);
    let reply = post_chunked(serving.port, "/api/echo", &["12345", "6789"]).await;
    assert_eq!((reply.status, &reply.json()["code"]), (413, &"body-too-large".into()));
}

#[tokio::test]
async fn a_streamed_body_is_larger_than_any_other_and_has_a_limit_of_its_own() {
    let probe = Probe::new();
    let limits = Limits { http_body: 8, streamed_body: 1 << 20, ..Limits::default() };
    let serving = serve(limits, async { Ok(probe) });
    let reply = post(serving.port, "/api/counted", &"x".repeat(1 << 20)).await;
    assert_eq!((reply.status, &reply.json()["bytes"]), (200, &(1 << 20).into()));
    assert!(reply.json()["pieces"].as_u64().unwrap() > 1, "{reply:?}");
    let reply = post(serving.port, "/api/counted", &"x".repeat((1 << 20) + 1)).await;
    assert_eq!((reply.status, &reply.json()["code"]), (413, &"body-too-large".into()));
}

#[tokio::test]
async fn a_streamed_body_that_nobody_reads_is_answered_all_the_same() {
    let serving = serve_warm(&Probe::new());
    let reply = post(serving.port, "/api/unread", &"x".repeat(8 << 20)).await;
    assert_eq!((reply.status, &reply.json()["code"]), (404, &"table-not-found".into()));
}

#[tokio::test]
async fn a_connection_that_ends_in_mid_body_never_looks_like_its_end() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    let heads = ["content-length: 9000", "transfer-encoding: chunked"];
    for (head, begun) in heads.into_iter().zip(["12345", "5\r\n12345\r\n"]) {
        let request = format!("POST /api/counted HTTP/1.1\r\nhost: h\r\n{head}\r\n\r\n{begun}");
        let port = serving.port;
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
        })
        .await
        .unwrap();
    }
    reaches(&probe.ended, 2).await;
    assert!(probe.bodies.lock().unwrap().iter().all(|(_, whole)| !whole));
}

#[tokio::test]
async fn a_body_that_stops_arriving_ends_with_408() {
    let probe = Probe::new();
    let limits = Limits { body_pause: Duration::from_millis(30), ..Limits::default() };
    let serving = serve(limits, async { Ok(probe) });
    let reply = send(serving.port, "POST /api/echo HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\n{}").await;
    assert_eq!((reply.status, &reply.json()["code"]), (408, &"body-timeout".into()));
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_method_are_problems_in_json() {
    let serving = serve_warm(&Probe::new());
    for path in ["/api/nothing", "/nothing", "/api/echo/..", "/echo", "/queue"] {
        let reply = ask(serving.port, "GET", path, "").await;
        assert_eq!((reply.status, &reply.json()["code"]), (404, &"route-not-found".into()), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    let reply = ask(serving.port, "DELETE", "/api/never", "").await;
    assert_eq!((reply.status, &reply.json()["code"]), (405, &"method-not-allowed".into()));
    assert_eq!(reply.header("allow"), Some("GET, POST"));
}

#[tokio::test]
async fn a_202_has_location_and_retry_after() {
    let serving = serve_warm(&Probe::new());
    let reply = post(serving.port, "/api/accepted", "{}").await;
    assert_eq!(reply.status, 202);
    assert_eq!(reply.header("location"), Some("https://app/api/status/t"));
    assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(reply.header("x-causeway-run-id"), Some("run-1"));
    assert_eq!(reply.header("x-causeway-replayed"), Some("true"));
}

#[tokio::test]
async fn a_failure_is_a_problem_in_the_type_that_was_asked_for() {
    let serving = serve_warm(&Probe::new());
    let reply = ask(serving.port, "GET", "/api/fail", "accept: application/problem+json\r\n").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("10")));
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(reply.json()["requestId"], reply.header("x-request-id").unwrap());
}

#[tokio::test]
async fn a_panic_answers_500_and_harms_no_other_invocation() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    let port = serving.port;
    let other = tokio::spawn(async move { ask(port, "GET", "/api/held", "").await });
    reaches(&probe.begun, 1).await;
    let reply = ask(port, "GET", "/api/panic", "").await;
    assert_eq!((reply.status, &reply.json()["code"]), (500, &"internal".into()));
    assert!(!reply.body.contains("on purpose"), "what a panic says is for the log");
    probe.gate.send_replace(true);
    assert_eq!(other.await.unwrap().status, 200);
    assert_eq!(ask(port, "GET", "/api/echo/1", "").await.status, 200);
}

#[tokio::test]
async fn a_panic_where_an_effect_was_possible_does_not_invite_to_send_again() {
    let serving = serve_warm(&Probe::new());
    let reply = post(serving.port, "/api/panic", "{}").await;
    assert_eq!((reply.status, &reply.json()["code"]), (409, &"outcome-unknown".into()));
}

#[tokio::test]
async fn a_handler_that_forgets_its_deadline_is_cut_off() {
    let probe = Probe::new();
    let short = Duration::from_millis(20);
    let limits = Limits { http_deadline: short, overrun: short, ..Limits::default() };
    let serving = serve(limits, async { Ok(probe) });
    let reply = ask(serving.port, "GET", "/api/never", "").await;
    assert_eq!((reply.status, &reply.json()["code"]), (504, &"deadline-exceeded".into()));
    let reply = post(serving.port, "/api/never", "{}").await;
    assert_eq!((reply.status, &reply.json()["code"]), (409, &"outcome-unknown".into()));
}
