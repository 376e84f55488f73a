//! Delivering: at once, then again on the service's schedule until the webhook takes the event, refuses it for good, or a
//! day has passed (learn.microsoft.com/azure/event-grid/delivery-and-retry).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Topic;

/// Pauses before each further try; the last one again and again until a day is over.
const AGAIN: [u64; 8] = [10, 30, 60, 300, 600, 1_800, 3_600, 10_800];
const TRIES: usize = 30;
const A_DAY: u64 = 86_400;
/// The service waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn deliver(topic: Arc<Topic>, event: Value) {
    let mut passed = 0;
    for tries in 0..TRIES {
        let status = match topic.webhook() {
            Some(webhook) => notify(&webhook, &event, tries).await,
            None => None,
        };
        let detail = json!({"id": event["id"], "try": tries + 1, "status": status.map(|status| status.as_u16())});
        topic.history.record("eventGrid", "delivery", detail);
        match status {
            Some(status) if status.is_success() => return,
            // These cannot be mended by trying again.
            Some(
                StatusCode::BAD_REQUEST
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN,
            ) => break,
            _ => {}
        }
        let pause = AGAIN[tries.min(AGAIN.len() - 1)];
        passed += pause;
        if passed > A_DAY {
            break;
        }
        tokio::time::sleep(Duration::from_secs(pause) / topic.retries_faster).await;
    }
    topic.history.record("eventGrid", "dropped", json!({"id": event["id"]}));
}

/// `None`: no answer.
async fn notify(webhook: &str, event: &Value, tries: usize) -> Option<StatusCode> {
    let cloud = event.get("specversion").is_some();
    // A CloudEvent goes alone; an event of the own schema is a list of one.
    let (kind, body) = if cloud {
        ("application/cloudevents+json; charset=utf-8", event.to_string())
    } else {
        ("application/json; charset=utf-8", json!([event]).to_string())
    };
    let request = Request::post(webhook)
        .header(CONTENT_TYPE, kind)
        .header("aeg-event-type", "Notification")
        .header("aeg-subscription-name", "LOCAL")
        .header("aeg-delivery-count", tries.to_string())
        .body(Full::new(Bytes::from(body)));
    send(request).await.map(|(status, _)| status)
}

/// The handshake: a webhook that does not echo the code gets nothing.
pub(super) async fn validate(webhook: &str) -> anyhow::Result<()> {
    let code = Uuid::new_v4().to_string().to_uppercase();
    let event = json!([{
        "id": Uuid::new_v4().to_string(), "topic": "local", "subject": "",
        "data": {"validationCode": code}, "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": jiff::Timestamp::now().to_string(), "metadataVersion": "1", "dataVersion": "1"
    }]);
    let request = Request::post(webhook)
        .header(CONTENT_TYPE, "application/json")
        .header("aeg-event-type", "SubscriptionValidation")
        .body(Full::new(Bytes::from(event.to_string())));
    let (status, body) = send(request).await.context("the webhook does not answer")?;
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    ensure!(
        status == StatusCode::OK && said["validationResponse"] == code,
        "the webhook does not want events: {status}"
    );
    Ok(())
}

async fn send(request: http::Result<Request<Full<Bytes>>>) -> Option<(StatusCode, Bytes)> {
    let exchange = async {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request.ok()?).await.ok()?;
        let status = response.status();
        Some((status, response.into_body().collect().await.ok()?.to_bytes()))
    };
    tokio::time::timeout(PATIENCE, exchange).await.ok().flatten()
}
