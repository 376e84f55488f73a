//! One parked message: why it is there, what it was, and how it goes back.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::service_bus::{Locked, Resent};

const REQUEST_ID: &str = "causeway-request-id";
const ORIGINAL: &str = "causeway-original";

#[derive(Debug)]
pub(super) struct Parcel {
    /// Its number in the parking queue.
    pub(super) id: i64,
    pub(super) reason: String,
    pub(super) detail: String,
    pub(super) parked_at: Option<Timestamp>,
    /// How often it was looked at, this time included.
    pub(super) looks: i64,
    /// The queue that it came from.
    pub(super) queue: String,
    /// The operation, or the event, that it asks for.
    pub(super) what: String,
    pub(super) original: Map<String, Value>,
    original_text: String,
    pub(super) shown_body: String,
    body: Bytes,
}

impl Parcel {
    pub(super) fn of(message: &Locked) -> Self {
        let said = |name: &str| message.properties.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let original_text = said(ORIGINAL);
        let original: Map<String, Value> = serde_json::from_str(&original_text).unwrap_or_default();
        let enqueued = message.broker.get("EnqueuedTimeUtc").and_then(Value::as_str);
        Self {
            id: message.sequence_number,
            reason: said("causeway-reason"),
            detail: said("causeway-detail"),
            parked_at: enqueued.and_then(|text| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())),
            looks: message.broker.get("DeliveryCount").and_then(Value::as_i64).unwrap_or_default(),
            queue: original.get("queue").and_then(Value::as_str).unwrap_or_default().to_owned(),
            what: what(&message.body).unwrap_or_default(),
            shown_body: message.shown_body(),
            body: message.body.clone(),
            original,
            original_text,
        }
    }

    /// Where it goes back to.
    pub(super) fn entity(&self, requests: &str) -> String {
        let by_topic = self.queue.contains("/subscriptions/");
        if self.queue.is_empty() || by_topic { requests.to_owned() } else { self.queue.clone() }
    }

    /// As it first came, with what keeps its run's id the same.
    pub(super) fn resent(&self, as_new: bool) -> Resent {
        let mut broker = Map::new();
        for (theirs, ours) in [
            ("CorrelationId", "correlationId"),
            ("SessionId", "sessionId"),
            ("ReplyTo", "replyTo"),
            ("ReplyToSessionId", "replyToSessionId"),
            ("ContentType", "contentType"),
            ("Label", "subject"),
        ] {
            if let Some(value) = self.original.get(ours).filter(|value| value.is_string()) {
                broker.insert(theirs.into(), value.clone());
            }
        }
        let mut properties = self.original.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        if as_new {
            properties.shift_remove(REQUEST_ID);
        } else {
            properties.insert(REQUEST_ID.into(), json!(self.request_id()));
            // Where it came in counts for its run's id, and what it was for whoever has to park it again.
            properties.insert(ORIGINAL.into(), json!(self.original_text));
        }
        Resent { body: self.body.clone(), broker, properties }
    }

    /// What made the message the request that it was (`runs/accept.rs`).
    fn request_id(&self) -> String {
        let of = |name: &str| self.original.get(name).and_then(Value::as_str).map(str::to_owned);
        let own = self.original.get("properties").and_then(|all| all.get(REQUEST_ID)).and_then(Value::as_str);
        own.map(str::to_owned).or_else(|| of("messageId")).unwrap_or_else(|| {
            let sequence = self.original.get("sequenceNumber").and_then(Value::as_i64).unwrap_or_default();
            format!("{sequence}@{}", of("enqueuedTime").unwrap_or_default())
        })
    }

    /// What did not go along.
    pub(super) fn notes(&self, left_out: &[String]) -> Vec<String> {
        let mut notes = Vec::new();
        let dropped = self.original.get("propertiesDropped").and_then(Value::as_array).map(Vec::len);
        if let Some(dropped) = dropped {
            notes.push(format!("its {dropped} or more properties had been too large to keep"));
        }
        if !left_out.is_empty() {
            notes.push(format!("without the properties {}", left_out.join(", ")));
        }
        notes
    }

    pub(super) fn json(&self, whole: bool) -> Value {
        let mut shown = json!({
            "id": self.id, "reason": self.reason, "detail": self.detail, "parkedAt": self.parked_at,
            "looks": self.looks, "queue": self.queue, "what": self.what,
            "messageId": self.original.get("messageId"),
        });
        if whole {
            shown["original"] = Value::Object(self.original.clone());
            shown["body"] = json!(self.shown_body);
        }
        shown
    }
}

/// The operation of a request, the type of an event, table and message of Dataverse, the run of a work message.
fn what(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let body = if body.is_array() { body.get(0)?.clone() } else { body };
    let of = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    of("operation").or_else(|| of("eventType")).or_else(|| of("run")).or_else(|| {
        match (of("PrimaryEntityName"), of("MessageName")) {
            (Some(entity), Some(message)) => Some(format!("{entity} {message}")),
            _ => of("type"),
        }
    })
}
