//! The `message` step, from outside: what arrives, where it may go, and what happens when the broker's answer is lost.

use std::collections::BTreeSet;

use jiff::Timestamp;
use local_stack::core::{Action, Fault};
use local_stack::service_bus::QueueOptions;
use serde_json::{Value, json};

use crate::declared::Declared;
use crate::messages::{body, said};

const SEND: (&str, &str) = (
    "send",
    "summary: s
parameters: {to: {type: string, default: orders}, note: {type: string}}
steps:
  - id: ask
    sql: {statement: SELECT 1 AS one, expect: one_row}
  - id: tell
    message:
      queue: '{{ parameters.to }}'
      body: {note: '{{ parameters.note }}', one: '{{ steps.ask.row.one }}'}
      properties: {kind: priced, priority: 3, urgent: true, left-out: '{{ parameters.note }}'}
      session_id: session-9
      subject: priced
      correlation_id: 'order-{{ steps.ask.row.one }}'
output: {sent: '{{ steps.tell }}'}
",
);
const LATER: (&str, &str) = (
    "later",
    "summary: s\nsteps: [{id: tell, message: {topic: orders, body: [1], at: '{{ run.startTime + duration(\"1h\") }}'}}]\n\
     output: {at: '{{ steps.tell.scheduledTime }}'}\n",
);
const LARGE: (&str, &str) = (
    "large",
    "summary: s\nparameters: {text: {type: string}}\nsteps: [{id: tell, message: {queue: orders, body: '{{ parameters.text }}'}}]\n",
);

async fn road(files: &[(&str, &str)]) -> Declared {
    Declared::with(files, &[("CAUSEWAY_SEND_QUEUES", "orders")], |options| {
        options.databricks.engine = false;
        options.queues.push(QueueOptions::new("orders"));
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_with_its_body_and_properties_and_the_key_of_its_step() {
    let road = road(&[SEND]).await;
    let reply = road.post("/api/operations/send", &json!({})).await.expect(200);
    let message = &road.messages("orders", 1).await[0];
    assert_eq!(body(message), json!({"note": null, "one": 1}));
    assert_eq!(said(message, "kind"), "priced");
    let properties = &message.application_properties;
    assert_eq!((&properties["priority"], &properties["urgent"]), (&json!(3), &json!(true)), "they keep their type");
    assert!(!properties.contains_key("left-out"), "null is left out: {properties:?}");
    assert_eq!(message.properties.session_id.as_deref(), Some("session-9"));
    assert_eq!(message.properties.label.as_deref(), Some("priced"));
    assert_eq!(message.properties.correlation_id.as_deref(), Some("order-1"));
    assert_eq!(
        (reply.at("/sent/key"), reply.at("/sent/entity")),
        (&json!(said(message, "causeway-key")), &json!("orders"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_later_is_scheduled_at_the_broker() {
    let road = road(&[LATER]).await;
    let reply = road.post("/api/operations/later", &json!({})).await.expect(200);
    let at: Timestamp = reply.at("/at").as_str().unwrap().parse().unwrap();
    assert!(at > Timestamp::now() + jiff::SignedDuration::from_mins(50), "{at}");
    let sent = road.effects("serviceBus", "message");
    let sent: Vec<&Value> = sent.iter().filter(|sent| sent["queue"] == "orders").collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    let scheduled: Timestamp = sent[0]["scheduledEnqueueTimeUtc"].as_str().unwrap().parse().unwrap();
    assert!(scheduled >= at, "not before its moment: {scheduled}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_only_where_the_operator_allows_it() {
    let road = road(&[SEND]).await;
    let reply = road.post("/api/operations/send", &json!({"to": "causeway-work"})).await;
    reply.problem(403, "queue-not-allowed").saying(&["CAUSEWAY_SEND_QUEUES", "causeway-work"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_refused_before_it_is_sent() {
    let road = road(&[LARGE]).await;
    let reply = road.post("/api/operations/large", &json!({"text": "x".repeat(253 * 1024)})).await;
    reply.problem(422, "output-too-large").saying(&["at most"]);
    assert!(!road.effects("serviceBus", "message").iter().any(|sent| sent["queue"] == "orders"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_is_lost_is_sent_again_with_the_same_key_and_another_id() {
    let road = road(&[SEND]).await;
    road.stack.service_bus.served.faults.add(Fault::once("POST", "/orders/messages", Action::CutAfterCommit).times(5));
    let run = road.post("/api/operations/send?waitSeconds=60", &json!({})).await.expect(200);
    assert_eq!(run.at("/sent/entity"), "orders");
    let messages = road.messages("orders", 3).await;
    let keys: BTreeSet<&str> = messages.iter().map(|message| said(message, "causeway-key")).collect();
    let ids: BTreeSet<_> = messages.iter().map(|message| message.properties.message_id.clone()).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(ids.len() >= 2, "another try of the step has another id: {ids:?}");
}
