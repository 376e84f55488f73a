//! One trace for each run, over processes, messages and calls.

use local_stack::host::Groups;
use local_stack::service_bus::NewMessage;
use serde_json::{Value, json};

use crate::declared::{Declared, ECHO};
use crate::messages::said;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn parent() -> String {
    format!("00-{TRACE}-00f067aa0ba902b7-01")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_the_trace_of_its_caller_over_processes() {
    let road = Declared::with(&[ECHO], &[("CAUSEWAY_LOG", "debug")], |options| {
        options.groups = Groups::Flex;
        options.databricks.engine = false;
    })
    .await;
    let request = json!({"operation": "echo", "parameters": {"text": "a"}, "replyTo": "causeway-replies"}).to_string();
    let message = NewMessage::new(request).message_id("a").property("Diagnostic-Id", parent());
    road.queue("causeway-requests").send(message.property("tracestate", "vendor=1"));
    let reply = &road.messages("causeway-replies", 1).await[0];
    let of_trace = |value: &str| value.starts_with(&format!("00-{TRACE}-")) && !value.contains("00f067aa0ba902b7");
    assert!(of_trace(said(reply, "diagnostic-id")), "{:?}", reply.application_properties);
    let run = road.only_run().await;
    assert_eq!(road.get(&format!("/api/runs/{run}")).await.body["traceId"], TRACE);
    let pinned = &road.records(&run)[0]["pinned"]["trace"];
    assert!(of_trace(pinned["traceparent"].as_str().expect("a parent")), "{pinned}");
    assert_eq!(pinned["tracestate"], "vendor=1");
    // The messages that wake it carry it too.
    let work = road.effects("serviceBus", "message");
    let work: Vec<&Value> = work.iter().filter(|m| m["queue"] == "causeway-work").collect();
    assert!(!work.is_empty());
    for message in work {
        assert!(of_trace(message["applicationProperties"]["diagnostic-id"].as_str().unwrap_or_default()), "{message}");
    }
    // So do lines of two processes, and the calls between.
    for (function, said) in [("request-queue", "run created"), ("work-queue", "run ended")] {
        let line = road.logged(said, |line| line["message"] == said).await;
        assert_eq!((&line["traceId"], &line["function"], &line["run"]), (&json!(TRACE), &json!(function), &json!(run)));
        assert_eq!(line["spanId"].as_str().map(str::len), Some(16));
    }
    road.logged("a neighbour's answer within the run", |line| {
        line["message"] == "neighbour answered" && line["traceId"] == TRACE && line["run"] == run.as_str()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_call_hands_its_trace_on() {
    let road = Declared::canned(&[ECHO], &[]).await;
    let body = json!({"text": "a"}).to_string();
    let reply = road.call("POST", "/api/operations/echo", Some(body), &[("traceparent", &parent())]).await.expect(200);
    let run = reply.header("x-causeway-run-id").expect("a run").to_owned();
    assert_eq!(road.get(&format!("/api/runs/{run}")).await.body["traceId"], TRACE);
    let line =
        road.logged("that it was answered", |line| line["message"] == "answered" && line["traceId"] == TRACE).await;
    assert_ne!(line["spanId"], "00f067aa0ba902b7");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_called_is_a_trace_of_its_own() {
    let scheduled = (
        "often",
        "summary: s\nschedule: {cron: '* * * * * *'}\nsteps: [{id: check, assert: {that: 1 < 2, message: never}}]\n",
    );
    let road = Declared::canned(&[scheduled], &[]).await;
    let host = road.stack.host.as_ref().expect("a host");
    host.fire_timer("tick", false).await.expect("fired");
    road.until("a run", |road| !road.ledger("runs/").is_empty()).await;
    let run = road.runs()[0].clone();
    assert_eq!(road.ended(&run).await["traceId"], run.as_str());
}
