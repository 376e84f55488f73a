//! Peek-lock receiving for the tools of the parking queue, and sending a message again as it first came
//! (learn.microsoft.com/rest/api/servicebus: peek-lock-message-non-destructive-read, delete-message, unlock-message,
//! send-message-batch). The engine receives nothing here: the host does that.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::rest::{ascii, refused};
use super::{MAX_MESSAGE_BYTES, ServiceBus};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// Many messages in one body, whose properties keep their names and types; headers would lose capitals and slashes.
const BATCH: &str = "application/vnd.microsoft.servicebus.json";

/// A message that this process has locked.
#[derive(Clone, Debug)]
pub struct Locked {
    pub sequence_number: i64,
    pub body: Bytes,
    pub content_type: Option<String>,
    /// What the broker says: `EnqueuedTimeUtc`, `DeliveryCount`, `CorrelationId`, …
    pub broker: Map<String, Value>,
    /// Application properties; their names are in lower case on this way.
    pub properties: Map<String, Value>,
    lock_token: String,
}

/// A message to be sent as it first came, under an id of its own.
#[derive(Clone, Debug, Default)]
pub struct Resent {
    pub body: Bytes,
    /// `CorrelationId`, `SessionId`, `ReplyTo`, `ContentType`, …; the id is drawn here.
    pub broker: Map<String, Value>,
    /// Numbers and booleans stay what they are.
    pub properties: Map<String, Value>,
}

impl ServiceBus {
    /// Locks the next message; `None` when none comes within `wait`. Each lock counts as a delivery.
    pub async fn lock_next(&self, entity: &str, wait: Duration, deadline: Deadline) -> Result<Option<Locked>, Failure> {
        let mut url = self.messages_of(entity)?;
        url.path_segments_mut().map_err(|()| no_path())?.push("head");
        url.query_pairs_mut().append_pair("timeout", &wait.as_secs().max(1).to_string());
        let reply = self.call(RequestKind::MessageReceive, entity, Outbound::post(url), deadline).await?;
        match reply.status {
            201 => {}
            204 => return Ok(None),
            _ => return Err(refused(entity, &reply)),
        }
        let broker: Map<String, Value> = reply
            .header("brokerproperties")
            .and_then(|header| serde_json::from_str(header).ok())
            .ok_or_else(|| unreadable(entity))?;
        let token = broker.get("LockToken").and_then(Value::as_str);
        let (Some(lock_token), Some(sequence_number)) =
            (token.map(str::to_owned), broker.get("SequenceNumber").and_then(Value::as_i64))
        else {
            return Err(unreadable(entity));
        };
        // The transport's own headers are no JSON, or no plain values.
        let properties = reply.headers.iter().filter_map(|(name, value)| {
            let value: Value = serde_json::from_str(value).ok()?;
            (value.is_string() || name.starts_with("causeway-")).then(|| (name.clone(), value))
        });
        Ok(Some(Locked {
            sequence_number,
            content_type: reply.header("content-type").map(str::to_owned),
            properties: properties.collect(),
            body: reply.body,
            broker,
            lock_token,
        }))
    }

    /// Takes the message off the queue.
    pub async fn complete(&self, entity: &str, message: &Locked, deadline: Deadline) -> Result<(), Failure> {
        self.settle("DELETE", entity, message, deadline).await
    }

    /// Gives the message back.
    pub async fn unlock(&self, entity: &str, message: &Locked, deadline: Deadline) -> Result<(), Failure> {
        self.settle("PUT", entity, message, deadline).await
    }

    async fn settle(
        &self,
        method: &'static str,
        entity: &str,
        message: &Locked,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut url = self.messages_of(entity)?;
        url.path_segments_mut()
            .map_err(|()| no_path())?
            .push(&message.sequence_number.to_string())
            .push(&message.lock_token);
        let request = Outbound { method, ..Outbound::get(url) };
        let reply = self.call(RequestKind::MessageSettle, entity, request, deadline).await?;
        match reply.status {
            404 => Err(Failure::new(
                Code::MessageMalformed,
                format!(
                    "The lock on message {} has ended meanwhile; it is in {entity} still.",
                    message.sequence_number
                ),
            )),
            _ if reply.is_success() => Ok(()),
            _ => Err(refused(entity, &reply)),
        }
    }

    /// Sends it; what could not go along, which is told: names that no header can carry, for a body that is no text.
    pub async fn resend(&self, entity: &str, message: &Resent, deadline: Deadline) -> Result<Vec<String>, Failure> {
        if message.body.len() > MAX_MESSAGE_BYTES {
            return Err(Failure::new(Code::OutputTooLarge, format!("The message is too large for {entity}.")));
        }
        let mut broker = message.broker.clone();
        broker.insert("MessageId".into(), json!(Uuid::new_v4().to_string()));
        let mut request = Outbound::post(self.messages_of(entity)?);
        let mut left_out = Vec::new();
        if let Ok(text) = std::str::from_utf8(&message.body) {
            let batch = json!([{"Body": text, "BrokerProperties": broker, "UserProperties": message.properties}]);
            request = request.header("content-type", BATCH);
            request.body = Some(Bytes::from(batch.to_string()));
        } else {
            let content_type = broker.remove("ContentType").and_then(|value| value.as_str().map(str::to_owned));
            request = request
                .header("content-type", content_type.unwrap_or_else(|| "application/octet-stream".into()))
                .header("brokerproperties", ascii(&Value::Object(broker).to_string()));
            for (name, value) in &message.properties {
                if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
                    request = request.header(name, ascii(&value.to_string()));
                } else {
                    left_out.push(name.clone());
                }
            }
            request.body = Some(message.body.clone());
        }
        let reply = self.call(RequestKind::MessageSend, entity, request, deadline).await?;
        if reply.is_success() { Ok(left_out) } else { Err(refused(entity, &reply)) }
    }
}

impl Locked {
    /// The body as people read it, or in base64 when it is no text.
    pub fn shown_body(&self) -> String {
        std::str::from_utf8(&self.body).map_or_else(
            |_| format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(&self.body)),
            str::to_owned,
        )
    }
}

fn no_path() -> Failure {
    Failure::new(Code::Misconfigured, "The Service Bus address cannot carry a path.")
}

fn unreadable(entity: &str) -> Failure {
    Failure::new(Code::UpstreamReplyInvalid, format!("Service Bus gave a message of {entity} without its properties."))
}
