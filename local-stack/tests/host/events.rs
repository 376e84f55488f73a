//! The Event Grid trigger: the webhook, what the handler gets, and what Event Grid does about failures.

use local_stack::event_grid::{EventGrid, EventGridOptions};
use serde_json::{Value, json};

use super::{Played, Stage, within};

fn stage(script: Value) -> Stage {
    Stage::new(script).function("events", &json!([{"type": "eventGridTrigger", "direction": "in", "name": "event"}]))
}

async fn topic(played: &Played) -> EventGrid {
    let options = EventGridOptions { port: 0, key: "key".into(), retries_faster: 1_000 };
    let topic = EventGrid::start(options, played.history.clone()).await.unwrap();
    topic.subscribe(&played.host.event_grid_webhook("events")).await.unwrap();
    topic
}

fn event(id: &str) -> Value {
    json!({"id": id, "topic": "t", "subject": "s", "eventType": "T", "eventTime": "2026-01-01T00:00:00Z",
           "data": {"a": 1}, "dataVersion": "1", "metadataVersion": "1"})
}

fn envelope(seen: &Value) -> Value {
    serde_json::from_str(seen["body"].as_str().unwrap()).unwrap()
}

fn statuses(played: &Played) -> Vec<Value> {
    played.history.of("eventGrid", "delivery").into_iter().map(|entry| entry.detail["status"].clone()).collect()
}

async fn until(played: &Played, kind: &str, count: usize) {
    let mut watch = played.history.watch();
    let waiting = async {
        while played.history.of("eventGrid", kind).len() < count {
            watch.changed().await.unwrap();
        }
    };
    within(waiting).await;
}

#[tokio::test]
async fn an_event_comes_as_an_object_with_its_data_beside_it() {
    let played = stage(json!({})).ready().await;
    topic(&played).await.publish(event("1"));
    let seen = played.wait_for_seen(1).await;
    assert_eq!(seen[0]["target"], "/events");
    let envelope = envelope(&seen[0]);
    assert_eq!(envelope["Data"]["event"], event("1"));
    assert_eq!(envelope["Metadata"]["data"], json!({"a": 1}));
    assert_eq!(envelope["Metadata"]["sys"]["MethodName"], "events");
}

#[tokio::test]
async fn a_webhook_with_a_wrong_key_or_function_gets_no_subscription() {
    let played = stage(json!({})).http().ready().await;
    let options = EventGridOptions { port: 0, key: "key".into(), retries_faster: 1 };
    let topic = EventGrid::start(options, played.history.clone()).await.unwrap();
    let right = played.host.event_grid_webhook("events");
    assert!(topic.subscribe(&right.replace("code=", "code=x")).await.is_err());
    assert!(topic.subscribe(&played.host.event_grid_webhook("echo")).await.is_err());
    assert!(topic.subscribe(&right).await.is_ok());
}

#[tokio::test]
async fn what_fails_is_delivered_again_and_what_is_taken_is_not() {
    let played = stage(json!({"events": ["status:500", "status:500", "ok"]})).ready().await;
    let topic = topic(&played).await;
    topic.publish(event("1"));
    until(&played, "delivery", 3).await;
    assert_eq!(statuses(&played), [json!(500), json!(500), json!(202)]);
    assert!(played.history.of("eventGrid", "dropped").is_empty());
}

#[tokio::test]
async fn a_host_that_is_away_is_tried_again() {
    let played = stage(json!({})).ready().await;
    let topic = topic(&played).await;
    played.host.stop().await;
    topic.publish(event("1"));
    let mut watch = played.history.watch();
    within(async {
        while played.history.of("eventGrid", "delivery").len() < 3 {
            watch.changed().await.unwrap();
        }
    })
    .await;
    let deliveries = played.history.of("eventGrid", "delivery");
    assert!(deliveries.iter().all(|entry| entry.detail["status"].is_null()), "nobody is there");
}
