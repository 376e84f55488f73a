//! Service Bus functions: the envelope, the answer, and what becomes of the message.

use std::time::Duration;

use local_stack::service_bus::NewMessage;
use serde_json::{Value, json};

use super::{Played, Stage, within};

fn envelope(seen: &Value) -> Value {
    serde_json::from_str(seen["body"].as_str().unwrap()).unwrap()
}

impl Played {
    async fn wait_until_empty(&self) {
        within(self.queue.wait_until(<[_]>::is_empty)).await;
    }
}

#[tokio::test]
async fn binary_data_is_base64_and_metadata_is_not_forged() {
    let played = Stage::new(json!({})).messages(Some("binary")).ready().await;
    played.queue.send(NewMessage::new(r#"{"DeliveryCount": 99}"#).property("tenant", "t1").property("n", 3));
    played.wait_until_empty().await;

    let seen = played.wait_for_seen(1).await.remove(0);
    assert_eq!(seen["target"], "/onRequest");
    let headers = &seen["headers"];
    assert_eq!(headers["transfer-encoding"], "chunked");
    assert_eq!(headers["content-length"], Value::Null);
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert!(headers["user-agent"].as_str().unwrap().starts_with("Azure-Functions-Host/"));
    assert!(headers["x-azure-functions-invocationid"].is_string() && headers["traceparent"].is_string());

    let envelope = envelope(&seen);
    assert_eq!(envelope["Data"], json!({"message": "eyJEZWxpdmVyeUNvdW50IjogOTl9"}));
    let metadata = &envelope["Metadata"];
    assert_eq!(metadata["DeliveryCount"], "1");
    assert_eq!(metadata["SequenceNumber"], "1");
    assert_eq!(metadata.get("MessageId"), None, "left out when the sender set none");
    assert_eq!(metadata["ApplicationProperties"], json!({"tenant": "t1", "n": 3}));
    assert_eq!(metadata["UserProperties"], metadata["ApplicationProperties"]);
    assert_eq!(metadata["sys"]["MethodName"], "onRequest");
    assert!(metadata["EnqueuedTime"].as_str().unwrap().ends_with("+00:00"));
    assert_eq!(metadata["EnqueuedTimeUtc"].as_str().unwrap().len(), "2026-01-02T03:04:05".len());
}

#[tokio::test]
async fn text_is_encoded_twice_and_spills_over_the_metadata() {
    let played = Stage::new(json!({})).messages(None).ready().await;
    let body = r#"{"messageid": "forged", "qty": 2, "list": [1], "at": "2026-01-02T03:04:05Z", "inner": {"a": 1}}"#;
    played.queue.send(NewMessage::new(body).message_id("genuine"));
    let seen = played.wait_for_seen(1).await.remove(0);
    let envelope = envelope(&seen);
    assert_eq!(envelope["Data"]["message"], Value::from(body).to_string());
    let metadata = &envelope["Metadata"];
    assert_eq!(metadata["MessageId"], r#""forged""#);
    assert_eq!(metadata["qty"], r#""2""#);
    assert_eq!(metadata["at"], r#""01/02/2026 03:04:05""#);
    assert_eq!(metadata["inner"], json!({"a": 1}));
    assert_eq!(metadata.get("list"), None);
}

#[tokio::test]
async fn a_failure_abandons_at_once_and_loses_body_and_logs() {
    let script = json!({"onRequest": ["status:500", "text", "drop", "logs"]});
    let played = Stage::new(script).messages(Some("binary")).ready().await;
    played.queue.send(NewMessage::new("work").message_id("m1"));
    played.wait_until_empty().await;
    let records = played.wait_for_records("invocation", 4).await;
    let reasons: Vec<&str> = records.iter().map(|record| record["reason"].as_str().unwrap_or("none")).collect();
    assert_eq!(reasons[0], "Response status code does not indicate success: 500 (Internal Server Error).");
    assert!(reasons[1].starts_with("Invalid HttpResponseMessage"), "{reasons:?}");
    assert!(reasons[2].starts_with("HttpRequestException"), "{reasons:?}");
    assert_eq!(reasons[3], "none");
    let deliveries: Vec<&Value> = records.iter().map(|record| &record["deliveryCount"]).collect();
    assert_eq!(deliveries, [1, 2, 3, 4]);
    assert!(records.windows(2).all(|pair| pair[0]["invocationId"] != pair[1]["invocationId"]));
    assert!(played.host.logs().find("a line that is lost").is_none());
    assert!(played.host.logs().find("a line that is kept").is_some());
    assert!(played.queue.dead_letters().peek().is_empty());
}

#[tokio::test]
async fn the_tenth_failure_buries_the_message() {
    let played = Stage::new(json!({"onRequest": ["status:500"]})).messages(Some("binary")).ready().await;
    played.queue.send(NewMessage::new("poison").message_id("m1"));
    let dead = within(played.queue.dead_letters().wait_until(|dead| !dead.is_empty())).await.remove(0);
    assert_eq!((dead.body.as_ref(), dead.delivery_count), (b"poison".as_ref(), 10));
    assert_eq!(dead.application_properties["DeadLetterReason"], "MaxDeliveryCountExceeded");
    assert_eq!(played.wait_for_records("invocation", 10).await.len(), 10);
    assert!(played.queue.peek().is_empty());
}

#[tokio::test]
async fn an_empty_success_hangs_until_the_timeout_kills_the_handler() {
    for action in ["empty", "null"] {
        let stage = Stage::new(json!({"onRequest": [action, "ok"]})).messages(Some("binary"));
        let played = stage.with("/functionTimeout", "00:00:02").ready().await;
        played.queue.send(NewMessage::new("work"));
        played.wait_until_empty().await;
        let records = played.wait_for_records("invocation", 2).await;
        assert!(records[0]["reason"].as_str().unwrap().starts_with("Timeout value"), "{records:?}");
        assert_eq!(records[1]["outcome"], "succeeded");
        assert_eq!(played.host.restarts(), 1);
    }
}

#[tokio::test]
async fn when_renewal_ends_the_message_comes_again_and_the_first_completion_fails() {
    let stage = Stage::new(json!({"onRequest": ["wait:go", "ok"]})).messages(Some("binary"));
    let played = stage
        .queue(|queue| queue.lock_duration(Duration::from_millis(500)))
        .with("/extensions/serviceBus/maxAutoLockRenewalDuration", "00:00:01")
        .ready()
        .await;
    played.queue.send(NewMessage::new("work"));
    let second = played.wait_for_records("invocation", 1).await.remove(0);
    assert_eq!((&second["deliveryCount"], &second["outcome"]), (&json!(2), &json!("succeeded")));
    played.wait_until_empty().await;
    played.release("go");
    let lost = played.wait_for_records("lockLost", 1).await.remove(0);
    assert_eq!(lost["action"], "complete");
    assert_eq!(played.wait_for_records("invocation", 2).await[1]["outcome"], "succeeded");
}

#[tokio::test]
async fn a_lock_is_renewed_while_the_handler_works() {
    let stage = Stage::new(json!({"onRequest": ["wait:go", "ok"]})).http().messages(Some("binary"));
    let played = stage.queue(|queue| queue.lock_duration(Duration::from_millis(1500))).ready().await;
    played.queue.send(NewMessage::new("work"));
    played.wait_for_seen(1).await;
    // Twice ten attempts with their pauses take longer than two locks.
    played.post("/api/echo?do=drop", "").await;
    played.post("/api/echo?do=drop", "").await;
    assert_eq!(played.seen().iter().filter(|seen| seen["target"] == "/onRequest").count(), 1);
    played.release("go");
    played.wait_until_empty().await;
    let records = played.wait_for_records("invocation", 3).await;
    assert_eq!(records.iter().filter(|record| record["trigger"] == "serviceBus").count(), 1);
    assert!(played.history.of("host", "lockLost").is_empty());
}

#[tokio::test]
async fn no_more_messages_are_in_flight_than_max_concurrent_calls() {
    let stage = Stage::new(json!({"onRequest": ["wait:go"]})).http().messages(Some("binary"));
    let played = stage.with("/extensions/serviceBus/maxConcurrentCalls", 2).ready().await;
    for _ in 0..3 {
        played.queue.send(NewMessage::new("work"));
    }
    played.wait_for_seen(2).await;
    assert_eq!(played.post("/api/echo?do=drop,drop,ok", "").await.0, 200);
    let messages =
        async |count| played.wait_for_seen(count).await.iter().filter(|seen| seen["target"] == "/onRequest").count();
    assert_eq!(messages(5).await, 2);
    played.release("go");
    assert_eq!(messages(6).await, 3);
}

#[tokio::test]
async fn a_host_that_stops_leaves_its_messages_locked() {
    let stage = Stage::new(json!({"start": ["exit:1", "exit:1", "exit:1", "serve"]})).messages(Some("binary"));
    let played = stage.queue(|queue| queue.lock_duration(Duration::from_millis(500))).start().await;
    // The first host takes it, waits for its handler, and is gone before that ever comes.
    played.queue.send(NewMessage::new("work"));
    let records = played.wait_for_records("invocation", 1).await;
    assert_eq!(records[0]["outcome"], "succeeded", "nothing was abandoned");
    assert!(records[0]["deliveryCount"].as_u64() >= Some(2), "its lock has run out");
    assert_eq!(played.host.processes()[0].hosts, 2);
}

#[tokio::test]
async fn without_auto_completion_a_success_comes_again_when_its_lock_ends() {
    let stage =
        Stage::new(json!({})).messages(Some("binary")).with("/extensions/serviceBus/autoCompleteMessages", false);
    let played = stage.queue(|queue| queue.lock_duration(Duration::from_millis(200))).ready().await;
    played.queue.send(NewMessage::new("work"));
    let records = played.wait_for_records("invocation", 2).await;
    assert_eq!((&records[0]["outcome"], &records[1]["deliveryCount"]), (&json!("succeeded"), &json!(2)));
}
