//! Parking: what can never work goes to the parking queue at once, with its exact bytes and the reason.

use serde_json::{Value, json};

use super::Engine;
use super::received::Received;
use crate::failure::{Code, Failure};
use crate::http::Deadline;
use crate::service_bus::Message;

/// Service Bus keeps all properties of a message within 64 KB, and they travel as headers.
const MAX_DETAIL: usize = 2_000;
const MAX_ORIGINAL: usize = 16_000;
/// What the broker and the sender said of the message, in JSON.
pub(super) const ORIGINAL: &str = "causeway-original";

/// Which queue a message died in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetters {
    Requests,
    Topic,
    Work,
}

impl Engine {
    /// Parks a message that came from `queue`.
    pub(super) async fn park(
        &self,
        message: &Received,
        queue: &str,
        reason: &Failure,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let parked = Message {
            body: message.body.clone(),
            content_type: message.content_type.clone(),
            correlation_id: message.correlation_id.clone(),
            subject: Some("parked".into()),
            properties: vec![
                ("causeway-reason".into(), reason.code.to_string()),
                ("causeway-detail".into(), shortened(&reason.detail)),
                (ORIGINAL.into(), original_of(message, queue)),
            ],
            ..Message::default()
        };
        self.messages.send(&self.queues.parking_queue, parked, deadline).await?;
        tracing::warn!(
            queue,
            message_id = message.message_id,
            sequence_number = message.sequence_number,
            code = reason.code.as_str(),
            error = reason.chain(),
            "message parked"
        );
        Ok(())
    }

    /// Drains a dead-letter queue into the parking queue.
    pub(super) async fn park_dead_letter(
        &self,
        message: &Received,
        of: DeadLetters,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let queue = match of {
            DeadLetters::Requests => &self.queues.request_queue,
            DeadLetters::Topic => &self.queues.subscription(),
            DeadLetters::Work => &self.queues.work_queue,
        };
        let said = |name: &str| message.properties.get(name).and_then(|value| value.as_str());
        let why = said("DeadLetterReason").unwrap_or("no reason given");
        let reason = Failure::new(
            Code::DeliveriesExhausted,
            format!("The message was delivered until Service Bus gave up ({why}). The log tells why each one failed."),
        );
        self.park(message, queue, &reason, deadline).await
    }
}

/// What is known of the message as it first came, in JSON.
pub(super) fn original_of(message: &Received, queue: &str) -> String {
    // A copy of ours brings along what the first one had.
    if let Some(original) = message.properties.get(ORIGINAL).and_then(Value::as_str) {
        return original.to_owned();
    }
    let mut original = json!({
        "queue": queue,
        "messageId": message.message_id,
        "sequenceNumber": message.sequence_number,
        "enqueuedTime": message.enqueued_time,
        "deliveryCount": message.delivery_count,
        "correlationId": message.correlation_id,
        "sessionId": message.session_id,
        "replyTo": message.reply_to,
        "replyToSessionId": message.reply_to_session_id,
        "contentType": message.content_type,
        "subject": message.subject,
        "properties": message.properties,
    });
    let whole = original.to_string();
    if whole.len() <= MAX_ORIGINAL {
        return whole;
    }
    // With all of them the message could not be parked at all.
    original["properties"] = json!({});
    original["propertiesDropped"] = json!(message.properties.keys().take(20).collect::<Vec<_>>());
    original.to_string()
}

fn shortened(text: &str) -> String {
    if text.len() <= MAX_DETAIL {
        text.to_owned()
    } else {
        text.chars().take(MAX_DETAIL).chain("…".chars()).collect()
    }
}
