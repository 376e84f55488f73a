//! The Service Bus stand-in: what queues do, and what its REST face answers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use local_stack::core::History;
use local_stack::service_bus::{LockLost, NewMessage, Queue, QueueOptions, ServiceBus, ServiceBusOptions};
use serde_json::{Value, json};

async fn bus(queues: Vec<QueueOptions>) -> ServiceBus {
    ServiceBus::start(ServiceBusOptions { queues, ..ServiceBusOptions::default() }, History::default()).await.unwrap()
}

async fn queue(options: QueueOptions) -> (ServiceBus, Queue) {
    let bus = bus(vec![options]).await;
    let queue = bus.queue("Q").unwrap();
    (bus, queue)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it takes far too long")
}

fn token(audience: &str) -> String {
    let payload = BASE64_URL_SAFE_NO_PAD.encode(json!({"aud": audience, "exp": 4_000_000_000_i64}).to_string());
    format!("Bearer e30.{payload}.c2ln")
}

async fn call(
    bus: &ServiceBus,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, HeaderMap, String) {
    let own = token("https://servicebus.azure.net");
    let mut request = Request::builder().method(method).uri(format!("{}{path}", bus.served.http_url()));
    if !headers.iter().any(|(name, _)| *name == "authorization") {
        request = request.header("authorization", own);
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = within(client.request(request)).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_locked_message_is_nobody_elses_until_it_is_abandoned() {
    let (_bus, queue) = queue(QueueOptions::new("q")).await;
    queue.send(NewMessage::new("one"));
    queue.send(NewMessage::new("two"));
    let one = within(queue.receive()).await;
    assert_eq!(within(queue.receive()).await.message.body, "two");
    assert!(queue.try_receive().is_none());
    queue.abandon(one.lock_token).unwrap();
    let again = within(queue.receive()).await;
    assert_eq!((again.message.body.as_ref(), again.message.delivery_count), (b"one".as_ref(), 2));
    assert_eq!(queue.complete(one.lock_token), Err(LockLost), "an old lock settles nothing");
    queue.complete(again.lock_token).unwrap();
    assert_eq!(queue.complete(again.lock_token), Err(LockLost));
    assert_eq!(queue.peek().len(), 1);
}

#[tokio::test]
async fn a_lock_runs_out_unless_it_is_renewed() {
    let (_bus, queue) = queue(QueueOptions::new("q").lock_duration(Duration::from_secs(1))).await;
    queue.send(NewMessage::new("one"));
    let first = within(queue.receive()).await;
    assert!(queue.renew(first.lock_token).unwrap() > first.locked_until);
    let second = within(queue.receive()).await;
    assert_eq!(second.message.delivery_count, 2);
    assert_eq!(queue.renew(first.lock_token), Err(LockLost));
    assert_eq!(queue.complete(first.lock_token), Err(LockLost));
}

#[tokio::test]
async fn lost_locks_wear_a_message_out_too() {
    let options = QueueOptions::new("q").lock_duration(Duration::from_millis(50)).max_delivery_count(2);
    let (bus, queue) = queue(options).await;
    queue.send(NewMessage::new("one").message_id("m1"));
    within(queue.receive()).await;
    within(queue.receive()).await;
    let dead = bus.queue("q/$DeadLetterQueue").unwrap();
    let buried = within(dead.receive()).await;
    assert_eq!(buried.message.application_properties["DeadLetterReason"], "MaxDeliveryCountExceeded");
    assert_eq!(buried.message.properties.message_id.as_deref(), Some("m1"));
    dead.complete(buried.lock_token).unwrap();
    assert!(dead.peek().is_empty() && queue.peek().is_empty());
}

#[tokio::test]
async fn duplicates_are_dropped_silently_within_the_window_and_only_by_message_id() {
    let (_bus, queue) = queue(QueueOptions::new("q").duplicate_detection(Duration::from_mins(10))).await;
    assert!(queue.send(NewMessage::new("one").message_id("m1")).is_some());
    assert!(queue.send(NewMessage::new("other").message_id("m1")).is_none());
    assert!(queue.send(NewMessage::new("one")).is_some());
    assert!(queue.send(NewMessage::new("one")).is_some(), "without an id nothing is a duplicate");
    let first = within(queue.receive()).await;
    queue.complete(first.lock_token).unwrap();
    assert!(queue.send(NewMessage::new("one").message_id("m1")).is_none(), "also after its completion");
}

#[tokio::test]
async fn a_scheduled_message_waits_for_its_time() {
    let (_bus, queue) = queue(QueueOptions::new("q")).await;
    let due = Timestamp::now() + Duration::from_secs(1);
    let scheduled = queue.send(NewMessage::new("later").scheduled(due)).unwrap();
    queue.send(NewMessage::new("now"));
    assert_eq!(within(queue.receive()).await.message.body, "now");
    assert!(queue.try_receive().is_none());
    assert_eq!(queue.peek().len(), 2);
    let later = within(queue.receive()).await;
    assert_eq!((later.message.body.as_ref(), later.message.enqueued_time), (b"later".as_ref(), due));
    assert!(later.message.sequence_number > scheduled, "it is enqueued anew");
}

#[tokio::test]
async fn an_expired_message_is_gone() {
    let mut options = QueueOptions::new("q");
    options.default_time_to_live = Some(Duration::from_millis(50));
    let (_bus, queue) = queue(options).await;
    queue.send(NewMessage::new("brief"));
    within(queue.wait_until(<[_]>::is_empty)).await;
    assert!(queue.dead_letters().peek().is_empty());
}

#[tokio::test]
async fn a_message_sent_over_rest_keeps_its_properties() {
    let (bus, queue) = queue(QueueOptions::new("q")).await;
    let properties = r#"{"MessageId":"m1","CorrelationId":"c1","Label":"order","TimeToLive":60,"Unknown":1}"#;
    let headers = [
        ("brokerproperties", properties),
        ("content-type", "application/json"),
        ("tenant", r#""t1""#),
        ("count", "3"),
        ("x-not-a-property", "bare words"),
    ];
    assert_eq!(call(&bus, "POST", "/q/messages", &headers, r#"{"a":1}"#).await.0, 201);
    let message = within(queue.receive()).await.message;
    assert_eq!(message.properties.message_id.as_deref(), Some("m1"));
    assert_eq!(message.properties.correlation_id.as_deref(), Some("c1"));
    assert_eq!(message.properties.content_type.as_deref(), Some("application/json"));
    assert_eq!(message.expires_at.duration_since(message.enqueued_time).as_secs(), 60);
    assert_eq!(json!(message.application_properties), json!({"tenant": "t1", "count": 3}));
    let recorded = &bus.served.history.of("serviceBus", "message")[0].detail;
    assert_eq!(
        (&recorded["queue"], &recorded["messageId"], &recorded["body"]),
        (&json!("q"), &json!("m1"), &json!(r#"{"a":1}"#))
    );
}

#[tokio::test]
async fn a_schedule_over_rest_is_an_http_date() {
    let (bus, queue) = queue(QueueOptions::new("q")).await;
    let headers = [("brokerproperties", r#"{"ScheduledEnqueueTimeUtc":"Sat, 03 Jan 2099 03:04:05 GMT"}"#)];
    assert_eq!(call(&bus, "POST", "/q/messages", &headers, "x").await.0, 201);
    assert_eq!(queue.peek()[0].enqueued_time.to_string(), "2099-01-03T03:04:05Z");
    assert!(queue.try_receive().is_none());
    let wrong = [("brokerproperties", r#"{"ScheduledEnqueueTimeUtc":"tomorrow"}"#)];
    assert_eq!(call(&bus, "POST", "/q/messages", &wrong, "x").await.0, 400);
}

#[tokio::test]
async fn a_batch_is_several_messages() {
    let (bus, queue) = queue(QueueOptions::new("q")).await;
    let body =
        json!([{"Body": "one", "BrokerProperties": {"MessageId": "m1"}, "UserProperties": {"n": 1}}, {"Body": "two"}]);
    let headers = [("content-type", "application/vnd.microsoft.servicebus.json")];
    assert_eq!(call(&bus, "POST", "/q/messages", &headers, &body.to_string()).await.0, 201);
    let bodies: Vec<Bytes> = queue.drain().into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["one", "two"]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let (bus, queue) = queue(QueueOptions::new("q")).await;
    let sas = "SharedAccessSignature sr=x&sig=y&se=4000000000&skn=z";
    let status = async |path: &str, authorization: &str, body: &str| {
        call(&bus, "POST", path, &[("authorization", authorization)], body).await.0
    };
    let right = token("https://x.servicebus.windows.net");
    assert_eq!(status("/q/messages", "", "x").await, 401);
    assert_eq!(status("/q/messages", &token("https://vault.azure.net"), "x").await, 401);
    assert_eq!(status("/q/messages", "Bearer nonsense", "x").await, 401);
    assert_eq!(status("/q/messages", "SharedAccessSignature sr=x", "x").await, 401);
    assert_eq!(status("/unknown/messages", &right, "x").await, 404);
    assert_eq!(status("/q/messages", &right, &"x".repeat(262_145)).await, 403);
    assert_eq!(status("/q/$deadletterqueue/messages", &right, "x").await, 400);
    assert_eq!(call(&bus, "POST", "/q/messages", &[("brokerproperties", "{")], "x").await.0, 400);
    assert!(queue.peek().is_empty());
    assert_eq!(status("/q/messages", sas, "x").await, 201);
    assert_eq!(status("/q/messages", &right, "x").await, 201);
}

#[tokio::test]
async fn a_client_outside_receives_renews_and_settles() {
    let (bus, queue) = queue(QueueOptions::new("q")).await;
    assert_eq!(call(&bus, "POST", "/q/messages/head?timeout=0", &[], "").await.0, 204);
    queue.send(NewMessage::new("one").message_id("m1").property("tenant", "t1"));
    let (status, headers, body) = call(&bus, "POST", "/q/messages/head?timeout=5", &[], "").await;
    assert_eq!((status, body.as_str(), headers["tenant"].to_str().unwrap()), (201, "one", r#""t1""#));
    let properties: Value = serde_json::from_slice(headers["brokerproperties"].as_bytes()).unwrap();
    assert_eq!((&properties["MessageId"], &properties["DeliveryCount"]), (&json!("m1"), &json!(1)));
    let location = headers["location"].to_str().unwrap().to_owned();
    assert_eq!(call(&bus, "POST", &location, &[], "").await.0, 200);
    assert_eq!(call(&bus, "PUT", &location, &[], "").await.0, 200);
    assert_eq!(call(&bus, "DELETE", &location, &[], "").await.0, 404, "unlocked by then");
    assert_eq!(call(&bus, "DELETE", "/q/messages/head", &[], "").await.0, 200);
    assert!(queue.peek().is_empty());
}
