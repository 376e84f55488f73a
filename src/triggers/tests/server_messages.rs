//! The envelope over a real socket.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::Limits;
use super::probe::{Probe, Reply, post_chunked, serve, serve_warm};
use crate::failure::{Code, Failure};

async fn deliver(port: u16, body: &str) -> Reply {
    let envelope = json!({ "Data": { "message": STANDARD.encode(body) }, "Metadata": { "MessageId": "\"m\"" } });
    let envelope = envelope.to_string();
    let (first, second) = envelope.split_at(envelope.len() / 2);
    post_chunked(port, "/queue", &[first, second]).await
}

fn assert_success(reply: &Reply) {
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    assert_eq!((&body["Outputs"], &body["ReturnValue"]), (&json!({}), &Value::Null));
    assert!(body["Logs"].as_array().unwrap().iter().all(Value::is_string), "the host takes strings only");
}

#[tokio::test]
async fn a_message_in_a_chunked_envelope_is_handled_and_the_success_is_not_empty() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    assert_success(&deliver(serving.port, "{}").await);
    let received = probe.received.lock().unwrap();
    assert_eq!((received[0].body.as_ref(), received[0].message_id.as_deref()), (b"{}".as_ref(), Some("m")));
}

#[tokio::test]
async fn a_timer_is_answered_as_a_message_is() {
    let serving = serve_warm(&Probe::new());
    let envelope = r#"{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":true}}}"#;
    assert_success(&post_chunked(serving.port, "/clock", &[envelope]).await);
}

#[tokio::test]
async fn a_failure_is_500() {
    let serving = serve_warm(&Probe::new());
    assert_eq!(deliver(serving.port, "fail").await.status, 500);
    assert_eq!(deliver(serving.port, "panic").await.status, 500);
    for broken in ["", "{", "[]", r#"{"Data":{}}"#] {
        assert_eq!(post_chunked(serving.port, "/queue", &[broken]).await.status, 500, "{broken}");
    }
    assert_success(&deliver(serving.port, "still here").await);
}

#[tokio::test]
async fn a_message_ends_at_our_own_deadline() {
    let probe = Probe::new();
    let short = Duration::from_millis(20);
    let limits = Limits { message_deadline: short, overrun: short, ..Limits::default() };
    let serving = serve(limits, async { Ok(probe) });
    assert_eq!(deliver(serving.port, "never").await.status, 500);
}

#[tokio::test]
async fn a_message_waits_while_a_setting_is_wrong() {
    let deadline = Duration::from_millis(400);
    let limits = Limits { message_deadline: deadline, ..Limits::default() };
    let serving = serve(limits, async { Err(Failure::new(Code::Misconfigured, "No vault.")) });
    let begun = Instant::now();
    assert_eq!(deliver(serving.port, "{}").await.status, 500);
    // Failed at once, ten deliveries would be gone in a second.
    assert!(begun.elapsed() >= deadline / 4);
}

#[tokio::test]
async fn an_http_function_in_the_envelope_is_not_taken_for_a_message() {
    let probe = Probe::new();
    let serving = serve_warm(&probe);
    assert_eq!(post_chunked(serving.port, "/echo", &["{}"]).await.status, 404);
    assert!(probe.received.lock().unwrap().is_empty());
}
