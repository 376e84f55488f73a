//! The request queue and its replies, from outside. What is parked is `parking.rs`.

use jiff::Timestamp;
use local_stack::core::{Action, Fault};
use local_stack::service_bus::{Message, NewMessage};
use serde_json::{Value, json};

use crate::declared::{Declared, ECHO};

pub(crate) fn said<'a>(message: &'a Message, name: &str) -> &'a str {
    message.application_properties.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn body(message: &Message) -> Value {
    serde_json::from_slice(&message.body).expect("JSON")
}

/// A message as a sender with every property set would send it.
pub(crate) fn dressed(body: impl Into<bytes::Bytes>, id: &str) -> NewMessage {
    let mut message = NewMessage::new(body).message_id(id).property("tenant", "contoso").property("priority", 3);
    message.properties.correlation_id = Some("order-7".into());
    message.properties.content_type = Some("text/weird".into());
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_accepted_before_its_run_ends() {
    let slow = ("slow", "summary: s\nsteps: [{id: wait, sql: {statement: SELECT 1 AS one}}]\n");
    let road = Declared::canned(&[slow], &[]).await;
    road.stack.databricks.hold("SELECT 1 AS one", None);
    road.ask("a", "slow", &json!({}));
    road.until("the request is completed", |road| {
        road.effects("serviceBus", "completed").iter().any(|done| done["queue"] == "causeway-requests")
    })
    .await;
    let run = road.only_run().await;
    assert_eq!(road.get(&format!("/api/runs/{run}")).await.body["endTime"], Value::Null);
    road.stack.databricks.release();
    assert_eq!(road.ended(&run).await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_has_the_output_and_the_senders_correlation_and_session() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let request = json!({"operation": "echo", "parameters": {"text": "hé"}});
    let mut message = dressed(request.to_string(), "a");
    message.properties.reply_to = Some("causeway-replies".into());
    message.properties.reply_to_session_id = Some("session-9".into());
    road.queue("causeway-requests").send(message);
    road.ask("without-a-correlation", "echo", &json!({"text": "b"}));
    let replies = road.messages("causeway-replies", 2).await;
    let reply = replies.iter().find(|reply| reply.properties.session_id.is_some()).expect("a reply to the session");
    assert_eq!(reply.properties.session_id.as_deref(), Some("session-9"));
    assert_eq!(reply.properties.correlation_id.as_deref(), Some("order-7"));
    assert_eq!(body(reply)["output"], json!({"text": "hé", "one": 1}));
    assert_eq!(body(reply)["state"], "succeeded");
    assert_eq!(said(reply, "causeway-run-id"), body(reply)["runId"]);
    let other = replies.iter().find(|reply| reply.properties.session_id.is_none()).expect("the other reply");
    assert_eq!(other.properties.correlation_id.as_deref(), Some("without-a-correlation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_of_a_failed_run_has_the_error() {
    let failing = ("failing", "summary: s\nsteps: [{id: stop, assert: {that: 1 > 2, message: too few}}]\n");
    let road = Declared::canned(&[failing], &[]).await;
    road.ask("a", "failing", &json!({}));
    let reply = body(&road.messages("causeway-replies", 1).await[0]);
    assert_eq!((&reply["state"], &reply["error"]["code"]), (&json!("failed"), &json!("assertion-failed")));
    assert_eq!((&reply["error"]["message"], &reply["error"]["step"]), (&json!("too few"), &json!("stop")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_beyond_192_kb_tells_where_the_result_is() {
    let large = (
        "large",
        "summary: s\nparameters: {text: {type: string}}\nsteps: [{id: ask, sql: {statement: SELECT 1 AS one}}]\n\
         output: {text: '{{ parameters.text }}'}\n",
    );
    let road = Declared::canned(&[large], &[]).await;
    road.ask("a", "large", &json!({"text": "x".repeat(200 * 1024)}));
    let reply = body(&road.messages("causeway-replies", 1).await[0]);
    assert_eq!(reply["state"], "succeeded");
    assert!(reply.get("output").is_none());
    let url = reply["resultUrl"].as_str().expect("a URL").to_owned();
    let run = road.get(&url).await.expect(200).body;
    assert_eq!(run["runId"], reply["runId"]);
    assert_eq!(run["output"]["text"].as_str().map(str::len), Some(200 * 1024));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_id_comes_of_our_property_else_of_the_message_id() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let request = json!({"operation": "echo", "parameters": {"text": "a"}, "replyTo": "causeway-replies"}).to_string();
    let queue = road.queue("causeway-requests");
    // One request under one property, though the message ids differ.
    queue.send(NewMessage::new(request.clone()).message_id("m1").property("causeway-request-id", "same"));
    queue.send(NewMessage::new(request.clone()).message_id("m2").property("causeway-request-id", "same"));
    // Without any id each message is a request of its own.
    queue.send(NewMessage::new(request.clone()));
    queue.send(NewMessage::new(request));
    road.messages("causeway-replies", 3).await;
    road.until("all are completed", |road| {
        let done = road.effects("serviceBus", "completed");
        done.iter().filter(|done| done["queue"] == "causeway-requests").count() == 4
    })
    .await;
    assert_eq!(road.runs().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_sent_twice_is_one_run_and_another_body_is_parked() {
    let road = Declared::canned(&[ECHO], &[]).await;
    road.ask("a", "echo", &json!({"text": "one"}));
    road.messages("causeway-replies", 1).await;
    road.ask("a", "echo", &json!({"text": "one"}));
    road.ask("a", "echo", &json!({"text": "two"}));
    let parked = road.messages("causeway-parking", 1).await;
    assert_eq!(said(&parked[0], "causeway-reason"), "message-id-reused");
    road.until("all are completed", |road| {
        let done = road.effects("serviceBus", "completed");
        done.iter().filter(|done| done["queue"] == "causeway-requests").count() == 3
    })
    .await;
    assert_eq!(road.runs().len(), 1);
    assert_eq!(road.effects("databricks", "statement").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_id_may_be_used_again_after_a_while() {
    let road = Declared::canned(&[ECHO], &[("CAUSEWAY_MESSAGE_ID_REUSE_SECONDS", "1")]).await;
    road.ask("a", "echo", &json!({"text": "one"}));
    let first = road.messages("causeway-replies", 1).await;
    let created = Timestamp::now();
    road.until_true(|_| created.duration_until(Timestamp::now()) > jiff::SignedDuration::from_millis(1_500)).await;
    road.ask("a", "echo", &json!({"text": "two"}));
    let replies = road.messages("causeway-replies", 2).await;
    assert_ne!(body(&first[0])["runId"], body(&replies[1])["runId"]);
    assert_eq!(body(&replies[1])["output"]["text"], "two");
    assert!(road.queue("causeway-parking").peek().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_accepting_is_killed_is_one_run_with_one_effect() {
    let road = Declared::canned(&[ECHO], &[]).await;
    // The runs exist, and the answer to their creation never comes.
    let lost = Action::DelayAfterCommit { milliseconds: 600_000 };
    road.stack.blob.served.faults.add(Fault::once("PUT", "runs/", lost).times(2));
    let request = json!({"operation": "echo", "parameters": {"text": "a"}, "replyTo": "causeway-replies"}).to_string();
    road.queue("causeway-requests").send(NewMessage::new(request.clone()).message_id("a"));
    // Known again by its number and the time it was enqueued.
    road.queue("causeway-requests").send(NewMessage::new(request));
    road.until("two runs", |road| road.ledger("runs/").len() == 2).await;
    road.stack.host.as_ref().expect("a host").kill_handler(None).await;
    for run in road.runs() {
        assert_eq!(road.ended(&run).await["state"], "succeeded");
    }
    assert_eq!(road.messages("causeway-replies", 2).await.len(), 2);
    assert_eq!(road.runs().len(), 2);
    assert_eq!(road.effects("databricks", "statement").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_a_broken_operation_waits_until_it_is_mended() {
    let settings = [("CAUSEWAY_UNKNOWN_OPERATION_SECONDS", "1")];
    let mut road = Declared::canned(&[("echo", "summary: [broken")], &settings).await;
    road.ask("a", "echo", &json!({"text": "one"}));
    road.until("it has waited twice", |road| {
        let sent = road.effects("serviceBus", "message");
        sent.iter().filter(|m| m["queue"] == "causeway-requests" && m["scheduledEnqueueTimeUtc"].is_string()).count()
            > 1
    })
    .await;
    assert!(road.queue("causeway-parking").peek().is_empty());
    road.declare(ECHO.0, ECHO.1);
    road.restart().await;
    assert_eq!(body(&road.messages("causeway-replies", 1).await[0])["state"], "succeeded");
    // The copies that waited are the request that was sent.
    assert_eq!(road.runs(), [causeway::runs::identity::run_id(&["queue", "causeway-requests", "a"])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_while_the_queue_that_we_send_to_is_away() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let away = Action::Status { status: 503, headers: Vec::new(), body: String::new() };
    road.stack.service_bus.served.faults.add(Fault::once("POST", "/messages", away).times(12));
    road.ask("a", "echo", &json!({"text": "one"}));
    let reply = road.messages("causeway-replies", 1).await;
    assert_eq!(body(&reply[0])["state"], "succeeded");
    assert_eq!(road.effects("databricks", "statement").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_ends_itself_before_the_host_would_kill_the_process_for_it() {
    let settings = [("CAUSEWAY_MESSAGE_SECONDS", "13")];
    let road = Declared::canned(&[ECHO], &settings).await;
    // The ledger takes calls and answers none.
    for method in ["GET", "PUT"] {
        road.stack.blob.served.faults.add(Fault::once(method, "", Action::Hang).times(1_000));
    }
    road.ask("a", "echo", &json!({"text": "one"}));
    road.until("the invocation ends", |road| {
        road.effects("host", "invocation").iter().any(|ended| ended["function"] == "request-queue")
    })
    .await;
    let host = road.stack.host.as_ref().expect("a host");
    assert_eq!(host.restarts(), 0, "the process was killed for it");
    let failed = |line: &Value| {
        line.to_string().contains("request-queue") && line["level"] == "ERROR" && line["code"].is_string()
    };
    road.logged("why the invocation failed", failed).await;
    road.stack.blob.served.faults.clear();
    let reply = road.messages("causeway-replies", 1).await;
    assert_eq!(body(&reply[0])["state"], "succeeded");
}
